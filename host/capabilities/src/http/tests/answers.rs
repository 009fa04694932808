//! What comes back: whole, too slow, too large, broken off, coded, or something else than HTTP.

use std::time::Duration;

use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{Certificates, Server, World, get, grant, hello, tls};
use crate::bindings::client::{self, Error, Header, Payload, Request as Asked};

/// Answers each request with these bytes, and keeps the connection.
async fn saying(certificates: &Certificates, bytes: impl Into<Vec<u8>>) -> Server {
    let bytes: Vec<u8> = bytes.into();
    Server::scripted(certificates, &["localhost"], move |mut stream| {
        let bytes = bytes.clone();
        async move {
            let mut buffer = [0; 65_536];
            while stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {
                if stream.write_all(&bytes).await.is_err() || stream.flush().await.is_err() {
                    return;
                }
            }
        }
    })
    .await
}

/// Answers one request with these bytes, and hangs up.
async fn hanging_up(certificates: &Certificates, bytes: &'static [u8]) -> Server {
    Server::scripted(certificates, &["localhost"], move |mut stream| async move {
        let mut buffer = [0; 65_536];
        let _read = stream.read(&mut buffer).await;
        let _written = stream.write_all(bytes).await;
        let _closed = stream.shutdown().await;
    })
    .await
}

#[tokio::test]
async fn both_protocols_carry_the_same_request_in_their_own_form() {
    let certificates = Certificates::new();
    for (protocols, version) in [(["http/1.1"], "HTTP/1.1"), (["h2"], "HTTP/2.0")] {
        let server = hello(&certificates, &protocols).await;
        let world = World::new(&certificates, [grant("a", "localhost", server.port())]);
        let asked = Asked { query: vec![("q".into(), "a b".into())], ..get("LOCALHOST.", "/x/%41") };
        let said = world.call().fetch(asked).await.unwrap();
        assert_eq!(said, format!("GET localhost:{} /x/A?q=a%20b {version} absolute=false", server.port()));
    }
}

#[tokio::test]
async fn a_body_goes_out_and_the_answer_comes_back_whole() {
    let certificates = Certificates::new();
    for protocols in [["http/1.1"], ["h2"]] {
        let echo = tls(&certificates, &protocols, |request: Request<Incoming>| async move {
            let sent = request.headers().get("accept-encoding").is_some_and(|value| value == "identity");
            assert!(
                sent && request
                    .headers()
                    .get("user-agent")
                    .is_some_and(|agent| agent.as_bytes().starts_with(b"wardkeep/"))
            );
            Response::new(Full::new(request.into_body().collect().await.unwrap().to_bytes()))
        })
        .await;
        let world = World::new(&certificates, [grant("a", "localhost", echo.port())]);
        let mut call = world.call();
        let body: Vec<u8> = (0..1_000_000_u32).map(|index| (index % 251) as u8).collect();
        let asked =
            Asked { method: client::Method::Post, body: Some(Payload::Bytes(body.clone())), ..get("localhost", "/") };
        let response = call.ask(asked).await.unwrap();
        let mut read = Vec::new();
        loop {
            let part = call.read_some(&response.body, 300_000).await.unwrap();
            if part.is_empty() {
                break;
            }
            // how the network cut it is not seen
            assert!(part.len() == 300_000 || read.len() + part.len() == body.len(), "{}", part.len());
            read.extend(part);
        }
        assert_eq!(read, body);
        let used = call.finish();
        assert_eq!(used.egress[0].host, format!("localhost:{}", echo.port()));
        assert_eq!((used.egress[0].bytes_out, used.egress[0].bytes_in), (1_000_000, 1_000_000));
        assert_eq!(used.host_calls, 1 + 5);
    }
}

