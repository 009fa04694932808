//! What every client gets in every revision that is served: each kind of content, failures with their class, and a cancel that stops the
//! guest. Over HTTP in sessions and without, and over standard input.

use std::{
    io::Write as _,
    net::{Shutdown, SocketAddr, TcpStream},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::support::{
    guests,
    home::{Home, KEY, Plugin},
    http::{Response, send},
    serving::Stdio2026,
};

const OLDER: [&str; 2] = ["2025-06-18", "2025-11-25"];

/// A session of an older revision over HTTP.
struct Session {
    address: SocketAddr,
    revision: &'static str,
    id: String,
}

impl Session {
    fn open(address: SocketAddr, revision: &'static str) -> Self {
        let mut session = Self { address, revision, id: String::new() };
        let opened = session.post(&json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
            "protocolVersion": revision, "capabilities": {}, "clientInfo": { "name": "older", "version": "1" },
        }}));
        assert_eq!(opened.message()["result"]["protocolVersion"], revision);
        session.id = opened.header("mcp-session-id").expect("a session").to_owned();
        session.post(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
        session
    }

    fn post(&self, message: &Value) -> Response {
        let bearer = format!("Bearer {KEY}");
        let mut headers = vec![
            ("authorization", bearer.as_str()),
            ("accept", "application/json, text/event-stream"),
            ("content-type", "application/json"),
        ];
        if !self.id.is_empty() {
            headers.extend([("mcp-session-id", self.id.as_str()), ("mcp-protocol-version", self.revision)]);
        }
        send(self.address, "POST", "/mcp", &headers, message.to_string().as_bytes()).unwrap()
    }

    fn request(&self, method: &str, params: Value) -> Value {
        self.post(&json!({ "jsonrpc": "2.0", "id": 5, "method": method, "params": params })).message()
    }
}

/// An older client over standard input.
fn older(home: &Home, revision: &str) -> Stdio2026 {
    let mut client = home.stdio();
    client.send(&json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
        "protocolVersion": revision, "capabilities": {}, "clientInfo": { "name": "older", "version": "1" },
    }}));
    assert_eq!(client.receive().expect("an answer")["result"]["protocolVersion"], revision);
    client.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
    client
}

/// The same request in every revision: over HTTP, and over standard input through a relay.
fn everywhere(home: &Home, method: &str, params: &Value, expect: impl Fn(&str, &Value)) {
    let serving = home.serve();
    expect("2026-07-28", &serving.mcp().request(method, params.clone()).message());
    expect("2026-07-28", &home.stdio().request(method, params.clone()));
    for revision in OLDER {
        expect(revision, &Session::open(serving.address, revision).request(method, params.clone()));
        let mut client = older(home, revision);
        client.send(&json!({ "jsonrpc": "2.0", "id": 5, "method": method, "params": params }));
        expect(revision, &client.receive().expect("an answer"));
    }
}

fn fixture(tools: &[&str]) -> Home {
    let home = Home::new();
    home.install(&Plugin::plain("fixture", &guests::path("fixture"), tools));
    home
}

#[test]
fn every_kind_of_content_arrives_in_every_revision() {
    let home = fixture(&["contents"]);
    everywhere(&home, "tools/call", &json!({ "name": "fixture_contents", "arguments": {} }), |revision, message| {
        let blocks = [
            json!({ "type": "text", "text": "plain" }),
            json!({ "type": "image", "data": "iVBORw==", "mimeType": "image/png" }),
            json!({ "type": "audio", "data": "UklGRg==", "mimeType": "audio/wav" }),
            json!({ "type": "resource", "resource": { "uri": "note://one", "mimeType": "text/plain", "text": "a note" } }),
            json!({ "type": "resource", "resource": {
                "uri": "blob://two", "mimeType": "application/octet-stream", "blob": "AP8=" } }),
            json!({ "type": "resource_link", "uri": "https://example.com/three", "name": "three" }),
        ];
        assert_eq!(message["result"]["content"], json!(blocks), "{revision}: {message}");
        // only the newest says what kind of result it is
        let kind = if revision == "2026-07-28" { json!("complete") } else { Value::Null };
        assert_eq!(message["result"]["resultType"], kind, "{revision}: {message}");
    });
}

