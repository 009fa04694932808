use std::{collections::BTreeMap, time::Duration};

use wardkeep_model::{CorrelationId, Limits, Method};
use wardkeep_policy::{
    HttpGrant,
    manifest::{HostPattern, SourceKey},
};

use super::*;
use crate::{
    CallToken, Environment, FilePool, LogContext, Outside, OutsideOptions, Roots,
    bindings::{handle::HostSecret as _, log::Host as _, store::Host as _},
    secrets::{
        Reading, SecretSources, SourceError,
        value::tests::{bearer, terms},
    },
};

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

fn call(secret: &Arc<SecretTerms>, value: Option<&'static str>, host_calls: u32) -> CallState {
    let sources = Values(value.map(|value| ("s", value)).into_iter().collect());
    let options = OutsideOptions { sources: Arc::new(sources), ..OutsideOptions::default() };
    let reach = Outside::new(options).unwrap().plugin(&"p".parse().unwrap());
    let grant = HttpGrant {
        name: "g".parse().unwrap(),
        scheme: Scheme::Https,
        host: HostPattern::Exact("api.example.com".into()),
        port: 443,
        methods: vec![Method::Get],
        paths: Vec::new(),
        secret: Some(secret.name.clone()),
        read_only: false,
        private: vec!["127.0.0.0/8".parse().unwrap()],
    };
    let grants = Grants { http: vec![Arc::new(grant)], secrets: vec![Arc::clone(secret)], ..Grants::default() };
    let context = LogContext {
        plugin: "p".parse().unwrap(),
        tool: "t".parse().unwrap(),
        correlation: CorrelationId::from_bytes([1; 16]),
    };
    let environment = Environment { roots: Roots::default(), pool: FilePool::new(2), reach };
    let limits = Limits { host_calls, ..Limits::DEFAULT };
    CallState::new((&grants, &[]), &limits, CallToken::new(Duration::from_secs(20)), &environment, context)
}

/// An error whose text is the first, with a cause.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Causes(&'static str, #[source] std::io::Error);

#[test]
fn a_mend_in_the_log_stands_on_its_own_line_and_nothing_else_breaks_one() {
    let cause = std::io::Error::other("b\nforged\u{1b}[2J\n  mend: chmod 600 x\nthen\u{202e} again");
    assert_eq!(
        told(&Causes("a", cause)),
        "a: b\\u{a}forged\\u{1b}[2J\n  mend: chmod 600 x\n        then\\u{202e} again"
    );
    assert_eq!(told(&std::io::Error::other("x".repeat(600))).len(), 512);
}

async fn open(call: &mut CallState, name: &str) -> Result<Resource<Held>, Error> {
    call.open(name.into()).await.unwrap()
}

fn injected(call: &CallState, held: &Resource<Held>) -> (String, String) {
    match call.table.get(held).unwrap().injection() {
        Injection::Header(name, value) => {
            assert!(value.is_sensitive());
            (name.to_string(), value.to_str().unwrap().to_owned())
        }
        Injection::Query(name, value) => (format!("?{name}"), secrecy::ExposeSecret::expose_secret(&value).to_owned()),
    }
}

#[tokio::test]
async fn each_kind_goes_where_the_manifest_puts_it() {
    let header = Inject::Header { name: "x-api-key".into(), before: "Key <".into(), after: ">".into() };
    for (inject, name, value) in [
        (bearer(), "authorization", "Bearer a-value-of-it"),
        (header, "x-api-key", "Key <a-value-of-it>"),
        (Inject::Basic { user: "me".into() }, "authorization", "Basic bWU6YS12YWx1ZS1vZi1pdA=="),
        (Inject::Query { name: "key".into() }, "?key", "a-value-of-it"),
    ] {
        let secret = terms(Credential::Static, inject);
        let mut call = call(&secret, Some("a-value-of-it"), 10);
        let held = open(&mut call, "s").await.unwrap();
        assert_eq!(injected(&call, &held), (name.to_owned(), value.to_owned()));
        assert_eq!(call.name(Resource::new_borrow(held.rep())).await.unwrap(), "s");
        assert!(!format!("{call:?}").contains("a-value-of-it"));
        handle::HostSecret::drop(&mut call, held).await.unwrap();
    }
}

