use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use super::*;
use crate::identity::{
    tests::signer::{Signer, jwks},
    token::Algorithm,
};

/// How an issuer answers.
#[derive(Clone)]
enum Answers {
    With(String),
    After(Duration, String),
    Never,
    Falls,
    Down,
}

struct Source {
    answers: Mutex<Answers>,
    asked: AtomicUsize,
}

impl KeySource for Source {
    fn fetch(&self) -> BoxFuture<'_, Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let answers = self.answers.lock().unwrap().clone();
        Box::pin(async move {
            match answers {
                Answers::With(set) => Ok(set.into_bytes()),
                Answers::After(time, set) => {
                    tokio::time::sleep(time).await;
                    Ok(set.into_bytes())
                }
                Answers::Never => std::future::pending().await,
                Answers::Falls => panic!("as a test wants it"),
                Answers::Down => Err("it is down".into()),
            }
        })
    }

    fn pace(&self) -> Pace {
        Pace::WEB
    }

    fn place(&self) -> String {
        "a test".into()
    }
}

struct World {
    source: Arc<Source>,
    issuer: Arc<Issuer>,
}

impl World {
    fn new(answers: Answers) -> Self {
        let source = Arc::new(Source { answers: Mutex::new(answers), asked: AtomicUsize::new(0) });
        let terms = IssuerTerms {
            name: "corp".into(),
            issuer: "https://login.example.com".into(),
            audience: "a".into(),
            algorithms: Algorithm::ALL.into(),
            groups_claim: "groups".into(),
            groups: None,
            scope_claim: "scope".into(),
            longest_life: Duration::from_secs(60),
            writes: false,
            human: false,
            human_claims: Vec::new(),
            unconfirmed_writes: false,
        };
        Self { issuer: Issuer::new(terms, Arc::clone(&source) as _), source }
    }

    fn answer(&self, answers: Answers) {
        *self.source.answers.lock().unwrap() = answers;
    }

    fn asked(&self) -> usize {
        self.source.asked.load(Ordering::SeqCst)
    }

    async fn key(&self, signer: &Signer) -> Result<Digest, BadToken> {
        let text = signer.token(&json!({}));
        let token = Token::parse(text.as_bytes()).unwrap();
        self.issuer.key(&token).await.map(|key| key.print())
    }
}

fn published(signers: &[&Signer]) -> String {
    jwks(signers.iter().copied())
}

#[tokio::test(start_paused = true)]
async fn a_thousand_tokens_of_unknown_keys_ask_the_issuer_once_in_half_a_minute() {
    let (known, stranger) = (Signer::p256("known"), Signer::p256("stranger"));
    let world = Arc::new(World::new(Answers::After(Duration::from_millis(50), published(&[&known]))));
    assert!(world.key(&known).await.is_ok());
    let stranger = Arc::new(stranger);
    let all: Vec<_> = (0..1_000)
        .map(|_| {
            let (world, stranger) = (Arc::clone(&world), Arc::clone(&stranger));
            tokio::spawn(async move { world.key(&stranger).await })
        })
        .collect();
    for one in all {
        assert_eq!(one.await.unwrap(), Err(BadToken::UnknownKey));
    }
    assert_eq!(world.asked(), 2, "the first keys, and one look for all of them");
    let begun = Instant::now();
    for _ in 0..100 {
        assert_eq!(world.key(&stranger).await, Err(BadToken::UnknownKey));
    }
    assert_eq!((world.asked(), begun.elapsed()), (2, Duration::ZERO), "those that come later are refused at once");
    tokio::time::advance(Pace::WEB.least).await;
    assert_eq!(world.key(&stranger).await, Err(BadToken::UnknownKey));
    assert_eq!(world.asked(), 3);
}