#[tokio::test]
async fn a_redirect_is_shown_and_not_followed() {
    let certificates = Certificates::new();
    let elsewhere = hello(&certificates, &["http/1.1"]).await;
    let to = format!("https://localhost:{}/there", elsewhere.port());
    for status in [301, 302, 303, 307, 308] {
        let answer = format!("HTTP/1.1 {status} Elsewhere\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n");
        let server = saying(&certificates, answer).await;
        let world = World::new(
            &certificates,
            [grant("a", "localhost", server.port()), grant("b", "localhost", elsewhere.port())],
        );
        let response = world.call().ask(get("localhost", "/")).await.unwrap();
        assert_eq!(response.status, status);
        assert!(response.headers.iter().any(|header| header.name == "location" && header.value == to));
    }
    assert_eq!(elsewhere.came(), 0);
}

#[tokio::test]
async fn what_belongs_to_the_connection_and_cookies_stay_in_the_host() {
    let certificates = Certificates::new();
    let answer = b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nConnection: keep-alive, X-Own\r\nKeep-Alive: timeout=5\r\nX-Own: 1\r\n\
        Proxy-Authenticate: x\r\nX-Twice: a\r\nX-Twice: b\r\nX-Bytes: \xff\r\nX-Text: \xc3\xa4\r\ncontent-length: 0\r\n\r\n";
    let server = saying(&certificates, *answer).await;
    let world = World::new(&certificates, [grant("a", "localhost", server.port())]);
    let response = world.call().ask(get("localhost", "/")).await.unwrap();
    let headers: Vec<(&str, &str)> =
        response.headers.iter().map(|Header { name, value }| (name.as_str(), value.as_str())).collect();
    assert_eq!(headers, [("x-twice", "a"), ("x-twice", "b"), ("x-text", "ä"), ("content-length", "0")]);
}

