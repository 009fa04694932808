//! How far a call is, to the client that asked: over HTTP, stdio and through a relay; bounded, tidy, and never after the answer.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{
    guests,
    home::{Home, Plugin},
    serving::Stdio2026,
};

fn home() -> Home {
    let home = Home::new();
    home.install(&Plugin::plain("reports", &guests::path("reports"), &["report"]));
    home
}

fn arguments(times: u32, steps: u64) -> Value {
    json!({ "name": "reports_report", "arguments": { "times": times, "steps": steps } })
}

/// Everything that a call over standard input says, to its answer.
fn heard(client: &mut Stdio2026, mut params: Value, token: Option<&str>) -> Vec<Value> {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { "name": "wardkeep-tests", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    if let Some(token) = token {
        params["_meta"]["progressToken"] = json!(token);
    }
    client.send(&json!({ "jsonrpc": "2.0", "id": 77, "method": "tools/call", "params": params }));
    let mut heard = Vec::new();
    loop {
        heard.push(client.receive().expect("an answer"));
        if heard.last().unwrap()["id"] == json!(77) {
            return heard;
        }
    }
}

/// They are reports of this token that grow, and an answer behind them.
fn expect_reports(heard: &[Value], times: u32) {
    let (answer, reports) = heard.split_last().unwrap();
    assert_eq!(answer["result"]["structuredContent"], json!({ "reported": times }), "{answer}");
    let mut last = 0.0;
    for report in reports {
        assert_eq!(report["method"], "notifications/progress", "{report}");
        assert_eq!(report["params"]["progressToken"], "mine", "{report}");
        assert_eq!(report["params"]["total"].as_f64(), Some(times.into()), "{report}");
        let done = report["params"]["progress"].as_f64().unwrap();
        assert!(done > last, "{heard:?}");
        assert_eq!(report["params"]["message"], format!(r"step\u{{a}}{done}"), "{report}");
        last = done;
    }
    assert_eq!(last, f64::from(times), "the last is told: {heard:?}");
}

fn dropped(home: &Home) -> Option<u64> {
    let journal = home.journal();
    let outcome = journal.iter().rfind(|line| line["unmapped"]["phase"] == "outcome").expect("an outcome");
    assert_eq!(outcome["unmapped"]["outcome"], "ok", "{outcome}");
    outcome["unmapped"]["cost"]["progress_dropped"].as_u64()
}

#[test]
fn a_client_that_asks_is_told_over_stdio_and_one_that_does_not_is_not() {
    let home = home();
    let mut client = home.stdio();
    let told = heard(&mut client, arguments(3, 1_000_000), Some("mine"));
    expect_reports(&told, 3);
    assert_eq!(told.len(), 4, "{told:?}");
    assert_eq!(heard(&mut client, arguments(3, 0), None).len(), 1);
    let long = "x".repeat(257);
    assert_eq!(heard(&mut client, arguments(3, 0), Some(&long)).len(), 1, "a token that long is not repeated");
    drop(client);
    assert_eq!(dropped(&home), None);
}

#[test]
fn a_relay_passes_it_on() {
    let home = home();
    let _owner = home.serve();
    let told = heard(&mut home.stdio(), arguments(3, 1_000_000), Some("mine"));
    expect_reports(&told, 3);
}

#[test]
fn a_flood_is_thinned_counted_and_delays_no_answer() {
    let home = home();
    let mut client = home.stdio();
    heard(&mut client, arguments(1, 0), None);
    let begun = Instant::now();
    let told = heard(&mut client, arguments(900, 0), Some("mine"));
    let took = begun.elapsed();
    expect_reports(&told, 900);
    assert!(told.len() < 60, "{}", told.len());
    assert!(took < Duration::from_secs(5), "{took:?}");
    drop(client);
    assert!(dropped(&home).is_some_and(|dropped| dropped > 800), "{:?}", dropped(&home));
}

#[test]
fn over_http_the_reports_come_on_the_stream_of_the_call_before_its_answer() {
    let home = home();
    let serving = home.serve();
    let answer =
        serving.mcp().request_with_meta("tools/call", arguments(3, 1_000_000), json!({ "progressToken": "mine" }));
    assert_eq!(answer.header("content-type"), Some("text/event-stream"));
    let text = answer.text();
    let events = text.lines().filter_map(|line| line.strip_prefix("data:")).filter(|event| !event.trim().is_empty());
    let heard: Vec<Value> = events.map(|event| serde_json::from_str(event).unwrap()).collect();
    expect_reports(&heard, 3);
}
