//! One connection that is used again and again, as real clients do: what is measured over it is the host, not the handshake.

use std::{
    io::{BufRead as _, BufReader, Error, ErrorKind, Read as _, Result, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use serde_json::{Value, json};

use super::http::Mcp;

pub struct KeepAlive {
    stream: BufReader<TcpStream>,
    address: SocketAddr,
    key: String,
}

impl Mcp {
    /// A connection of its own for this client.
    pub fn keep_alive(&self) -> Result<KeepAlive> {
        let stream = TcpStream::connect_timeout(&self.address, Duration::from_secs(5))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(90)))?;
        Ok(KeepAlive { stream: BufReader::new(stream), address: self.address, key: self.key.clone() })
    }
}

impl KeepAlive {
    /// The whole JSON-RPC message of one call.
    pub fn call(&mut self, tool: &str, arguments: Value) -> Result<Value> {
        let params = json!({ "name": tool, "arguments": arguments, "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": { "name": "wardkeep-tests", "version": "1" },
            "io.modelcontextprotocol/clientCapabilities": {},
        }});
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params }).to_string();
        let head = format!(
            "POST /mcp HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\naccept: application/json, text/event-stream\r\n\
             content-type: application/json\r\nmcp-protocol-version: 2026-07-28\r\nmcp-method: tools/call\r\nmcp-name: {tool}\r\n\
             content-length: {}\r\n\r\n",
            self.address,
            self.key,
            body.len()
        );
        let (status, answer) = self.exchange(&format!("{head}{body}"))?;
        serde_json::from_slice(&answer)
            .map_err(|error| Error::new(ErrorKind::InvalidData, format!("{status}: {error}")))
    }

    /// The status of `GET`.
    pub fn get(&mut self, path: &str) -> Result<u16> {
        let head = format!("GET {path} HTTP/1.1\r\nhost: {}\r\n\r\n", self.address);
        Ok(self.exchange(&head)?.0)
    }

    fn exchange(&mut self, request: &str) -> Result<(u16, Vec<u8>)> {
        self.stream.get_mut().write_all(request.as_bytes())?;
        let bad = |what: &str| Error::new(ErrorKind::InvalidData, what.to_owned());
        let (mut status, mut length) = (0, None);
        loop {
            let mut line = String::new();
            if self.stream.read_line(&mut line)? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            let line = line.trim_end();
            if line.is_empty() {
                break;
            }
            match line.split_once(':') {
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                    length = value.trim().parse().ok()
                }
                Some(_) if status != 0 => {}
                _ => status = line.split(' ').nth(1).and_then(|s| s.parse().ok()).ok_or_else(|| bad("no status"))?,
            }
        }
        let mut body = vec![0; length.ok_or_else(|| bad("no length"))?];
        self.stream.read_exact(&mut body)?;
        Ok((status, body))
    }
}
