//! Plugins for tests, from a few lines of core WebAssembly: the contract's types come from `wit/`. The end-to-end tests use it too.

use std::path::Path;

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::{Resolve, UnresolvedPackageGroup};

/// Interfaces that are not in `wit/`: WASI's, as far as tests import them, and the test host's own.
const OTHERS: &str = r#"
package test:others;
package test:host { interface hooks { panic: func(); wait: func(); } interface unknown { f: func(); } }
package wasi:io@0.2.3 {
    interface poll {
        resource pollable { block: func(); ready: func() -> bool; }
        poll: func(in: list<borrow<pollable>>) -> list<u32>;
    }
    interface streams {
        resource output-stream { blocking-write-and-flush: func(contents: list<u8>) -> result<_, stream-error>; }
        use error.{error};
        variant stream-error { last-operation-failed(error), closed }
    }
    interface error { resource error; }
}
package wasi:clocks@0.2.3 {
    interface monotonic-clock {
        use wasi:io/poll@0.2.3.{pollable};
        now: func() -> u64;
        subscribe-duration: func(when: u64) -> pollable;
    }
}
package wasi:random@0.2.3 {
    interface random { get-random-u64: func() -> u64; get-random-bytes: func(len: u64) -> list<u8>; }
}
package wasi:cli@0.2.3 {
    interface exit { exit: func(status: result); }
    interface environment { get-arguments: func() -> list<string>; }
    interface stdout { use wasi:io/streams@0.2.3.{output-stream}; get-stdout: func() -> output-stream; }
}
package wasi:sockets@0.2.3 {
    interface network { enum error-code { unknown, access-denied } }
    interface tcp-create-socket {
        use network.{error-code};
        enum ip-address-family { ipv4, ipv6 }
        create: func(f: ip-address-family) -> result<u32, error-code>;
    }
}
package wasi:http@0.2.3 { interface types { f: func(); } }
"#;

/// A guest in the making. Its memory is 1 page unless `memory` says otherwise; `call` answers with nothing.
#[derive(Clone)]
pub(crate) struct Guest {
    /// Lines of the world, such as `import wardkeep:log/log@0.1.0;`.
    pub(crate) world: &'static str,
    /// Core imports and further functions.
    pub(crate) fields: String,
    /// The body of `call`, before it gives the address of its answer (256 by default: nothing, all well).
    pub(crate) call: &'static str,
    pub(crate) describe: &'static str,
    pub(crate) realloc: &'static str,
    /// What runs after the host has read the answer of `call`; empty for a guest without it.
    pub(crate) post_return: &'static str,
    pub(crate) memory: &'static str,
}

impl Default for Guest {
    fn default() -> Self {
        Self { world: "", fields: String::new(), call: "", describe: "", realloc: "", post_return: "", memory: "1" }
    }
}

impl Guest {
    /// A guest that runs these instructions in `call`.
    pub(crate) fn that(call: &'static str) -> Self {
        Self { call, ..Self::default() }
    }

    pub(crate) fn importing(self, world: &'static str, fields: &str) -> Self {
        Self { world, fields: fields.to_owned(), ..self }
    }

    /// The component. Memory: 0 `describe`'s answer, 64 its tools `t` and `u`, 256 the answer of `call`, 512 a content block,
    /// 1024 free for the test, from 4096 what `cabi_realloc` gives out.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let Self { fields, call, describe, realloc, post_return, memory, .. } = self;
        let post_return = match *post_return {
            "" => String::new(),
            body => format!(r#"(func (export "cabi_post_wardkeep:tool/handler@0.1.0#call") (param i32) {body})"#),
        };
        let module = format!(
            r#"(module
              {fields}
              (memory (export "memory") {memory})
              (global $next (mut i32) (i32.const 4096))
              (func (export "wardkeep:tool/handler@0.1.0#describe") (result i32) {describe} (i32.const 0))
              (func (export "wardkeep:tool/handler@0.1.0#call")
                (param i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32) {call} (i32.const 256))
              (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                {realloc}
                (global.set $next (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
                (global.get $next)
                (global.set $next (i32.add (global.get $next) (local.get 3))))
              {post_return}
              (data (i32.const 0) "{name}{version}{tools}")
              (data (i32.const 64) "{t}{none}{text}{schema}{none}{rest}{u}{none}{text}{schema}{none}{rest}")
              (data (i32.const 192) "guest1.0.0tu{{\"type\":\"object\"}}")
            )"#,
            name = pair(192, 5),
            version = pair(197, 5),
            tools = pair(64, 2),
            t = pair(202, 1),
            u = pair(203, 1),
            text = pair(202, 1),
            schema = pair(204, 17),
            none = "\\00".repeat(12),
            // Effect read, idempotent, no asks.
            rest = "\\00\\01\\00\\00\\00\\00\\00\\00\\00\\00\\00\\00",
        );
        let mut module = wat::parse_str(&module).unwrap();
        let mut resolve = Resolve::default();
        resolve.push_dir(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../wit"))).unwrap();
        resolve.push_group(UnresolvedPackageGroup::parse("others.wit", OTHERS).unwrap()).unwrap();
        let world = format!("package test:guest; world guest {{ {} export wardkeep:tool/handler@0.1.0; }}", self.world);
        let package = resolve.push_group(UnresolvedPackageGroup::parse("guest.wit", &world).unwrap()).unwrap();
        let world = resolve.select_world(&[package], None).unwrap();
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
        ComponentEncoder::default().module(&module).unwrap().validate(true).encode().unwrap()
    }
}

/// An address and a length, as data.
fn pair(address: u32, length: u32) -> String {
    [address, length].iter().flat_map(|word| word.to_le_bytes()).map(|byte| format!("\\{byte:02x}")).collect()
}
