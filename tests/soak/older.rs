//! Clients of the older revisions: sessions that are ended and sessions that are left, calls that are cancelled by a message, streams that
//! are cut, questions inside a call.

use std::{io::Result, thread, time::Duration};

use serde_json::{Value, json};

use super::{
    field::{Field, LEAVER},
    wire::Wire,
};
use crate::support::home::KEY;

const REVISIONS: [&str; 2] = ["2025-06-18", "2025-11-25"];

struct Session<'f, 'a> {
    field: &'f Field<'a>,
    wire: Wire,
    revision: &'static str,
    key: &'static str,
    id: String,
}

impl<'f, 'a> Session<'f, 'a> {
    /// Nothing if there is no room for one more.
    fn open(field: &'f Field<'a>, key: &'static str, n: u64) -> Result<Option<Self>> {
        let revision = REVISIONS[n as usize % 2];
        let mut session = Self { field, wire: field.wire_of(key), revision, key, id: String::new() };
        let params = json!({ "protocolVersion": revision, "capabilities": { "elicitation": {} },
            "clientInfo": { "name": "wardkeep-soak", "version": "1" } });
        let initialize = json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params });
        session.wire.send("POST", "/mcp", &[], &initialize.to_string())?;
        let head = session.wire.head()?;
        session.wire.body(&head)?;
        if head.status == 503 {
            return Ok(None);
        }
        session.id = head.session.expect("a session");
        session.tell("notifications/initialized", json!({}))?;
        Ok(Some(session))
    }

    fn post(&self, wire: &mut Wire, message: &Value) -> Result<()> {
        let headers = [("mcp-session-id", self.id.as_str()), ("mcp-protocol-version", self.revision)];
        wire.send("POST", "/mcp", &headers, &message.to_string())
    }

    /// A message that has no answer.
    fn tell(&mut self, method: &str, params: Value) -> Result<u16> {
        self.say(&json!({ "jsonrpc": "2.0", "method": method, "params": params }))
    }

    fn say(&mut self, message: &Value) -> Result<u16> {
        let mut wire = self.field.wire_of(self.key);
        std::mem::swap(&mut wire, &mut self.wire);
        let said = self.post(&mut wire, message).and_then(|()| wire.head());
        let said = said.and_then(|head| wire.body(&head).map(|_| head.status));
        std::mem::swap(&mut wire, &mut self.wire);
        said
    }

    fn call(&mut self, id: u64, tool: &str, arguments: Value) -> Result<Value> {
        let mut wire = self.begin(id, tool, arguments)?;
        wire.answer()
    }

    /// A call on a connection of its own.
    fn begin(&self, id: u64, tool: &str, arguments: Value) -> Result<Wire> {
        let mut wire = self.field.wire_of(self.key);
        let params = json!({ "name": tool, "arguments": arguments, "_meta": { "progressToken": id } });
        self.post(&mut wire, &json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params }))?;
        Ok(wire)
    }

    /// The stream that a client of these revisions listens on.
    fn listen(&self) -> Result<Wire> {
        let mut wire = self.field.wire_of(self.key);
        let headers = [("mcp-session-id", self.id.as_str()), ("mcp-protocol-version", self.revision)];
        wire.send("GET", "/mcp", &headers, "")?;
        Ok(wire)
    }

    fn end(mut self) -> Result<u16> {
        let id = std::mem::take(&mut self.id);
        self.wire.send("DELETE", "/mcp", &[("mcp-session-id", &id), ("mcp-protocol-version", self.revision)], "")?;
        let head = self.wire.head()?;
        self.wire.body(&head)?;
        Ok(head.status)
    }
}

/// Sessions from beginning to end.
pub fn sessions(field: &Field<'_>) {
    while !field.is_over() {
        let n = field.number();
        match session(field, n) {
            Ok(true) => field.tally.done("sessions", "ended"),
            Ok(false) => field.tally.done("sessions", "no room"),
            Err(error) => field.tally.wrong(format!("sessions: {error}")),
        }
        thread::sleep(Duration::from_millis(20));
    }
}

