//! Which connections are reused, by whom, and when they end.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{Certificates, Server, World, get, grant, hello, options};
use crate::{CallToken, Stop, bindings::client::Error, outside::Outside};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

#[tokio::test]
async fn a_connection_is_reused_between_calls_of_one_plugin_and_never_by_another() {
    let certificates = Certificates::new();
    for protocols in [&["http/1.1"], &["h2"]] {
        let server = hello(&certificates, protocols).await;
        let world = World::new(&certificates, [grant("a", "localhost", server.port())]);
        let held = world.outside.plugin(&"p".parse().unwrap());
        for _ in 0..5 {
            let mut call = world.call();
            assert!(call.fetch(get("localhost", "/x")).await.unwrap().starts_with("GET localhost:"));
        }
        assert_eq!(server.came(), 1, "{protocols:?}");
        let mut other = world.call_of("q", CallToken::new(Duration::from_secs(20)));
        assert!(other.fetch(get("localhost", "/x")).await.is_ok());
        assert_eq!(server.came(), 2, "{protocols:?}");
        drop((held, other));
        server.is_left().await;
    }
}

#[tokio::test]
async fn a_connection_is_not_reused_under_other_private_networks() {
    let certificates = Certificates::new();
    let server = hello(&certificates, &["http/1.1"]).await;
    let mut narrow = grant("b", "localhost", server.port());
    narrow.paths = vec!["/b/".parse().unwrap()];
    narrow.private = ["127.0.0.1/32", "::1/128"].map(|net| net.parse().unwrap()).into();
    let mut wide = grant("a", "localhost", server.port());
    wide.paths = vec!["/a/".parse().unwrap()];
    let world = World::new(&certificates, [wide, narrow]);
    let mut call = world.call();
    for path in ["/a/", "/b/", "/a/", "/b/"] {
        call.fetch(get("localhost", path)).await.unwrap();
    }
    assert_eq!(server.came(), 2);
}

#[tokio::test]
async fn a_request_that_was_never_sent_goes_over_another_connection() {
    let certificates = Certificates::new();
    // answers once, says that the connection stays, and closes it
    let server = Server::scripted(&certificates, &["localhost"], |mut stream| async move {
        let mut buffer = [0; 4096];
        let _read = stream.read(&mut buffer).await;
        let _written = stream.write_all(OK).await;
        let _closed = stream.shutdown().await;
    })
    .await;
    let world = World::new(&certificates, [grant("a", "localhost", server.port())]);
    let mut call = world.call();
    for round in 1..=5 {
        assert_eq!(call.fetch(get("localhost", "/")).await.unwrap(), "ok", "round {round}");
        // closed while it waits, seen or not
        if round % 2 == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    assert_eq!(server.came(), 5);
}

#[tokio::test]
async fn a_request_that_was_sent_is_not_sent_again() {
    let certificates = Certificates::new();
    // the second request is read, and then the connection breaks
    let server = Server::scripted(&certificates, &["localhost"], |mut stream| async move {
        let mut buffer = [0; 4096];
        let _read = stream.read(&mut buffer).await;
        let _written = stream.write_all(OK).await;
        let _read = stream.read(&mut buffer).await;
    })
    .await;
    let world = World::new(&certificates, [grant("a", "localhost", server.port())]);
    let mut call = world.call();
    assert_eq!(call.fetch(get("localhost", "/")).await.unwrap(), "ok");
    let again = call.fetch(get("localhost", "/")).await;
    assert!(matches!(again, Err(Error::Unreachable(_))), "{again:?}");
    assert_eq!(server.came(), 1);
    assert_eq!(call.finish().egress[0].requests, 2, "both were sent");
}

#[tokio::test]
async fn a_call_that_is_killed_while_it_waits_ends_at_once_and_takes_its_connection_along() {
    let certificates = Certificates::new();
    let silent = Server::scripted(&certificates, &["localhost"], |mut stream| async move {
        let mut buffer = [0; 4096];
        while stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
    })
    .await;
    let world = World::new(&certificates, [grant("a", "localhost", silent.port())]);
    let token = CallToken::new(Duration::from_secs(20));
    let mut call = world.call_of("p", token.clone());
    let killing = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(100)).await;
        token.kill();
        Instant::now()
    });
    let sent = crate::bindings::client::Host::send(&mut call, get("localhost", "/")).await;
    let ended = Instant::now();
    let error = sent.unwrap_err();
    assert_eq!(error.downcast_ref(), Some(&crate::EndCall::Stopped(Stop::Killed)));
    assert!(ended.duration_since(killing.await.unwrap()) < Duration::from_millis(50));
    silent.is_left().await;
    assert_eq!(call.finish().egress[0].requests, 1, "it was sent, and the record says so");
}

