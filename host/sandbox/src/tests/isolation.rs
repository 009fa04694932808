//! A guest ends alone: no other call notices, and nothing of one call is left for the next.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use wardkeep_capabilities::CallToken;
use wardkeep_model::{Limits, Outcome};

use super::{Call, Guest, running::wait};

#[test]
fn a_panic_of_a_host_function_ends_its_call_only() {
    let panics = Guest::that("(call $panic)")
        .importing("import test:host/hooks;", r#"(import "test:host/hooks" "panic" (func $panic))"#);
    let done = Call::default().run(&panics);
    assert!(done.panicked);
    assert!(done.cost.fuel > 0);
    let stopped = done.result.unwrap_err();
    assert_eq!(stopped.outcome, Outcome::HostError);
    assert!(stopped.detail.contains("on purpose"), "{}", stopped.detail);
    assert_eq!(Call::default().run(&Guest::default()).outcome(), Outcome::Ok);
}

#[test]
fn a_canary_of_one_call_is_not_there_in_the_next() {
    // Traps if memory or a global holds anything of a call before.
    let canary = Guest {
        fields: "(global $seen (mut i32) (i32.const 0))".to_owned(),
        ..Guest::that(
            "(if (i32.or (i32.load (i32.const 60000)) (global.get $seen)) (then unreachable))
             (i32.store (i32.const 60000) (i32.const 1)) (global.set $seen (i32.const 1))",
        )
    };
    let call = Call::default();
    let plugin = call.plugin(&canary).unwrap();
    for _ in 0..300 {
        let done = wait(call.start(&plugin, &CallToken::new(Duration::from_secs(20)))).unwrap();
        assert_eq!(done.outcome(), Outcome::Ok, "{:?}", done.result);
    }
}

#[test]
fn two_loops_on_two_cores_do_not_stop_another_call() {
    let limits = Limits { fuel: u64::MAX / 2, deadline: Duration::from_secs(30), ..Limits::DEFAULT };
    let loops = Call { limits, ..Call::default() };
    let looping = loops.plugin(&Guest::that("(loop $l (br $l))")).unwrap();
    let token = CallToken::new(limits.deadline);
    let running: Vec<_> = (0..2).map(|_| loops.start(&looping, &token)).collect();

    let call = Call::default();
    let plugin = call.plugin(&Guest::default()).unwrap();
    let mut times: Vec<_> = (0..100)
        .map(|_| {
            let started = Instant::now();
            let done = wait(call.start(&plugin, &CallToken::new(Duration::from_secs(20)))).unwrap();
            assert_eq!(done.outcome(), Outcome::Ok);
            started.elapsed()
        })
        .collect();
    times.sort();
    assert!(times[98] < Duration::from_millis(500), "p99 {:?}", times[98]);
    assert!(running.iter().all(|it| !it.is_finished()));
    token.kill();
    for it in running {
        assert_eq!(wait(it).unwrap().outcome(), Outcome::Killed);
    }
}

#[test]
fn a_runtime_that_goes_down_does_not_hang_who_drops_it() {
    let engine = crate::Engine::new(crate::EngineOptions { workers: 1, calls: 2, ..Default::default() }).unwrap();
    let inner = Arc::downgrade(&engine.0);
    wait(async move { drop(engine) });
    assert!(inner.upgrade().is_none());
}
