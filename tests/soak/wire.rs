//! One HTTP connection of a client that does as it likes: sends a request, reads some of what comes back, and goes away when it wants.

use std::{
    io::{BufRead as _, BufReader, Error, ErrorKind, Read as _, Result, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use serde_json::{Value, json};

/// The beginning of an answer.
pub struct Head {
    pub status: u16,
    pub session: Option<String>,
    /// None if it comes in chunks.
    length: Option<usize>,
}

/// One connection.
pub struct Wire {
    stream: BufReader<TcpStream>,
    address: SocketAddr,
    key: String,
    /// What came of a stream of events and was not looked at yet.
    pending: String,
}

/// A request of revision 2026-07-28, which stands alone.
pub fn stateless(method: &str, mut params: Value, meta: &Value) -> Value {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { "name": "wardkeep-soak", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    for (key, value) in meta.as_object().into_iter().flatten() {
        params["_meta"][key] = value.clone();
    }
    json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params })
}

fn bad(what: &str) -> Error {
    Error::new(ErrorKind::InvalidData, what.to_owned())
}

impl Wire {
    pub fn open(address: SocketAddr, key: &str) -> Result<Self> {
        let stream = TcpStream::connect_timeout(&address, Duration::from_secs(10))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        stream.set_write_timeout(Some(Duration::from_secs(60)))?;
        Ok(Self { stream: BufReader::new(stream), address, key: key.to_owned(), pending: String::new() })
    }

    /// Sends a whole request, with these headers besides those that every client sends.
    pub fn send(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Result<()> {
        let mut request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\naccept: application/json, text/event-stream\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n",
            self.address,
            self.key,
            body.len()
        );
        headers.iter().for_each(|(name, value)| request.push_str(&format!("{name}: {value}\r\n")));
        self.raw(format!("{request}\r\n{body}").as_bytes())
    }

    pub fn raw(&mut self, bytes: &[u8]) -> Result<()> {
        self.stream.get_mut().write_all(bytes)
    }

    /// Sends a request of revision 2026-07-28.
    pub fn ask(&mut self, method: &str, params: Value, meta: &Value) -> Result<()> {
        let name = params["name"].as_str().unwrap_or_default().to_owned();
        let body = stateless(method, params, meta).to_string();
        let headers = [("mcp-protocol-version", "2026-07-28"), ("mcp-method", method), ("mcp-name", &name)];
        self.send("POST", "/mcp", if name.is_empty() { &headers[..2] } else { &headers }, &body)
    }

    /// The same, and its answer.
    pub fn request(&mut self, method: &str, params: Value, meta: &Value) -> Result<Value> {
        self.ask(method, params, meta)?;
        self.answer()
    }

    pub fn call(&mut self, tool: &str, arguments: Value) -> Result<Value> {
        self.request("tools/call", json!({ "name": tool, "arguments": arguments }), &json!({}))
    }

    pub fn get(&mut self, path: &str) -> Result<u16> {
        self.send("GET", path, &[], "")?;
        let head = self.head()?;
        self.body(&head)?;
        Ok(head.status)
    }

    pub fn head(&mut self) -> Result<Head> {
        let mut head = Head { status: 0, session: None, length: None };
        let mut chunked = false;
        loop {
            let mut line = String::new();
            if self.stream.read_line(&mut line)? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            let line = line.trim_end();
            match line.split_once(':') {
                _ if line.is_empty() => break,
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                    head.length = value.trim().parse().ok();
                }
                Some((name, value)) if name.eq_ignore_ascii_case("mcp-session-id") => {
                    head.session = Some(value.trim().to_owned());
                }
                Some((name, _)) if name.eq_ignore_ascii_case("transfer-encoding") => chunked = true,
                Some(_) if head.status != 0 => {}
                _ => {
                    head.status =
                        line.split(' ').nth(1).and_then(|s| s.parse().ok()).ok_or_else(|| bad("no status"))?;
                }
            }
        }
        if !chunked {
            head.length = Some(head.length.unwrap_or(0));
        }
        Ok(head)
    }

    /// A whole body, as text.
    pub fn body(&mut self, head: &Head) -> Result<String> {
        let Some(length) = head.length else {
            let mut body = String::new();
            while let Some(chunk) = self.chunk()? {
                body.push_str(&chunk);
            }
            return Ok(body);
        };
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body)?;
        String::from_utf8(body).map_err(|_| bad("no text"))
    }

    /// The JSON-RPC message of an answer: its body, or the last event of its stream.
    pub fn answer(&mut self) -> Result<Value> {
        let head = self.head()?;
        if head.length.is_some() {
            let body = self.body(&head)?;
            return serde_json::from_str(&body).map_err(|_| bad(&format!("{}: {body}", head.status)));
        }
        let mut last = None;
        while let Some(event) = self.event()? {
            last = Some(event);
        }
        last.ok_or_else(|| bad("a stream without an event"))
    }

    /// The next event of a stream; nothing at its end.
    pub fn event(&mut self) -> Result<Option<Value>> {
        loop {
            while let Some((line, rest)) = self.pending.split_once('\n') {
                let event = line.trim_end().strip_prefix("data:").map(str::trim).unwrap_or_default();
                let event = (!event.is_empty()).then(|| serde_json::from_str(event));
                self.pending = rest.to_owned();
                if let Some(event) = event {
                    return event.map(Some).map_err(|_| bad("no event"));
                }
            }
            match self.chunk()? {
                Some(chunk) => self.pending.push_str(&chunk),
                None => return Ok(None),
            }
        }
    }

    fn chunk(&mut self) -> Result<Option<String>> {
        let mut size = String::new();
        self.stream.read_line(&mut size)?;
        let size = usize::from_str_radix(size.trim(), 16).map_err(|_| ErrorKind::UnexpectedEof)?;
        let mut chunk = vec![0; size + 2];
        self.stream.read_exact(&mut chunk)?;
        chunk.truncate(size);
        Ok(if size == 0 { None } else { Some(String::from_utf8(chunk).map_err(|_| bad("no text"))?) })
    }
}