#[test]
fn structured_answers_and_their_schemas_arrive_in_every_revision() {
    let home = fixture(&["canary"]);
    everywhere(&home, "tools/call", &json!({ "name": "fixture_canary", "arguments": {} }), |revision, message| {
        assert_eq!(message["result"]["structuredContent"], json!({ "seen": 0 }), "{revision}: {message}");
        assert_eq!(message["result"]["content"][0]["text"], r#"{"seen":0}"#, "{revision}: {message}");
    });
    everywhere(&home, "tools/list", &json!({}), |revision, message| {
        let tool = &message["result"]["tools"][0];
        assert_eq!(tool["outputSchema"]["properties"]["seen"]["type"], "integer", "{revision}: {message}");
        assert_eq!(tool["annotations"]["readOnlyHint"], true, "{revision}: {message}");
        if revision == "2026-07-28" {
            assert_eq!(message["result"]["cacheScope"], "private", "{message}");
            assert!(message["result"]["ttlMs"].is_u64(), "{message}");
        }
    });
}

#[test]
fn a_failure_arrives_with_its_class_and_stands_on_record_with_it() {
    let home = fixture(&["fail"]);
    let serving = home.serve();
    for (kind, text, outcome) in [
        ("invalid-arguments", "the moon is not a number", "tool-error"),
        ("not-found", "no moon", "tool-error"),
        ("denied", "the moon is closed", "tool-error"),
        ("rate-limited", "too many moons", "tool-error"),
        ("upstream", "the moon answers badly (status 503)", "tool-error"),
        ("partial", "half a moon\ndone: first\nnot done: second", "partial"),
        ("internal", "the moon fell", "tool-error"),
    ] {
        let call = json!({ "name": "fixture_fail", "arguments": { "kind": kind } });
        let session = Session::open(serving.address, "2025-06-18");
        for message in
            [serving.mcp().request("tools/call", call.clone()).message(), session.request("tools/call", call)]
        {
            let result = &message["result"];
            assert_eq!(result["isError"], true, "{message}");
            assert_eq!(result["content"][0]["text"], text, "{message}");
            assert_eq!(result["_meta"]["dev.wardkeep/failure"], kind, "{message}");
            if kind == "rate-limited" {
                assert_eq!(result["_meta"]["dev.wardkeep/retry-after-seconds"], 30, "{message}");
            }
            let id = &result["_meta"]["dev.wardkeep/correlation-id"];
            let journal = home.journal();
            let closing = journal.iter().rfind(|line| line["metadata"]["correlation_uid"] == *id).unwrap();
            assert_eq!(closing["unmapped"]["outcome"], outcome, "{closing}");
            assert_eq!(closing["status_detail"], kind, "{closing}");
        }
    }
}

#[test]
fn the_clients_trace_stands_in_the_record() {
    let home = fixture(&["echo"]);
    let serving = home.serve();
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let params = json!({ "name": "fixture_echo", "arguments": {} });
    let meta = json!({ "traceparent": format!("00-{trace}-00f067aa0ba902b7-01") });
    serving.mcp().request_with_meta("tools/call", params, meta);
    let journal = home.journal();
    let calls: Vec<_> = journal.iter().filter(|line| line["api"]["operation"] == "fixture_echo").collect();
    assert_eq!(calls.len(), 2);
    assert!(calls.iter().all(|line| line["trace"]["uid"] == trace), "{calls:?}");
}

/// One tool that burns and one that waits, each for longer than this test.
fn endless() -> Home {
    let home = Home::new();
    let (burns, waits) = (guests::path("hostile"), guests::path("waits"));
    let mut burns = Plugin::plain("hostile", &burns, &["loop"]);
    burns.limits = "fuel = 20_000_000_000\ndeadline = \"60s\"\n";
    home.install(&burns);
    let mut waits = Plugin::granted("waits", &waits, &[("for_ever", "[\"clock.now\"]")], "[grants.clock.now]\n");
    waits.limits = "deadline = \"60s\"\n";
    home.install(&waits);
    home
}

const ENDLESS: [&str; 2] = ["hostile_loop", "waits_for_ever"];

fn wait_for(home: &Home, what: &str, tool: &str, count: usize) {
    let begun = Instant::now();
    let there = |line: &Value| line["api"]["operation"] == tool && line["unmapped"]["phase"] == what;
    while home.journal().iter().filter(|line| there(line)).count() < count {
        assert!(begun.elapsed() < Duration::from_secs(20), "no {what} of {tool}: {:?}", home.journal());
        thread::sleep(Duration::from_millis(10));
    }
}

/// The guest ran, was told to stop long before its limits, and did.
fn expect_cancelled(home: &Home, tool: &str, count: usize) {
    wait_for(home, "outcome", tool, count);
    for line in home.journal().iter().filter(|line| line["api"]["operation"] == tool) {
        if line["unmapped"]["phase"] == "outcome" {
            assert_eq!(line["unmapped"]["outcome"], "cancelled", "{line}");
            assert!(line["unmapped"]["cost"]["elapsed_us"].as_u64().unwrap() < 30_000_000, "{line}");
        }
    }
}

#[test]
fn a_cancel_stops_the_guest_over_standard_input_in_every_revision() {
    for revision in ["2025-06-18", "2025-11-25", "2026-07-28"] {
        let home = endless();
        let stateless = revision == "2026-07-28";
        let mut client = if stateless { home.stdio() } else { older(&home, revision) };
        for (id, tool) in (90..).zip(ENDLESS) {
            let mut params = json!({ "name": tool, "arguments": {} });
            if stateless {
                params["_meta"] = json!({
                    "io.modelcontextprotocol/protocolVersion": revision,
                    "io.modelcontextprotocol/clientInfo": { "name": "t", "version": "1" },
                    "io.modelcontextprotocol/clientCapabilities": {},
                });
            }
            client.send(&json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params }));
            wait_for(&home, "intent", tool, 1);
            let cancelled = json!({ "requestId": id, "reason": "no longer wanted" });
            client.send(&json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": cancelled }));
            expect_cancelled(&home, tool, 1);
        }
    }
}

