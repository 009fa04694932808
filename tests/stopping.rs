//! A host that is told to stop ends in bounded time, and every call that ran has its outcome in the log: an intent without one means that
//! the host died.

use std::{
    io::{Read as _, Write as _},
    os::unix::net::UnixStream,
    thread,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::support::{
    guests,
    home::{Home, Plugin},
};

fn home() -> Home {
    let home = Home::new();
    let component = guests::path("hostile");
    let mut hostile = Plugin::plain("hostile", &component, &["loop"]);
    hostile.limits = "fuel = 20_000_000_000\ndeadline = \"30s\"\nconcurrency = 32\n";
    home.install(&hostile);
    home
}

/// Intents, and how calls ended.
fn counts(home: &Home) -> (usize, Vec<String>) {
    let journal = home.journal();
    let intents = journal.iter().filter(|r| r["unmapped"]["phase"] == json!("intent")).count();
    let outcomes = journal.iter().filter(|r| r["unmapped"]["phase"] == json!("outcome"));
    (intents, outcomes.map(|r| r["unmapped"]["outcome"].as_str().unwrap_or_default().to_owned()).collect())
}

#[test]
fn sigterm_with_calls_in_flight_closes_every_record() {
    let home = home();
    let serving = home.serve();
    let callers: Vec<_> = (0..6)
        .map(|_| {
            let mcp = serving.mcp();
            thread::spawn(move || mcp.try_call("hostile_loop", json!({})))
        })
        .collect();
    let begun = Instant::now();
    while counts(&home).0 < 6 {
        assert!(begun.elapsed() < Duration::from_secs(20), "the calls never began");
        thread::sleep(Duration::from_millis(20));
    }
    let (code, took) = serving.terminate();
    assert_eq!(code, Some(0));
    assert!(took < Duration::from_secs(15), "{took:?}");
    for caller in callers {
        let answer = caller.join().unwrap().expect("a call that is ended is answered all the same");
        assert_eq!(answer["result"]["isError"], json!(true), "{answer}");
    }
    let (intents, outcomes) = counts(&home);
    assert_eq!((intents, outcomes.len()), (6, 6), "{outcomes:?}");
    assert!(outcomes.iter().all(|outcome| ["cancelled", "limit(fuel)"].contains(&outcome.as_str())), "{outcomes:?}");
    let verified = home.json(&["audit", "verify"]);
    assert_eq!(verified["unfinished"].as_array().map_or(0, Vec::len), 0, "{verified}");
}

#[test]
fn the_end_of_input_with_calls_in_flight_closes_every_record() {
    let home = home();
    let mut stdio = home.stdio();
    stdio.request("tools/list", json!({}));
    // as many as one caller has of the tool's places
    for id in 10..26 {
        stdio.send(&json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": { "name": "hostile_loop",
            "arguments": {}, "_meta": { "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": { "name": "t", "version": "1" },
            "io.modelcontextprotocol/clientCapabilities": {} } } }));
    }
    let begun = Instant::now();
    while counts(&home).0 < 16 {
        assert!(begun.elapsed() < Duration::from_secs(20), "the call never began");
        thread::sleep(Duration::from_millis(20));
    }
    assert!(stdio.hang_up() < Duration::from_secs(15));
    let (intents, outcomes) = counts(&home);
    assert_eq!((intents, outcomes.len()), (16, 16), "{outcomes:?}");
}

#[test]
fn a_peer_that_says_nothing_on_the_socket_does_not_keep_the_host_from_stopping() {
    let home = home();
    let serving = home.serve();
    let socket = home.path().join("relay.sock");
    let silent = UnixStream::connect(&socket).unwrap();
    let mut greeting = UnixStream::connect(&socket).unwrap();
    let ours = format!("{{\"wardkeep\":\"{}\"}}\n", env!("CARGO_PKG_VERSION"));
    greeting.write_all(ours.as_bytes()).unwrap();
    let mut theirs = vec![0; ours.len()];
    greeting.read_exact(&mut theirs).unwrap();
    assert_eq!(String::from_utf8_lossy(&theirs), ours);
    // asks for much and reads nothing of it
    greeting.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
    for id in 0..3_000 {
        let ask = json!({ "list": { "id": id, "claims": { "client": null, "protocol": null, "request_id": null, "trace_id": null } } });
        if greeting.write_all(format!("{ask}\n").as_bytes()).is_err() {
            break;
        }
    }
    let (code, took) = serving.terminate();
    assert_eq!(code, Some(0));
    assert!(took < Duration::from_secs(15), "{took:?}");
    drop(silent);
}
