//! Clients over standard input, each a process that passes on to the one that serves: started, used, and ended or killed.

use std::{thread, time::Duration};

use serde_json::{Value, json};

use super::field::Field;
use crate::support::serving::Stdio2026;

const KIND: &str = "calls through relays";

pub fn relays(field: &Field<'_>) {
    while !field.is_over() {
        let n = field.number();
        let mut client = field.home.stdio();
        if n.is_multiple_of(2) {
            stateless(field, &mut client)
        } else {
            older(field, &mut client, n)
        }
        if n.is_multiple_of(3) {
            // in the middle of a call
            let call = json!({ "name": "waits_for_ever", "arguments": {}, "_meta": meta() });
            client.send(&json!({ "jsonrpc": "2.0", "id": 99, "method": "tools/call", "params": call }));
            thread::sleep(Duration::from_millis(n % 30));
            field.tally.call(KIND, "killed");
            drop(client);
        } else {
            client.hang_up();
        }
        field.tally.done("relays", "ended");
        field.pause(Duration::from_millis(300));
    }
}

fn meta() -> Value {
    json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { "name": "wardkeep-soak", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities": {},
    })
}

fn stateless(field: &Field<'_>, client: &mut Stdio2026) {
    client.request("tools/list", json!({}));
    for n in 0..10 {
        let answer = client.call("fixture_echo", json!({ "n": n }));
        field.tally.answered(KIND, &answer, &["ok"]);
    }
    let mut meta = meta();
    meta["progressToken"] = json!(7);
    let report = json!({ "name": "reports_report", "arguments": { "times": 5, "steps": 1_000 }, "_meta": meta });
    client.send(&json!({ "jsonrpc": "2.0", "id": 77, "method": "tools/call", "params": report }));
    let answer = answer_to(client, 77);
    field.tally.answered(KIND, &answer, &["ok"]);
}

fn older(field: &Field<'_>, client: &mut Stdio2026, n: u64) {
    let revision = ["2025-06-18", "2025-11-25"][n as usize / 2 % 2];
    let params = json!({ "protocolVersion": revision, "capabilities": { "elicitation": {} },
        "clientInfo": { "name": "wardkeep-soak", "version": "1" } });
    client.send(&json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params }));
    answer_to(client, 0);
    client.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
    // a question, answered or declined
    let call = |id: u64, tool: &str, arguments: Value| json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": { "name": tool, "arguments": arguments } });
    client.send(&call(7, "asks_ask", json!({ "about": "cake" })));
    let question = next(client, |message| message["method"] == "elicitation/create" || is_answer(message, 7));
    if is_answer(&question, 7) {
        return field.tally.answered(KIND, &question, &[]);
    }
    let said = if n % 4 == 1 {
        json!({ "action": "decline" })
    } else {
        json!({ "action": "accept", "content": { "flavour": "plum" } })
    };
    client.send(&json!({ "jsonrpc": "2.0", "id": question["id"], "result": said }));
    let answer = answer_to(client, 7);
    field.tally.call(KIND, "asked");
    field.tally.answered(KIND, &answer, &["ok"]);
    // cancelled by a message
    client.send(&call(8, "waits_for_ever", json!({})));
    client.send(&json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 8 } }));
    field.tally.call(KIND, "cancelled");
    client.send(&call(9, "fixture_echo", json!({ "n": 9 })));
    let answer = answer_to(client, 9);
    field.tally.answered(KIND, &answer, &["ok"]);
}

fn answer_to(client: &mut Stdio2026, id: u64) -> Value {
    next(client, |message| is_answer(message, id))
}

/// The next message of this kind; reloads put news of lists between them.
fn next(client: &mut Stdio2026, wanted: impl Fn(&Value) -> bool) -> Value {
    loop {
        let message = client.receive().expect("a message");
        if wanted(&message) {
            return message;
        }
    }
}

fn is_answer(message: &Value, id: u64) -> bool {
    message["id"] == id && message.get("method").is_none()
}
