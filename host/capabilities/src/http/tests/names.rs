//! Names that lead where nothing may go: at once, by a second address, by an alias, or when they are asked for again.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use hickory_proto::{
    op::{Message, MessageType, OpCode, ResponseCode},
    rr::{Name, RData, Record, RecordType, rdata::CNAME},
    serialize::binary::{BinDecodable as _, BinEncodable as _},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UdpSocket,
    task::JoinHandle,
};

use super::{Certificates, Server, World, get, grant, hello, options};
use crate::{OutsideOptions, bindings::client::Error};

/// Answers questions as a test says, and counts them.
struct NameServer {
    address: SocketAddr,
    asked: Arc<AtomicUsize>,
    answering: JoinHandle<()>,
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.answering.abort();
    }
}

/// What a name server says to a question: the name, what is asked, and how many questions of this kind came before.
type Answers = fn(&str, RecordType, usize) -> Vec<RData>;

impl NameServer {
    async fn start(answers: Answers) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let asked = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&asked);
        let answering = tokio::spawn(async move {
            let mut buffer = [0; 4096];
            let mut of_kind = std::collections::HashMap::<RecordType, usize>::new();
            loop {
                let Ok((length, from)) = socket.recv_from(&mut buffer).await else { continue };
                let Ok(request) = Message::from_bytes(&buffer[..length]) else { continue };
                counter.fetch_add(1, Ordering::SeqCst);
                let Some(query) = request.queries.first().cloned() else { continue };
                let before = of_kind.entry(query.query_type()).or_default();
                let name = query.name().to_ascii().to_ascii_lowercase();
                let mut reply = Message::new(request.metadata.id, MessageType::Response, OpCode::Query);
                reply.metadata.recursion_desired = true;
                reply.metadata.recursion_available = true;
                reply.metadata.response_code = ResponseCode::NoError;
                let mut owner = query.name().clone();
                for data in answers(&name, query.query_type(), *before) {
                    let next = if let RData::CNAME(CNAME(next)) = &data { Some(next.clone()) } else { None };
                    // TTL 0: nobody may remember it
                    reply.add_answer(Record::from_rdata(owner.clone(), 0, data));
                    owner = next.unwrap_or(owner);
                }
                *before += 1;
                reply.add_query(query);
                let _sent = socket.send_to(&reply.to_bytes().unwrap(), from).await;
            }
        });
        Self { address, asked, answering }
    }

    fn options(&self, certificates: &Certificates) -> OutsideOptions {
        OutsideOptions { name_servers: vec![self.address], ..options(certificates) }
    }
}

fn a(address: &str) -> RData {
    match address.parse().unwrap() {
        IpAddr::V4(address) => RData::A(address.into()),
        IpAddr::V6(address) => RData::AAAA(address.into()),
    }
}

fn alias(name: &str) -> RData {
    RData::CNAME(CNAME(Name::from_ascii(name).unwrap()))
}

#[tokio::test]
async fn a_name_is_asked_for_once_and_what_answers_is_dialled() {
    let certificates = Certificates::new();
    let server = super::tls(&certificates, &["http/1.1"], |_| async move {
        http::Response::new(http_body_util::Full::new("ok".into()))
    });
    let server = server.await;
    // `localhost` is what the certificate says; it is never asked for, so another name would fail TLS: this shows that it came so far
    let names = NameServer::start(|_, kind, _| if kind == RecordType::A { vec![a("127.0.0.1")] } else { vec![] }).await;
    let world = World::with(names.options(&certificates), [grant("a", "api.example.com", server.port())]);
    let found = world.call().fetch(get("api.example.com", "/")).await;
    assert!(matches!(&found, Err(Error::Unreachable(told)) if told.contains("no TLS")), "{found:?}");
    assert_eq!((server.came(), names.asked.load(Ordering::SeqCst)), (1, 2), "one question for each kind of address");
}

#[tokio::test]
async fn where_words_stay_inside_the_record_has_the_granted_pattern_and_not_the_name_that_was_made_up() {
    let certificates = Certificates::new();
    let server = hello(&certificates, &["http/1.1"]).await;
    let names = NameServer::start(|_, kind, _| if kind == RecordType::A { vec![a("127.0.0.1")] } else { vec![] }).await;
    for (hides, host) in [(false, "made-up.granted.test"), (true, "*.granted.test")] {
        let world = World::with(names.options(&certificates), [grant("a", "*.granted.test", server.port())]);
        let mut call = world.call().hiding_words(hides);
        call.fetch(get("made-up.granted.test", "/")).await.unwrap();
        assert_eq!(call.finish().egress[0].host, format!("{host}:{}", server.port()));
    }
}

