//! What is refused, what the guest is told of it, and what the record keeps.

use wardkeep_model::{Method, NoteKind};

use super::{Certificates, World, get, grant, hello};
use crate::{
    OutsideOptions,
    bindings::client::{self, Error, Header, Payload, Request},
};

#[tokio::test]
async fn a_refused_request_reaches_nobody_and_stands_in_the_record() {
    let certificates = Certificates::new();
    let server = hello(&certificates, &["http/1.1"]).await;
    let mut reads = grant("reads", "localhost", server.port());
    reads.methods = vec![Method::Get, Method::Post];
    reads.paths = vec!["/mine/".parse().unwrap()];
    let mut world = World::new(&certificates, [reads]);
    world.reading = true;
    let post =
        Request { method: client::Method::Post, body: Some(Payload::Text("x".into())), ..get("localhost", "/mine/") };
    let overrides = Header { name: "X_HTTP_Method_Override".into(), value: "DELETE".into() };
    for (request, invalid, noted) in [
        (post, false, "POST localhost/mine/: the tool's `effect` is read, and grants.http.reads not `read_only`"),
        (
            get("localhost", "/theirs/"),
            false,
            "GET localhost/theirs/: `paths` of grants.http.reads do not cover it with these arguments",
        ),
        (get("127.0.0.1", "/mine/"), false, "GET 127.0.0.1/mine/: no grant in the tool's `uses` has this `host`"),
        (
            Request { headers: vec![overrides], ..get("localhost", "/mine/") },
            true,
            "GET localhost/mine/: `x_http_method_override` would make a server take the request for another one",
        ),
        (
            get("localhost", "/mine/../theirs/"),
            true,
            "GET localhost/mine/../theirs/: a path has no part `.` or `..`, however it is encoded",
        ),
    ] {
        let mut call = world.call();
        match call.ask(request).await.unwrap_err() {
            Error::InvalidRequest(_) => assert!(invalid, "{noted}"),
            Error::Denied(_) => assert!(!invalid, "{noted}"),
            other => panic!("{other:?}"),
        }
        let used = call.finish();
        assert_eq!((used.host_calls, used.egress.len(), used.notes.len()), (1, 0, 1));
        let note = &used.notes[0];
        assert_eq!((note.kind, note.capability.as_str(), note.detail.as_str()), (NoteKind::Denied, "http", noted));
    }
    assert_eq!(server.came(), 0);
}

#[tokio::test]
async fn where_words_stay_inside_the_record_names_function_and_grant_alone() {
    let certificates = Certificates::new();
    let server = hello(&certificates, &["http/1.1"]).await;
    let mut below = grant("below", "*.x.localhost", server.port());
    below.paths = vec!["/mine/".parse().unwrap()];
    let mut world = World::new(&certificates, [below.clone()]);
    world.reading = true;
    let post = Request { method: client::Method::Post, ..get("ada.x.localhost", "/mine/") };
    let invalid = Header { name: "x_http_method_override".into(), value: "ada".into() };
    for (request, noted) in [
        (get("ada.example.com", "/ada"), "http.send GET: no grant in the tool's `uses` has this `host`"),
        (
            get("ada.x.localhost", "/ada"),
            "http.send GET: `paths` of grants.http.below do not cover it with these arguments",
        ),
        (post, "http.send POST: the tool's `effect` is read, and grants.http.below not `read_only`"),
        (
            Request { headers: vec![invalid], ..get("ada.x.localhost", "/mine/") },
            "http.send GET: breaks a rule of the interface",
        ),
    ] {
        let mut call = world.call().hiding_words(true);
        call.ask(request).await.unwrap_err();
        let used = call.finish();
        assert_eq!((used.notes.len(), used.notes[0].detail.as_str()), (1, noted));
    }
    assert_eq!(server.came(), 0);

    // nor is a name that the guest made up below a granted one, where it leads to what may not be reached
    below.private = Vec::new();
    let mut call = World::new(&certificates, [below]).call().hiding_words(true);
    call.ask(get("ada.x.localhost", "/mine/")).await.unwrap_err();
    let notes = call.notes();
    assert!(!notes[0].detail.contains("ada") && notes[0].detail.contains("grants.http.below"), "{notes:?}");

    // a host that the manifest names whole is told as before
    let world = World::new(&certificates, [grant("a", "localhost", server.port())]);
    let mut call = world.call().hiding_words(true);
    call.fetch(get("localhost", "/")).await.unwrap();
    assert_eq!(call.finish().egress[0].host, format!("localhost:{}", server.port()));
}

