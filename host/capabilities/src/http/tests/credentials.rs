//! Credentials on their way: they arrive where they are bound, and whatever an upstream sends back of them the guest does not get.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use http::Response;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use wardkeep_model::{CorrelationId, Limits, NoteKind};
use wardkeep_policy::{
    Grants, HttpGrant, HttpRule, SecretTerms,
    manifest::{Credential, Endpoint, Inject, SourceKey, SourceKind},
};
use wasmtime::component::Resource;

use super::{Certificates, Server, get, grant, options, tls};
use crate::{
    CallState, CallToken, Environment, FilePool, LogContext, Outside, OutsideOptions, Reading, Roots, SecretSources,
    SourceError,
    bindings::{
        client::Request,
        store::{Error, Host as _},
    },
    secrets::Held,
};

const VALUE: &str = "correct+horse/battery=\"staple\"";

struct Values(BTreeMap<&'static str, &'static str>);

impl std::fmt::Debug for Values {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Values")
    }
}

impl SecretSources for Values {
    fn read(&self, key: &SourceKey) -> Result<Reading, SourceError> {
        let value = self.0.get(key.name.as_str()).ok_or(SourceError::Absent)?;
        Reading::new(value.as_bytes().to_vec(), None)
    }
}

fn secret(credential: Credential) -> SecretTerms {
    SecretTerms {
        name: "s".parse().unwrap(),
        source: SourceKey { kind: SourceKind::File, name: "s".into() },
        credential,
        inject: Inject::Header { name: "authorization".into(), before: "Bearer ".into(), after: String::new() },
        rotated_by: None,
        every: None,
        if_it_fails: None,
    }
}

struct World {
    outside: Outside,
    grant: Arc<HttpGrant>,
    secret: Arc<SecretTerms>,
}

impl World {
    fn new(certificates: &Certificates, grant: HttpGrant, secret: SecretTerms) -> Self {
        let sources = Arc::new(Values([("s", VALUE)].into()));
        let outside = Outside::new(OutsideOptions { sources, ..options(certificates) }).unwrap();
        let grant = Arc::new(HttpGrant { secret: Some(secret.name.clone()), ..grant });
        Self { outside, grant, secret: Arc::new(secret) }
    }

    fn call(&self) -> CallState {
        let name = "p".parse().unwrap();
        let environment =
            Environment { roots: Roots::default(), pool: FilePool::new(1), reach: self.outside.plugin(&name) };
        let context =
            LogContext { plugin: name, tool: "t".parse().unwrap(), correlation: CorrelationId::from_bytes([1; 16]) };
        let grants = Grants {
            http: vec![Arc::clone(&self.grant)],
            secrets: vec![Arc::clone(&self.secret)],
            ..Grants::default()
        };
        let paths = self.grant.paths.iter().filter_map(|path| path.filled(&json!({}))).collect();
        let rule = HttpRule { grant: Arc::clone(&self.grant), reading: false, paths };
        let limits = Limits { host_calls: 10_000, ..Limits::DEFAULT };
        CallState::new((&grants, &[rule]), &limits, CallToken::new(Duration::from_secs(20)), &environment, context)
    }
}

fn with(held: &Resource<Held>) -> Request {
    Request { secret: Some(Resource::new_borrow(held.rep())), ..get("localhost", "/x") }
}

/// What a service might make of the header that it got.
fn echoes(header: &str) -> Vec<String> {
    let value = header.strip_prefix("Bearer ").unwrap();
    let hex = |upper: bool| -> String {
        value.bytes().map(|byte| if upper { format!("{byte:02X}") } else { format!("{byte:02x}") }).collect()
    };
    let json = serde_json::to_string(value).unwrap();
    vec![
        header.to_owned(),
        format!("{value}{value}"),
        format!("{{\"headers\":{{\"authorization\":{}}}}}", serde_json::to_string(header).unwrap()),
        json.replace('/', "\\/"),
        BASE64.encode(value),
        BASE64.encode(header),
        BASE64.encode(format!("x:{value}:y")),
        hex(true),
        hex(false),
        percent_encoding::utf8_percent_encode(header, percent_encoding::NON_ALPHANUMERIC).to_string(),
        value.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect(),
    ]
}

