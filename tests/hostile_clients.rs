//! A client that sends what is cheap to send and dear to read is refused before it costs anything, is told why, and locks nobody
//! out.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    process::{Child, ChildStdin, ChildStdout, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::support::{
    guests,
    home::{Home, KEY, Plugin, memory},
    http::{Response, send},
    serving::{Serving, wait},
};

const META: &str = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"t","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}"#;

/// The values of a call around those of one list in its arguments.
const AROUND: usize = 14;

fn home() -> Home {
    let home = Home::new();
    home.install(&Plugin::plain("fixture", &guests::path("fixture"), &["echo"]));
    home
}

/// A call whose arguments are this text, whatever it is.
fn call(arguments: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{{"name":"fixture_echo","arguments":{arguments},{META}}}}}"#
    )
}

fn post(serving: &Serving, path: &str, more: &[(&str, &str)], body: &str) -> Response {
    try_post(serving, path, more, body).unwrap()
}

fn try_post(serving: &Serving, path: &str, more: &[(&str, &str)], body: &str) -> std::io::Result<Response> {
    let bearer = format!("Bearer {KEY}");
    let mut headers = vec![
        ("authorization", bearer.as_str()),
        ("accept", "application/json, text/event-stream"),
        ("content-type", "application/json"),
        ("mcp-protocol-version", "2026-07-28"),
        ("mcp-method", "tools/call"),
    ];
    if !more.iter().any(|(name, _)| *name == "mcp-name") {
        headers.push(("mcp-name", "fixture_echo"));
    }
    headers.extend_from_slice(more);
    send(serving.address, "POST", path, &headers, body.as_bytes())
}

