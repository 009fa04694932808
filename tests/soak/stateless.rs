//! Clients of revision 2026-07-28: every kind of tool over connections that last and over new ones, calls that are hung up on, progress,
//! questions, subscriptions.

use std::{io::Result, thread, time::Duration};

use serde_json::{Value, json};

use super::{
    field::{Field, HOSTILE},
    tally::ending,
    wire::Wire,
};

/// Requests over one connection.
const ON_ONE: u64 = 300;
const NOTHING: Value = Value::Null;

/// What did not come although nothing was cut is wrong.
fn came<T>(field: &Field<'_>, kind: &'static str, answer: Result<T>) -> Option<T> {
    answer.map_err(|error| field.tally.wrong(format!("{kind}: {error}"))).ok()
}

/// Calls of all tools that behave, one after the other over one connection; now and then something that is no call.
pub fn steady(field: &Field<'_>) {
    const KIND: &str = "steady calls";
    while !field.is_over() {
        let mut wire = field.wire();
        for _ in 0..ON_ONE {
            if field.is_over() {
                return;
            }
            let n = field.number();
            if n % 50 == 7 {
                let path = if n % 100 == 7 { "/health" } else { "/ready" };
                let Some(status) = came(field, path, wire.get(path)) else { break };
                field.tally.done("looks", &status.to_string());
                let listed = wire.request(
                    if n.is_multiple_of(3) { "server/discover" } else { "tools/list" },
                    json!({}),
                    &NOTHING,
                );
                let Some(listed) = came(field, "lists", listed) else { break };
                field.tally.done("lists", ending(&listed));
            }
            let (tool, arguments, expected) = work(n);
            let Some(answer) = came(field, KIND, wire.call(tool, arguments.clone())) else { break };
            field.tally.answered(KIND, &answer, expected);
            let structured = &answer["result"]["structuredContent"];
            let wrong = match tool {
                "fixture_echo" => ending(&answer) == "ok" && *structured != arguments,
                "fixture_canary" => ending(&answer) == "ok" && *structured != json!({ "seen": 0 }),
                _ => false,
            };
            if wrong {
                field.tally.wrong(format!("{tool}: {arguments} gave {answer}"));
            }
            thread::sleep(Duration::from_millis(1));
        }
    }
}

const NAMED: [&str; 5] = [
    "conformance_test_simple_text",
    "conformance_test_image_content",
    "conformance_test_audio_content",
    "conformance_test_embedded_resource",
    "conformance_test_tool_with_progress",
];