#[test]
fn a_cancel_stops_the_guest_in_a_session_over_http() {
    for revision in OLDER {
        let home = endless();
        let serving = home.serve();
        for tool in ENDLESS {
            let session = Session::open(serving.address, revision);
            thread::scope(|scope| {
                // no answer comes to what was cancelled, only the end of the session
                let call = json!({ "jsonrpc": "2.0", "id": 5, "method": "tools/call", "params": {
                    "name": tool, "arguments": {} } });
                let session = &session;
                scope.spawn(move || session.post(&call));
                wait_for(&home, "intent", tool, 1);
                let cancelled = json!({ "requestId": 5 });
                session.post(&json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": cancelled }));
                expect_cancelled(&home, tool, 1);
                session_ended(session);
            });
        }
    }
}

/// Ends the session, and with it whatever stream is still open.
fn session_ended(session: &Session) {
    let bearer = format!("Bearer {KEY}");
    let headers = [
        ("authorization", bearer.as_str()),
        ("mcp-session-id", session.id.as_str()),
        ("mcp-protocol-version", session.revision),
    ];
    send(session.address, "DELETE", "/mcp", &headers, b"").unwrap();
}

#[test]
fn a_client_that_hangs_up_stops_the_guest_over_http_without_sessions() {
    let home = endless();
    let serving = home.serve();
    for tool in ENDLESS {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {
            "name": tool, "arguments": {}, "_meta": {
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientInfo": { "name": "t", "version": "1" },
                "io.modelcontextprotocol/clientCapabilities": {},
            },
        }})
        .to_string();
        let mut stream = TcpStream::connect(serving.address).unwrap();
        let head = format!(
            "POST /mcp HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {KEY}\r\naccept: application/json, text/event-stream\r\n\
             content-type: application/json\r\nmcp-protocol-version: 2026-07-28\r\nmcp-method: tools/call\r\n\
             mcp-name: {tool}\r\ncontent-length: {}\r\n\r\n{body}",
            serving.address,
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        wait_for(&home, "intent", tool, 1);
        stream.shutdown(Shutdown::Both).unwrap();
        drop(stream);
        expect_cancelled(&home, tool, 1);
    }
}
