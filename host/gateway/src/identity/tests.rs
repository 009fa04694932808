#[allow(unreachable_pub, reason = "the end-to-end tests use it too")]
pub(crate) mod bad;
#[allow(unreachable_pub, reason = "the end-to-end tests use it too")]
pub(crate) mod signer;

use super::*;

fn callers() -> Callers {
    let principal = Principal {
        name: "service:ci".into(),
        groups: vec!["automation".into()],
        authenticated: Authenticated::ApiKey,
        writes: false,
        human: false,
        unconfirmed_writes: false,
        scopes: None,
        actors: vec![],
    };
    let expires = Some("2027-01-01T00:00:00Z".parse().unwrap());
    let key = ApiKey { name: "ci".into(), sha256: Digest::of(b"wk_x"), principal, expires, owner: None };
    Callers { stdio: None, keys: vec![key], oauth: Arc::default() }
}

fn at(time: &str) -> Timestamp {
    time.parse().unwrap()
}

#[tokio::test]
async fn a_known_key_gives_its_principal_until_the_moment_it_expires() {
    let before = callers().bearer(b"Bearer wk_x", at("2026-12-31T23:59:59Z")).await;
    assert_eq!(before.map(|known| known.principal.name), Ok("service:ci".to_owned()));
    let at_the_limit = callers().bearer(b"Bearer wk_x", at("2027-01-01T00:00:00Z")).await;
    assert_eq!(at_the_limit.unwrap_err(), Unauthenticated::Expired);
}

#[tokio::test]
async fn everything_else_is_nobody() {
    let now = at("2026-12-01T00:00:00Z");
    for (header, expected) in [
        (&b"Bearer wk_y"[..], Unauthenticated::Unknown),
        (b"Bearer ", Unauthenticated::Malformed),
        (b"Bearer", Unauthenticated::Malformed),
        (b"Basic wk_x", Unauthenticated::Malformed),
        (b"", Unauthenticated::Malformed),
        (b"wk_x", Unauthenticated::Malformed),
        (b"Bearer wk_x wk_x", Unauthenticated::Unknown),
        (b"Bearer a.b.c", Unauthenticated::Unknown),
        (&[b"Bearer ".as_slice(), &[b'a'; LONGEST_KEY + 1]].concat(), Unauthenticated::Malformed),
    ] {
        let refused = callers().bearer(header, now).await.unwrap_err();
        assert_eq!(refused, expected, "{}", String::from_utf8_lossy(header));
    }
    assert_eq!(Callers::default().bearer(b"Bearer wk_x", now).await.unwrap_err(), Unauthenticated::Unknown);
    assert_eq!(Callers::default().local(Authenticated::Stdio).unwrap_err(), Unauthenticated::NoLocalCaller);
}
