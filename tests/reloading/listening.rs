//! `tools/list_changed` reaches clients of both eras, over HTTP and standard input, directly and through a relay; and only those who
//! see something else than before.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{SOON, home, wait};
use crate::support::{
    guests,
    home::{KEY, Plugin},
    http::{Response, send},
    serving::Stdio2026,
};

const CHANGED: &str = "notifications/tools/list_changed";

/// An older client's session over HTTP.
pub struct Session {
    address: SocketAddr,
    key: String,
    id: String,
}

impl Session {
    pub fn open(address: SocketAddr, key: &str) -> Self {
        let mut session = Self { address, key: key.to_owned(), id: String::new() };
        let opened = session.post(
            "initialize",
            json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "old", "version": "1" } }),
        );
        let capabilities = &opened.message()["result"]["capabilities"];
        assert_eq!(capabilities["tools"]["listChanged"], json!(true), "{}", opened.text());
        session.id = opened.header("mcp-session-id").expect("a session").to_owned();
        assert_eq!(session.post("notifications/initialized", Value::Null).status, 202);
        session
    }

    fn headers(&self) -> Vec<(String, String)> {
        let mut headers = vec![
            ("authorization".to_owned(), format!("Bearer {}", self.key)),
            ("accept".to_owned(), "application/json, text/event-stream".to_owned()),
            ("content-type".to_owned(), "application/json".to_owned()),
        ];
        if !self.id.is_empty() {
            headers.push(("mcp-session-id".to_owned(), self.id.clone()));
            headers.push(("mcp-protocol-version".to_owned(), "2025-11-25".to_owned()));
        }
        headers
    }

    pub fn post(&self, method: &str, params: Value) -> Response {
        let mut message = json!({ "jsonrpc": "2.0", "method": method });
        if !method.starts_with("notifications/") {
            message["id"] = json!(1);
            message["params"] = params;
        }
        let headers = self.headers();
        let headers: Vec<_> = headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        send(self.address, "POST", "/mcp", &headers, message.to_string().as_bytes()).expect("an answer")
    }

    fn stream(&self) -> Stream {
        Stream::open(self.address, "GET", &self.headers(), "")
    }
}

/// A stream of events that stays open; what came so far can be looked at.
struct Stream {
    connection: TcpStream,
    seen: String,
}

impl Stream {
    fn open(address: SocketAddr, method: &str, headers: &[(String, String)], body: &str) -> Self {
        let mut connection = TcpStream::connect(address).unwrap();
        let mut head = format!("{method} /mcp HTTP/1.1\r\nhost: {address}\r\n");
        headers.iter().for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
        head.push_str(&format!("content-length: {}\r\n\r\n{body}", body.len()));
        connection.write_all(head.as_bytes()).unwrap();
        Self { connection, seen: String::new() }
    }

    /// Revision 2026-07-28: `subscriptions/listen`, acknowledged.
    fn listen(address: SocketAddr, key: &str) -> Self {
        let headers = [
            ("authorization", format!("Bearer {key}")),
            ("accept", "application/json, text/event-stream".to_owned()),
            ("content-type", "application/json".to_owned()),
            ("mcp-protocol-version", "2026-07-28".to_owned()),
            ("mcp-method", "subscriptions/listen".to_owned()),
        ];
        let headers = headers.map(|(name, value)| (name.to_owned(), value));
        let mut stream = Self::open(address, "POST", &headers, &listen(1).to_string());
        assert!(stream.has("notifications/subscriptions/acknowledged", SOON), "{}", stream.seen);
        stream
    }

    fn has(&mut self, text: &str, within: Duration) -> bool {
        let until = Instant::now() + within;
        self.connection.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        while !self.seen.contains(text) && Instant::now() < until {
            let mut bytes = [0; 4096];
            match self.connection.read(&mut bytes) {
                Ok(0) => break,
                Ok(read) => self.seen.push_str(&String::from_utf8_lossy(&bytes[..read])),
                Err(_) => {}
            }
        }
        self.seen.contains(text)
    }

    /// Whether the host has ended it.
    fn ends(&mut self, within: Duration) -> bool {
        self.has("\r\n0\r\n\r\n", within)
    }
}

fn listen(id: u64) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "method": "subscriptions/listen", "params": {
        "notifications": { "toolsListChanged": true },
        "_meta": { "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": { "name": "wardkeep-tests", "version": "1" },
            "io.modelcontextprotocol/clientCapabilities": {} } } })
}