#[tokio::test]
async fn an_answer_that_cannot_be_used_is_unreachable() {
    let certificates = Certificates::new();
    for (answer, why) in [
        (&b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 2\r\n\r\nok"[..], "compressed"),
        (b"HTTP/1.1 200 OK\r\ncontent-encoding: identity, br\r\ncontent-length: 2\r\n\r\nok", "compressed"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", "transfer"),
        (b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n", "protocol"),
        (b"SSH-2.0-OpenSSH_9.9\r\n", "not HTTP"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok", "not HTTP"),
        (b"HTTP/1.1 200 OK\r\na b: c\r\n\r\n", "not HTTP"),
        (b"", "not HTTP"),
    ] {
        let server = hanging_up(&certificates, answer).await;
        let world = World::new(&certificates, [grant("a", "localhost", server.port())]);
        match world.call().ask(get("localhost", "/")).await {
            Err(Error::Unreachable(words)) => assert!(words.contains(why), "{words} for {why}"),
            other => panic!("{other:?} for {why}"),
        }
    }
    let plain = b"HTTP/1.1 200 OK\r\ncontent-encoding: Identity\r\ncontent-length: 2\r\n\r\nok";
    let server = saying(&certificates, *plain).await;
    let world = World::new(&certificates, [grant("a", "localhost", server.port())]);
    assert_eq!(world.call().fetch(get("localhost", "/")).await.unwrap(), "ok");
    // what a HEAD says of a body that is not there
    let head = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 1000\r\n\r\n";
    let server = saying(&certificates, *head).await;
    let world = World::new(&certificates, [grant("a", "localhost", server.port())]);
    let asked = Asked { method: client::Method::Head, ..get("localhost", "/") };
    assert_eq!(world.call().ask(asked).await.unwrap().status, 200);
}

#[tokio::test]
async fn informational_answers_are_not_shown() {
    let certificates = Certificates::new();
    let answer = b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    let server = saying(&certificates, *answer).await;
    let world = World::new(&certificates, [grant("a", "localhost", server.port())]);
    let response = world.call().ask(get("localhost", "/")).await.unwrap();
    assert_eq!((response.status, response.headers.len()), (200, 1));
}

fn with_headers(count: usize, bytes: usize) -> String {
    let each = bytes / count;
    let mut answer = "HTTP/1.1 200 OK\r\n".to_owned();
    for index in 0..count {
        let name = format!("x-{index:04}");
        // the last takes what is left over
        let value = if index + 1 == count { bytes - each * (count - 1) } else { each } - name.len();
        answer.push_str(&format!("{name}: {}\r\n", "v".repeat(value)));
    }
    answer + "\r\n"
}

#[tokio::test]
async fn an_answer_has_a_hundred_headers_and_sixty_four_kibibytes_of_them() {
    let certificates = Certificates::new();
    for (count, bytes, fits) in [
        (100, 2_000, true),
        (101, 2_000, false),
        (10, 64 << 10, true),
        (10, (64 << 10) + 1, false),
        (90, 64 << 10, true),
        (4, 1 << 20, false),
    ] {
        let server = hanging_up(&certificates, with_headers(count, bytes).leak().as_bytes()).await;
        let world = World::new(&certificates, [grant("a", "localhost", server.port())]);
        let found = world.call().ask(get("localhost", "/")).await;
        match found {
            Ok(response) => assert!(fits && response.headers.len() == count, "{count} of {bytes}"),
            Err(Error::TooLarge) => assert!(!fits, "{count} of {bytes}"),
            Err(other) => panic!("{other:?}: {count} of {bytes}"),
        }
    }
    for (count, fits) in [(98, true), (101, false), (2_900, false), (20_000, false)] {
        let server = tls(&certificates, &["h2"], move |_| async move {
            let mut response = Response::new(Full::new(Bytes::new()));
            for index in 0..count {
                let name = http::HeaderName::try_from(format!("x-{index}")).unwrap();
                response.headers_mut().insert(name, "v".parse().unwrap());
            }
            response
        })
        .await;
        let world = World::new(&certificates, [grant("a", "localhost", server.port())]);
        let found = world.call().ask(get("localhost", "/")).await;
        assert_eq!(found.is_ok(), fits, "{count}");
    }
}

#[tokio::test]
async fn a_body_is_read_as_far_as_its_limit_and_no_further() {
    let certificates = Certificates::new();
    for (length, fits) in [(1_000, true), (1_001, false)] {
        for chunked in [false, true] {
            let body = "b".repeat(length);
            let answer = if chunked {
                format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{length:x}\r\n{body}\r\n0\r\n\r\n")
            } else {
                format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{body}")
            };
            let server = saying(&certificates, answer).await;
            let mut world = World::new(&certificates, [grant("a", "localhost", server.port())]);
            world.limits.response_body = 1_000;
            let mut call = world.call();
            let response = call.ask(get("localhost", "/")).await.unwrap();
            assert_eq!(call.read_some(&response.body, 5_000).await.unwrap().len(), 1_000);
            for _ in 0..2 {
                let more = call.read_some(&response.body, 5_000).await;
                assert!(if fits { more.unwrap().is_empty() } else { matches!(more, Err(Error::TooLarge)) });
            }
            let found = call.fetch(get("localhost", "/")).await;
            assert!(if fits { found.is_ok() } else { matches!(found, Err(Error::TooLarge)) });
        }
    }
}

#[tokio::test]
async fn text_is_text_and_as_long_as_was_asked_for() {
    let certificates = Certificates::new();
    for (body, max, fits) in [
        ("äöü".as_bytes(), 6, "äöü"),
        ("äöü".as_bytes(), 5, "large"),
        (b"\xff", 6, "not"),
        (b"", 0, ""),
        (b"a", 0, "large"),
    ] {
        for chunked in [false, true] {
            let head = if chunked {
                format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n", body.len())
            } else {
                format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len())
            };
            let tail: &[u8] = if !chunked {
                b""
            } else if body.is_empty() {
                b"\r\n"
            } else {
                b"\r\n0\r\n\r\n"
            };
            let server = saying(&certificates, [head.as_bytes(), body, tail].concat()).await;
            let world = World::new(&certificates, [grant("a", "localhost", server.port())]);
            let mut call = world.call();
            let response = call.ask(get("localhost", "/")).await.unwrap();
            let found = client::HostBody::text(&mut call, response.body, max).await.unwrap();
            match found {
                Ok(text) => assert_eq!(text, fits),
                Err(Error::TooLarge) => assert_eq!(fits, "large"),
                Err(Error::NotText) => assert_eq!(fits, "not"),
                Err(other) => panic!("{other:?}"),
            }
        }
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_does_not_look_like_one_that_ended() {
    let certificates = Certificates::new();
    for answer in [
        &b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello"[..],
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n5\r\n",
    ] {
        let server = hanging_up(&certificates, answer).await;
        let world = World::new(&certificates, [grant("a", "localhost", server.port())]);
        let mut call = world.call();
        let response = call.ask(get("localhost", "/")).await.unwrap();
        assert_eq!(call.read_some(&response.body, 100).await.unwrap(), b"hello");
        for _ in 0..2 {
            let more = call.read_some(&response.body, 100).await;
            assert!(matches!(more, Err(Error::Unreachable(_))), "{more:?}");
        }
        assert!(matches!(call.fetch(get("localhost", "/")).await, Err(Error::Unreachable(_))));
        assert_eq!(world.outside.plugin(&"p".parse().unwrap()).transport.waiting(), 0);
    }
}

#[tokio::test]
async fn a_peer_that_does_not_begin_to_answer_is_given_fifteen_seconds() {
    let certificates = Certificates::new();
    let silent = Server::scripted(&certificates, &["localhost"], |mut stream| async move {
        let mut buffer = [0; 4096];
        let _read = stream.read(&mut buffer).await;
        // from here on nothing is done but waiting
        tokio::time::pause();
        let _read = stream.read(&mut buffer).await;
    })
    .await;
    let world = World::new(&certificates, [grant("a", "localhost", silent.port())]);
    let mut call = world.call();
    let begun = tokio::time::Instant::now();
    let found = call.ask(get("localhost", "/")).await;
    let took = begun.elapsed();
    assert!(matches!(found, Err(Error::Timeout)), "{found:?}");
    assert!((Duration::from_secs(15)..Duration::from_secs(16)).contains(&took), "{took:?}");
}

#[tokio::test]
async fn a_peer_that_does_not_speak_tls_is_given_five_seconds() {
    let certificates = Certificates::new();
    let silent = Server::in_the_clear(|mut stream| async move {
        let mut buffer = [0; 4096];
        let _hello = stream.read(&mut buffer).await;
        tokio::time::pause();
        let _read = stream.read(&mut buffer).await;
    })
    .await;
    let world = World::new(&certificates, [grant("a", "localhost", silent.port())]);
    let mut call = world.call();
    let begun = tokio::time::Instant::now();
    let found = call.ask(get("localhost", "/")).await;
    let took = begun.elapsed();
    assert!(matches!(found, Err(Error::Timeout)), "{found:?}");
    assert!((Duration::from_secs(5)..Duration::from_secs(6)).contains(&took), "{took:?}");
    assert_eq!(call.finish().egress, [], "nothing was sent");
}

#[tokio::test]
async fn tls_is_verified_by_name_and_by_authority() {
    let certificates = Certificates::new();
    let strangers = Certificates::new();
    let script = |mut stream: Box<dyn super::server::Stream>| async move {
        let mut buffer = [0; 4096];
        let _read = stream.read(&mut buffer).await;
        let _written = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
    };
    for (issued_by, name, words) in [
        (&certificates, "localhost", None),
        (&certificates, "other.example", Some("NotValidForName")),
        (&strangers, "localhost", Some("UnknownIssuer")),
    ] {
        let server = Server::scripted(issued_by, &[name], script).await;
        let world = World::new(&certificates, [grant("a", "localhost", server.port())]);
        let mut call = world.call();
        match (call.fetch(get("localhost", "/")).await, words) {
            (Ok(text), None) => assert_eq!(text, "ok"),
            (Err(Error::Unreachable(told)), Some(_)) => {
                assert!(told.contains("no TLS with `localhost`") && told.contains("certificate"), "{told}");
                assert_eq!(call.finish().egress, []);
            }
            (other, words) => panic!("{other:?}, {words:?}"),
        }
    }
}
