use std::{
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures_util::future::BoxFuture;
use wardkeep_model::Scopes;

use super::*;
use crate::identity::{
    Callers, Credential, Pace, Unauthenticated, claims,
    tests::{
        bad::Known,
        signer::{Signer, jwks},
    },
    token::Algorithm,
};

const ISSUER: &str = "https://login.example.com/tenant";
const RESOURCE: &str = "https://tools.example.com/mcp";

/// What an issuer publishes now; nothing while it is down.
pub(crate) struct Published {
    set: Mutex<Option<String>>,
    pub(crate) asked: AtomicUsize,
}

impl Published {
    fn new(set: String) -> Arc<Self> {
        Arc::new(Self { set: Mutex::new(Some(set)), asked: AtomicUsize::new(0) })
    }

    fn publish(&self, set: Option<String>) {
        *self.set.lock().unwrap() = set;
    }
}

impl KeySource for Published {
    fn fetch(&self) -> BoxFuture<'_, Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let set = self.set.lock().unwrap().clone();
        Box::pin(async move { set.map(String::into_bytes).ok_or_else(|| "it is down".into()) })
    }

    fn pace(&self) -> Pace {
        Pace::WEB
    }

    fn place(&self) -> String {
        "a test".into()
    }
}

fn terms() -> IssuerTerms {
    IssuerTerms { issuer: ISSUER.into(), audience: RESOURCE.into(), ..claims::tests::terms() }
}

fn callers(terms: IssuerTerms, published: &Arc<Published>) -> Callers {
    let source: Arc<dyn KeySource> = Arc::clone(published) as _;
    Callers { oauth: Arc::new(OAuth::new(RESOURCE.into(), vec![(terms, source)])), ..Callers::default() }
}

impl OAuth {
    pub(crate) fn for_tests(resource: &str) -> Self {
        let source: Arc<dyn KeySource> = Published::new(String::new());
        Self::new(resource.into(), vec![(terms(), source)])
    }
}

struct World {
    rsa: Signer,
    ec: Signer,
    ed: Signer,
    published: Arc<Published>,
    callers: Callers,
    now: Timestamp,
}

impl World {
    fn new() -> Self {
        Self::under(terms())
    }

    fn under(terms: IssuerTerms) -> Self {
        let (rsa, ec, ed) = (Signer::rsa("rsa"), Signer::p256("ec"), Signer::ed25519("ed"));
        let published = Published::new(jwks([&rsa, &ec, &ed]));
        let callers = callers(terms, &published);
        Self { rsa, ec, ed, published, callers, now: Timestamp::from_second(1_800_000_000).unwrap() }
    }

    fn known(&self) -> Known<'_> {
        let now = self.now.as_second();
        Known { rsa: &self.rsa, ec: &self.ec, ed: &self.ed, issuer: ISSUER, audience: RESOURCE, now }
    }

    async fn ask(&self, token: impl AsRef<[u8]>) -> Result<crate::identity::Identity, Unauthenticated> {
        self.callers.bearer(&[b"Bearer ", token.as_ref()].concat(), self.now).await
    }

    async fn later(&self, token: &str, seconds: i64) -> Result<crate::identity::Identity, Unauthenticated> {
        let now = Timestamp::from_second(self.now.as_second() + seconds).unwrap();
        self.callers.bearer(format!("Bearer {token}").as_bytes(), now).await
    }
}

fn kept(world: &World) -> usize {
    world.callers.oauth.kept.len()
}

#[tokio::test]
async fn a_token_of_each_algorithm_stands_for_its_subject() {
    let world = World::new();
    for signer in [&world.rsa, &world.ec, &world.ed] {
        let identity = world.ask(signer.token(&world.known().claims())).await.unwrap();
        assert_eq!(identity.principal.name, "oauth:corp/mallory", "{}", signer.alg());
        assert_eq!(identity.principal.scopes, Some(Scopes::ALL));
        assert!(matches!(identity.credential, Credential::Token(_)));
    }
    assert_eq!(world.published.asked.load(Ordering::SeqCst), 1, "the keys were had once");
}

#[tokio::test]
async fn every_bad_token_is_refused_by_the_rule_that_it_breaks_and_none_is_kept() {
    let world = World::new();
    let bad = world.known().bad();
    assert!(bad.len() >= 150, "the table is gone: {}", bad.len());
    for bad in bad {
        let refused = world.ask(&bad.token).await.map(|identity| identity.principal.name);
        assert_eq!(refused.map_err(Unauthenticated::rule), Err(bad.rule), "{}", bad.tries);
    }
    assert_eq!(kept(&world), 0);
    assert!(
        world.ask(world.ec.token(&world.known().claims())).await.is_ok(),
        "and a good one is good after all of them"
    );
}

#[tokio::test]
async fn only_the_algorithms_that_are_pinned_are_taken() {
    let world = World::under(IssuerTerms { algorithms: vec![Algorithm::Es256], ..terms() });
    let claims = world.known().claims();
    assert!(world.ask(world.ec.token(&claims)).await.is_ok());
    for other in [&world.rsa, &world.ed] {
        let refused = world.ask(other.token(&claims)).await.unwrap_err();
        assert_eq!(refused, Unauthenticated::Token(BadToken::Algorithm), "{}", other.alg());
    }
}

#[tokio::test]
async fn a_token_is_verified_once_and_good_until_the_second_in_which_it_ends() {
    let world = World::new();
    let token = world.ec.token(&world.known().claims());
    let first = world.ask(&token).await.unwrap();
    let again = world.later(&token, 599).await.unwrap();
    let (Credential::Token(first), Credential::Token(again)) = (&first.credential, &again.credential) else { panic!() };
    assert!(Arc::ptr_eq(first, again), "the second time it was known");
    assert_eq!(world.later(&token, 600).await.unwrap_err(), Unauthenticated::Token(BadToken::Expired));
    assert_eq!(kept(&world), 0, "what has ended is not kept");
}

