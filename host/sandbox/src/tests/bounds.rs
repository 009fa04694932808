//! Every bound ends the guest that breaks it, alone and by its own name.

use std::time::{Duration, Instant};

use wardkeep_capabilities::{CallToken, Served};
use wardkeep_model::{LimitKind, Limits, Outcome};
use wardkeep_policy::Grants;

use super::{Call, Guest, running::wait};

const LOOP: &str = "(loop $l (br $l))";
const LIMITS: Limits = Limits { deadline: Duration::from_secs(20), ..Limits::DEFAULT };

#[test]
fn a_harmless_call_ends_well_and_costs_the_same_fuel_each_time() {
    let plugin = Call::default().plugin(&Guest::default()).unwrap();
    let runs: Vec<_> = (0..20)
        .map(|_| wait(Call::default().start(&plugin, &CallToken::new(LIMITS.deadline))).unwrap())
        .map(|done| (done.outcome(), done.cost.fuel, done.cost.memory_peak, done.used.notes.len()))
        .collect();
    assert_eq!(runs[0].0, Outcome::Ok);
    assert!(runs[0].1 > 0 && runs[0].1 < 1_000, "{:?}", runs[0]);
    assert_eq!(runs[0].2, 65_536);
    assert!(runs.iter().all(|run| *run == runs[0]), "{runs:?}");
}

#[test]
fn an_endless_loop_ends_by_fuel_and_at_the_same_number_each_time() {
    let call = Call { limits: Limits { fuel: 5_000_000, ..LIMITS }, ..Call::default() };
    let runs: Vec<_> =
        (0..3).map(|_| call.run(&Guest::that(LOOP))).map(|done| (done.outcome(), done.cost.fuel)).collect();
    assert_eq!(runs[0], (Outcome::Limit(LimitKind::Fuel), 5_000_000));
    assert!(runs.iter().all(|run| *run == runs[0]), "{runs:?}");
}

#[test]
fn a_loop_with_fuel_left_ends_by_its_deadline() {
    let limits = Limits { fuel: u64::MAX / 2, deadline: Duration::from_millis(150), ..LIMITS };
    let done = Call { limits, ..Call::default() }.run(&Guest::that(LOOP));
    assert_eq!(done.outcome(), Outcome::Limit(LimitKind::Deadline));
    assert!(
        done.cost.elapsed >= Duration::from_millis(100) && done.cost.elapsed < Duration::from_secs(2),
        "{:?}",
        done.cost
    );
}

