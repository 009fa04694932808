//! Clients that cost as little as can be: a request whose bytes are made before, an answer that is read to its end and looked at only
//! so far as to know that it is one.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    process::{Child, ChildStdin, ChildStdout},
};

use serde_json::{Value, json};

/// What every request of revision 2026-07-28 says of its client.
pub fn meta() -> Value {
    json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { "name": "wardkeep-bench", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities": {},
    })
}

fn body(tool: &str, arguments: &Value) -> String {
    let params = json!({ "name": tool, "arguments": arguments, "_meta": meta() });
    json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params }).to_string()
}

/// A whole HTTP request: one call in revision 2026-07-28.
pub fn post(address: SocketAddr, key: &str, tool: &str, arguments: &Value) -> Vec<u8> {
    let body = body(tool, arguments);
    format!(
        "POST /mcp HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {key}\r\naccept: application/json, text/event-stream\r\n\
         content-type: application/json\r\nmcp-protocol-version: 2026-07-28\r\nmcp-method: tools/call\r\nmcp-name: {tool}\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// The same as a line.
pub fn line(tool: &str, arguments: &Value) -> Vec<u8> {
    let mut line = body(tool, arguments).into_bytes();
    line.push(b'\n');
    line
}

/// Where an answer ends in what has been read so far; nothing while it goes on.
pub fn end(read: &[u8]) -> Option<usize> {
    let head = read.windows(4).position(|bytes| bytes == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&read[..head]).expect("a head is text");
    let of = |name: &str| {
        let lines = text.split("\r\n").filter_map(|line| line.split_once(':'));
        lines.into_iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim().to_owned())
    };
    assert!(text.starts_with("HTTP/1.1 200") || text.starts_with("HTTP/1.1 202"), "{}", String::from_utf8_lossy(read));
    if let Some(length) = of("content-length") {
        let end = head + length.parse::<usize>().expect("a length");
        return (read.len() >= end).then_some(end);
    }
    read.ends_with(b"\r\n0\r\n\r\n").then_some(read.len())
}

/// That the answer is a result and no refusal: it would be fast.
pub fn done(answer: &[u8]) {
    let says = |words: &[u8]| answer.windows(words.len()).any(|bytes| bytes == words);
    let refused = says(b"\"error\":{") || says(b"\"isError\":true") || !says(b"\"result\":");
    assert!(!refused, "{}", String::from_utf8_lossy(answer));
}

/// A connection that is kept.
pub struct Http {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Http {
    pub fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, read: Vec::new() }
    }

    pub fn exchange(&mut self, request: &[u8]) -> &[u8] {
        self.stream.write_all(request).unwrap();
        self.read.clear();
        let mut part = [0; 16 << 10];
        while end(&self.read).is_none() {
            let bytes = self.stream.read(&mut part).unwrap();
            assert!(bytes > 0, "the peer closed");
            self.read.extend_from_slice(&part[..bytes]);
        }
        done(&self.read);
        &self.read
    }
}

/// A process that speaks over its standard input and output.
pub struct Stdio {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    read: Vec<u8>,
}

impl Stdio {
    pub fn of(mut child: Child) -> Self {
        let input = child.stdin.take().expect("piped");
        let output = BufReader::new(child.stdout.take().expect("piped"));
        Self { child, input, output, read: Vec::new() }
    }

    pub fn exchange(&mut self, request: &[u8]) -> &[u8] {
        self.input.write_all(request).unwrap();
        self.read.clear();
        self.output.read_until(b'\n', &mut self.read).unwrap();
        assert!(!self.read.is_empty(), "the process ended");
        done(&self.read);
        &self.read
    }
}

impl Drop for Stdio {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An answer that is no answer would be fast.
pub fn expect(answer: &[u8], arguments: &Value) {
    let text = String::from_utf8_lossy(answer);
    let json = text.find("{\"jsonrpc\"").map(|at| &text[at..]).unwrap_or_else(|| panic!("no answer: {text}"));
    let message: Value = serde_json::Deserializer::from_str(json).into_iter().next().unwrap().unwrap();
    assert_eq!(&message["result"]["structuredContent"], arguments, "{text}");
}
