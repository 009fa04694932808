//! A guest that loops, allocates, waits, recurses, traps or floods ends alone: each with its own outcome and its cost on record, and
//! the call beside it notices nothing.

use std::{
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::support::{
    guests,
    home::{Home, Plugin},
    http::send,
};

const LIMITS: &str = "fuel = 200_000_000\nmemory = \"32MiB\"\ndeadline = \"2s\"\noutput = \"64KiB\"\nhost_calls = 20\n";

/// The outcome record of the call that this answer came of.
fn record(home: &Home, answer: &Value) -> Value {
    let id = correlation(answer);
    let all = home.journal();
    let of_call: Vec<_> = all.iter().filter(|r| r["metadata"]["correlation_uid"] == json!(id)).collect();
    assert_eq!(of_call.len(), 2, "one intent and one outcome: {of_call:?}");
    of_call[1].clone()
}

fn correlation(answer: &Value) -> String {
    let meta = &answer["result"]["_meta"]["dev.wardkeep/correlation-id"];
    meta.as_str().unwrap_or_else(|| panic!("no correlation id: {answer}")).to_owned()
}

fn outcome(record: &Value) -> &str {
    record["unmapped"]["outcome"].as_str().unwrap_or_else(|| panic!("{record}"))
}

fn fuel(record: &Value) -> u64 {
    record["unmapped"]["cost"]["fuel"].as_u64().unwrap_or_else(|| panic!("{record}"))
}

#[test]
fn every_misbehaviour_ends_alone_with_its_own_outcome_on_record() {
    let home = Home::new();
    let tools = [
        ("loop", json!({}), "limit(fuel)"),
        ("allocate", json!({}), "limit(memory)"),
        ("trap", json!({}), "trap"),
        ("recurse", json!({}), "limit(stack)"),
        ("huge_text", json!({ "bytes": 100_000 }), "limit(output)"),
        ("huge_structured", json!({ "bytes": 100_000 }), "limit(output)"),
        ("bad_json", json!({}), "output-rejected"),
        ("not_an_object", json!({}), "output-rejected"),
        ("breaks_its_schema", json!({}), "output-rejected"),
        ("no_structured", json!({}), "output-rejected"),
        ("asks", json!({}), "output-rejected"),
        ("keeps_its_schema", json!({}), "ok"),
        ("flood_log", json!({}), "ok"),
        ("forge_log", json!({}), "ok"),
    ];
    let names: Vec<_> = tools.iter().map(|(name, ..)| *name).collect();
    let component = guests::path("hostile");
    let mut hostile = Plugin::plain("hostile", &component, &names);
    // 100,000 lines of 10,000 bytes take their fuel too
    let limits = LIMITS.replace("200_000_000", "2_000_000_000").replace("2s", "20s");
    hostile.limits = &limits;
    home.install(&hostile);
    home.install(&Plugin::plain("fixture", &guests::path("fixture"), &["echo", "canary"]));
    let serving = home.serve();
    let mcp = serving.mcp();
    for (tool, arguments, expected) in tools {
        let answer = mcp.call(&format!("hostile_{tool}"), arguments);
        assert_eq!(answer["result"]["isError"], json!(expected != "ok"), "{tool}: {answer}");
        let record = record(&home, &answer);
        assert_eq!(outcome(&record), expected, "{tool}: {record}");
        assert!(fuel(&record) > 0, "{tool}: {record}");
        // nothing is left behind, and the neighbour answers
        let canary = mcp.call("fixture_canary", json!({}));
        assert_eq!(canary["result"]["structuredContent"], json!({ "seen": 0 }), "after {tool}");
    }
    let stderr = serving.stderr();
    assert!(
        !stderr.lines().any(|line| line.starts_with("2026-01-01T00:00:00Z  INFO wardkeep: all is well")),
        "{stderr}"
    );
    assert!(
        !stderr.contains('\u{202e}') && !stderr.contains("\u{1b}[31mred"),
        "control characters are shown, not sent"
    );
}

#[test]
fn the_same_call_costs_the_same_fuel_every_time() {
    let home = Home::new();
    let component = guests::path("fixture");
    let mut fixture = Plugin::plain("fixture", &component, &["slow"]);
    fixture.limits = LIMITS;
    home.install(&fixture);
    let serving = home.serve();
    let cost = |steps: u64| {
        let answer = serving.mcp().call("fixture_slow", json!({ "steps": steps }));
        fuel(&record(&home, &answer))
    };
    let first = cost(1_000);
    assert!((0..5).all(|_| cost(1_000) == first));
    assert!(cost(2_000) > first);
}

#[test]
fn a_guest_that_waits_in_the_host_is_ended_by_its_deadline() {
    let home = Home::new();
    let component = guests::path("waits");
    let uses = "[\"clock.now\"]";
    let tools = [("for_ever", uses), ("many", uses), ("busily", uses), ("briefly", uses)];
    let mut waits = Plugin::granted("waits", &component, &tools, "[grants.clock.now]\n");
    waits.limits = LIMITS;
    waits.wasi = "inert";
    home.install(&waits);
    let serving = home.serve();
    let begun = Instant::now();
    let waited = serving.mcp().call("waits_for_ever", json!({}));
    assert_eq!(outcome(&record(&home, &waited)), "limit(deadline)", "{waited}");
    assert!((2..6).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
    // a thousand pollables do not fit into the table of a call's resources
    let many = serving.mcp().call("waits_many", json!({}));
    assert_eq!(outcome(&record(&home, &many)), "trap", "{many}");
    // polling what is ready already burns fuel, time or host calls; it does not go round all of them
    let busily = serving.mcp().call("waits_busily", json!({}));
    assert!(outcome(&record(&home, &busily)).starts_with("limit("), "{busily}");
    let briefly = serving.mcp().call("waits_briefly", json!({ "milliseconds": 20 }));
    assert_eq!(briefly["result"]["structuredContent"], json!({ "waited": true }), "{briefly}");
}

#[test]
fn loops_on_every_core_stop_neither_health_nor_another_tool() {
    let home = Home::new();
    let component = guests::path("hostile");
    let mut hostile = Plugin::plain("hostile", &component, &["loop"]);
    hostile.limits = "fuel = 20_000_000_000\ndeadline = \"8s\"\n";
    home.install(&hostile);
    home.install(&Plugin::plain("fixture", &guests::path("fixture"), &["echo"]));
    let serving = home.serve();
    let cores = thread::available_parallelism().unwrap().get();
    let loops: Vec<_> = (0..cores)
        .map(|_| {
            let mcp = serving.mcp();
            thread::spawn(move || mcp.call("hostile_loop", json!({})))
        })
        .collect();
    thread::sleep(Duration::from_millis(500));
    for n in 0..20 {
        assert_eq!(send(serving.address, "GET", "/health", &[], b"").unwrap().status, 200);
        let answer = serving.mcp().call("fixture_echo", json!({ "n": n }));
        assert_eq!(answer["result"]["structuredContent"], json!({ "n": n }), "{answer}");
    }
    assert!(loops.iter().all(|l| !l.is_finished()), "they were looping all the while");
    for answer in loops.into_iter().map(|l| l.join().unwrap()) {
        let record = record(&home, &answer);
        assert!(["limit(deadline)", "limit(fuel)"].contains(&outcome(&record)), "{record}");
    }
}

#[test]
fn a_client_that_goes_away_ends_its_call_and_the_record_says_so() {
    let home = Home::new();
    let component = guests::path("waits");
    let mut waits = Plugin::granted("waits", &component, &[("for_ever", "[\"clock.now\"]")], "[grants.clock.now]\n");
    waits.limits = "deadline = \"30s\"\n";
    waits.wasi = "inert";
    home.install(&waits);
    let mut stdio = home.stdio();
    stdio.request("tools/list", json!({}));
    stdio.send(&json!({ "jsonrpc": "2.0", "id": 99, "method": "tools/call", "params": { "name": "waits_for_ever",
        "arguments": {}, "_meta": { "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { "name": "t", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities": {} } } }));
    let begun = Instant::now();
    while home.journal().iter().filter(|r| r.to_string().contains("for_ever")).count() == 0 {
        assert!(begun.elapsed() < Duration::from_secs(10), "the call never began");
        thread::sleep(Duration::from_millis(20));
    }
    stdio.send(&json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 99 } }));
    while !home.journal().iter().any(|r| r["unmapped"]["outcome"] == json!("cancelled")) {
        assert!(begun.elapsed() < Duration::from_secs(10), "the call was not cancelled: {:?}", home.journal());
        thread::sleep(Duration::from_millis(20));
    }
    assert!(stdio.hang_up() < Duration::from_secs(10));
}

