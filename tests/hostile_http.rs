//! A client that chooses every byte and every moment of its HTTP: what it breaks is its own connection, what it leaves running is
//! ended, and what it asked is on record.

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, TcpStream},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::support::{
    guests,
    home::{Home, KEY, Plugin, memory},
    http::{Response, send},
    serving::Serving,
};

const META: &str = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"t","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}"#;

/// A home whose plugin `waits` waits for ever, and one that echoes.
fn home() -> Home {
    let home = Home::new();
    let component = guests::path("waits");
    let mut waits = Plugin::granted("waits", &component, &[("for_ever", "[\"clock.now\"]")], "[grants.clock.now]\n");
    waits.limits = "deadline = \"30s\"\nconcurrency = 8\n";
    waits.wasi = "inert";
    home.install(&waits);
    home.install(&Plugin::plain("fixture", &guests::path("fixture"), &["echo"]));
    home
}

/// Bytes on a connection of their own, and what comes back until it ends.
fn raw(serving: &Serving, bytes: &[u8]) -> String {
    let mut stream = connect(serving);
    // a host that has answered already may close before it has read all
    let _ = stream.write_all(bytes);
    rest(&mut stream)
}

fn connect(serving: &Serving) -> TcpStream {
    let stream = TcpStream::connect(serving.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(15))).unwrap();
    stream
}

fn rest(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    let _ = stream.read_to_end(&mut text);
    String::from_utf8_lossy(&text).into_owned()
}

fn statuses(text: &str) -> Vec<u16> {
    let lines = text.match_indices("HTTP/1.").filter_map(|(at, _)| text.get(at..));
    lines.filter_map(|line| line.split(' ').nth(1)?.parse().ok()).collect()
}

/// A whole request of 2026-07-28; `head` comes before the usual headers, `{len}` is the body's length.
fn request(head: &str, name: &str, body: &str) -> String {
    let len = body.len();
    format!(
        "POST /mcp HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {KEY}\r\naccept: application/json, text/event-stream\r\n\
         content-type: application/json\r\nmcp-protocol-version: 2026-07-28\r\nmcp-method: tools/call\r\nmcp-name: {name}\r\n{}\r\n{body}",
        head.replace("{len}", &len.to_string())
    )
}

fn call(tool: &str, arguments: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{{"name":"{tool}","arguments":{arguments},{META}}}}}"#
    )
}

fn echo() -> String {
    call("fixture_echo", r#"{"text":"x"}"#)
}

const CLOSE: &str = "connection: close\r\ncontent-length: {len}\r\n";

/// Outcomes of all calls of this tool.
fn outcomes(home: &Home, tool: &str) -> Vec<String> {
    let of_tool =
        |record: &&Value| record["api"]["operation"] == json!(tool) && record["unmapped"]["phase"] == json!("outcome");
    let journal = home.journal();
    journal.iter().filter(of_tool).map(|r| r["unmapped"]["outcome"].as_str().unwrap().to_owned()).collect()
}

fn intents(home: &Home, tool: &str) -> usize {
    let journal = home.journal();
    journal.iter().filter(|r| r["api"]["operation"] == json!(tool) && r["unmapped"]["phase"] == json!("intent")).count()
}

fn until(what: &str, most: Duration, mut done: impl FnMut() -> bool) -> Duration {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < most, "{what} took more than {most:?}");
        thread::sleep(Duration::from_millis(10));
    }
    begun.elapsed()
}

/// A key of another principal.
fn other_key(home: &Home) -> &'static str {
    let other = "wk_other_0123456789abcdef0123456789abcdef";
    let file = String::from_utf8(home.read("wardkeep.toml")).unwrap();
    let sha = crate::support::home::sha256(other.as_bytes());
    let key =
        format!("[callers.keys.other]\nsha256 = \"{sha}\"\nprincipal = \"service:other\"\ngroups = [\"tests\"]\n");
    home.write("wardkeep.toml", &format!("{file}{key}"));
    other
}