#[tokio::test]
async fn what_is_not_granted_is_denied_and_what_cannot_be_used_is_unavailable() {
    let secret = terms(Credential::Static, bearer());
    let mut call1 = call(&secret, Some("a-value-of-it"), 2);
    assert_eq!(open(&mut call1, "other").await.unwrap_err(), Error::Denied);
    assert!(open(&mut call1, "s").await.is_ok());
    assert_eq!(open(&mut call1, "s").await.unwrap_err(), Error::Exhausted);
    let used = call1.finish();
    let notes: Vec<_> = used.notes.iter().map(|note| (note.kind, note.detail.as_str())).collect();
    assert_eq!(notes, [(NoteKind::Denied, "other"), (NoteKind::Exhausted, "secrets.open")]);
    assert_eq!(used.host_calls, 2);
    assert!(used.guard.unwrap().finds(b"x a-value-of-it x").is_some());

    for (value, word) in [(None, "absent"), (Some("short"), "too-short"), (Some("two\nlines-of-text"), "unfit")] {
        let mut call = call(&secret, value, 10);
        assert_eq!(open(&mut call, "s").await.unwrap_err(), Error::Unavailable);
        let used = call.finish();
        assert_eq!((used.notes[0].kind, used.notes[0].detail.clone()), (NoteKind::Unavailable, format!("s: {word}")));
        assert!(used.guard.is_none(), "nothing was read that could be used");
    }
}

#[tokio::test]
async fn the_guest_s_own_words_go_on_record_without_values() {
    let secret = terms(Credential::Static, bearer());
    let mut call = call(&secret, Some("a-value-of-it"), 10);
    let _held = open(&mut call, "s").await.unwrap();
    call.write(crate::log::Level::Info, "it is a-value-of-it".into()).await.unwrap();
    call.note_denied("files", "files.read", "dir/a-value-of-it");
    let told = call.without_secrets("progress", "YS12YWx1ZS1vZi1pdA==".into());
    assert_eq!(told, "[secret]");
    let notes: Vec<_> = call.finish().notes.into_iter().map(|note| (note.capability, note.detail)).collect();
    let replaced = "a secret's value was replaced";
    let expected = [("files", "dir/[secret]"), ("progress", replaced), ("log", replaced)];
    assert_eq!(notes, expected.map(|(capability, detail)| (capability.to_owned(), detail.to_owned())));
}

#[tokio::test]
async fn where_words_stay_inside_a_name_that_the_guest_made_up_does_not_go_on_record() {
    let secret = terms(Credential::Static, bearer());
    for (hides, expected) in [(false, "ada@example.com"), (true, "secrets.open")] {
        let mut call = call(&secret, None, 10).hiding_words(hides);
        assert_eq!(open(&mut call, "ada@example.com").await.unwrap_err(), Error::Denied);
        assert_eq!(open(&mut call, "s").await.unwrap_err(), Error::Unavailable);
        let notes: Vec<_> = call.finish().notes.into_iter().map(|note| note.detail).collect();
        assert_eq!(notes, [expected, "s: absent"], "the name of its own secret is the manifest's word");
    }
}

#[test]
fn a_token_endpoint_is_bound_by_the_rules_of_requests() {
    let endpoint = |scheme| Endpoint { scheme, host: "auth.test".into(), port: 8443, path: "/token".parse().unwrap() };
    let reach = |private: &[&str], cleartext_to_loopback| {
        let private = private.iter().map(|net| net.parse().unwrap()).collect();
        let options = OutsideOptions { private, cleartext_to_loopback, ..OutsideOptions::default() };
        Outside::new(options).unwrap().plugin(&"p".parse().unwrap())
    };
    let granted: Vec<IpNet> = ["10.2.0.0/16", "127.0.0.0/8"].map(|net| net.parse().unwrap()).to_vec();
    let private =
        |operator: &[&str]| reach(operator, false).target(&endpoint(Scheme::Https), &granted).unwrap().private;
    assert!(private(&[]).is_empty(), "a grant alone opens nothing");
    assert!(private(&["10.2.3.0/24", "192.168.0.0/16"]).is_empty());
    assert_eq!(private(&["10.0.0.0/8"]), granted[..1]);
    assert!(reach(&[], false).target(&endpoint(Scheme::Http), &[]).is_err());
    assert!(reach(&[], true).target(&endpoint(Scheme::Http), &[]).unwrap().loopback_only);
}