#[tokio::test(start_paused = true)]
async fn a_key_that_was_taken_back_ends_what_was_verified_with_it() {
    let world = World::new();
    let claims = world.known().claims();
    let (old, other) = (world.ec.token(&claims), world.ed.token(&claims));
    let identity = world.ask(&old).await.unwrap();
    world.ask(&other).await.unwrap();
    let new = Signer::p256("ec-2");
    world.published.publish(Some(jwks([&new, &world.ed])));
    // the first token of the new key has the new set fetched, and with that the old key is gone
    assert!(world.ask(new.token(&claims)).await.is_ok());
    assert_eq!(world.ask(&old).await.unwrap_err(), Unauthenticated::Token(BadToken::UnknownKey));
    assert!(world.callers.principal(&identity.credential, world.now).is_err(), "and who still listens is nobody");
    assert!(world.ask(&other).await.is_ok(), "others go on");
    // without any token of another key: by age
    world.published.publish(Some(jwks([&world.ed])));
    assert!(world.ask(new.token(&claims)).await.is_ok());
    tokio::time::advance(Pace::WEB.fresh + Duration::from_secs(1)).await;
    let _background = world.ask(new.token(&claims)).await;
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert!(world.ask(new.token(&claims)).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn an_outage_takes_nobody_away_who_was_let_in_and_lets_nobody_else_in() {
    let world = World::new();
    let claims = world.known().claims();
    let token = world.ec.token(&claims);
    world.ask(&token).await.unwrap();
    let stranger = Signer::p256("stranger").token(&claims);
    for outage in [None, Some("<html>502".to_owned()), Some("{}".to_owned()), Some("x".repeat(1 << 20))] {
        world.published.publish(outage);
        tokio::time::advance(Pace::WEB.stale * 2).await;
        assert!(world.ask(&token).await.is_ok());
        assert!(world.ask(world.ed.token(&claims)).await.is_ok(), "one that was never seen, by a key that is known");
        assert_eq!(world.ask(&stranger).await.unwrap_err(), Unauthenticated::Token(BadToken::UnknownKey));
    }
    // an issuer that has taken all its keys back says so
    world.published.publish(Some(r#"{"keys":[]}"#.to_owned()));
    tokio::time::advance(Pace::WEB.stale * 2).await;
    assert!(world.ask(&token).await.is_err());
}

#[tokio::test]
async fn other_terms_of_the_operator_end_what_was_verified_under_the_old_ones() {
    let world = World::new();
    let identity = world.ask(world.ec.token(&world.known().claims())).await.unwrap();
    assert!(world.callers.principal(&identity.credential, world.now).is_ok());
    let changed = callers(terms(), &world.published);
    assert_eq!(changed.principal(&identity.credential, world.now).unwrap_err(), Unauthenticated::Expired);
    assert!(Callers::default().principal(&identity.credential, world.now).is_err());
    let after = Timestamp::from_second(world.now.as_second() + 600).unwrap();
    assert!(world.callers.principal(&identity.credential, after).is_err(), "nor is a token that has ended anybody");
}

#[tokio::test]
async fn an_issuer_vouches_for_its_own_callers_only() {
    let world = World::new();
    let partner = Signer::p256("ec");
    let terms = IssuerTerms { name: "partner".into(), issuer: "https://partner.example".into(), ..terms() };
    let both: Vec<(IssuerTerms, Arc<dyn KeySource>)> =
        vec![(super::tests::terms(), world.published.clone()), (terms, Published::new(jwks([&partner])))];
    let callers = Callers { oauth: Arc::new(OAuth::new(RESOURCE.into(), both)), ..Callers::default() };
    let ask = async |token: String| callers.bearer(format!("Bearer {token}").as_bytes(), world.now).await;
    let mut claims = world.known().claims();
    claims["iss"] = json!("https://partner.example");
    assert_eq!(ask(partner.token(&claims)).await.unwrap().principal.name, "oauth:partner/mallory");
    let forged = ask(partner.token(&world.known().claims())).await.unwrap_err();
    assert_eq!(forged, Unauthenticated::Token(BadToken::Signature), "the partner's key under the id of another's");
    assert_eq!(ask(world.ec.token(&claims)).await.unwrap_err(), Unauthenticated::Token(BadToken::Signature));
}

#[tokio::test]
async fn so_many_tokens_are_kept_and_those_in_use_stay() {
    let world = World::new();
    let token = world.ed.token(&world.known().claims());
    let identity = world.ask(&token).await.unwrap();
    let Credential::Token(verified) = identity.credential else { panic!() };
    let kept = &world.callers.oauth.kept;
    for n in 0..20_000_u32 {
        kept.put(Digest::of(&n.to_le_bytes()), Arc::clone(&verified));
        if n % 1_000 == 0 {
            assert!(kept.get(Digest::of(token.as_bytes())).is_some(), "{n}");
        }
        assert!(kept.len() <= 8_192);
    }
}

#[tokio::test]
async fn the_document_names_issuers_and_scopes_and_nothing_else() {
    let world = World::new();
    let metadata = world.callers.oauth.metadata().unwrap();
    assert_eq!(metadata["resource"], RESOURCE);
    assert_eq!(metadata["authorization_servers"], json!([ISSUER]));
    assert_eq!(metadata["scopes_supported"], json!(["tools:read", "tools:write", "tools:destructive"]));
    assert_eq!(metadata["bearer_methods_supported"], json!(["header"]));
    assert_eq!(OAuth::default().metadata(), None);
}