#[tokio::test]
async fn an_answer_that_is_not_read_to_its_end_closes_its_connection() {
    let certificates = Certificates::new();
    let endless = Server::scripted(&certificates, &["localhost"], |mut stream| async move {
        let mut buffer = [0; 4096];
        let _read = stream.read(&mut buffer).await;
        let _written = stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await;
        while stream.write_all(b"5\r\nhello\r\n").await.is_ok() {}
    })
    .await;
    let world = World::new(&certificates, [grant("a", "localhost", endless.port())]);
    let mut call = world.call();
    let response = call.ask(get("localhost", "/")).await.unwrap();
    assert_eq!(call.read_some(&response.body, 10).await.unwrap(), b"hellohello");
    // as after a trap: the guest drops nothing, the call is over
    let used = call.finish();
    assert!(used.egress[0].bytes_in >= 10);
    endless.is_left().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_plugin_has_sixty_four_connections_and_what_waits_makes_room() {
    let certificates = Certificates::new();
    let server = hello(&certificates, &["http/1.1"]).await;
    let mut grants = Vec::new();
    for index in 0..70_u8 {
        // each path has private networks of its own, so each needs a connection of its own
        let mut grant = grant(&format!("g{index}"), "localhost", server.port());
        grant.paths = vec![format!("/{index}/").parse().unwrap()];
        grant.private.push(format!("10.{index}.0.0/16").parse().unwrap());
        grants.push(grant);
    }
    let mut options = options(&certificates);
    options.private.push("10.0.0.0/8".parse().unwrap());
    let mut world = World::with(options, grants);
    world.limits.requests = 500;
    world.limits.host_calls = 1_000;
    let mut call = world.call();
    for index in 0..70 {
        call.fetch(get("localhost", &format!("/{index}/"))).await.unwrap();
    }
    assert_eq!(server.came(), 70);
    let pool = &world.outside.plugin(&"p".parse().unwrap()).transport;
    assert!(pool.waiting() <= 64 && pool.open() <= 64, "{} of {}", pool.waiting(), pool.open());
}

#[tokio::test]
async fn a_connection_that_nobody_uses_is_closed_after_a_minute() {
    let certificates = Certificates::new();
    let server = hello(&certificates, &["http/1.1"]).await;
    let world = World::new(&certificates, [grant("a", "127.0.0.1", server.port())]);
    // kept, so that the plugin's connections are
    let reach = world.outside.plugin(&"p".parse().unwrap());
    world.call().fetch(get("127.0.0.1", "/")).await.unwrap();
    tokio::time::pause();
    tokio::time::sleep(Duration::from_secs(59)).await;
    assert_eq!(reach.transport.waiting(), 1);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(reach.transport.waiting(), 0);
    tokio::time::resume();
    server.is_left().await;
}

#[tokio::test]
async fn a_plugin_that_is_gone_leaves_nothing_open() {
    let certificates = Certificates::new();
    let server = hello(&certificates, &["http/1.1"]).await;
    let world = World::new(&certificates, [grant("a", "localhost", server.port())]);
    let name = "p".parse().unwrap();
    let held = world.outside.plugin(&name);
    assert!(Arc::ptr_eq(&held, &world.outside.plugin(&name)));
    world.call().fetch(get("localhost", "/")).await.unwrap();
    drop(held);
    server.is_left().await;
}

#[tokio::test]
async fn a_host_that_is_closed_reaches_nothing() {
    let certificates = Certificates::new();
    let server = hello(&certificates, &["http/1.1"]).await;
    let world =
        World { outside: Outside::closed(), ..World::new(&certificates, [grant("a", "localhost", server.port())]) };
    let mut call = world.call();
    assert!(matches!(call.fetch(get("localhost", "/")).await, Err(Error::Unreachable(_))));
    assert_eq!((server.came(), call.finish().egress), (0, vec![]));
}

#[tokio::test]
async fn an_answer_that_nobody_asked_for_answers_no_later_request() {
    let certificates = Certificates::new();
    let server = Server::scripted(&certificates, &["localhost"], |mut stream| async move {
        let mut buffer = [0; 4096];
        while stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {
            let two = [OK, b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil"].concat();
            if stream.write_all(&two).await.is_err() {
                return;
            }
        }
    })
    .await;
    let world = World::new(&certificates, [grant("a", "localhost", server.port())]);
    let mut call = world.call();
    for round in 0..5 {
        assert_eq!(call.fetch(get("localhost", "/")).await.unwrap(), "ok", "round {round}");
    }
    assert_eq!(server.came(), 5);
}
