//! A raw HTTP/1.1 client: the tests choose every byte, also those that no library would send.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use serde_json::{Value, json};

/// An answer as it came.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Response {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The JSON-RPC message, whether it came as JSON or as the last event of a stream.
    pub fn message(&self) -> Value {
        let text = self.text();
        let json = match self.header("content-type") {
            Some(kind) if kind.starts_with("text/event-stream") => {
                let mut events = text.lines().filter_map(|line| line.strip_prefix("data:"));
                events.rfind(|event| !event.trim().is_empty()).unwrap_or_default().to_owned()
            }
            _ => text.clone(),
        };
        serde_json::from_str(&json).unwrap_or_else(|e| panic!("{e}: status {} {text:?}", self.status))
    }
}

/// One request on a connection of its own.
pub fn send(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> std::io::Result<Response> {
    let mut head = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\n");
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        head.push_str(&format!("host: {address}\r\n"));
    }
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if !body.is_empty() {
        head.push_str(&format!("content-length: {}\r\n", body.len()));
    }
    head.push_str("\r\n");
    send_raw(address, &[head.as_bytes(), body].concat())
}

/// These very bytes on a connection of their own.
pub fn send_raw(address: SocketAddr, request: &[u8]) -> std::io::Result<Response> {
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(5))?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    stream.write_all(request)?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    parse(&bytes).ok_or_else(|| std::io::Error::new(std::io::ErrorKind::InvalidData, "no HTTP answer"))
}

fn parse(bytes: &[u8]) -> Option<Response> {
    let end = bytes.windows(4).position(|w| w == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers: Vec<_> =
        lines.filter_map(|l| l.split_once(':')).map(|(n, v)| (n.trim().to_owned(), v.trim().to_owned())).collect();
    let chunked = headers.iter().any(|(n, v)| n.eq_ignore_ascii_case("transfer-encoding") && v == "chunked");
    let mut body = bytes[end + 4..].to_vec();
    if chunked {
        body = unchunk(&body)?;
    }
    Some(Response { status, headers, body })
}

fn unchunk(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|w| w == b"\r\n")?;
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..end]).ok()?.trim(), 16).ok()?;
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(rest.get(end + 2..end + 2 + size)?);
        rest = rest.get(end + 4 + size..)?;
    }
}

/// A client of revision 2026-07-28: every request stands alone.
#[derive(Clone)]
pub struct Mcp {
    pub address: SocketAddr,
    pub key: String,
}

impl Mcp {
    pub fn request(&self, method: &str, params: Value) -> Response {
        self.try_request(method, params).expect("the host answers")
    }

    pub fn try_request(&self, method: &str, params: Value) -> std::io::Result<Response> {
        self.post(method, params, json!({}))
    }

    /// With more in `_meta`, or something else in place of what every request says.
    pub fn request_with_meta(&self, method: &str, params: Value, meta: Value) -> Response {
        self.post(method, params, meta).expect("the host answers")
    }

    fn post(&self, method: &str, mut params: Value, meta: Value) -> std::io::Result<Response> {
        params["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": { "name": "wardkeep-tests", "version": "1" },
            "io.modelcontextprotocol/clientCapabilities": {},
        });
        for (key, value) in meta.as_object().into_iter().flatten() {
            params["_meta"][key] = value.clone();
        }
        let name = params.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string();
        let bearer = format!("Bearer {}", self.key);
        let mut headers = vec![
            ("authorization", bearer.as_str()),
            ("accept", "application/json, text/event-stream"),
            ("content-type", "application/json"),
            ("mcp-protocol-version", "2026-07-28"),
            ("mcp-method", method),
        ];
        if !name.is_empty() {
            headers.push(("mcp-name", &name));
        }
        send(self.address, "POST", "/mcp", &headers, body.as_bytes())
    }

    pub fn tools(&self) -> Vec<String> {
        let message = self.request("tools/list", json!({})).message();
        let tools = message["result"]["tools"].as_array().unwrap_or_else(|| panic!("{message}"));
        tools.iter().map(|tool| tool["name"].as_str().expect("a name").to_owned()).collect()
    }

    /// The whole JSON-RPC message of one call.
    pub fn call(&self, tool: &str, arguments: Value) -> Value {
        self.request("tools/call", json!({ "name": tool, "arguments": arguments })).message()
    }

    pub fn try_call(&self, tool: &str, arguments: Value) -> std::io::Result<Value> {
        Ok(self.try_request("tools/call", json!({ "name": tool, "arguments": arguments }))?.message())
    }
}