#[test]
fn a_call_beyond_the_tools_concurrency_is_told_to_come_again_and_recorded() {
    let home = Home::new();
    let component = guests::path("hostile");
    let mut hostile = Plugin::plain("hostile", &component, &["loop", "keeps_its_schema"]);
    hostile.limits = "fuel = 20_000_000_000\ndeadline = \"3s\"\nconcurrency = 1\n";
    home.install(&hostile);
    let serving = home.serve();
    let mcp = serving.mcp();
    let looping = thread::spawn(move || mcp.call("hostile_loop", json!({})));
    let begun = Instant::now();
    while home.journal().iter().all(|r| r["unmapped"]["phase"] != json!("intent")) {
        assert!(begun.elapsed() < Duration::from_secs(10), "the call never began");
        thread::sleep(Duration::from_millis(10));
    }
    let second = serving.mcp().call("hostile_loop", json!({}));
    assert_eq!(second["result"]["isError"], json!(true), "{second}");
    assert!(second["result"]["_meta"]["dev.wardkeep/retry-after-seconds"].as_u64().unwrap() >= 1, "{second}");
    // places are the tool's own, and are given back
    let other = serving.mcp().call("hostile_keeps_its_schema", json!({}));
    assert_eq!(other["result"]["isError"], json!(false), "{other}");
    looping.join().unwrap();
    let throttled = home.journal().into_iter().find(|r| r["unmapped"]["outcome"] == json!("throttled"));
    assert_eq!(throttled.expect("recorded")["unmapped"]["rule"], json!("concurrency"));
    let third = serving.mcp().call("hostile_loop", json!({}));
    assert!(outcome(&record(&home, &third)).starts_with("limit("), "{third}");
}