/// The most memory that the process which serves this home has had, in MiB.
fn memory_peak(home: &Home) -> u64 {
    memory(home, "VmHWM:")
}

/// A session of revision 2025-11-25.
struct Session<'s> {
    serving: &'s Serving,
    key: String,
    id: String,
}

impl<'s> Session<'s> {
    fn open(serving: &'s Serving, key: &str) -> Self {
        let initialize = json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
            "protocolVersion": "2025-11-25", "capabilities": { "elicitation": {} }, "clientInfo": { "name": "t", "version": "1" } } });
        let mut session = Self { serving, key: key.to_owned(), id: String::new() };
        let opened = session.post(&initialize.to_string());
        session.id = opened.header("mcp-session-id").unwrap_or_else(|| panic!("{}", opened.text())).to_owned();
        let ready = session.post(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
        assert_eq!(ready.status, 202);
        session
    }

    fn send(&self, method: &str, body: &str) -> std::io::Result<Response> {
        let bearer = format!("Bearer {}", self.key);
        let mut headers = vec![
            ("authorization", bearer.as_str()),
            ("accept", "application/json, text/event-stream"),
            ("content-type", "application/json"),
        ];
        if !self.id.is_empty() {
            headers.extend([("mcp-session-id", self.id.as_str()), ("mcp-protocol-version", "2025-11-25")]);
        }
        send(self.serving.address, method, "/mcp", &headers, body.as_bytes())
    }

    fn post(&self, body: &str) -> Response {
        self.send("POST", body).unwrap()
    }

    /// Posts and goes on at once; the stream is what would be read.
    fn post_open(&self, body: &str) -> TcpStream {
        let mut stream = connect(self.serving);
        let head = format!(
            "POST /mcp HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\naccept: application/json, text/event-stream\r\n\
             content-type: application/json\r\nmcp-session-id: {}\r\nmcp-protocol-version: 2025-11-25\r\ncontent-length: {}\r\n\r\n",
            self.key,
            self.id,
            body.len()
        );
        stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
        stream
    }
}

fn waits(id: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"waits_for_ever","arguments":{{}}}}}}"#
    )
}

#[test]
fn the_end_of_a_session_ends_its_calls_at_once_and_on_record() {
    let home = home();
    let serving = home.serve();
    let session = Session::open(&serving, KEY);
    let _streams = [session.post_open(&waits("1")), session.post_open(&waits("2"))];
    until("the calls' beginning", Duration::from_secs(10), || intents(&home, "waits_for_ever") == 2);
    let bad = send(
        serving.address,
        "DELETE",
        "/mcp",
        &[
            ("authorization", &format!("Bearer {KEY}")),
            ("mcp-session-id", &session.id),
            ("mcp-protocol-version", "1999-01-01"),
        ],
        b"",
    );
    assert_eq!(bad.unwrap().status, 400);
    assert!(outcomes(&home, "waits_for_ever").is_empty(), "a refused DELETE ends nothing");
    let status = session.send("DELETE", "").unwrap().status;
    assert_eq!(status, 204);
    // rmcp would give them five seconds
    let took = until("their end", Duration::from_secs(2), || outcomes(&home, "waits_for_ever").len() == 2);
    assert_eq!(outcomes(&home, "waits_for_ever"), ["cancelled", "cancelled"], "{took:?}");
    assert_eq!(session.post(&waits("3")).status, 404);
}

