//! What a request costs beside plain hyper, over TLS on this machine: `cargo test --workspace --lib -- --ignored --nocapture measured`.
#![allow(clippy::print_stderr, reason = "a measurement")]

use std::time::{Duration, Instant};

use http_body_util::{BodyExt as _, Empty};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use tokio::runtime::{Builder, Runtime};
use tokio_rustls::TlsConnector;

use super::{Certificates, World, get, grant, tls};
use crate::http::Network;

const ROUNDS: usize = 4_000;

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

fn told(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    eprintln!("{what}: median {:?}, 99 % {:?}", times[times.len() / 2], times[times.len() * 99 / 100]);
}

/// Requests of plain hyper over one connection, one after the other.
async fn plain(network: &Network, port: u16) -> Vec<Duration> {
    let stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let stream = TlsConnector::from(network.tls()).connect("localhost".try_into().unwrap(), stream).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let mut times = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        sender.ready().await.unwrap();
        let begun = Instant::now();
        let request = http::Request::get("/x").header("host", "localhost").body(Empty::<Bytes>::new()).unwrap();
        let answer = sender.send_request(request).await.unwrap();
        assert_eq!(answer.into_body().collect().await.unwrap().to_bytes().len(), 1_024);
        times.push(begun.elapsed());
    }
    times
}

#[test]
#[ignore = "a measurement"]
fn a_request_is_measured_beside_plain_hyper() {
    let certificates = Certificates::new();
    let serving = runtime();
    let server = serving.block_on(tls(&certificates, &["http/1.1"], |_| async {
        http::Response::new(http_body_util::Full::new(Bytes::from(vec![b'x'; 1_024])))
    }));
    let mut world = World::new(&certificates, [grant("a", "localhost", server.port())]);
    world.limits.host_calls = u32::MAX;
    world.limits.requests = u32::MAX;
    let network = Network::new(&[certificates.authority()], &[]).unwrap();
    for _ in 0..2 {
        let one_thread = Builder::new_current_thread().enable_all().build().unwrap();
        told("plain hyper, one thread", one_thread.block_on(plain(&network, server.port())));
        let other = runtime();
        told("plain hyper, its connection on another thread", other.block_on(plain(&network, server.port())));
        told(
            "plain hyper, all on a worker",
            other.block_on(async {
                let network = network.clone();
                let port = server.port();
                tokio::spawn(async move { plain(&network, port).await }).await.unwrap()
            }),
        );
        let _held = world.outside.plugin(&"p".parse().unwrap());
        // as in the host: the call on a guest's thread, connections on the runtime
        let times = other.block_on(async {
            let mut call = world.call();
            let mut times = Vec::with_capacity(ROUNDS);
            for round in 0..ROUNDS {
                if round % 500 == 0 {
                    call = world.call();
                }
                let begun = Instant::now();
                assert_eq!(call.fetch(get("localhost", "/x")).await.unwrap().len(), 1_024);
                times.push(begun.elapsed());
            }
            times
        });
        told("wardkeep:http", times);
    }
}
