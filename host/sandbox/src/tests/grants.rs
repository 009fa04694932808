//! What is not granted is not there; what is granted to another tool is refused and noted.

use std::time::Duration;

use wardkeep_capabilities::{Roots, Served};
use wardkeep_model::{Effect, LimitKind, Limits, NoteKind, Outcome, RootName};
use wardkeep_policy::{Access, FilesGrant, Grants};

use super::{Call, Guest};
use crate::LoadError;

const RANDOM: (&str, &str) = (
    "import wasi:random/random@0.2.3;",
    r#"(import "wasi:random/random@0.2.3" "get-random-u64" (func $random (result i64)))"#,
);
const CLOCK: (&str, &str) = (
    "import wasi:clocks/monotonic-clock@0.2.3; import wasi:io/poll@0.2.3;",
    r#"(import "wasi:clocks/monotonic-clock@0.2.3" "now" (func $now (result i64)))
       (import "wasi:clocks/monotonic-clock@0.2.3" "subscribe-duration" (func $subscribe (param i64) (result i32)))
       (import "wasi:io/poll@0.2.3" "[method]pollable.block" (func $block (param i32)))"#,
);
const LOG: (&str, &str) =
    ("import wardkeep:log/log@0.1.0;", r#"(import "wardkeep:log/log@0.1.0" "write" (func $log (param i32 i32 i32)))"#);

fn inert() -> Call {
    Call {
        served: Served { inert: true, ..Served::default() },
        grants: Grants { wasi_inert: true, ..Grants::default() },
        ..Call::default()
    }
}

#[test]
fn imports_without_grant_are_refused_in_one_error_that_names_all() {
    let wants = Guest::that("(drop (call $random)) (drop (call $now))").importing(
        "import wasi:random/random@0.2.3; import wasi:clocks/monotonic-clock@0.2.3; import wardkeep:log/log@0.1.0;",
        &format!(
            "{} {} {}",
            RANDOM.1, r#"(import "wasi:clocks/monotonic-clock@0.2.3" "now" (func $now (result i64)))"#, LOG.1
        ),
    );
    let Err(LoadError::NotGranted { imports }) = Call::default().plugin(&wants) else { panic!() };
    assert_eq!(imports, ["wasi:random/random@0.2.3", "wasi:clocks/monotonic-clock@0.2.3"]);
    assert!(inert().plugin(&wants).is_ok());
}

/// The third number of the fixed sequence.
fn third() -> i64 {
    let mut state = 0x5741_5244_4b45_4550_u64;
    let mut last = 0;
    for _ in 0..3 {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        last = z ^ (z >> 31);
    }
    i64::from_ne_bytes(last.to_ne_bytes())
}

#[test]
fn random_numbers_are_fixed_without_the_grant_and_are_not_with_it() {
    // Traps unless two numbers in a row are those that SplitMix64 gives for the fixed seed.
    let traps = Guest::that(
        "(if (i64.eq (call $random) (call $random)) (then unreachable))
         (if (i64.ne (call $random) (i64.const FIXED)) (then unreachable))"
            .replace("FIXED", &third().to_string())
            .leak(),
    );
    assert_eq!(inert().run(&traps.clone().importing(RANDOM.0, RANDOM.1)).outcome(), Outcome::Ok);
    let mut granted = inert();
    granted.grants.random = true;
    assert_eq!(granted.run(&traps.importing(RANDOM.0, RANDOM.1)).outcome(), Outcome::Trap);

    let asks = Guest::that("(drop (call $random))").importing(RANDOM.0, RANDOM.1);
    let inert_run = inert().run(&asks);
    assert_eq!((inert_run.outcome(), inert_run.cost.host_calls), (Outcome::Ok, 0));
    let done = granted.run(&asks);
    assert_eq!((done.outcome(), done.cost.host_calls), (Outcome::Ok, 1));
}

/// A writer is linked for some tool that writes; the tool that runs is asked all the same, whatever its grants say.
#[test]
fn a_destructive_tool_removes_a_reading_one_does_not_and_without_a_tool_that_writes_nothing_is_linked() {
    // Removes `f` in `mine`, and traps unless the answer is the one that the data says: 255 is well, else the error's number.
    let removes = |answer: u8| {
        let code = "(call $remove (i32.const 1100) (i32.const 4) (i32.const 1104) (i32.const 1) (i32.const 1024))
            (if (i32.ne (i32.load8_u (i32.const 1105))
                  (if (result i32) (i32.load8_u (i32.const 1024))
                    (then (i32.load8_u (i32.const 1025))) (else (i32.const 255))))
              (then unreachable))";
        let fields = format!(
            r#"(import "wardkeep:files/writer@0.1.0" "remove" (func $remove (param i32 i32 i32 i32 i32)))
               (data (i32.const 1100) "minef\{answer:02x}")"#
        );
        Guest::that(code).importing("import wardkeep:files/writer@0.1.0;", &fields)
    };
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("f");
    std::fs::write(&file, "x").unwrap();
    let root: RootName = "mine".parse().unwrap();
    let call = |effect, writer| Call {
        served: Served { files: true, writer, ..Served::default() },
        grants: Grants { files: vec![FilesGrant { root: root.clone(), access: Access::Write }], ..Grants::default() },
        roots: Roots::open([(root.clone(), home.path().to_owned())]).unwrap(),
        effect,
        ..Call::default()
    };
    let Err(LoadError::NotGranted { imports }) = call(Effect::Destructive, false).plugin(&removes(0)) else { panic!() };
    assert_eq!(imports, ["wardkeep:files/writer@0.1.0"]);
    let done = call(Effect::Read, true).run(&removes(0));
    assert_eq!((done.outcome(), file.exists()), (Outcome::Ok, true), "told `denied`: {:?}", done.result);
    assert_eq!(
        (done.used.notes[0].kind, done.used.notes[0].detail.as_str()),
        (NoteKind::Denied, "files.remove mine/f")
    );
    let done = call(Effect::Destructive, true).run(&removes(255));
    assert_eq!((done.outcome(), file.exists(), done.used.notes.len()), (Outcome::Ok, false, 0), "{:?}", done.result);
    assert_eq!(call(Effect::Destructive, true).run(&removes(1)).outcome(), Outcome::Ok, "told `not-found`");
}

#[test]
fn a_clock_or_random_call_by_a_tool_without_that_grant_ends_as_denied_and_is_noted() {
    // Another tool of the plugin has the grant, so the import is linked.
    let served = Served { clock: true, random: true, ..Served::default() };
    let asks = [
        ("clock", Guest::that("(drop (call $now))").importing(CLOCK.0, CLOCK.1)),
        ("random", Guest::that("(drop (call $random))").importing(RANDOM.0, RANDOM.1)),
    ];
    for (capability, guest) in asks {
        let done = Call { served, ..Call::default() }.run(&guest);
        assert_eq!(done.outcome(), Outcome::Denied);
        assert_eq!(done.used.notes.len(), 1);
        assert_eq!((done.used.notes[0].kind, done.used.notes[0].capability.as_str()), (NoteKind::Denied, capability));
    }
}

#[test]
fn a_granted_clock_runs_and_wakes_a_guest_that_waits_for_it() {
    let sleeps = Guest::that("(call $block (call $subscribe (i64.const 30000000)))").importing(CLOCK.0, CLOCK.1);
    let call = Call {
        served: Served { clock: true, ..Served::default() },
        grants: Grants { clock: true, ..Grants::default() },
        ..Call::default()
    };
    let done = call.run(&sleeps);
    assert_eq!(done.outcome(), Outcome::Ok, "{:?}", done.result);
    assert!(done.cost.elapsed >= Duration::from_millis(30), "{:?}", done.cost);
}

#[test]
fn host_calls_beyond_the_limit_end_a_function_that_cannot_say_so() {
    let asks = Guest::that("(loop $l (drop (call $random)) (br $l))").importing(RANDOM.0, RANDOM.1);
    let call = Call {
        limits: Limits { host_calls: 5, ..Call::default().limits },
        served: Served { random: true, ..Served::default() },
        grants: Grants { random: true, ..Grants::default() },
        ..Call::default()
    };
    let done = call.run(&asks);
    assert_eq!((done.outcome(), done.cost.host_calls), (Outcome::Limit(LimitKind::HostCalls), 5));
    assert_eq!(done.used.notes[0].kind, NoteKind::Exhausted);
}

#[test]
fn a_flood_of_log_lines_costs_the_guest_nothing_but_its_lines() {
    let floods = Guest::that(
        "(local $i i32) (loop $l (call $log (i32.const 1) (i32.const 192) (i32.const 5))
         (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 1000))))",
    );
    let done = Call::default().run(&floods.importing(LOG.0, LOG.1));
    assert_eq!((done.outcome(), done.cost.log_lines_dropped, done.cost.host_calls), (Outcome::Ok, 900, 0));
}