fn work(n: u64) -> (&'static str, Value, &'static [&'static str]) {
    let ok: &[_] = &["ok"];
    let file = format!("d{}/f{:02}.txt", n % 5, n % 20);
    match n % 14 {
        0 => ("fixture_contents", json!({}), ok),
        1 => ("fixture_canary", json!({}), ok),
        2 => {
            ("fixture_fail", json!({ "kind": (["not-found", "partial", "rate-limited"][n as usize % 3]) }), &["failed"])
        }
        3 => ("fixture_slow", json!({ "steps": 50_000 }), ok),
        4 => ("files_list", json!({ "path": format!("d{}", n % 5) }), ok),
        5 => ("files_read", json!({ "path": file }), ok),
        6 => ("files_stat", json!({ "path": file }), ok),
        7 if n.is_multiple_of(5) => ("files_search", json!({ "pattern": "needle" }), ok),
        8 if n.is_multiple_of(5) => ("waits_briefly", json!({ "milliseconds": n % 20 }), ok),
        9 if n.is_multiple_of(15) => {
            ("fixture_log", json!({ "level": "info", "line": format!("{n} says\nhello") }), ok)
        }
        10 => ("fixture_echo", json!({ "long": "x".repeat((n % 40_000) as usize) }), ok),
        11 => (NAMED[n as usize / 14 % NAMED.len()], json!({}), ok),
        _ => ("fixture_echo", json!({ "n": n }), ok),
    }
}

/// A new connection for each call, left open by some until the host has answered, and by some not even that long.
pub fn fresh(field: &Field<'_>) {
    while !field.is_over() {
        let n = field.number();
        let mut wire = field.wire();
        if n % 20 == 3 {
            // nothing at all, or half a head
            let _ = wire.raw(if n % 40 == 3 { b"" } else { b"POST /mcp HT" });
            field.tally.done("connections for nothing", "dropped");
            continue;
        }
        if let Some(answer) = came(field, "new connections", wire.call("fixture_echo", json!({ "n": n }))) {
            field.tally.answered("new connections", &answer, &["ok"]);
        }
        thread::sleep(Duration::from_millis(3));
    }
}

/// Calls that end at their limits or worse.
pub fn limits(field: &Field<'_>) {
    let mut wire = field.wire();
    while !field.is_over() {
        let n = field.number();
        let tool = format!("hostile_{}", HOSTILE[n as usize % HOSTILE.len()]);
        let answer = match n % 40 {
            5 => wire.call("loops_loop", json!({})),
            6 => wire.call("waits_for_ever", json!({})),
            7 => wire.call("waits_many", json!({})),
            _ => wire.call(&tool, json!({})),
        };
        match came(field, "limits", answer) {
            Some(answer) => field.tally.answered("limits", &answer, &["failed"]),
            None => wire = field.wire(),
        }
        field.pause(Duration::from_millis(20));
    }
}

/// Calls whose client is gone before they end.
pub fn hang_up(field: &Field<'_>) {
    while !field.is_over() {
        let n = field.number();
        let tool = ["waits_for_ever", "loops_loop", "fixture_slow"][n as usize % 3];
        let arguments = if tool == "fixture_slow" { json!({ "steps": 3_000_000 }) } else { json!({}) };
        let mut wire = field.wire();
        let sent = wire.ask("tools/call", json!({ "name": tool, "arguments": arguments }), &NOTHING);
        if came(field, "hung up", sent).is_some() {
            field.tally.call("hung up", tool);
            thread::sleep(Duration::from_millis(n % 40));
        }
        drop(wire);
        thread::sleep(Duration::from_millis(10));
    }
}

/// Progress, heard to its end or cut in the middle of its stream.
pub fn progress(field: &Field<'_>) {
    while !field.is_over() {
        let n = field.number();
        let cut = n.is_multiple_of(2);
        let arguments = json!({ "times": 5 + n % 30, "steps": if cut { 300_000 } else { 1_000 } });
        let mut wire = field.wire();
        let params = json!({ "name": "reports_report", "arguments": arguments });
        if came(field, "progress", wire.ask("tools/call", params, &json!({ "progressToken": n }))).is_none() {
            continue;
        }
        let heard = if cut { first(&mut wire) } else { wire.answer() };
        match came(field, "progress", heard) {
            Some(_) if cut => field.tally.call("progress", "cut"),
            Some(answer) => field.tally.answered("progress", &answer, &["ok"]),
            None => {}
        }
        drop(wire);
        thread::sleep(Duration::from_millis(20));
    }
}

/// The first event of the answer, whatever it is.
fn first(wire: &mut Wire) -> Result<Value> {
    wire.head()?;
    Ok(wire.event()?.unwrap_or_default())
}

/// Questions: answered, declined, given up, answered twice, answered badly.
pub fn questions(field: &Field<'_>) {
    let meta = json!({ "io.modelcontextprotocol/clientCapabilities": { "elicitation": { "form": {} } } });
    let mut wire = field.wire();
    let ask = |wire: &mut Wire, more: Value| {
        let mut params = json!({ "name": "asks_ask", "arguments": { "about": "cake" } });
        more.as_object().into_iter().flatten().for_each(|(key, value)| params[key] = value.clone());
        let answer = wire.request("tools/call", params, &meta);
        thread::sleep(Duration::from_millis(5));
        came(field, "questions", answer)
    };
    while !field.is_over() {
        let Some(asked) = ask(&mut wire, json!({})) else {
            wire = field.wire();
            continue;
        };
        field.tally.answered("questions", &asked, &["asked"]);
        if ending(&asked) != "asked" {
            continue;
        }
        let said = |action: &str, content: Value| {
            json!({ "requestState": asked["result"]["requestState"],
                "inputResponses": { "flavour": { "action": action, "content": content } } })
        };
        let plum = || said("accept", json!({ "flavour": "plum" }));
        let tries: &[(Value, &str)] = match field.number() % 6 {
            0 | 1 => &[(plum(), "ok")],
            2 => &[(said("decline", Value::Null), "ok")],
            3 => &[(said("accept", json!({ "flavour": 5 })), "asked"), (plum(), "ok")],
            4 => &[(plum(), "ok"), (plum(), "unknown")],
            _ => &[],
        };
        if tries.is_empty() {
            field.tally.done("questions", "given up");
        }
        for (answer, expected) in tries {
            let Some(told) = ask(&mut wire, answer.clone()) else { break };
            field.tally.answered("questions", &told, &[expected]);
        }
    }
}

/// Subscriptions that are opened and dropped, some of them held through a reload or two.
pub fn subscriptions(field: &Field<'_>) {
    while !field.is_over() {
        let n = field.number();
        let mut wire = field.wire();
        let params = json!({ "notifications": { "toolsListChanged": true } });
        let begun = wire.ask("subscriptions/listen", params, &NOTHING).and_then(|()| first(&mut wire));
        let Some(acknowledged) = came(field, "subscriptions", begun) else { continue };
        if acknowledged["method"] == "notifications/subscriptions/acknowledged" {
            field.tally.done("subscriptions", "opened");
        } else {
            field.tally.wrong(format!("subscriptions: {acknowledged}"));
        }
        if n.is_multiple_of(10) {
            field.pause(Duration::from_secs(4));
        } else {
            thread::sleep(Duration::from_millis(n % 30));
        }
    }
}