fn session(field: &Field<'_>, n: u64) -> Result<bool> {
    let Some(mut session) = Session::open(field, KEY, n)? else { return Ok(false) };
    let stream = if n.is_multiple_of(2) { Some(session.listen()?) } else { None };
    for id in 1..4 {
        let answer = session.call(id, "fixture_echo", json!({ "n": id }))?;
        field.tally.answered("calls in sessions", &answer, &["ok"]);
    }
    match n % 5 {
        0 => {
            // cancelled by a message; no answer comes to it
            let waiting = session.begin(9, "waits_for_ever", json!({}))?;
            thread::sleep(Duration::from_millis(n % 30));
            session.tell("notifications/cancelled", json!({ "requestId": 9, "reason": "no longer wanted" }))?;
            field.tally.call("calls in sessions", "cancelled");
            drop(waiting);
        }
        1 => {
            let mut cut = session.begin(9, "reports_report", json!({ "times": 20, "steps": 300_000 }))?;
            cut.head()?;
            drop(cut);
            field.tally.call("calls in sessions", "stream cut");
        }
        2 => {
            // ended while a call runs in it
            let running = session.begin(9, "waits_for_ever", json!({}))?;
            thread::sleep(Duration::from_millis(n % 30));
            field.tally.call("calls in sessions", "session ended");
            drop(running);
        }
        3 => person(&mut session, n)?,
        _ => {}
    }
    drop(stream);
    let status = session.end()?;
    if status >= 300 {
        field.tally.wrong(format!("the end of a session: {status}"));
    }
    Ok(true)
}

/// A question inside a call: answered, declined, or given up.
fn person(session: &mut Session<'_, '_>, n: u64) -> Result<()> {
    let field = session.field;
    let mut asking = session.begin(9, "asks_ask", json!({ "about": "cake" }))?;
    let head = asking.head()?;
    let question = asking.event()?.unwrap_or_default();
    if question["method"] != "elicitation/create" {
        if super::tally::ending(&question) != "throttled" {
            field.tally.wrong(format!("no question ({}): {question}", head.status));
        }
        return Ok(());
    }
    let said = match n / 5 % 3 {
        0 => json!({ "action": "accept", "content": { "flavour": "plum" } }),
        1 => json!({ "action": "decline" }),
        _ => {
            field.tally.call("questions in sessions", "given up");
            return Ok(());
        }
    };
    session.say(&json!({ "jsonrpc": "2.0", "id": question["id"], "result": said }))?;
    while let Some(message) = asking.event()? {
        if message["id"] == 9 {
            // two legs, each a call
            field.tally.call("questions in sessions", "asked");
            field.tally.answered("questions in sessions", &message, &["ok"]);
        }
    }
    Ok(())
}

/// Sessions that are left without a word: only so many fit, and each is ended for want of use.
pub fn leaver(field: &Field<'_>) {
    while !field.is_over() {
        let n = field.number();
        match Session::open(field, LEAVER, n) {
            Ok(Some(mut session)) => {
                field.tally.done("sessions left open", "opened");
                let called = session.call(1, "fixture_echo", json!({ "n": n }));
                if let Ok(answer) = &called {
                    field.tally.answered("calls in sessions", answer, &["ok"]);
                }
                if n.is_multiple_of(3) {
                    let stream = session.listen();
                    field.pause(Duration::from_millis(100));
                    drop(stream);
                }
                field.left.lock().unwrap().push(session.id);
            }
            Ok(None) => {
                field.tally.done("sessions left open", "no room");
                field.pause(Duration::from_secs(1));
            }
            Err(error) => field.tally.wrong(format!("sessions left open: {error}")),
        }
    }
}

/// How many sessions this key may open now, up to `most`; they are ended again.
pub fn room_for(field: &Field<'_>, key: &'static str, most: usize) -> usize {
    let open = (0..most).map_while(|n| Session::open(field, key, n as u64).expect("an answer"));
    let open: Vec<_> = open.collect();
    let count = open.len();
    for session in open {
        session.end().expect("an answer");
    }
    count
}

/// Ends what was left, where the host has not done so by itself. How many those were.
pub fn end_left(field: &Field<'_>) -> usize {
    let mut wire = field.wire_of(LEAVER);
    let left = std::mem::take(&mut *field.left.lock().unwrap());
    let end = |id: &String| {
        wire.send("DELETE", "/mcp", &[("mcp-session-id", id), ("mcp-protocol-version", REVISIONS[1])], "").unwrap();
        let head = wire.head().unwrap();
        wire.body(&head).unwrap();
        head.status < 300
    };
    left.iter().map(end).filter(|ended| *ended).count()
}
