//! The one thing that ends a call from outside: its deadline, a client that cancelled, a kill.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::Notify;
use wardkeep_model::{LimitKind, Outcome};

/// Why a call has to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Its time is up.
    Deadline,
    /// The client cancelled it or went away.
    Cancelled,
    /// An operator ended it.
    Killed,
}

impl Stop {
    /// The outcome that it gives the call.
    #[must_use]
    pub const fn outcome(self) -> Outcome {
        match self {
            Self::Deadline => Outcome::Limit(LimitKind::Deadline),
            Self::Cancelled => Outcome::Cancelled,
            Self::Killed => Outcome::Killed,
        }
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Deadline => "its deadline passed",
            Self::Cancelled => "it was cancelled",
            Self::Killed => "it was killed",
        })
    }
}

/// One call's token. A clone is the same token. The sandbox looks at it while the guest runs, and every host function that
/// waits races it: wasmtime's epoch does not wake a guest that waits in the host.
#[derive(Debug, Clone)]
pub struct CallToken(Arc<Token>);

#[derive(Debug)]
struct Token {
    deadline: Instant,
    asked: AtomicU8,
    changed: Notify,
}

const CANCELLED: u8 = 1;
const KILLED: u8 = 2;

impl CallToken {
    /// A token whose call may take this long from now.
    #[must_use]
    pub fn new(allowed: Duration) -> Self {
        let now = Instant::now();
        // A duration beyond what the clock can hold is as good as a day; the ceiling of deadlines is far below.
        let deadline = now.checked_add(allowed).unwrap_or(now + Duration::from_secs(86_400));
        Self(Arc::new(Token { deadline, asked: AtomicU8::new(0), changed: Notify::new() }))
    }

    /// The client no longer wants the answer. The first reason to stop is the one that counts.
    pub fn cancel(&self) {
        self.ask(CANCELLED);
    }

    /// An operator ends the call.
    pub fn kill(&self) {
        self.ask(KILLED);
    }

    fn ask(&self, what: u8) {
        let _first = self.0.asked.compare_exchange(0, what, Ordering::AcqRel, Ordering::Acquire);
        self.0.changed.notify_waiters();
    }

    /// Why the call has to end, if it has to.
    #[must_use]
    pub fn state(&self) -> Option<Stop> {
        match self.0.asked.load(Ordering::Acquire) {
            CANCELLED => Some(Stop::Cancelled),
            KILLED => Some(Stop::Killed),
            _ => (Instant::now() >= self.0.deadline).then_some(Stop::Deadline),
        }
    }

    /// When the call's time is up.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.0.deadline
    }

    /// Waits until the call has to end.
    pub async fn stopped(&self) -> Stop {
        let changed = self.0.changed.notified();
        tokio::pin!(changed);
        // Enabled before the look, so that a cancel between look and wait is not missed.
        changed.as_mut().enable();
        if let Some(stop) = self.state() {
            return stop;
        }
        tokio::select! {
            () = &mut changed => {}
            () = tokio::time::sleep_until(self.0.deadline.into()) => {}
        }
        self.state().unwrap_or(Stop::Deadline)
    }

    /// What the future gives, unless the call has to end before. The future is dropped then: give it only what may be dropped.
    ///
    /// # Errors
    ///
    /// The reason to stop.
    pub async fn race<F: Future>(&self, future: F) -> Result<F::Output, Stop> {
        tokio::select! {
            biased;
            stop = self.stopped() => Err(stop),
            output = future => Ok(output),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_reason_to_stop_is_the_one_that_counts() {
        let token = CallToken::new(Duration::from_secs(5));
        assert_eq!(token.state(), None);
        token.cancel();
        token.kill();
        assert_eq!(token.stopped().await, Stop::Cancelled);
    }

    #[tokio::test]
    async fn a_waiting_race_is_ended_by_deadline_and_kill_alike() {
        let token = CallToken::new(Duration::from_millis(20));
        assert_eq!(token.race(std::future::pending::<()>()).await, Err(Stop::Deadline));

        let token = CallToken::new(Duration::from_secs(60));
        let killer = token.clone();
        let waiting = tokio::spawn(async move { token.race(std::future::pending::<()>()).await });
        tokio::time::sleep(Duration::from_millis(10)).await;
        killer.kill();
        assert_eq!(waiting.await.unwrap(), Err(Stop::Killed));
    }

    #[tokio::test]
    async fn what_is_ready_wins_over_a_token_that_runs_on() {
        let token = CallToken::new(Duration::from_secs(60));
        assert_eq!(token.race(async { 7 }).await, Ok(7));
    }
}