#[tokio::test]
async fn requests_and_host_calls_are_counted_and_end() {
    let certificates = Certificates::new();
    let server = hello(&certificates, &["http/1.1"]).await;
    let mut world = World::new(&certificates, [grant("a", "localhost", server.port())]);
    world.limits.requests = 2;
    let mut call = world.call();
    for _ in 0..2 {
        assert!(call.fetch(get("localhost", "/")).await.is_ok());
    }
    assert!(matches!(call.ask(get("localhost", "/")).await, Err(Error::Exhausted)));
    let used = call.finish();
    assert_eq!((used.host_calls, used.egress[0].requests), (5, 2));
    assert_eq!((used.notes[0].kind, used.notes[0].capability.as_str()), (NoteKind::Exhausted, "requests"));

    world.limits.host_calls = 2;
    let mut call = world.call();
    let response = call.ask(get("localhost", "/")).await.unwrap();
    assert!(!call.read_some(&response.body, 4).await.unwrap().is_empty());
    assert!(matches!(call.read_some(&response.body, 4).await, Err(Error::Exhausted)));
    assert!(matches!(call.read_all(response).await, Err(Error::Exhausted)));
}

#[tokio::test]
async fn sixteen_answers_may_be_left_unread() {
    let certificates = Certificates::new();
    let server = hello(&certificates, &["http/1.1"]).await;
    let world = World::new(&certificates, [grant("a", "localhost", server.port())]);
    let mut call = world.call();
    let mut held = Vec::new();
    for _ in 0..16 {
        held.push(call.ask(get("localhost", "/")).await.unwrap());
    }
    assert!(matches!(call.ask(get("localhost", "/")).await, Err(Error::Exhausted)));
    let first = held.remove(0);
    assert_eq!(call.read_some(&first.body, 4).await.unwrap(), b"GET ");
    assert!(call.ask(get("localhost", "/")).await.is_err(), "not at its end yet");
    assert!(!call.read_some(&first.body, 1_000).await.unwrap().is_empty());
    assert!(call.ask(get("localhost", "/")).await.is_ok(), "the guest may keep the handle");
}

#[tokio::test]
async fn a_private_address_needs_the_manifest_and_the_operator() {
    let certificates = Certificates::new();
    let server = hello(&certificates, &["http/1.1"]).await;
    for (manifest, operator) in [(true, true), (true, false), (false, true), (false, false)] {
        for host in ["localhost", "127.0.0.1"] {
            let mut a = grant("a", host, server.port());
            let mut options = super::options(&certificates);
            if !manifest {
                a.private = Vec::new();
            }
            if !operator {
                options = OutsideOptions { private: Vec::new(), ..options };
            }
            let before = server.came();
            let mut call = World::with(options, [a]).call();
            let found = call.fetch(get(host, "/")).await;
            if manifest && operator {
                assert!(found.is_ok(), "{host}: {found:?}");
                continue;
            }
            let Err(Error::Denied(told)) = found else { panic!("{host}: {found:?}") };
            assert_eq!(told, format!("`{host}` leads to an address that is not public"));
            assert_eq!(server.came(), before);
            let notes = call.notes();
            let detail = &notes[0].detail;
            let leads = format!("GET {host}:{}/: `{host}` leads to 127.0.0.1, which is loopback", server.port());
            assert!(detail.starts_with(&leads), "{detail}");
            assert_eq!(detail.contains("[egress]"), !operator, "{detail}");
            assert_eq!(detail.contains("grants.http.a"), !manifest, "{detail}");
        }
    }
}
