//! A loopback proxy that adds the API key: MCP's conformance suite cannot send one, and the host has no way around authentication.

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::Arc,
    thread,
};

use super::home::KEY;

/// Listening, not passing on yet: the host has to know the proxy's origin before it begins.
pub struct Proxy(TcpListener);

impl Proxy {
    pub fn bind() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").expect("a free port"))
    }

    pub fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }

    /// Passes on every connection, each with one request, until the tests end. Before a call goes on, its tool's name is told, where the
    /// request names it in its head (revision 2026-07-28, `Mcp-Name`).
    pub fn to(self, host: SocketAddr, called: impl Fn(&str) + Send + Sync + 'static) {
        let called = Arc::new(called);
        thread::spawn(move || {
            for client in self.0.incoming().map_while(Result::ok) {
                let called = Arc::clone(&called);
                thread::spawn(move || pass_on(client, host, &*called));
            }
        });
    }
}

fn pass_on(mut client: TcpStream, host: SocketAddr, called: &dyn Fn(&str)) -> std::io::Result<()> {
    let mut server = TcpStream::connect(host)?;
    let mut head = Vec::new();
    let end = loop {
        if let Some(end) = head.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 2;
        }
        let mut bytes = [0; 4096];
        let count = client.read(&mut bytes)?;
        if count == 0 {
            return Ok(());
        }
        head.extend_from_slice(&bytes[..count]);
    };
    let body = head.split_off(end);
    let head = String::from_utf8_lossy(&head);
    // one request a connection: what comes after it on the same one would have no key
    let kept = head.lines().filter(|line| !line.to_ascii_lowercase().starts_with("connection:"));
    let named =
        head.lines().filter_map(|line| line.split_once(':')).find(|(key, _)| key.eq_ignore_ascii_case("mcp-name"));
    if let Some((_, name)) = named {
        called(name.trim());
    }
    let kept: String = kept.flat_map(|line| [line, "\r\n"]).collect();
    server.write_all(format!("{kept}connection: close\r\nauthorization: Bearer {KEY}\r\n").as_bytes())?;
    server.write_all(&body)?;
    let (mut from, mut to) = (client.try_clone()?, server.try_clone()?);
    thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut to);
        // a client that goes away is what cancels a call
        let _ = to.shutdown(Shutdown::Both);
    });
    std::io::copy(&mut server, &mut client)?;
    client.shutdown(Shutdown::Both)
}