/// `wardkeep serve --stdio`, and a client that sends text, not values: a value has no key twice.
struct Lines {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

impl Lines {
    fn new(home: &Home) -> Self {
        let mut command = home.wardkeep(&["serve", "--stdio"]);
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = piped.spawn().expect("wardkeep starts");
        let (stdin, stdout) = (child.stdin.take(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, stdin, stdout }
    }

    fn ask(&mut self, line: &str) -> Value {
        self.stdin.as_mut().unwrap().write_all(format!("{line}\n").as_bytes()).unwrap();
        let mut answer = String::new();
        self.stdout.read_line(&mut answer).unwrap();
        serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{error}: {answer:?}"))
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What must not pass, the code of its refusal, and a word of it.
fn hostile() -> [(&'static str, String, i64, &'static str); 7] {
    let list = |item: &str, count: usize| format!("{{\"list\":[{}]}}", vec![item; count].join(","));
    [
        ("one value too many", call(&list("0", 50_000 - AROUND + 1)), -32_600, "50000"),
        ("a million values", call(&list("0", 1_000_000)), -32_600, "50000"),
        ("half a million objects", call(&list("{\"\":0}", 500_000)), -32_600, "50000"),
        ("nested too deep", call(&format!("{{\"a\":{}{}}}", "[".repeat(62), "]".repeat(62))), -32_600, "64"),
        ("a key twice", call(r#"{"text":"a","text":"b"}"#), -32_600, "twice"),
        ("a nested key twice", call(r#"{"list":[{"a":{"k":1,"\u006b":2}}]}"#), -32_600, "twice"),
        ("no JSON", call("{"), -32_700, "JSON"),
    ]
}

/// Just what may pass of each.
fn harmless() -> [String; 3] {
    let list = vec!["0"; 50_000 - AROUND].join(",");
    [
        call(&format!("{{\"list\":[{list}]}}")),
        call(&format!("{{\"a\":{}{}}}", "[".repeat(61), "]".repeat(61))),
        call(r#"{"a":{"k":1},"b":{"k":2}}"#),
    ]
}

fn assert_refused(what: &str, message: &Value, code: i64, word: &str) {
    assert_eq!(message["error"]["code"], json!(code), "{what}: {message}");
    assert!(message["error"]["message"].as_str().unwrap().contains(word), "{what}: {message}");
    assert_eq!(message.get("id"), Some(&Value::Null), "{what}: {message}");
}

#[test]
fn a_message_that_is_dear_to_read_or_says_a_key_twice_is_refused_over_http() {
    let home = home();
    let serving = home.serve();
    for (what, message, code, word) in hostile() {
        let refused = post(&serving, "/mcp", &[], &message);
        assert_eq!((refused.status, refused.header("content-type")), (400, Some("application/json")), "{what}");
        assert_refused(what, &refused.message(), code, word);
    }
    for message in harmless() {
        let answered = post(&serving, "/mcp", &[], &message);
        assert_eq!(answered.message()["id"], json!(7), "{}: {}", answered.status, answered.text());
    }
    // sixty at once took 8 GB
    let body = call(&format!("{{\"list\":[{}]}}", vec!["{\"\":0}"; 500_000].join(",")));
    std::thread::scope(|scope| {
        for _ in 0..60 {
            // one principal's part of the room holds nine of them
            scope.spawn(|| match try_post(&serving, "/mcp", &[], &body) {
                Ok(refused) => assert!([400, 503].contains(&refused.status), "{}", refused.text()),
                // refused while it was still sending
                Err(error) => assert!(["reset", "pipe"].iter().any(|w| error.to_string().contains(w)), "{error}"),
            });
        }
        let begun = Instant::now();
        assert_eq!(send(serving.address, "GET", "/health", &[], b"").unwrap().status, 200);
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    });
    let peak = memory(&home, "VmHWM:");
    println!("peak {peak} MiB");
    assert!(peak < 250, "{peak} MiB");
}

#[test]
fn a_message_that_is_dear_to_read_or_says_a_key_twice_is_refused_over_stdio_too() {
    let home = home();
    let mut lines = Lines::new(&home);
    for (what, message, code, word) in hostile() {
        assert_refused(what, &lines.ask(&message), code, word);
    }
    let text = |bytes: usize| {
        let line = call(r#"{"text":""}"#);
        line.replace(r#""text":"""#, &format!(r#""text":"{}""#, "x".repeat(bytes - line.len())))
    };
    assert_refused("a line too long", &lines.ask(&text((4 << 20) + 1)), -32_600, "4194304 bytes");
    assert_refused("a line much too long", &lines.ask(&text(15 << 20)), -32_600, "4194304 bytes");
    for message in harmless().into_iter().chain([text(4 << 20)]) {
        assert_eq!(lines.ask(&message)["id"], json!(7));
    }
    let peak = memory(&home, "VmHWM:");
    println!("peak {peak} MiB");
    assert!(peak < 250, "{peak} MiB");
    lines.stdin.as_mut().unwrap().write_all(b"{\"unfinished\":").unwrap();
    // the end of input ends it, whatever came before
    drop(lines.stdin.take());
    assert!(wait(&mut lines.child, Duration::from_secs(10)).is_some());
}

#[test]
fn garbage_between_lines_is_answered_and_breaks_no_message() {
    let home = home();
    let mut lines = Lines::new(&home);
    let garbage: [&[u8]; 9] = [
        b"\0\0\0\0",
        b"\xff\xfe\xfa",
        "\u{feff}{}".as_bytes(),
        b"HTTP/1.1 200 OK",
        b"Content-Length: 7",
        b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"",
        b"\x1b[2J",
        b"{\"a\":\"\0\"}",
        b"{\"a\":\"\xc3\x28\"}",
    ];
    for bytes in garbage {
        let stdin = lines.stdin.as_mut().unwrap();
        stdin.write_all(&[bytes, b"\r\n\n \t\n"].concat()).unwrap();
        let mut answer = String::new();
        lines.stdout.read_line(&mut answer).unwrap();
        assert_refused(&String::from_utf8_lossy(bytes), &serde_json::from_str(&answer).unwrap(), -32_700, "JSON");
        // the end of a line may be of the other kind, and blank lines are nothing
        let answered = lines.ask(&format!("{}\r", call(r#"{"text":"x"}"#)));
        assert_eq!(answered["result"]["structuredContent"], json!({ "text": "x" }), "{answered}");
    }
    for (what, line) in [
        ("no id", call("{}").replace(r#""id":7,"#, "")),
        ("a null id", call("{}").replace(r#""id":7"#, r#""id":null"#)),
        ("half an id", call("{}").replace(r#""id":7"#, r#""id":7.5"#)),
    ] {
        assert_refused(what, &lines.ask(&line), -32_600, "id");
    }
    // an answer that nobody asked for gets none; what follows does
    lines.stdin.as_mut().unwrap().write_all(b"{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{}}\n").unwrap();
    assert_eq!(lines.ask(&call("{}"))["id"], json!(7));
    lines.stdin.as_mut().unwrap().write_all(&call("{}").as_bytes()[..60]).unwrap();
    drop(lines.stdin.take());
    assert!(wait(&mut lines.child, Duration::from_secs(10)).is_some());
    let intents = home.journal().iter().filter(|r| r["unmapped"]["phase"] == json!("intent")).count();
    assert_eq!(intents, garbage.len() + 1, "half a message calls nothing");
}

#[test]
fn a_name_that_an_error_would_repeat_is_bounded() {
    let home = home();
    let serving = home.serve();
    let (at, beyond) = ("n".repeat(256), "n".repeat(257));
    let message = |name: &str| call("{}").replace("fixture_echo", name);
    let known = post(&serving, "/mcp", &[("mcp-name", &at)], &message(&at));
    assert_eq!(known.message()["error"]["code"], json!(-32_602), "{}", known.text());
    let header = post(&serving, "/mcp", &[("mcp-name", &beyond)], &call("{}"));
    assert_eq!(header.status, 400);
    assert_refused("the header", &header.message(), -32_600, "256 bytes");
    let body = post(&serving, "/mcp", &[("mcp-name", "short")], &message(&beyond));
    assert_eq!(body.status, 400);
    assert_refused("the body", &body.message(), -32_600, "256 bytes");
}

#[test]
fn a_foreign_name_in_the_target_and_a_name_that_only_begins_like_ours_are_refused() {
    let home = home();
    let serving = home.serve();
    let ours = format!("http://{}/mcp", serving.address);
    assert_eq!(post(&serving, &ours, &[], &call("{}")).status, 200);
    for foreign in
        ["http://evil.example/mcp", "http://127.0.0.1:80@evil.example/mcp", "http://localhost.evil.example/mcp"]
    {
        let refused = post(&serving, foreign, &[("host", "127.0.0.1")], &call("{}"));
        assert_eq!(refused.status, 403, "{foreign}: {}", refused.text());
    }
    for host in ["127.0.0.1", "localhost:80", "[::1]:80"] {
        assert_eq!(post(&serving, "/mcp", &[("host", host)], &call("{}")).status, 200, "{host}");
    }
    for host in ["localhost:evil.com", "[::1]evil", "[::1", "localhost:", "localhost:99999"] {
        assert_eq!(post(&serving, "/mcp", &[("host", host)], &call("{}")).status, 403, "{host}");
    }
}

#[test]
fn a_key_that_has_leaked_all_its_sessions_can_open_no_more_and_still_call() {
    let home = home();
    let serving = home.serve();
    let initialize = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "t", "version": "1" } } });
    let bearer = format!("Bearer {KEY}");
    let headers = [
        ("authorization", bearer.as_str()),
        ("accept", "application/json, text/event-stream"),
        ("content-type", "application/json"),
    ];
    let open = || send(serving.address, "POST", "/mcp", &headers, initialize.to_string().as_bytes()).unwrap();
    for _ in 0..100 {
        let opened = open();
        assert!(opened.header("mcp-session-id").is_some(), "{}: {}", opened.status, opened.text());
    }
    assert_eq!(open().status, 503);
    let answer = serving.mcp().call("fixture_echo", json!({ "text": "x" }));
    assert_eq!(answer["result"]["isError"], json!(false), "{answer}");
}

#[test]
fn one_peer_s_idle_connections_are_bounded_and_end_so_that_others_get_in() {
    let home = home();
    let serving = home.serve();
    let idle: Vec<_> = (0..256).map(|_| TcpStream::connect(serving.address).unwrap()).collect();
    let closed_at_once = |mut stream: TcpStream| {
        stream.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
        !stream.read(&mut [0; 1]).is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
    };
    for _ in 0..20 {
        assert!(closed_at_once(TcpStream::connect(serving.address).unwrap()), "the 257th is closed");
    }
    // the log is written by a thread of its own
    let warnings = || serving.stderr().matches("too many connections").count();
    let told = Instant::now();
    while warnings() == 0 && told.elapsed() < Duration::from_secs(5) {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(warnings(), 1, "{}", serving.stderr());
    // five seconds for a head, and some for a slow machine
    let begun = Instant::now();
    while !send(serving.address, "GET", "/health", &[], b"").is_ok_and(|health| health.status == 200) {
        assert!(begun.elapsed() < Duration::from_secs(9), "idle connections are not ended");
        std::thread::sleep(Duration::from_millis(100));
    }
    drop(idle);
}