#[test]
fn the_inert_baseline_answers_what_programs_ask_at_their_start() {
    let starts = Guest::that(
        "(call $arguments (i32.const 1024))
         (if (i32.load (i32.const 1028)) (then unreachable))
         (call $socket (i32.const 0) (i32.const 1040))
         (if (i32.ne (i32.load8_u (i32.const 1040)) (i32.const 1)) (then unreachable))
         (if (i32.ne (i32.load8_u (i32.const 1044)) (i32.const 1)) (then unreachable))",
    );
    let starts = starts.importing(
        "import wasi:cli/environment@0.2.3; import wasi:sockets/tcp-create-socket@0.2.3;",
        r#"(import "wasi:cli/environment@0.2.3" "get-arguments" (func $arguments (param i32)))
           (import "wasi:sockets/tcp-create-socket@0.2.3" "create" (func $socket (param i32 i32)))"#,
    );
    let done = inert().run(&starts);
    assert_eq!(done.outcome(), Outcome::Ok, "{:?}", done.result);
}

#[test]
fn a_program_that_exits_ends_its_call_only() {
    let exits = Guest::that("(call $exit (i32.const 1))")
        .importing("import wasi:cli/exit@0.2.3;", r#"(import "wasi:cli/exit@0.2.3" "exit" (func $exit (param i32)))"#);
    let done = inert().run(&exits);
    assert_eq!(done.outcome(), Outcome::Trap);
    assert!(done.result.unwrap_err().detail.contains("wasi:cli/exit"));
}

#[test]
fn a_million_handles_end_at_a_thousand() {
    let hoards = Guest::that("(loop $l (drop (call $subscribe (i64.const 1))) (br $l))").importing(CLOCK.0, CLOCK.1);
    let done = inert().run(&hoards);
    assert_eq!(done.outcome(), Outcome::Limit(LimitKind::HostCalls), "{:?}", done.result);
}
