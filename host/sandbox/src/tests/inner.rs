//! Components of many core modules: what they start, hold and leave behind counts as one.

use std::time::Duration;

use wardkeep_capabilities::CallToken;
use wardkeep_model::{LimitKind, Limits, Outcome};
use wasmparser::{Parser, Payload};

use super::{
    Call, ENGINE, Guest,
    running::{inspect_bytes, wait},
};
use crate::{InspectError, Inspected};

/// This guest with further core modules, each instantiated once.
fn with(guest: &Guest, modules: &[String]) -> Vec<u8> {
    let mut bytes = guest.bytes();
    let (first, _) = counted(&bytes);
    for (index, module) in (first..).zip(modules) {
        section(&mut bytes, 1, &wat::parse_str(module).unwrap());
        // one core instance: instantiate this module with no arguments
        section(&mut bytes, 2, &[&[1, 0][..], &leb128(index), &[0]].concat());
    }
    bytes
}

fn section(bytes: &mut Vec<u8>, id: u8, content: &[u8]) {
    bytes.push(id);
    bytes.extend(leb128(u32::try_from(content.len()).unwrap()));
    bytes.extend(content);
}

fn leb128(mut number: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    bytes.push(number.to_le_bytes()[0]);
    bytes
}

/// How many core modules a component has, and how many instances of one.
fn counted(component: &[u8]) -> (u32, u32) {
    let (mut modules, mut instances) = (0, 0);
    for payload in Parser::new(0).parse_all(component) {
        match payload.unwrap() {
            Payload::ModuleSection { .. } => modules += 1,
            Payload::InstanceSection(section) => {
                for instance in section {
                    instances += u32::from(matches!(instance.unwrap(), wasmparser::Instance::Instantiate { .. }));
                }
            }
            _ => {}
        }
    }
    (modules, instances)
}

fn refused(bytes: Vec<u8>) -> InspectError {
    wait(ENGINE.inspect(bytes.into())).unwrap_err()
}

fn run(inspected: &Inspected, limits: Limits) -> crate::instance::Done {
    let call = Call { limits, ..Call::default() };
    let plugin = call.link(inspected).unwrap();
    wait(call.start(&plugin, &CallToken::new(limits.deadline))).unwrap()
}

const LIMITS: Limits = Limits { deadline: Duration::from_secs(20), ..Limits::DEFAULT };

#[test]
fn the_start_of_every_inner_module_burns_the_calls_own_fuel() {
    let burns = "(module (func $s (local $i i32)
        (loop $l (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 10000)))))
        (start $s))";
    let one = run(&inspect_bytes(with(&Guest::default(), &[burns.to_owned()])), LIMITS).cost.fuel;
    let five = inspect_bytes(with(&Guest::default(), &vec![burns.to_owned(); 5]));
    let none = run(&inspect_bytes(Guest::default().bytes()), LIMITS).cost.fuel;
    assert_eq!(run(&five, LIMITS).cost.fuel - none, 5 * (one - none));
    let done = run(&five, Limits { fuel: 3 * (one - none), ..LIMITS });
    assert_eq!((done.outcome(), done.cost.fuel), (Outcome::Limit(LimitKind::Fuel), 3 * (one - none)));

    let loops = "(module (func $s (loop $l (br $l))) (start $s))";
    let InspectError::Describe(stopped) = refused(with(&Guest::default(), &[burns, burns, loops].map(String::from)))
    else {
        panic!()
    };
    assert_eq!(stopped.outcome, Outcome::Limit(LimitKind::Fuel));
}

#[test]
fn a_component_of_so_many_core_instances_runs_and_one_of_more_is_refused() {
    let (_, own) = counted(&Guest::default().bytes());
    let modules = |all: u32| vec!["(module (func))".to_owned(); (all - own) as usize];
    let most = with(&Guest::default(), &modules(crate::engine::INSTANCES));
    assert_eq!(counted(&most).1, crate::engine::INSTANCES);
    assert_eq!(run(&inspect_bytes(most), LIMITS).outcome(), Outcome::Ok);
    let error = refused(with(&Guest::default(), &modules(crate::engine::INSTANCES + 1)));
    let text = format!("{error:?}");
    assert!(text.contains("64") && text.contains("instances"), "{text}");
}

#[test]
fn the_memories_of_all_inner_modules_count_together() {
    let module = |pages: u32| format!("(module (memory {pages}))");
    let seven = inspect_bytes(with(&Guest::default(), &vec![module(16); 7]));
    let held = (7 * 16 + 1) << 16;
    let done = run(&seven, Limits { memory: held, ..LIMITS });
    assert_eq!((done.outcome(), done.cost.memory_peak), (Outcome::Ok, held));
    let done = run(&seven, Limits { memory: held - 1, ..LIMITS });
    assert_eq!(done.outcome(), Outcome::Limit(LimitKind::Memory));
    let text = format!("{:?}", refused(with(&Guest::default(), &vec![module(1); 8])));
    assert!(text.contains("memories") || text.contains("memory"), "{text}");
}

#[test]
fn what_one_plugin_leaves_in_memory_and_tables_no_other_finds() {
    // Both grow to the same 32 pages and 100 elements, so that the pool gives the second what the first had.
    let grows = "(drop (memory.grow (i32.const 31))) (drop (table.grow $t (ref.null func) (i32.const 99)))";
    let fields = "(table $t 1 funcref) (func $f) (elem declare func $f)";
    let fills = format!(
        "{grows} (memory.fill (i32.const 65536) (i32.const 170) (i32.const 2031616))
         (table.fill $t (i32.const 0) (ref.func $f) (i32.const 100))"
    );
    let looks = format!(
        "(local $i i32) {grows}
         (local.set $i (i32.const 65536))
         (loop $l
           (if (i64.ne (i64.load (local.get $i)) (i64.const 0)) (then unreachable))
           (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 8))) (i32.const 2097152))))
         (local.set $i (i32.const 0))
         (loop $l
           (if (i32.eqz (ref.is_null (table.get $t (local.get $i)))) (then unreachable))
           (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 100))))"
    );
    let guest = |call: String| Guest { fields: fields.to_owned(), ..Guest::that(call.leak()) };
    let call = Call::default();
    let [fills, looks] = [fills, looks].map(|it| call.plugin(&guest(it)).unwrap());
    for _ in 0..100 {
        let token = CallToken::new(LIMITS.deadline);
        assert_eq!(wait(call.start(&fills, &token)).unwrap().outcome(), Outcome::Ok);
        let done = wait(call.start(&looks, &token)).unwrap();
        assert_eq!(done.outcome(), Outcome::Ok, "{:?}", done.result);
        assert_eq!(done.cost.memory_peak, 32 << 16);
    }
}
