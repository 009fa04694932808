//! The inert baseline beside the standard: `wasmtime-wasi` with nothing granted. A component that one of them links, the other links,
//! and both tell it that nothing is there.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "clippy excuses functions marked as tests only, not what they share"
)]

use std::time::Duration;

use wardkeep_capabilities::{CallState, CallToken, Environment, FilePool, LogContext, Outside, Roots, Served, link};
use wardkeep_model::{CorrelationId, Limits};
use wardkeep_policy::Grants;
use wasmtime::{
    Config, Engine, Store,
    component::{Component, Linker, ResourceTable, types::ComponentItem},
};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

/// What a start of a program asks: environment, arguments, preopened directories; and the wall clock, for its type.
const STARTS: &str = r#"
(component
  (import "wasi:cli/environment@0.2.0" (instance $environment
    (export "get-environment" (func (result (list (tuple string string)))))
    (export "get-arguments" (func (result (list string))))))
  (import "wasi:clocks/wall-clock@0.2.0" (instance $clock
    (type $record (record (field "seconds" u64) (field "nanoseconds" u32)))
    (export "datetime" (type $datetime (eq $record)))
    (export "now" (func (result $datetime)))))
  (import "wasi:filesystem/types@0.2.0" (instance $types (export "descriptor" (type (sub resource)))))
  (alias export $types "descriptor" (type $descriptor))
  (import "wasi:filesystem/preopens@0.2.0" (instance $preopens
    (alias outer 1 $descriptor (type $outer))
    (export "descriptor" (type $inner (eq $outer)))
    (export "get-directories" (func (result (list (tuple (own $inner) string)))))))
  (core module $libc
    (memory (export "memory") 1)
    (global $next (mut i32) (i32.const 1024))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (global.get $next)
      (global.set $next (i32.add (global.get $next) (i32.and (i32.add (local.get 3) (i32.const 15)) (i32.const -16))))))
  (core instance $libc (instantiate $libc))
  (core func $get_environment (canon lower (func $environment "get-environment")
    (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
  (core func $get_arguments (canon lower (func $environment "get-arguments")
    (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
  (core func $get_directories (canon lower (func $preopens "get-directories")
    (memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))))
  (core module $program
    (import "libc" "memory" (memory 1))
    (import "host" "environment" (func $environment (param i32)))
    (import "host" "arguments" (func $arguments (param i32)))
    (import "host" "directories" (func $directories (param i32)))
    ;; a list comes as pointer and length: the length alone is told
    (func (export "environment") (result i32) (call $environment (i32.const 16)) (i32.load (i32.const 20)))
    (func (export "arguments") (result i32) (call $arguments (i32.const 16)) (i32.load (i32.const 20)))
    (func (export "directories") (result i32) (call $directories (i32.const 16)) (i32.load (i32.const 20))))
  (core instance $program (instantiate $program
    (with "libc" (instance $libc))
    (with "host" (instance
      (export "environment" (func $get_environment))
      (export "arguments" (func $get_arguments))
      (export "directories" (func $get_directories))))))
  (func (export "environment") (result u32) (canon lift (core func $program "environment")))
  (func (export "arguments") (result u32) (canon lift (core func $program "arguments")))
  (func (export "directories") (result u32) (canon lift (core func $program "directories"))))
"#;

struct Standard {
    ctx: WasiCtx,
    table: ResourceTable,
}

impl WasiView for Standard {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.ctx, table: &mut self.table }
    }
}

fn compiled() -> (Engine, Component) {
    let engine = Engine::new(&Config::new()).unwrap();
    let component = Component::new(&engine, wat::parse_str(STARTS).unwrap()).unwrap();
    (engine, component)
}

async fn lengths<T: Send + 'static>(linker: &Linker<T>, store: &mut Store<T>, component: &Component) -> [u32; 3] {
    let instance = linker.instantiate_async(&mut *store, component).await.unwrap();
    let mut lengths = [u32::MAX; 3];
    for (length, name) in lengths.iter_mut().zip(["environment", "arguments", "directories"]) {
        let told = instance.get_typed_func::<(), (u32,)>(&mut *store, name).unwrap();
        (*length,) = told.call_async(&mut *store, ()).await.unwrap();
    }
    lengths
}

#[tokio::test]
async fn the_inert_baseline_tells_a_starting_program_what_the_standard_tells_it_without_grants() {
    let (engine, component) = compiled();

    let mut standard = Linker::new(&engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut standard).unwrap();
    let state = Standard { ctx: WasiCtx::builder().build(), table: ResourceTable::new() };
    let told = lengths(&standard, &mut Store::new(&engine, state), &component).await;

    let mut ours = Linker::new(&engine);
    let served = Served { inert: true, ..Served::default() };
    for (name, item) in component.component_type().imports(&engine) {
        let ComponentItem::ComponentInstance(instance) = item.ty else { panic!("`{name}` is no instance") };
        link(&mut ours, &engine, (name, &instance), &served, |call: &mut CallState| call).unwrap();
    }
    let reach = Outside::closed().plugin(&"standard".parse().unwrap());
    let environment = Environment { roots: Roots::default(), pool: FilePool::new(1), reach };
    let context = LogContext {
        plugin: "standard".parse().unwrap(),
        tool: "starts".parse().unwrap(),
        correlation: CorrelationId::from_bytes([7; 16]),
    };
    let grants = Grants { wasi_inert: true, ..Grants::default() };
    let token = CallToken::new(Duration::from_secs(30));
    let call = CallState::new((&grants, &[]), &Limits::DEFAULT, token, &environment, context);
    assert_eq!(lengths(&ours, &mut Store::new(&engine, call), &component).await, told);
    assert_eq!(told, [0, 0, 0]);
}