/// Sends back what it was sent in every way, in pieces of one byte, in its headers too.
async fn mirror(certificates: &Certificates, size: usize) -> Server {
    Server::scripted(certificates, &["localhost"], move |mut stream| async move {
        let (mut head, mut buffer) = (Vec::new(), [0; 4096]);
        while !head.windows(4).any(|window| window == b"\r\n\r\n") {
            match stream.read(&mut buffer).await {
                Ok(read) if read > 0 => head.extend_from_slice(&buffer[..read]),
                _ => return,
            }
        }
        let head = String::from_utf8(head).unwrap();
        let header = head.lines().find_map(|line| line.strip_prefix("authorization: ")).unwrap();
        assert_eq!(header, format!("Bearer {VALUE}"), "it arrives as it is");
        let body = echoes(header).join("\n");
        let mut answer =
            format!("HTTP/1.1 302 Found\r\nlocation: /?token={}\r\nx-echo: {header}\r\n", echoes(header)[9]);
        answer.push_str("transfer-encoding: chunked\r\n\r\n");
        for piece in body.as_bytes().chunks(size) {
            answer.push_str(&format!("{:x}\r\n{}\r\n", piece.len(), String::from_utf8_lossy(piece)));
        }
        answer.push_str("0\r\n\r\n");
        let _written = stream.write_all(answer.as_bytes()).await;
        let _flushed = stream.flush().await;
        let _more = stream.read(&mut buffer).await;
    })
    .await
}

#[tokio::test]
async fn an_upstream_that_sends_the_credential_back_in_any_form_and_pieces_leaks_nothing() {
    let certificates = Certificates::new();
    for (size, max) in [(1, 1_000), (1, 1), (7, 3), (100_000, 100_000)] {
        let server = mirror(&certificates, size).await;
        let world = World::new(&certificates, grant("a", "localhost", server.port()), secret(Credential::Static));
        let mut call = world.call();
        let held = call.open("s".into()).await.unwrap().unwrap();
        let response = call.ask(with(&held)).await.unwrap();
        let guard = call.guard().unwrap();
        for header in &response.headers {
            assert_eq!(guard.finds(header.value.as_bytes()), None, "{}", header.value);
            assert!(header.name != "x-echo" || header.value == "Bearer [secret]", "{}", header.value);
        }
        let mut read = Vec::new();
        loop {
            let piece = call.read_some(&response.body, max).await.unwrap();
            if piece.is_empty() {
                break;
            }
            read.extend(piece);
        }
        let text = String::from_utf8(read).unwrap();
        assert_eq!(guard.finds(text.as_bytes()), None, "{text}");
        assert_eq!(text.lines().count(), echoes(&format!("Bearer {VALUE}")).len(), "{text}");
        for line in text.lines() {
            assert!(line.contains("[secret]"), "{line}");
        }
        assert!(text.starts_with("Bearer [secret]\n[secret][secret]\n"), "{text}");
    }
}

/// Exchanges the value for tokens, and counts how often.
async fn endpoint(certificates: &Certificates, asked: &Arc<AtomicUsize>) -> Server {
    let asked = Arc::clone(asked);
    tls(certificates, &["h2", "http/1.1"], move |request| {
        let asked = Arc::clone(&asked);
        async move {
            let authorization = request.headers().get("authorization").cloned();
            if request.uri().path() == "/x" {
                return Response::new(Full::new(Bytes::copy_from_slice(authorization.unwrap().as_bytes())));
            }
            assert_eq!(request.uri().path(), "/token");
            let pair = format!("me:{}", url::form_urlencoded::byte_serialize(VALUE.as_bytes()).collect::<String>());
            assert_eq!(authorization.unwrap(), format!("Basic {}", BASE64.encode(pair)));
            let form = request.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(form, "grant_type=client_credentials&scope=read");
            let number = asked.fetch_add(1, Ordering::SeqCst);
            let body =
                json!({"access_token": format!("token-number-{number}"), "token_type": "Bearer", "expires_in": 3600});
            Response::new(Full::new(Bytes::from(body.to_string())))
        }
    })
    .await
}

fn client(port: u16) -> Credential {
    let token_url = Endpoint {
        scheme: wardkeep_model::Scheme::Https,
        host: "localhost".into(),
        port,
        path: "/token".parse().unwrap(),
    };
    Credential::OAuthClient { token_url, client_id: "me".into(), scopes: vec!["read".into()], audience: None }
}

