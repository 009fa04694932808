use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::secrets::value::tests::value;

const HOUR: u64 = 3600;

fn granted(text: &str, seconds: u64) -> Result<Granted, ExchangeError> {
    Ok(Granted { token: text.into(), life: Duration::from_secs(seconds) })
}

async fn pass(seconds: u64) {
    tokio::time::advance(Duration::from_secs(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn a_token_is_fetched_once_and_again_at_four_fifths_of_its_life() {
    let (tokens, value, asked) = (Tokens::default(), value("client-secret"), AtomicU32::new(0));
    let get = async || {
        let exchange = async || granted(&format!("token-number-{}", asked.fetch_add(1, Ordering::SeqCst)), HOUR);
        tokens.get(&value, exchange).await.unwrap().text().to_owned()
    };
    assert_eq!(get().await, "token-number-0");
    pass(HOUR * 4 / 5 - 1).await;
    assert_eq!(get().await, "token-number-0");
    pass(1).await;
    assert_eq!(get().await, "token-number-1");
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn another_value_fetches_another_token() {
    let (tokens, old, new) = (Tokens::default(), value("client-secret"), value("client-secret-2"));
    let first = tokens.get(&old, async || granted("token-of-the-old", HOUR)).await.unwrap();
    let second = tokens.get(&new, async || granted("token-of-the-new", HOUR)).await.unwrap();
    assert_eq!((first.text(), second.text()), ("token-of-the-old", "token-of-the-new"));
}

#[tokio::test(start_paused = true)]
async fn while_the_endpoint_fails_the_last_token_serves_as_long_as_it_is_good() {
    let (tokens, value) = (Tokens::default(), value("client-secret"));
    let fails = || tokens.get(&value, async || Err(ExchangeError::Timeout));
    tokens.get(&value, async || granted("the-first-token", HOUR)).await.unwrap();
    pass(HOUR * 9 / 10).await;
    assert_eq!(fails().await.unwrap().text(), "the-first-token");
    pass(HOUR / 10 - 10).await;
    assert!(matches!(fails().await, Err(ExchangeError::Timeout)), "not used in the last seconds of its life");
}

#[tokio::test(start_paused = true)]
async fn a_broken_endpoint_is_asked_less_and_less_often() {
    let (tokens, value, asked) = (Tokens::default(), value("client-secret"), AtomicU32::new(0));
    for _ in 0..600 {
        let exchange = async || {
            asked.fetch_add(1, Ordering::SeqCst);
            Err(ExchangeError::NoToken)
        };
        assert!(tokens.get(&value, exchange).await.is_err());
        pass(1).await;
    }
    // After 1, 2, 4, 8, 16, 32 and then each 60 seconds.
    assert_eq!(asked.load(Ordering::SeqCst), 15);
    pass(60).await;
    assert!(tokens.get(&value, async || granted("there-again", HOUR)).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_call_that_ends_while_it_waits_counts_as_a_failure() {
    let (tokens, value) = (Tokens::default(), value("client-secret"));
    let hangs = tokens.get(&value, async || std::future::pending().await);
    assert!(timeout(Duration::from_millis(100), hangs).await.is_err());
    assert!(matches!(tokens.get(&value, async || granted("token-token", HOUR)).await, Err(ExchangeError::Waiting)));
    pass(1).await;
    assert!(tokens.get(&value, async || granted("token-token", HOUR)).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn one_asks_at_a_time_and_the_others_take_what_it_gets() {
    let (tokens, value, asked) = (Arc::new(Tokens::default()), value("client-secret"), Arc::new(AtomicU32::new(0)));
    let calls: Vec<_> = (0..20)
        .map(|_| {
            let (tokens, value, asked) = (Arc::clone(&tokens), Arc::clone(&value), Arc::clone(&asked));
            tokio::spawn(async move {
                let exchange = async || {
                    asked.fetch_add(1, Ordering::SeqCst);
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    granted("one-for-all", HOUR)
                };
                tokens.get(&value, exchange).await.map(|token| token.text().to_owned()).ok()
            })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap().as_deref(), Some("one-for-all"));
    }
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_a_new_token_while_the_old_one_is_good() {
    let (tokens, value) = (Arc::new(Tokens::default()), value("client-secret"));
    tokens.get(&value, async || granted("still-good", HOUR)).await.unwrap();
    pass(HOUR * 9 / 10).await;
    let (asking, with) = (Arc::clone(&tokens), Arc::clone(&value));
    let hangs = tokio::spawn(async move { asking.get(&with, async || std::future::pending().await).await.is_ok() });
    tokio::task::yield_now().await;
    let at_once = timeout(Duration::ZERO, tokens.get(&value, async || granted("never-asked", HOUR))).await;
    assert_eq!(at_once.unwrap().unwrap().text(), "still-good");
    assert!(hangs.await.unwrap(), "an endpoint that hangs is given up");
}
