//! The same for clients of older revisions, who are asked while their call waits.

use super::*;
use crate::support::http::{Response, send};

/// Opens a session over standard input.
fn open(home: &Home, revision: &str, capabilities: Value) -> Stdio2026 {
    let mut client = home.stdio();
    client.send(&json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
        "protocolVersion": revision, "capabilities": capabilities, "clientInfo": { "name": "older", "version": "1" },
    }}));
    assert_eq!(client.receive().expect("an answer")["result"]["protocolVersion"], revision);
    client.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
    client
}

/// Calls, says this to the question, gives the question and the answer of the call.
fn asked_inside(client: &mut Stdio2026, said: &Value) -> (Value, Value) {
    let params = json!({ "name": "files_write", "arguments": note() });
    client.send(&json!({ "jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params }));
    let question = client.receive().expect("a question");
    assert_eq!(question["method"], "elicitation/create", "{question}");
    client.send(&json!({ "jsonrpc": "2.0", "id": question["id"], "result": said }));
    let answer = client.receive().expect("an answer");
    assert_eq!(answer["id"], 7, "{answer}");
    (question, answer["result"].clone())
}

#[test]
fn older_clients_are_asked_inside_the_call_and_only_a_yes_runs_it() {
    for revision in ["2025-06-18", "2025-11-25"] {
        // the process that owns the home, and one that relays to it
        for relayed in [false, true] {
            let home = home(PERSON, "", "");
            let _owner = relayed.then(|| home.serve());
            let mut client = open(&home, revision, json!({ "elicitation": {} }));
            for (said, rule) in [
                (json!({ "action": "decline" }), "not-confirmed"),
                (json!({ "action": "cancel" }), "not-confirmed"),
                (json!({ "action": "accept", "content": { "confirm": "no" } }), "not-confirmed"),
                (json!({ "action": "accept", "content": { "confirm": true } }), "confirmation-unclear"),
                (json!({ "action": "accept" }), "confirmation-unclear"),
            ] {
                let (question, answer) = asked_inside(&mut client, &said);
                assert!(question["params"]["message"].as_str().unwrap().starts_with("Wardkeep asks: may files_write"));
                assert_eq!(answer["isError"], json!(true), "{said}: {answer}");
                nothing_written(&home, rule);
                on_record(&home, rule, "denied");
            }
            let yes = json!({ "action": "accept", "content": { "confirm": "yes" } });
            let (_, answer) = asked_inside(&mut client, &yes);
            assert_eq!(answer["isError"], json!(false), "{answer}");
            assert_eq!(fs::read_to_string(home.tree().join("a.md")).unwrap(), "very private");
            drop(client);
            let intents = lines(&home, "intent");
            assert_eq!(intents.len(), 1);
            assert_eq!(intents[0]["unmapped"]["confirmed"]["by"], "user:me", "{}", intents[0]);
            assert_eq!(intents[0]["unmapped"]["protocol"], revision);
        }
    }
}

pub(super) struct Session<'a> {
    serving: &'a Serving,
    key: &'a str,
    id: String,
}

impl<'a> Session<'a> {
    pub(super) fn open(serving: &'a Serving, key: &'a str) -> Self {
        let mut session = Self { serving, key, id: String::new() };
        let opened = session.post(&json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
            "protocolVersion": "2025-11-25", "capabilities": { "elicitation": {} },
            "clientInfo": { "name": "older", "version": "1" },
        }}));
        session.id = opened.header("mcp-session-id").expect("a session").to_owned();
        session.post(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
        session
    }

    pub(super) fn send(&self, method: &str, key: &str, body: &[u8]) -> Response {
        let bearer = format!("Bearer {key}");
        let mut headers = vec![
            ("authorization", bearer.as_str()),
            ("accept", "application/json, text/event-stream"),
            ("content-type", "application/json"),
        ];
        if !self.id.is_empty() {
            headers.extend([("mcp-session-id", self.id.as_str()), ("mcp-protocol-version", "2025-11-25")]);
        }
        send(self.serving.address, method, "/mcp", &headers, body).unwrap()
    }

    pub(super) fn post(&self, message: &Value) -> Response {
        self.send("POST", self.key, message.to_string().as_bytes())
    }
}

#[test]
fn a_yes_from_another_session_or_another_caller_answers_nothing() {
    let home = home(PERSON, "", "");
    let serving = home.serve();
    let asks = Session::open(&serving, KEY);
    let (same, other) = (Session::open(&serving, KEY), Session::open(&serving, OTHER));
    let call = json!({ "jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {
        "name": "files_write", "arguments": note() } });
    thread::scope(|scope| {
        let waiting = scope.spawn(|| asks.post(&call));
        // long enough for the question to be out
        thread::sleep(Duration::from_millis(500));
        for id in 0..8 {
            let yes = json!({ "jsonrpc": "2.0", "id": id, "result": {
                "action": "accept", "content": { "confirm": "yes" } } });
            same.post(&yes);
            other.post(&yes);
            // somebody else's word in this very session
            assert_eq!(asks.send("POST", OTHER, yes.to_string().as_bytes()).status, 404);
        }
        thread::sleep(Duration::from_millis(500));
        assert!(!waiting.is_finished(), "it still waits for its own person");
        nothing_written(&home, "a yes from elsewhere");
        asks.send("DELETE", KEY, b"");
        let ended = waiting.join().unwrap();
        assert!(ended.text().contains("elicitation/create"), "it was asked: {}", ended.text());
    });
    nothing_written(&home, "the session has ended");
}

#[test]
fn a_call_that_waits_for_its_person_holds_no_place() {
    let home = home(PERSON, "", "");
    let serving = home.serve();
    let sessions: Vec<_> = (0..16).map(|_| Session::open(&serving, KEY)).collect();
    let call = json!({ "jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {
        "name": "files_write", "arguments": note() } });
    thread::scope(|scope| {
        // twice as many as the tool may run at once
        let waiting: Vec<_> = sessions.iter().map(|session| scope.spawn(|| session.post(&call))).collect();
        thread::sleep(Duration::from_millis(500));
        assert!(waiting.iter().all(|waiting| !waiting.is_finished()));
        let mcp = serving.mcp();
        let asked = ask(&mcp);
        let done = super::call(&mcp, "files_write", note(), &yes(&asked));
        assert_eq!(done["result"]["isError"], json!(false), "{done}");
        sessions.iter().for_each(|session| {
            session.send("DELETE", KEY, b"");
        });
    });
}