#[tokio::test]
async fn a_client_s_secret_is_exchanged_once_and_the_token_goes_where_it_is_bound() {
    let (certificates, asked) = (Certificates::new(), Arc::new(AtomicUsize::new(0)));
    let server = endpoint(&certificates, &asked).await;
    let world = World::new(&certificates, grant("a", "localhost", server.port()), secret(client(server.port())));
    // As a fleet holds what is served: without anybody, tokens go with the connections.
    let _served = world.outside.plugin(&"p".parse().unwrap());
    let mut seen = Vec::new();
    for _ in 0..3 {
        let mut call = world.call();
        let held = call.open("s".into()).await.unwrap().unwrap();
        seen.push(call.fetch(with(&held)).await.unwrap());
        let guard = call.guard().unwrap();
        for value in [VALUE, "token-number-0"] {
            assert!(guard.finds(value.as_bytes()).is_some(), "{value}: both are looked for");
        }
    }
    // the upstream sends the token back, and the guest does not get it
    assert_eq!(seen, ["Bearer [secret]"; 3]);
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_token_endpoint_in_a_private_network_needs_the_word_of_a_grant_that_carries_the_secret() {
    let (certificates, asked) = (Certificates::new(), Arc::new(AtomicUsize::new(0)));
    let server = endpoint(&certificates, &asked).await;
    let public = HttpGrant { private: Vec::new(), ..grant("a", "api.example.com", 443) };
    let world = World::new(&certificates, public, secret(client(server.port())));
    let mut call = world.call();
    assert_eq!(call.open("s".into()).await.unwrap().unwrap_err(), Error::Unavailable);
    let notes = call.notes();
    assert_eq!((notes[0].kind, notes[0].detail.as_str()), (NoteKind::Unavailable, "s: endpoint-unreachable"));
    assert_eq!(asked.load(Ordering::SeqCst), 0);
}

const PLAIN: &str = "Sesame-Open-77";

fn plain(certificates: &Certificates, port: u16) -> World {
    let sources = Arc::new(Values([("s", PLAIN)].into()));
    let outside = Outside::new(OutsideOptions { sources, ..options(certificates) }).unwrap();
    let world = World::new(certificates, grant("api", "localhost", port), secret(Credential::Static));
    World { outside, ..world }
}

#[tokio::test]
async fn a_credential_that_is_opened_later_does_not_come_back_in_an_answer_that_began_before() {
    let certificates = Certificates::new();
    let (told, hears) = tokio::sync::watch::channel(None::<String>);
    let server = Server::scripted(&certificates, &["localhost"], move |mut stream| {
        let (told, mut hears) = (told.clone(), hears.clone());
        async move {
            let (mut head, mut buffer) = (Vec::new(), [0; 4096]);
            while !head.ends_with(b"\r\n\r\n") {
                match stream.read(&mut buffer).await {
                    Ok(read) if read > 0 => head.extend_from_slice(&buffer[..read]),
                    _ => return,
                }
            }
            let head = String::from_utf8(head).unwrap();
            if let Some(header) = head.lines().find_map(|line| line.strip_prefix("authorization: ")) {
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
                told.send(Some(header.to_owned())).unwrap();
                return;
            }
            stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nbegun ").await.unwrap();
            let header = hears.wait_for(Option::is_some).await.unwrap().clone().unwrap();
            for byte in header.as_bytes() {
                stream.write_all(&[*byte]).await.unwrap();
                stream.flush().await.unwrap();
            }
            stream.shutdown().await.unwrap();
        }
    })
    .await;
    let world = World::new(&certificates, grant("api", "localhost", server.port()), secret(Credential::Static));
    let mut call = world.call();
    let early = call.ask(get("localhost", "/x")).await.unwrap();
    assert_eq!(call.read_some(&early.body, 6).await.unwrap(), b"begun ");
    let held = call.open("s".into()).await.unwrap().unwrap();
    assert_eq!(call.fetch(with(&held)).await.unwrap(), "ok");
    assert_eq!(call.read_all(early).await.unwrap(), "Bearer [secret]");
}

#[tokio::test]
async fn a_value_does_not_come_back_as_the_name_of_a_header() {
    let certificates = Certificates::new();
    let server = tls(&certificates, &["http/1.1"], |_| async {
        let name = http::HeaderName::from_bytes(format!("x-{PLAIN}").as_bytes()).unwrap();
        Response::builder().header(name, "1").body(Full::new(Bytes::new())).unwrap()
    })
    .await;
    let world = plain(&certificates, server.port());
    let mut call = world.call();
    let held = call.open("s".into()).await.unwrap().unwrap();
    let answer = call.ask(with(&held)).await.unwrap();
    let names: Vec<String> = answer.headers.into_iter().map(|header| header.name).collect();
    assert!(!names.iter().any(|name| name.to_lowercase().contains("sesame")), "{names:?}");
}

#[tokio::test]
async fn a_value_does_not_come_back_in_what_is_said_of_a_certificate() {
    let certificates = Certificates::new();
    let hex: String = PLAIN.bytes().map(|byte| format!("{byte:02x}")).collect();
    let name = format!("{hex}.example");
    let server = Server::scripted(&certificates, &[&name], |_| async {}).await;
    let world = plain(&certificates, server.port());
    let mut call = world.call();
    let held = call.open("s".into()).await.unwrap().unwrap();
    let Err(error) = call.ask(with(&held)).await else { panic!("the certificate is for another name") };
    assert!(!format!("{error:?}").contains(&hex), "{error:?}");
}
