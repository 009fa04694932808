//! Short-lived tokens of one secret: kept while they are good, and fetched again before they are not. Knows no protocol and no network.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::time::{Instant, timeout};

use super::{exchange::ExchangeError, value::Value};

/// How long one exchange may take, so that an endpoint that hangs holds nobody longer.
const EXCHANGE: Duration = Duration::from_secs(10);
/// What is waited after a first failure; after each further one twice as long. A broken endpoint is not hammered, whatever calls come in.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// What is waited at most.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// A token is not used in the last seconds of its life: it has to arrive too.
const MARGIN: Duration = Duration::from_secs(10);
/// No token is kept longer, whatever its endpoint says.
const LONGEST_LIFE: Duration = Duration::from_secs(86_400);

/// What an exchange gives.
pub(crate) struct Granted {
    pub(crate) token: SecretString,
    /// How long it is good from now.
    pub(crate) life: Duration,
}

/// A token that the host may use.
pub(crate) struct Token {
    text: SecretString,
    /// The value that it was had for.
    value: Arc<Value>,
    /// A new one is fetched from here on: at 80 % of its life.
    fresh: Instant,
    good: Instant,
    /// The same by the clock on the wall: the other one stands still while a machine sleeps.
    good_by_date: Option<Timestamp>,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token")
    }
}

impl Token {
    pub(crate) fn text(&self) -> &str {
        self.text.expose_secret()
    }

    fn new(Granted { token, life }: Granted, value: &Arc<Value>) -> Self {
        let (now, life) = (Instant::now(), life.min(LONGEST_LIFE));
        let good = life.saturating_sub(MARGIN.min(life / 10));
        Self {
            text: token,
            value: Arc::clone(value),
            fresh: now + life * 4 / 5,
            good: now + good,
            good_by_date: Timestamp::now().checked_add(good).ok(),
        }
    }

    fn is_good(&self) -> bool {
        Instant::now() < self.good && self.good_by_date.is_none_or(|until| Timestamp::now() < until)
    }

    fn is_fresh(&self, value: &Arc<Value>) -> bool {
        self.is_good() && Instant::now() < self.fresh && Arc::ptr_eq(&self.value, value)
    }
}

/// The tokens of one secret of one plugin.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    state: Mutex<State>,
    /// Held by whoever asks the endpoint: one at a time.
    asking: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    last: Option<Arc<Token>>,
    failures: u32,
    not_before: Option<Instant>,
    /// The value that failed: another one is tried at once.
    failed: Option<Arc<Value>>,
}

impl Tokens {
    /// A token for this value: the one that is there, or what `exchange` gives. While the endpoint fails, the last one serves as long as it is good.
    pub(crate) async fn get(
        &self,
        value: &Arc<Value>,
        exchange: impl AsyncFnOnce() -> Result<Granted, ExchangeError>,
    ) -> Result<Arc<Token>, ExchangeError> {
        let last = self.state().last.clone().filter(|token| token.is_good());
        if let Some(token) = last.as_ref().filter(|token| token.is_fresh(value)) {
            return Ok(Arc::clone(token));
        }
        let _asking = match (self.asking.try_lock(), last) {
            (Ok(asking), _) => asking,
            // Somebody fetches a new one already; nobody has to wait for it.
            (Err(_), Some(last)) => return Ok(last),
            (Err(_), None) => self.asking.lock().await,
        };
        let last = {
            let mut state = self.state();
            let last = state.last.clone().filter(|token| token.is_good());
            if let Some(token) = last.as_ref().filter(|token| token.is_fresh(value)) {
                return Ok(Arc::clone(token));
            }
            let now = Instant::now();
            let failed_with_it = state.failed.as_ref().is_some_and(|failed| Arc::ptr_eq(failed, value));
            if failed_with_it && state.not_before.is_some_and(|then| now < then) {
                return last.ok_or(ExchangeError::Waiting);
            }
            // Counted before it is tried: a call that ends while it waits for the endpoint must not make the next one ask at once.
            let wait = FIRST_WAIT.saturating_mul(1 << state.failures.min(6)).min(LONGEST_WAIT);
            state.failures = state.failures.saturating_add(1);
            state.not_before = Some(now + wait);
            state.failed = Some(Arc::clone(value));
            last
        };
        match timeout(EXCHANGE, exchange()).await.unwrap_or(Err(ExchangeError::Timeout)) {
            Ok(granted) => {
                let token = Arc::new(Token::new(granted, value));
                *self.state() = State { last: Some(Arc::clone(&token)), ..State::default() };
                Ok(token)
            }
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    kept = last.is_some(),
                    "no token could be had"
                );
                last.ok_or(error)
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