#[tokio::test]
async fn one_forbidden_address_refuses_them_all() {
    let certificates = Certificates::new();
    let canary = hello(&certificates, &["http/1.1"]).await;
    let tables: [Answers; 9] = [
        |_, kind, _| if kind == RecordType::A { vec![a("127.0.0.1")] } else { vec![] },
        |_, kind, _| if kind == RecordType::A { vec![a("8.8.8.8"), a("127.0.0.1")] } else { vec![] },
        |_, kind, _| if kind == RecordType::A { vec![a("8.8.8.8")] } else { vec![a("::1")] },
        |_, kind, _| if kind == RecordType::AAAA { vec![a("::ffff:127.0.0.1")] } else { vec![] },
        |_, kind, _| if kind == RecordType::AAAA { vec![a("64:ff9b::7f00:1")] } else { vec![] },
        |_, kind, _| if kind == RecordType::AAAA { vec![a("2002:7f00:1::")] } else { vec![] },
        |_, kind, _| if kind == RecordType::A { vec![alias("inner.example."), a("169.254.169.254")] } else { vec![] },
        |_, kind, _| {
            if kind == RecordType::A { vec![alias("b.example."), alias("localhost."), a("127.0.0.1")] } else { vec![] }
        },
        // an alias without its address: the resolver asks on
        |name, kind, _| match (name, kind) {
            ("api.example.com.", _) => vec![alias("inner.example.")],
            ("inner.example.", RecordType::A) => vec![a("127.0.0.1")],
            _ => vec![],
        },
    ];
    for (index, answers) in tables.into_iter().enumerate() {
        let names = NameServer::start(answers).await;
        let mut public = grant("a", "api.example.com", canary.port());
        public.private = Vec::new();
        let world = World::with(names.options(&certificates), [public]);
        let mut call = world.call();
        let found = call.ask(get("api.example.com", "/")).await;
        assert!(matches!(found, Err(Error::Denied(_))), "{index}: {found:?}");
        assert_eq!(call.finish().notes.len(), 1, "{index}");
    }
    assert_eq!(canary.came(), 0);
}

#[tokio::test]
async fn a_name_that_is_not_known_is_unreachable_and_no_search_domain_is_tried() {
    let certificates = Certificates::new();
    let names = NameServer::start(|_, _, _| vec![]).await;
    let world = World::with(names.options(&certificates), [grant("a", "api.example.com", 443)]);
    let found = world.call().ask(get("api.example.com", "/")).await;
    assert!(matches!(&found, Err(Error::Unreachable(told)) if told.contains("not known")), "{found:?}");
    assert_eq!(names.asked.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_name_server_that_is_silent_is_given_five_seconds() {
    let certificates = Certificates::new();
    let silent = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let options = OutsideOptions { name_servers: vec![silent.local_addr().unwrap()], ..options(&certificates) };
    let world = World::with(options, [grant("a", "api.example.com", 443)]);
    let mut call = world.call();
    tokio::time::pause();
    let begun = tokio::time::Instant::now();
    let found = call.ask(get("api.example.com", "/")).await;
    assert!(matches!(found, Err(Error::Timeout | Error::Unreachable(_))), "{found:?}");
    assert!(begun.elapsed() < Duration::from_secs(6), "{:?}", begun.elapsed());
}

/// The name leads to a place that may be reached and to one that may not, in turns, with no time to live. Both listen on the same port.
#[tokio::test]
async fn a_name_that_changes_between_two_looks_reaches_the_forbidden_address_not_once_in_ten_thousand_rounds() {
    let certificates = Certificates::new();
    // closes each connection, so that every round asks for the name
    let answering = |mut stream: Box<dyn super::server::Stream>| async move {
        let mut buffer = [0; 4096];
        let _read = stream.read(&mut buffer).await;
        let answer = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok";
        let _written = stream.write_all(answer).await;
    };
    let allowed = Server::at("127.0.0.2:0".parse().unwrap(), answering).await;
    let canary = Server::at(SocketAddr::from(([127, 0, 0, 1], allowed.port())), answering).await;
    let names = NameServer::start(|_, kind, before| match kind {
        RecordType::A if before % 2 == 0 => vec![a("127.0.0.2")],
        RecordType::A => vec![a("127.0.0.1")],
        _ => vec![],
    })
    .await;
    let mut grant = grant("a", "api.example.com", allowed.port());
    grant.scheme = wardkeep_model::Scheme::Http;
    grant.private = vec!["127.0.0.2/32".parse().unwrap()];
    let world = World::with(names.options(&certificates), [grant]);
    let _held = world.outside.plugin(&"p".parse().unwrap());
    let (mut reached, mut refused) = (0, 0);
    for round in 0..10_000 {
        match world.call().fetch(get("api.example.com", "/")).await {
            Ok(text) if text == "ok" => reached += 1,
            Err(Error::Denied(_)) => refused += 1,
            other => panic!("round {round}: {other:?}"),
        }
    }
    assert_eq!((canary.came(), allowed.came()), (0, reached));
    assert_eq!((reached, refused), (5_000, 5_000));
}
