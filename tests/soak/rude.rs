//! What no client should send, over and over.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    field::{Field, GUEST},
    tally::ending,
    wire::stateless,
};
use crate::support::{home::KEY, http::send};

const JSON: (&str, &str) = ("content-type", "application/json");
const ACCEPT: (&str, &str) = ("accept", "application/json, text/event-stream");

/// Bad bytes, bad keys, bad names: each has its status.
pub fn rude(field: &Field<'_>) {
    let bearer = format!("Bearer {KEY}");
    let key = ("authorization", bearer.as_str());
    let large = " ".repeat((4 << 20) + 1);
    let deep = "[".repeat(100_000);
    while !field.is_over() {
        let n = field.number();
        let stranger = format!("Bearer wk_nobody_{n}");
        let echo =
            stateless("tools/call", json!({ "name": "fixture_echo", "arguments": {} }), &Value::Null).to_string();
        let twice = echo.replacen("\"jsonrpc\"", "\"jsonrpc\":\"2.0\",\"jsonrpc\"", 1);
        let no_session = format!("no-session-{n}");
        type Bad<'b> = (&'static str, Vec<(&'b str, &'b str)>, &'b str, u16);
        let (what, headers, body, expected): Bad<'_> = match n % 9 {
            0 => ("no JSON", vec![key], "{\"jsonrpc\"", 400),
            1 => ("keys twice", vec![key], &twice, 400),
            2 => ("too deep", vec![key], &deep, 400),
            3 if n.is_multiple_of(5) => ("too large", vec![key], &large, 413),
            4 => ("a wrong key", vec![("authorization", &stranger)], &echo, 401),
            5 => ("no key", vec![], &echo, 401),
            6 => ("a foreign origin", vec![key, ("origin", "https://evil.example")], &echo, 403),
            7 => ("no such session", vec![key, ("mcp-session-id", &no_session)], &echo, 404),
            _ => ("a foreign name", vec![key, ("host", "evil.example")], &echo, 403),
        };
        let headers = [&[ACCEPT, JSON], headers.as_slice()].concat();
        match send(field.address, "POST", "/mcp", &headers, body.as_bytes()) {
            Ok(response) if response.status == expected => field.tally.done("bad requests", what),
            Ok(response) if response.status == 503 => field.tally.done("bad requests", "too many at once"),
            Ok(response) => field.tally.wrong(format!("{what}: {} {}", response.status, response.text())),
            Err(error) => field.tally.wrong(format!("{what}: {error}")),
        }
        field.pause(Duration::from_millis(10));
    }
}

/// Calls that are refused for what they ask, bodies that break off, and a caller whom reloads let in and turn out.
pub fn refused(field: &Field<'_>) {
    let mut wire = field.wire();
    while !field.is_over() {
        let n = field.number();
        let call = match n % 5 {
            0 => Some((format!("no_such_tool_{}", n % 100), json!({}), "unknown")),
            1 => Some(("fixture_slow".to_owned(), json!({ "steps": "many" }), "failed")),
            2 => Some(("files_read".to_owned(), json!({ "path": "../secret" }), "failed")),
            3 => {
                let mut broken = field.wire();
                let _ = broken.raw(format!("POST /mcp HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {KEY}\r\ncontent-length: 900000\r\n\r\n{{", field.address).as_bytes());
                field.tally.done("bad requests", "a body that breaks off");
                None
            }
            _ => {
                // either is right: reloads decide which
                let guest = field.wire_of(GUEST).call("fixture_echo", json!({}));
                field.tally.call("guests", guest.as_ref().map_or("turned out", ending));
                None
            }
        };
        if let Some((tool, arguments, expected)) = call {
            match wire.call(&tool, arguments) {
                Ok(answer) => field.tally.answered("refused calls", &answer, &[expected]),
                Err(error) => {
                    field.tally.wrong(format!("{tool}: {error}"));
                    wire = field.wire();
                }
            }
        }
        field.pause(Duration::from_millis(10));
    }
}