#[test]
fn an_id_that_waits_for_its_answer_is_not_taken_again_and_a_cancelled_one_may_be() {
    let home = home();
    let serving = home.serve();
    let session = Session::open(&serving, KEY);
    let mut first = session.post_open(&waits("7"));
    until("the call's beginning", Duration::from_secs(10), || intents(&home, "waits_for_ever") == 1);
    for _ in 0..20 {
        let refused = session.post(&waits("7"));
        assert_eq!(
            (refused.status, refused.message()["error"]["code"].as_i64()),
            (400, Some(-32_600)),
            "{}",
            refused.text()
        );
    }
    let other = session.post(r#"{"jsonrpc":"2.0","id":"7","method":"tools/list"}"#);
    assert_eq!(other.message()["id"], json!("7"), "a string is another id");
    // cancellations of what nobody asked are nothing
    for id in ["99", "\"7\"", "null", "7.5", "[7]"] {
        let cancel = format!(r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":{id}}}}}"#);
        assert!([202, 400, 422].contains(&session.post(&cancel).status), "{id}");
    }
    assert!(outcomes(&home, "waits_for_ever").is_empty());
    session.post(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}}"#);
    until("the call's end", Duration::from_secs(5), || outcomes(&home, "waits_for_ever") == ["cancelled"]);
    assert_eq!(statuses(&rest_of_stream(&mut first)), [200], "its stream ends");
    until("the id's freedom", Duration::from_secs(5), || {
        session.post(r#"{"jsonrpc":"2.0","id":7,"method":"tools/list"}"#).status == 200
    });
}

/// A stream whose connection stays open: until its last chunk.
fn rest_of_stream(stream: &mut TcpStream) -> String {
    let (mut text, mut bytes) = (String::new(), [0; 1_024]);
    while !text.ends_with("0\r\n\r\n") {
        match stream.read(&mut bytes) {
            Ok(read) if read > 0 => text.push_str(&String::from_utf8_lossy(&bytes[..read])),
            _ => break,
        }
    }
    text
}

#[test]
fn answers_that_nobody_asked_for_change_nothing() {
    let home = home();
    let other = other_key(&home);
    let serving = home.serve();
    let (session, theirs) = (Session::open(&serving, KEY), Session::open(&serving, other));
    let _stream = session.post_open(&waits("7"));
    until("the call's beginning", Duration::from_secs(10), || intents(&home, "waits_for_ever") == 1);
    for answer in [
        r#"{"jsonrpc":"2.0","id":7,"result":{}}"#,
        r#"{"jsonrpc":"2.0","id":7,"result":{"action":"accept","content":{}}}"#,
        r#"{"jsonrpc":"2.0","id":0,"result":{}}"#,
        r#"{"jsonrpc":"2.0","id":7,"error":{"code":-1,"message":"no"}}"#,
    ] {
        for _ in 0..2 {
            assert_eq!(session.post(answer).status, 202, "{answer}");
            assert_eq!(theirs.post(answer).status, 202, "{answer}");
        }
    }
    // another principal in this session, by its id
    let thief = Session { serving: &serving, key: other.to_owned(), id: session.id.clone() };
    assert_eq!(thief.post(r#"{"jsonrpc":"2.0","id":7,"result":{}}"#).status, 404);
    assert_eq!(
        thief.post(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}}"#).status,
        404
    );
    assert_eq!(thief.send("DELETE", "").unwrap().status, 404);
    assert_eq!(thief.send("GET", "").unwrap().status, 404);
    assert!(outcomes(&home, "waits_for_ever").is_empty(), "the call runs on");
    // stateless, there is nothing that could be answered
    let alone = raw(&serving, request(CLOSE, "x", r#"{"jsonrpc":"2.0","id":7,"result":{}}"#).as_bytes());
    assert_eq!(statuses(&alone), [400], "{alone}");
    let resumed = call("fixture_echo", "{}").replace(META, &format!(r#"{META},"requestState":"forged""#));
    assert!(raw(&serving, request(CLOSE, "fixture_echo", &resumed).as_bytes()).contains("-32602"));
    assert_eq!(session.post(r#"{"jsonrpc":"2.0","id":8,"method":"tools/list"}"#).status, 200);
}

#[test]
fn a_connection_that_is_half_closed_after_its_request_has_its_call_ended_or_answered() {
    let home = home();
    let serving = home.serve();
    let mut waiting = connect(&serving);
    waiting
        .write_all(request("content-length: {len}\r\n", "waits_for_ever", &call("waits_for_ever", "{}")).as_bytes())
        .unwrap();
    until("the call's beginning", Duration::from_secs(10), || intents(&home, "waits_for_ever") == 1);
    waiting.shutdown(Shutdown::Write).unwrap();
    until("the call's end", Duration::from_secs(5), || outcomes(&home, "waits_for_ever") == ["cancelled"]);
    // half closed with the request: answered, or cancelled and on record
    let mut quick = connect(&serving);
    quick.write_all(request("content-length: {len}\r\n", "fixture_echo", &echo()).as_bytes()).unwrap();
    quick.shutdown(Shutdown::Write).unwrap();
    let answer = rest(&mut quick);
    until("its record", Duration::from_secs(5), || {
        outcomes(&home, "fixture_echo").len() == intents(&home, "fixture_echo")
    });
    let ended = outcomes(&home, "fixture_echo");
    // a call may end well whose answer nobody is there to take; never the other way round
    assert!(ended.iter().all(|ended| ["ok", "cancelled"].contains(&ended.as_str())), "{ended:?}");
    assert!(!answer.contains("\"isError\":false") || ended == ["ok"], "{ended:?} {answer}");
    // half of a request, and then nothing more: no call, and the connection ends
    let half = request("content-length: {len}\r\n", "fixture_echo", &echo());
    let mut broken = connect(&serving);
    broken.write_all(&half.as_bytes()[..half.len() - 10]).unwrap();
    broken.shutdown(Shutdown::Write).unwrap();
    let begun = Instant::now();
    let answer = rest(&mut broken);
    assert!(!answer.contains("isError") && begun.elapsed() < Duration::from_secs(10), "{answer}");
    serving.terminate();
    assert_eq!(outcomes(&home, "fixture_echo").len(), intents(&home, "fixture_echo"));
    home.json(&["audit", "verify"]);
}

#[test]
fn one_request_is_one_request_however_its_length_is_told() {
    let home = home();
    let serving = home.serve();
    let health = "GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n";
    // a second request hides where another reader would see the first one's body: never two answers
    for (what, head) in [
        ("two lengths", "content-length: 0\r\ncontent-length: {len}\r\n"),
        ("two lengths in one", "content-length: 0, {len}\r\n"),
        ("a signed length", "content-length: +{len}\r\n"),
        ("a length that is none", "content-length: 0x10\r\n"),
        ("chunked that is not last", "transfer-encoding: chunked, identity\r\n"),
        ("an unknown coding", "transfer-encoding: xchunked\r\n"),
        ("chunked twice", "transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n"),
        ("a folded line", "x: a\r\n transfer-encoding: chunked\r\n"),
        ("a space before the colon", "transfer-encoding : chunked\r\n"),
        ("a bare CR", "x: a\rtransfer-encoding: chunked\r\n"),
        ("a NUL", "x: a\0b\r\n"),
    ] {
        let answer = raw(&serving, request(head, "fixture_echo", health).as_bytes());
        assert!(answer.is_empty() || statuses(&answer) == [400], "{what}: {answer}");
    }
    // a length beside chunks is a trap for whoever stands in front: the chunks count, and the connection is over (RFC 9112, 6.1)
    let chunked = format!("{:x}\r\n{}\r\n0\r\n\r\n{health}", echo().len(), echo());
    let both = request("transfer-encoding: chunked\r\ncontent-length: 5\r\n", "fixture_echo", &chunked);
    let answer = raw(&serving, both.as_bytes());
    assert!(statuses(&answer) == [200] && answer.contains("connection: close"), "{answer}");
    for bad in ["zz\r\n", "-1\r\n{}\r\n", "ffffffffffffffffff\r\n", "5;".to_owned().as_str(), "2\r\n{}XX0\r\n\r\n"] {
        let answer = raw(
            &serving,
            request("transfer-encoding: chunked\r\nconnection: close\r\n", "fixture_echo", bad).as_bytes(),
        );
        assert!(answer.is_empty() || statuses(&answer) == [400], "{bad:?}: {answer}");
    }
    // and what is right is answered
    let echo = echo();
    let (first, rest) = echo.split_at(1);
    let chunked = format!("1\r\n{first}\r\n{:x}\r\n{rest}\r\n0\r\n\r\n", rest.len());
    let answer = raw(
        &serving,
        request("transfer-encoding: chunked\r\nconnection: close\r\n", "fixture_echo", &chunked).as_bytes(),
    );
    assert_eq!(statuses(&answer), [200], "{answer}");
    assert_eq!(outcomes(&home, "fixture_echo"), ["ok", "ok"], "no hidden request ran");
}

#[test]
fn a_head_that_is_strange_or_too_large_is_refused() {
    let home = home();
    let serving = home.serve();
    let get = |target: &str, version: &str, headers: &str| {
        raw(&serving, format!("GET {target} {version}\r\n{headers}connection: close\r\n\r\n").as_bytes())
    };
    let local = "host: localhost\r\n";
    assert_eq!(statuses(&get("/health", "HTTP/1.1", local)), [200]);
    assert_eq!(statuses(&get("/health", "HTTP/1.0", "")), [200], "a load balancer of the old kind");
    for (target, version, headers) in [
        ("/health", "HTTP/1.1", "host: evil.example\r\n".to_owned()),
        ("/ready", "HTTP/1.1", "host: evil.example:80\r\n".to_owned()),
        ("/ready", "HTTP/1.1", "host: localhost\r\nhost: evil.example\r\n".to_owned()),
        ("http://evil.example/ready", "HTTP/1.1", local.to_owned()),
    ] {
        assert_eq!(statuses(&get(target, version, &headers)), [403], "{target} {headers:?}");
    }
    assert_eq!(statuses(&get("/ready", "HTTP/1.1", "host: 10.1.2.3:8080\r\n")), [200], "by its address");
    for (what, target, version, headers) in [
        ("too many headers", "/health", "HTTP/1.1", format!("{local}{}", "x: y\r\n".repeat(10_000))),
        ("a giant header", "/health", "HTTP/1.1", format!("{local}x: {}\r\n", "y".repeat(1 << 20))),
        ("a giant target", &*format!("/{}", "y".repeat(1 << 20)), "HTTP/1.1", local.to_owned()),
        ("another version", "/health", "HTTP/3.0", local.to_owned()),
        ("no version", "/health", "", local.to_owned()),
        ("a space in the target", "/hea lth", "HTTP/1.1", local.to_owned()),
    ] {
        let answer = get(target, version, &headers);
        assert!(
            answer.is_empty() || statuses(&answer).iter().all(|status| (400..500).contains(status)),
            "{what}: {answer}"
        );
    }
    let http2 = raw(&serving, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0");
    assert!(http2.is_empty() || statuses(&http2)[0] >= 400, "{http2}");
    for bytes in [&b"\0\0\0\0"[..], b"\x16\x03\x01\x02\0\x01\0", b"SSH-2.0-x\r\n", b"\r\n\r\n\r\n\r\n", b"GET\r\n\r\n"]
    {
        let answer = raw(&serving, bytes);
        assert!(answer.is_empty() || statuses(&answer) == [400], "{bytes:?}: {answer}");
    }
    for method in ["PUT", "PATCH", "TRACE", "OPTIONS", "CONNECT", "post", "X"] {
        let answer = raw(&serving, request(CLOSE, "fixture_echo", &echo()).replacen("POST", method, 1).as_bytes());
        assert!(
            answer.is_empty() || statuses(&answer).iter().all(|status| (400..500).contains(status)),
            "{method}: {answer}"
        );
    }
    assert!(outcomes(&home, "fixture_echo").is_empty());
    assert_eq!(statuses(&get("/health", "HTTP/1.1", local)), [200]);
}

#[test]
fn headers_that_disagree_with_the_body_or_come_twice_are_refused() {
    let home = home();
    let serving = home.serve();
    let good = request(CLOSE, "fixture_echo", &echo());
    assert_eq!(statuses(&raw(&serving, good.as_bytes())), [200]);
    let line = |name: &str| {
        format!(
            "{name}: {}\r\n",
            match name {
                "mcp-method" => "tools/call",
                "mcp-name" => "fixture_echo",
                "mcp-protocol-version" => "2026-07-28",
                _ => "application/json",
            }
        )
    };
    for name in ["mcp-method", "mcp-name", "mcp-protocol-version", "content-type"] {
        let twice = good.replace(&line(name), &line(name).repeat(2));
        assert_eq!(statuses(&raw(&serving, twice.as_bytes())), [400], "{name} twice");
        let missing = raw(&serving, good.replace(&line(name), "").as_bytes());
        assert!(matches!(statuses(&missing)[..], [400 | 404 | 415]), "{name} missing: {missing}");
        let other = raw(&serving, good.replace(&line(name), &format!("{name}: other\r\n")).as_bytes());
        assert!(matches!(statuses(&other)[..], [400 | 404 | 415]), "{name} other: {other}");
    }
    for (what, from, to) in [
        ("another tool", "mcp-name: fixture_echo", "mcp-name: waits_for_ever"),
        ("another method", "mcp-method: tools/call", "mcp-method: tools/list"),
        ("another revision", "mcp-protocol-version: 2026-07-28", "mcp-protocol-version: 2025-11-25"),
        ("a session of nobody", "mcp-method", "mcp-session-id: 0\r\nmcp-method"),
        ("two keys", "accept:", &format!("authorization: Bearer {KEY}\r\naccept:")),
    ] {
        let answer = raw(&serving, good.replacen(from, to, 1).as_bytes());
        assert!(matches!(statuses(&answer)[..], [400 | 401 | 404]), "{what}: {answer}");
    }
    assert_eq!(outcomes(&home, "fixture_echo"), ["ok"], "only the good one ran");
    assert_eq!(intents(&home, "waits_for_ever"), 0);
}

#[test]
fn json_rpc_that_is_none_is_refused_and_a_strange_id_forges_nothing() {
    let home = home();
    let serving = home.serve();
    let ask = |body: &str| raw(&serving, request(CLOSE, "fixture_echo", body).as_bytes());
    for body in [
        "[]",
        "[1]",
        &format!("[{}]", echo()),
        &format!("[{},{}]", echo(), echo()),
        "null",
        "7",
        "\"x\"",
        "{}",
        &echo().replace(r#""jsonrpc":"2.0","#, ""),
        &echo().replace(r#""2.0""#, r#""1.0""#),
        &echo().replace(r#""id":7"#, r#""id":{}"#),
        &echo().replace(r#""id":7"#, r#""id":[7]"#),
        &echo().replace(r#""id":7"#, r#""id":true"#),
        &echo().replace(r#""id":7"#, r#""id":7.5"#),
        &echo().replace(r#""id":7"#, r#""id":1e400"#),
        &echo().replace(r#""id":7"#, &format!(r#""id":"{}""#, "i".repeat(257))),
        &echo().replace(r#""params":{"name""#, r#""params":{"name":7,"x""#),
        &echo().replace(r#"{"text":"x"}"#, "[]"),
        &echo().replace(r#"{"text":"x"}"#, r#"{"n":1e400}"#),
        &echo().replace("tools/call", "tools\\u0000/call"),
    ] {
        let answer = ask(body);
        let refused = matches!(statuses(&answer)[..], [400 | 404 | 415 | 422]) || answer.contains("\"error\"");
        assert!(refused, "{body}: {answer}");
    }
    assert!(outcomes(&home, "fixture_echo").is_empty(), "nothing of it ran");
    // without an id it is a notification, and nothing runs; null is none
    for body in [echo().replace(r#""id":7,"#, ""), echo().replace(r#""id":7"#, r#""id":null"#)] {
        let answer = ask(&body);
        assert!(!answer.contains("isError"), "{body}: {answer}");
    }
    assert!(outcomes(&home, "fixture_echo").is_empty(), "a notification calls nothing");
    let longest = format!("\"\u{1b}[2J{}\"", "i".repeat(252));
    let answer = ask(&echo().replace(r#""id":7"#, &format!("\"id\":{}", longest.replace('\u{1b}', "\\u001b"))));
    assert_eq!(statuses(&answer), [200], "{answer}");
    serving.terminate();
    let record = home.journal().iter().find(|r| r["unmapped"]["phase"] == json!("intent")).unwrap().to_string();
    assert!(!record.contains("u001b"), "{record}");
    assert!(record.contains(r#""uid":"\\u{1b}[2Jiii"#), "{record}");
}

#[test]
fn slow_heads_and_slow_bodies_end_and_hold_nobody_up() {
    let home = home();
    let serving = home.serve();
    let mut slow: Vec<_> = (0..200).map(|_| connect(&serving)).collect();
    let begun = Instant::now();
    let head = b"POST /mcp HTTP/1.1\r\nhost: localhost\r\nx: yyyyyyyyyyyyyyyyyyyyyyyyyyyy";
    let mut alive = slow.len();
    for byte in head {
        alive = slow.iter_mut().filter_map(|stream| stream.write_all(&[*byte]).ok()).count();
        let asked = Instant::now();
        assert_eq!(send(serving.address, "GET", "/health", &[], b"").unwrap().status, 200);
        assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
        if alive == 0 || begun.elapsed() > Duration::from_secs(9) {
            break;
        }
        thread::sleep(Duration::from_millis(150));
    }
    assert_eq!(alive, 0, "a head has five seconds");
    // a body, a byte now and then
    let mut body = connect(&serving);
    body.write_all(request("content-length: 1000\r\n", "fixture_echo", "").as_bytes()).unwrap();
    let begun = Instant::now();
    body.set_read_timeout(Some(Duration::from_millis(900))).unwrap();
    let mut answer = [0; 512];
    let read = loop {
        let _ = body.write_all(b" ");
        match body.read(&mut answer) {
            Ok(read) => break read,
            Err(_) => assert!(begun.elapsed() < Duration::from_secs(40), "a body has thirty seconds"),
        }
    };
    assert_eq!(statuses(&String::from_utf8_lossy(&answer[..read])), [408]);
    assert!(begun.elapsed() > Duration::from_secs(25), "{:?}", begun.elapsed());
}

#[test]
fn bodies_that_never_end_take_one_principal_s_part_of_the_memory_and_no_more() {
    let home = home();
    let other = other_key(&home);
    let serving = home.serve();
    assert!(!Session::open(&serving, other).id.is_empty());
    let before = memory_peak(&home);
    let head = request("content-length: 4194304\r\n", "fixture_echo", "");
    let most = vec![b' '; (4 << 20) - 1];
    let refused = std::sync::atomic::AtomicUsize::new(0);
    thread::scope(|scope| {
        let mut held = Vec::new();
        for _ in 0..100 {
            held.push(scope.spawn(|| {
                let mut stream = connect(&serving);
                let sent = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&most));
                stream.set_read_timeout(Some(Duration::from_secs(8))).unwrap();
                let mut answer = [0; 512];
                let read = stream.read(&mut answer).unwrap_or(0);
                let answer = String::from_utf8_lossy(&answer[..read]).into_owned();
                if sent.is_err() || read > 0 {
                    assert!(
                        answer.is_empty() || statuses(&answer) == [503] && answer.contains("retry-after: 1"),
                        "{answer}"
                    );
                    refused.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                }
                stream
            }));
        }
        let streams: Vec<_> = held.into_iter().map(|held| held.join().unwrap()).collect();
        let refused = refused.load(std::sync::atomic::Ordering::Relaxed);
        assert!((90..100).contains(&refused), "32 MiB hold eight of a hundred: {refused} were refused");
        // others are served, and so is health
        let theirs = crate::support::http::Mcp { key: other.to_owned(), ..serving.mcp() };
        assert_eq!(theirs.call("fixture_echo", json!({ "text": "x" }))["result"]["isError"], json!(false));
        drop(streams);
    });
    let grown = memory_peak(&home) - before;
    println!("peak {before} MiB before, {grown} MiB more");
    assert!(grown < 160, "{grown} MiB");
    until("room again", Duration::from_secs(5), || serving.mcp().request("tools/list", json!({})).status == 200);
}

#[test]
fn a_flood_of_requests_and_cancellations_in_one_session_leaves_nothing_behind() {
    let home = home();
    let serving = home.serve();
    let session = Session::open(&serving, KEY);
    let flood = |rounds: usize| {
        thread::scope(|scope| {
            for worker in 0..4 {
                let session = &session;
                scope.spawn(move || {
                    for round in 0..rounds {
                        let id = worker * 1_000_000 + round;
                        // the client goes away at once, takes back what it asked and what it never asked
                        drop(session.post_open(&waits(&id.to_string())));
                        for id in [id, id + 500_000] {
                            let cancel = json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": id } });
                            assert_eq!(session.post(&cancel.to_string()).status, 202);
                        }
                    }
                });
            }
        });
    };
    flood(50);
    let before = memory(&home, "VmRSS:");
    flood(500);
    let grown = memory(&home, "VmRSS:").saturating_sub(before);
    println!("resident {before} MiB, {grown} MiB more after 2,000 calls were asked for and taken back");
    assert!(grown < 30, "{grown} MiB");
    // an id of its own: a cancellation may have overtaken its request, which then waits on
    assert_eq!(session.post(r#"{"jsonrpc":"2.0","id":"own","method":"tools/list"}"#).status, 200);
    session.send("DELETE", "").unwrap();
    until("the calls' end", Duration::from_secs(5), || {
        outcomes(&home, "waits_for_ever").len() == intents(&home, "waits_for_ever")
    });
    assert!(outcomes(&home, "waits_for_ever").iter().all(|outcome| outcome == "cancelled"));
}

#[test]
fn streams_held_open_by_the_hundred_hold_nobody_else_up() {
    let home = home();
    let other = other_key(&home);
    let serving = home.serve();
    let session = Session::open(&serving, KEY);
    let streams: Vec<_> = (0..200)
        .map(|_| {
            let mut stream = connect(&serving);
            let head = format!(
                "GET /mcp HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {KEY}\r\naccept: text/event-stream\r\n\
                 mcp-session-id: {}\r\nmcp-protocol-version: 2025-11-25\r\n\r\n",
                session.id
            );
            stream.write_all(head.as_bytes()).unwrap();
            stream
        })
        .collect();
    thread::sleep(Duration::from_millis(500));
    let begun = Instant::now();
    let theirs = crate::support::http::Mcp { key: other.to_owned(), ..serving.mcp() };
    assert_eq!(theirs.call("fixture_echo", json!({ "text": "x" }))["result"]["isError"], json!(false));
    assert_eq!(session.post(r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#).status, 200);
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    let deleted = session.send("DELETE", "").unwrap().status;
    assert!((200..300).contains(&deleted), "{deleted}");
    // the end of the session ends its streams
    let mut last = streams.into_iter().next_back().unwrap();
    assert!(rest_of_stream(&mut last).ends_with("0\r\n\r\n"));
}

#[test]
fn an_answer_that_nobody_reads_is_given_up() {
    let home = home();
    let component = guests::path("hostile");
    let mut hostile = Plugin::plain("hostile", &component, &["huge_text"]);
    hostile.limits = "output = \"4MiB\"\n";
    home.install(&hostile);
    let serving = home.serve();
    let mut stream = connect(&serving);
    let body = call("hostile_huge_text", r#"{"bytes":4000000}"#);
    stream.write_all(request("content-length: {len}\r\n", "hostile_huge_text", &body).as_bytes()).unwrap();
    until("the call's end", Duration::from_secs(10), || outcomes(&home, "hostile_huge_text") == ["ok"]);
    let begun = Instant::now();
    thread::sleep(Duration::from_secs(33));
    // what the kernel has taken is still there, then the connection is over before its answer is
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    assert!(bytes.len() < 4_000_000, "{} bytes after {:?}", bytes.len(), begun.elapsed());
    assert_eq!(send(serving.address, "GET", "/health", &[], b"").unwrap().status, 200);
}
