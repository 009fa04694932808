//! Calls through the entrance: permit, ticket and record in hand.

use std::time::Duration;

use tokio::time::timeout;
use wardkeep_capabilities::CallToken;
use wardkeep_model::{NoteKind, Outcome};

use super::{Guest, served::Served};
use crate::{Engine, EngineOptions, NotAdmitted};

/// Answers with one text: what lies at the address and has the length that the two locals hold.
const ANSWER: &str = "(i32.store (i32.const 516) (local.get $at)) (i32.store (i32.const 520) (local.get $length))
    (i32.store (i32.const 264) (i32.const 512)) (i32.store (i32.const 268) (i32.const 1))";

/// Reads the file `note` in the root that the arguments name first: `{"r":"mine"}` has it at 6. Answers with its text, or with
/// the error's letter: `a` is `denied`, `b` is `not-found`, … It reads as often as it is told and answers with the last.
fn reader(times: usize) -> Guest {
    let read = "(call $read-text (i32.add (local.get 2) (i32.const 6)) (i32.sub (local.get 3) (i32.const 8))
        (i32.const 1200) (i32.const 4) (i32.const 1000) (i32.const 1024))"
        .repeat(times);
    let call = format!(
        r#"(local $at i32) (local $length i32)
        {read}
        (if (i32.load8_u (i32.const 1024))
          (then (i32.store8 (i32.const 1100) (i32.add (i32.const 97) (i32.load8_u (i32.const 1028))))
                (local.set $at (i32.const 1100)) (local.set $length (i32.const 1)))
          (else (local.set $at (i32.load (i32.const 1028))) (local.set $length (i32.load (i32.const 1032)))))
        {ANSWER}"#
    );
    Guest::that(call.leak()).importing(
        "import wardkeep:files/reader@0.1.0;",
        r#"(import "wardkeep:files/reader@0.1.0" "read-text"
             (func $read-text (param i32 i32 i32 i32 i32 i32)))
           (data (i32.const 1200) "note")"#,
    )
}