/// A plugin whose tools are for this caller only.
fn install_for(home: &crate::support::home::Home, name: &str, caller: &str) {
    let wasm = guests::path("fixture");
    let mut plugin = Plugin::plain(name, &wasm, &["canary"]);
    plugin.tools = format!("[tools.canary]\neffect = \"read\"\nuses = []\nallow = [\"{caller}\"]\n");
    home.install(&plugin);
}

/// Messages of a client over standard input, read by a thread.
fn received(mut client: Stdio2026) -> mpsc::Receiver<Value> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        while let Some(message) = client.receive() {
            if sender.send(message).is_err() {
                break;
            }
        }
    });
    receiver
}

fn told(messages: &mpsc::Receiver<Value>) -> bool {
    let until = Instant::now() + SOON;
    while let Ok(message) = messages.recv_timeout(until.saturating_duration_since(Instant::now())) {
        if message["method"] == json!(CHANGED) {
            return true;
        }
    }
    false
}

#[test]
fn clients_of_both_eras_over_http_are_told_if_they_see_something_else_than_before() {
    let home = home();
    let serving = home.serve();
    let mut modern = Stream::listen(serving.address, KEY);
    let session = Session::open(serving.address, KEY);
    let mut older = session.stream();
    // not for them
    install_for(&home, "private", "user:nobody");
    wait("it serves", || serving.stderr().contains("1 added (private"));
    assert!(!modern.has(CHANGED, Duration::from_secs(1)), "{}", modern.seen);
    assert!(!older.has(CHANGED, Duration::from_millis(100)), "{}", older.seen);
    // for them
    install_for(&home, "public", "service:test");
    assert!(modern.has(CHANGED, SOON), "{}", modern.seen);
    assert!(modern.seen.contains("io.modelcontextprotocol/subscriptionId"), "{}", modern.seen);
    assert!(older.has(CHANGED, SOON), "{}", older.seen);
    assert_eq!(serving.mcp().tools(), ["fixture_echo", "public_canary"]);
}

#[test]
fn a_listener_whose_key_is_revoked_is_told_no_more_and_its_stream_ends() {
    let home = home();
    let serving = home.serve();
    let mut modern = Stream::listen(serving.address, KEY);
    home.json(&["keys", "revoke", "test"]);
    assert!(modern.ends(SOON), "{}", modern.seen);
    assert!(!modern.seen.contains(CHANGED), "{}", modern.seen);
}

#[test]
fn a_listener_does_not_hold_up_the_end_of_the_host() {
    let home = home();
    let serving = home.serve();
    let mut modern = Stream::listen(serving.address, KEY);
    let (code, took) = serving.terminate();
    assert_eq!(code, Some(0));
    assert!(took < Duration::from_millis(1_900), "{took:?}");
    assert!(modern.seen.contains("\"result\"") || modern.ends(SOON), "{}", modern.seen);
}

#[test]
fn clients_over_standard_input_are_told_as_owner_as_relay_and_after_a_take_over() {
    let home = home();
    let mut owner = home.stdio();
    owner.request("tools/list", json!({}));
    owner.send(&listen(77));
    let mut relay = home.stdio();
    relay.request("tools/list", json!({}));
    relay.send(&listen(78));
    // both acknowledged
    for client in [&mut owner, &mut relay] {
        let message = client.receive().unwrap();
        assert_eq!(message["method"], json!("notifications/subscriptions/acknowledged"), "{message}");
    }
    // SIGHUP ends neither
    for client in [&owner, &relay] {
        let process = rustix::process::Pid::from_child(&client.child);
        rustix::process::kill_process(process, rustix::process::Signal::HUP).unwrap();
    }
    thread::sleep(Duration::from_millis(1_200));
    install_for(&home, "mine", "user:me");
    let message = owner.receive().unwrap();
    assert_eq!(message["method"], json!(CHANGED), "{message}");
    assert_eq!(message["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"], json!(77), "{message}");
    let relayed = received(relay);
    assert!(told(&relayed), "through the relay");
    owner.hang_up();
    assert!(told(&relayed), "after the take-over");
}

#[test]
fn an_older_client_over_standard_input_is_told() {
    let home = home();
    let mut client = home.stdio();
    client
        .send(&json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": { "protocolVersion": "2025-06-18",
        "capabilities": {}, "clientInfo": { "name": "old", "version": "1" } } }));
    let opened = client.receive().unwrap();
    assert_eq!(opened["result"]["capabilities"]["tools"]["listChanged"], json!(true), "{opened}");
    client.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
    client.send(&json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/list" }));
    let listed = client.receive().unwrap();
    assert_eq!(listed["id"], json!(2), "{listed}");
    install_for(&home, "mine", "user:me");
    assert!(told(&received(client)));
}