#[test]
fn cancel_and_kill_end_a_running_guest_and_a_waiting_one_within_bounds() {
    let waits = Guest::that("(call $wait)")
        .importing("import test:host/hooks;", r#"(import "test:host/hooks" "wait" (func $wait))"#);
    let polls = Guest::that("(call $block (call $subscribe (i64.const 1)))").importing(
        "import wasi:io/poll@0.2.3; import wasi:clocks/monotonic-clock@0.2.3;",
        r#"(import "wasi:io/poll@0.2.3" "[method]pollable.block" (func $block (param i32)))
           (import "wasi:clocks/monotonic-clock@0.2.3" "subscribe-duration" (func $subscribe (param i64) (result i32)))"#,
    );
    let call = Call {
        limits: Limits { fuel: u64::MAX / 2, ..LIMITS },
        served: Served { inert: true, ..Served::default() },
        grants: Grants { wasi_inert: true, ..Grants::default() },
        ..Call::default()
    };
    for guest in [Guest::that(LOOP), waits, polls] {
        let plugin = call.plugin(&guest).unwrap();
        for outcome in [Outcome::Cancelled, Outcome::Killed] {
            let token = CallToken::new(Duration::from_secs(60));
            let running = call.start(&plugin, &token);
            std::thread::sleep(Duration::from_millis(50));
            assert!(!running.is_finished(), "{}", guest.call);
            let asked = Instant::now();
            if outcome == Outcome::Killed {
                token.kill()
            } else {
                token.cancel()
            }
            let done = wait(running).unwrap();
            assert_eq!(done.outcome(), outcome, "{}", guest.call);
            assert!(asked.elapsed() < Duration::from_millis(500), "{}: {:?}", guest.call, asked.elapsed());
        }
        let token = CallToken::new(Duration::from_millis(80));
        let done = wait(call.start(&plugin, &token)).unwrap();
        assert_eq!(done.outcome(), Outcome::Limit(LimitKind::Deadline), "{}", guest.call);
    }
}

#[test]
fn a_call_that_was_cancelled_before_it_began_does_not_begin() {
    let call = Call::default();
    let token = CallToken::new(LIMITS.deadline);
    token.cancel();
    let done = wait(call.start(&call.plugin(&Guest::default()).unwrap(), &token)).unwrap();
    assert_eq!((done.outcome(), done.cost.fuel), (Outcome::Cancelled, 0));
}

#[test]
fn a_memory_bomb_ends_by_memory_and_never_held_more() {
    let bomb = Guest::that("(loop $l (br_if $l (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) unreachable");
    let done = Call { limits: Limits { memory: 8 << 20, ..LIMITS }, ..Call::default() }.run(&bomb);
    assert_eq!(done.outcome(), Outcome::Limit(LimitKind::Memory));
    assert!(done.cost.memory_peak <= 8 << 20 && done.cost.memory_peak > 6 << 20, "{:?}", done.cost);
}

#[test]
fn a_guest_that_begins_with_more_memory_than_allowed_ends_by_memory() {
    let done = Call { limits: Limits { memory: 1 << 20, ..LIMITS }, ..Call::default() }
        .run(&Guest { memory: "32", ..Guest::default() });
    assert_eq!(done.outcome(), Outcome::Limit(LimitKind::Memory), "{:?}", done.result);
}

#[test]
fn a_refused_growth_that_the_guest_copes_with_is_no_failure() {
    let copes = Guest::that("(drop (memory.grow (i32.const 1000)))");
    let done = Call { limits: Limits { memory: 1 << 20, ..LIMITS }, ..Call::default() }.run(&copes);
    assert_eq!((done.outcome(), done.cost.memory_peak), (Outcome::Ok, 65_536));
}

#[test]
fn a_table_that_grows_beyond_its_bound_ends_by_memory() {
    let grows = Guest {
        fields: "(table $t 1 funcref)".to_owned(),
        ..Guest::that(
            "(loop $l (br_if $l (i32.ne (table.grow $t (ref.null func) (i32.const 1000)) (i32.const -1)))) unreachable",
        )
    };
    let done = Call { limits: Limits { table_elements: 10_000, ..LIMITS }, ..Call::default() }.run(&grows);
    assert_eq!(done.outcome(), Outcome::Limit(LimitKind::Memory));
}

#[test]
fn deep_recursion_ends_by_stack() {
    let dives = Guest {
        fields: "(func $dive (param i64) (result i64) (i64.add (local.get 0) (call $dive (i64.add (local.get 0) (i64.const 1)))))".to_owned(),
        ..Guest::that("(drop (call $dive (i64.const 0)))")
    };
    let done = Call::default().run(&dives);
    assert_eq!(done.outcome(), Outcome::Limit(LimitKind::Stack));
    // half a MiB of frames of some 32 bytes, nine instructions each
    assert!((10_000..400_000).contains(&done.cost.fuel), "{}", done.cost.fuel);
}

#[test]
fn a_trap_is_a_trap() {
    let done = Call::default().run(&Guest::that("unreachable"));
    assert_eq!(done.outcome(), Outcome::Trap);
    assert!(done.result.unwrap_err().detail.contains("unreachable"));
}

#[test]
fn loops_where_the_host_calls_into_the_guest_end_by_fuel_too() {
    let limits = Limits { fuel: 3_000_000, ..LIMITS };
    // `describe` takes no argument, so realloc is first called for the arguments of `call`.
    let in_realloc = Guest { realloc: LOOP, ..Guest::default() };
    let done = Call { limits, ..Call::default() }.run(&in_realloc);
    assert_eq!((done.outcome(), done.cost.fuel), (Outcome::Limit(LimitKind::Fuel), 3_000_000));
}

#[test]
fn a_loop_in_start_is_met_before_anybody_approves_it() {
    let start = Guest { fields: format!("(func $s {LOOP}) (start $s)"), ..Guest::default() };
    let error = wait(super::ENGINE.inspect(start.bytes().into())).unwrap_err();
    let crate::InspectError::Describe(stopped) = error else { panic!("{error}") };
    assert_eq!(stopped.outcome, Outcome::Limit(LimitKind::Fuel));
}

#[test]
fn a_list_of_two_gigabytes_is_a_trap_and_costs_the_host_nothing() {
    // content: address 0, length 50 million of 44 bytes each.
    let done = Call::default().run(&Guest::that("(i32.store (i32.const 268) (i32.const 50000000))"));
    assert_eq!(done.outcome(), Outcome::Trap);
    assert!(done.result.unwrap_err().detail.contains("out of bounds"));
}

#[test]
fn one_text_told_a_thousand_times_ends_by_output_before_the_host_holds_it() {
    // 2,000 content blocks of text, each the same 60 KB of memory: 120 MB if the host took it.
    let floods = Guest::that(
        "(local $i i32)
         (loop $l
           (i32.store (i32.add (i32.const 65540) (i32.mul (local.get $i) (i32.const 44))) (i32.const 1024))
           (i32.store (i32.add (i32.const 65544) (i32.mul (local.get $i) (i32.const 44))) (i32.const 60000))
           (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 2000))))
         (i32.store (i32.const 264) (i32.const 65536)) (i32.store (i32.const 268) (i32.const 2000))",
    );
    let done = Call::default().run(&Guest { memory: "4", ..floods });
    assert_eq!(done.outcome(), Outcome::Limit(LimitKind::Output), "{:?}", done.result);
}

#[test]
fn an_answer_is_bounded_to_the_byte() {
    let call = |output| Call { limits: Limits { output, ..LIMITS }, ..Call::default() };
    let answers = Guest::that(
        "(i32.store (i32.const 516) (i32.const 1024)) (i32.store (i32.const 520) (i32.const 1000))
         (i32.store (i32.const 264) (i32.const 512)) (i32.store (i32.const 268) (i32.const 1))",
    );
    // a block counts 32 besides its text
    let done = call(1_032).run(&answers);
    assert_eq!((done.outcome(), done.cost.output), (Outcome::Ok, 1_032));
    let done = call(1_031).run(&answers);
    assert_eq!((done.outcome(), done.cost.output), (Outcome::Limit(LimitKind::Output), 1_032));
}

#[test]
fn text_that_is_not_utf_8_is_a_trap() {
    let done = Call::default().run(&Guest::that(
        "(i32.store8 (i32.const 1024) (i32.const 255))
         (i32.store (i32.const 516) (i32.const 1024)) (i32.store (i32.const 520) (i32.const 1))
         (i32.store (i32.const 264) (i32.const 512)) (i32.store (i32.const 268) (i32.const 1))",
    ));
    assert_eq!(done.outcome(), Outcome::Trap);
    assert!(done.result.unwrap_err().detail.contains("utf-8"));
}