/// Calls a hook of the test host.
fn hook(name: &str) -> Guest {
    Guest::that("(call $hook)")
        .importing("import test:host/hooks;", &format!(r#"(import "test:host/hooks" "{name}" (func $hook))"#))
}

#[tokio::test]
async fn a_call_gets_the_checked_arguments_and_answers() {
    let echo = format!(
        "(local $at i32) (local $length i32) (local.set $at (local.get 2)) (local.set $length (local.get 3)) {ANSWER}"
    );
    let served = Served::new(&Guest::that(echo.leak()), "").await;
    let ran = served.call("t", r#"{ "b": 1,  "a": "ä" }"#).await;
    assert_eq!(ran.text(), r#"{"b":1,"a":"ä"}"#);
    assert!(ran.cost.fuel > 0 && ran.cost.output == 32 + 16 && ran.cost.host_calls == 0, "{:?}", ran.cost);
}

#[tokio::test]
async fn a_tool_reads_its_own_root_and_is_denied_anothers_and_the_record_says_so() {
    let served = Served::new(&reader(1), "").await;
    std::fs::write(served.mine.join("note"), "of mine").unwrap();
    std::fs::write(served.theirs.join("note"), "of theirs").unwrap();

    let ran = served.call("t", r#"{"r":"mine"}"#).await;
    assert_eq!((ran.text(), ran.cost.host_calls, ran.notes.len()), ("of mine", 1, 0));
    let ran = served.call("u", r#"{"r":"theirs"}"#).await;
    assert_eq!(ran.text(), "of theirs");

    let ran = served.call("t", r#"{"r":"theirs"}"#).await;
    assert_eq!((ran.text(), ran.outcome()), ("a", Outcome::Ok), "told `denied`");
    assert_eq!(ran.notes.len(), 1);
    let note = &ran.notes[0];
    assert_eq!(
        (note.kind, note.capability.as_str(), note.detail.as_str(), note.count),
        (NoteKind::Denied, "files", "theirs/note", 1)
    );
}

#[tokio::test]
async fn a_tool_whose_host_calls_are_used_up_is_told_exhausted() {
    let served = Served::new(&reader(3), "[limits]\nhost_calls = 2").await;
    let ran = served.call("t", r#"{"r":"mine"}"#).await;
    assert_eq!((ran.text(), ran.cost.host_calls), ("k", 2), "told `exhausted`");
    assert_eq!((ran.notes[0].kind, ran.notes[0].detail.as_str()), (NoteKind::Exhausted, "files.read-text"));
}

#[tokio::test]
async fn a_place_is_given_back_when_its_call_really_ends() {
    let served = Served::new(&hook("wait"), "[limits]\nconcurrency = 1").await;
    let (permit, arguments) = served.permit("t", "{}");
    let ticket = served.fleet.admit(&permit, "user:me").await.unwrap();
    let full = NotAdmitted::Throttled { retry_after: Duration::from_secs(1) };
    assert_eq!(served.fleet.admit(&permit, "user:me").await.unwrap_err(), full);
    let (other, _) = served.permit("u", "{}");
    assert!(served.fleet.admit(&other, "user:me").await.is_ok(), "another tool has places of its own");

    let recorded = served.recorded(&permit).await;
    let token = CallToken::new(Duration::from_secs(60));
    {
        let running = served.fleet.run(&permit, ticket, &recorded, &arguments, &token);
        assert!(tokio::time::timeout(Duration::from_millis(50), running).await.is_err());
    }
    // Whoever asked went away: the call is cancelled and ends by itself.
    assert_eq!(token.state(), Some(wardkeep_capabilities::Stop::Cancelled));
    for _ in 0..100 {
        if served.fleet.admit(&permit, "user:me").await.is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the place was not given back");
}

#[tokio::test]
async fn the_third_panic_in_its_calls_puts_a_plugin_out_of_service() {
    let served = Served::new(&hook("panic"), "").await;
    for _ in 0..3 {
        assert_eq!(served.fleet.out_of_service().count(), 0);
        let ran = served.call("t", "{}").await;
        assert_eq!(ran.outcome(), Outcome::HostError);
    }
    let (permit, _) = served.permit("t", "{}");
    assert_eq!(served.fleet.admit(&permit, "user:me").await.unwrap_err(), NotAdmitted::OutOfService);
    assert_eq!(served.fleet.out_of_service().map(|name| name.as_str().to_owned()).collect::<Vec<_>>(), ["guest"]);
}

#[tokio::test]
async fn a_ticket_of_one_tool_does_not_run_another() {
    let served = Served::new(&Guest::default(), "").await;
    let (permit, _) = served.permit("u", "{}");
    let ticket = served.fleet.admit(&permit, "user:me").await.unwrap();
    let (permit, arguments) = served.permit("t", "{}");
    let recorded = served.recorded(&permit).await;
    let token = CallToken::new(Duration::from_secs(20));
    let (ran, _remains) = served.fleet.run(&permit, ticket, &recorded, &arguments, &token).await;
    assert_eq!((ran.outcome(), ran.cost.fuel), (Outcome::HostError, 0));
    served.close(recorded, &ran).await;
}

#[tokio::test]
async fn a_plugin_takes_no_more_room_than_it_leaves_to_others() {
    let options = EngineOptions { calls: 8, memory: 1 << 30, workers: 1, ..EngineOptions::default() };
    let engine = Engine::new(options).unwrap();
    let served = Served::on(&engine, &Guest::default(), "[limits]\nconcurrency = 32\nmemory = \"64MiB\"").await;
    let [(t, _), (u, _)] = ["t", "u"].map(|tool| served.permit(tool, "{}"));
    let mut held = Vec::new();
    for (permit, caller) in [(&t, "user:a"), (&u, "user:b"), (&t, "user:c"), (&u, "user:d")] {
        held.push(served.fleet.admit(permit, caller).await.unwrap());
    }
    for permit in [&t, &u] {
        let full = served.fleet.admit(permit, "user:e").await;
        assert!(matches!(full, Err(NotAdmitted::Throttled { .. })), "half of all places");
    }
    held.pop();
    assert!(served.fleet.admit(&t, "user:e").await.is_ok(), "given back");
    drop(held);

    let engine = Engine::new(EngineOptions { calls: 100, ..engine.0.options.clone() }).unwrap();
    let served = Served::on(&engine, &Guest::default(), "[limits]\nconcurrency = 32\nmemory = \"128MiB\"").await;
    let (permit, _) = served.permit("t", "{}");
    let mut held = Vec::new();
    while let Ok(ticket) = served.fleet.admit(&permit, &format!("user:{}", held.len())).await {
        held.push(ticket);
    }
    assert_eq!(held.len(), 4, "half of a gigabyte");
}

#[tokio::test]
async fn a_caller_takes_neither_a_tool_nor_its_plugin_away_from_the_others() {
    let options = EngineOptions { calls: 64, memory: 1 << 40, workers: 1, ..EngineOptions::default() };
    let engine = Engine::new(options).unwrap();
    let served = Served::on(&engine, &Guest::default(), "[limits]\nconcurrency = 8\n").await;
    let [(t, _), (u, _)] = ["t", "u"].map(|tool| served.permit(tool, "{}"));
    let admit = async |permit, caller| timeout(Duration::ZERO, served.fleet.admit(permit, caller)).await;
    let mut held = Vec::new();
    while let Ok(ticket) = admit(&t, "user:a").await {
        held.push(ticket.unwrap());
    }
    assert_eq!(held.len(), 4, "half of the tool's places; then its calls wait");
    assert!(admit(&t, "user:b").await.is_ok_and(|ticket| ticket.is_ok()), "another's does not");
    // two tools of eight places hold less than the plugin may have, so that is seen with fewer for all
    let engine = Engine::new(EngineOptions { calls: 16, ..engine.0.options.clone() }).unwrap();
    let served = Served::on(&engine, &Guest::default(), "[limits]\nconcurrency = 32\n").await;
    let mut held = Vec::new();
    for permit in [&t, &u, &t, &u] {
        held.push(served.fleet.admit(permit, "user:a").await.unwrap());
    }
    assert!(served.fleet.admit(&u, "user:a").await.is_err(), "half of what the plugin may have");
    assert!(served.fleet.admit(&u, "user:b").await.is_ok());
}