#[tokio::test(start_paused = true)]
async fn whoever_hangs_up_does_not_end_what_others_wait_for() {
    let known = Signer::p256("known");
    let world = World::new(Answers::After(Duration::from_secs(2), published(&[&known])));
    let impatient = timeout(Duration::from_millis(100), world.key(&known)).await;
    assert!(impatient.is_err());
    assert!(world.key(&known).await.is_ok());
    assert_eq!(world.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_issuer_that_never_answers_holds_nobody_for_long_and_nobody_whose_key_is_known() {
    let (known, stranger) = (Signer::p256("known"), Signer::p256("stranger"));
    let world = World::new(Answers::With(published(&[&known])));
    assert!(world.key(&known).await.is_ok());
    world.answer(Answers::Never);
    for round in 0..3 {
        tokio::time::advance(Pace::WEB.least).await;
        let begun = Instant::now();
        assert_eq!(world.key(&stranger).await, Err(BadToken::UnknownKey));
        assert!(begun.elapsed() <= LONGEST_LOOK * 2, "round {round}: {:?}", begun.elapsed());
        let begun = Instant::now();
        assert!(world.key(&known).await.is_ok());
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }
    // keys that are long past their freshness: whoever comes first waits once, and the others serve on with what there is
    tokio::time::advance(Pace::WEB.stale * 2).await;
    let begun = Instant::now();
    assert!(world.key(&known).await.is_ok());
    assert!(begun.elapsed() <= LONGEST_LOOK);
    for _ in 0..10 {
        tokio::time::advance(Pace::WEB.least).await;
        let begun = Instant::now();
        assert!(world.key(&known).await.is_ok());
        assert_eq!(begun.elapsed(), Duration::ZERO, "an outage holds nobody up");
    }
}

#[tokio::test(start_paused = true)]
async fn a_look_that_falls_over_is_not_the_last() {
    let known = Signer::p256("known");
    let world = World::new(Answers::Falls);
    assert_eq!(world.key(&known).await, Err(BadToken::UnknownKey));
    world.answer(Answers::With(published(&[&known])));
    tokio::time::advance(Pace::WEB.least).await;
    assert!(world.key(&known).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_new_key_is_known_with_its_first_token_even_while_older_keys_are_being_looked_at() {
    let (old, new) = (Signer::p256("old"), Signer::p256("new"));
    let world = World::new(Answers::With(published(&[&old])));
    assert!(world.key(&old).await.is_ok());
    tokio::time::advance(Pace::WEB.fresh * 2).await;
    // a look for age has begun and will bring the old set
    world.answer(Answers::After(Duration::from_secs(1), published(&[&old])));
    assert!(world.key(&old).await.is_ok());
    tokio::task::yield_now().await;
    world.answer(Answers::With(published(&[&new])));
    assert!(world.key(&new).await.is_ok(), "it waits for that look, and has another one made");
    assert_eq!(world.key(&old).await, Err(BadToken::UnknownKey), "the old one is gone with it");
}

#[tokio::test(start_paused = true)]
async fn keys_that_nobody_has_asked_for_in_long_are_looked_at_before_they_count() {
    let (old, new) = (Signer::p256("old"), Signer::p256("new"));
    let world = World::new(Answers::With(published(&[&old])));
    let print = world.key(&old).await.unwrap();
    assert!(world.issuer.stands_by(print).await);
    world.answer(Answers::With(published(&[&new])));
    tokio::time::advance(Pace::WEB.stale * 2).await;
    assert!(!world.issuer.stands_by(print).await, "a stolen key does not get in first after a quiet night");
}

#[tokio::test(start_paused = true)]
async fn keys_are_had_before_the_first_token_and_an_issuer_that_is_down_then_is_asked_again() {
    let known = Signer::p256("known");
    let world = World::new(Answers::Down);
    world.issuer.warm();
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(world.asked(), 1);
    world.answer(Answers::With(published(&[&known])));
    assert!(world.key(&known).await.is_ok(), "the first token need not wait for half a minute");
    world.issuer.warm();
    assert_eq!(world.asked(), 2);
}
