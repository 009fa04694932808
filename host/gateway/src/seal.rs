//! What a client of revision 2026-07-28 carries between a question and its answer (`requestState`): encrypted and authenticated, so that
//! it can neither be read nor changed; good for five minutes and for one answer.
//!
//! What plugins ask and what the host asks are sealed apart, each with a key and for a purpose of its own: the answer to a plugin's
//! question can never be taken for a confirmation, whatever the plugin has asked.
//!
//! The key is this process's own and never leaves it. A restart, or another process that takes the home over, ends what was asked
//! before: what was answered already is remembered in memory only, and a key that outlived it would let an answer count twice.

mod answered;

use std::sync::{Mutex, MutexGuard, PoisonError};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use chacha20poly1305::{
    Key, KeyInit as _, XChaCha20Poly1305, XNonce,
    aead::{Aead as _, Payload},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use self::answered::Answered;
pub(crate) use self::answered::Unspent;
use crate::Throttled;

/// Seconds from a question to its answer.
pub(crate) const EXPIRY: i64 = 5 * 60;
const NONCE: usize = 24;
/// Bytes of a state; the longest that is sealed has some 130 KiB.
const LONGEST: usize = 256 << 10;

/// Names one round of questions.
pub(crate) type Nonce = [u8; 16];

/// Why a state is no good. The caller is told one sentence for all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StateFault {
    /// No seal of this process.
    #[error("it was not sealed by this process, or was altered")]
    Altered,
    /// Too late.
    #[error("it is older than five minutes")]
    Expired,
    /// Another caller, tool, contract or other arguments.
    #[error("it was given out in another call")]
    OtherCall,
    /// What was asked before a kill is answered by nobody after it.
    #[error("such calls were stopped since it was given out")]
    Stopped,
    /// Once more.
    #[error("it was answered already")]
    Used,
}

impl StateFault {
    /// As records spell it.
    #[must_use]
    pub const fn rule(self) -> &'static str {
        match self {
            Self::Altered => "state-altered",
            Self::Expired => "state-expired",
            Self::OtherCall => "state-of-another-call",
            Self::Stopped => "state-stopped",
            Self::Used => "state-used",
        }
    }
}

/// What a seal is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A plugin's questions.
    Questions,
    /// The host's own question whether a call may run.
    Confirmation,
}

impl Purpose {
    const fn bound(self) -> &'static [u8] {
        match self {
            Self::Questions => b"wardkeep request state 1",
            Self::Confirmation => b"wardkeep confirmation 1",
        }
    }

    /// How the text begins. It only leads to the right key; a text that begins otherwise than it was sealed opens with none.
    const fn mark(self) -> &'static str {
        match self {
            Self::Questions => "",
            // no character of the encoding
            Self::Confirmation => "confirm.",
        }
    }

    /// What this text says that it is.
    pub(crate) fn of(state: &str) -> Self {
        if state.starts_with(Self::Confirmation.mark()) { Self::Confirmation } else { Self::Questions }
    }
}

/// Seals what is asked, and remembers what was answered.
pub(crate) struct Seals {
    purpose: Purpose,
    /// None where the operating system gave no random key: then nothing can be sealed.
    cipher: Option<XChaCha20Poly1305>,
    answered: Mutex<Answered>,
}

#[derive(Serialize, Deserialize)]
struct Sealed<T> {
    expires: i64,
    asked: T,
}

impl Seals {
    pub(crate) fn new(purpose: Purpose) -> Self {
        let mut key = [0; 32];
        let cipher = match getrandom::fill(&mut key) {
            Ok(()) => Some(XChaCha20Poly1305::new(&Key::from(key))),
            Err(error) => {
                tracing::error!(%error, "the operating system gives no random bytes; nobody can be asked questions");
                None
            }
        };
        Self { purpose, cipher, answered: Mutex::default() }
    }

    /// A fresh name for a round of questions.
    pub(crate) fn nonce() -> Option<Nonce> {
        let mut nonce = Nonce::default();
        getrandom::fill(&mut nonce).ok().map(|()| nonce)
    }

    /// The text that the client carries.
    pub(crate) fn seal<T: Serialize>(&self, asked: &T, now: Timestamp) -> Option<String> {
        let sealed = Sealed { expires: now.as_second().saturating_add(EXPIRY), asked };
        let text = serde_json::to_vec(&sealed).ok()?;
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce).ok()?;
        let payload = Payload { msg: &text, aad: self.purpose.bound() };
        let mut bytes = nonce.to_vec();
        bytes.extend(self.cipher.as_ref()?.encrypt(&XNonce::from(nonce), payload).ok()?);
        Some(format!("{}{}", self.purpose.mark(), BASE64.encode(bytes)))
    }

    /// What was sealed, if it is whole and not too old.
    pub(crate) fn open<T: DeserializeOwned>(&self, state: &str, now: Timestamp) -> Result<T, StateFault> {
        let altered = StateFault::Altered;
        if state.len() > LONGEST {
            return Err(altered);
        }
        let state = state.strip_prefix(self.purpose.mark()).ok_or(altered)?;
        let bytes = BASE64.decode(state).map_err(|_| altered)?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE>().ok_or(altered)?;
        let payload = Payload { msg: sealed, aad: self.purpose.bound() };
        let text = self.cipher.as_ref().ok_or(altered)?.decrypt(&XNonce::from(*nonce), payload).map_err(|_| altered)?;
        let Sealed { expires, asked } = serde_json::from_slice(&text).map_err(|_| altered)?;
        if now.as_second() >= expires { Err(StateFault::Expired) } else { Ok(asked) }
    }

    /// Uses a round of this caller's questions up.
    pub(crate) fn spend(&self, by: &str, nonce: &Nonce, now: Timestamp) -> Result<(), Unspent> {
        self.answered().spend(by, nonce, now.as_second())
    }

    /// Whether an answer of this caller could be remembered: else it is asked nothing.
    pub(crate) fn may_ask(&self, caller: &str, now: Timestamp) -> Result<(), Throttled> {
        self.answered().room(caller, now.as_second())
    }

    fn answered(&self) -> MutexGuard<'_, Answered> {
        self.answered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nonce(number: u64) -> Nonce {
        let mut nonce = Nonce::default();
        nonce[..8].copy_from_slice(&number.to_le_bytes());
        nonce
    }

    #[test]
    fn what_is_sealed_for_one_purpose_opens_for_no_other() {
        let at = Timestamp::from_second(0).unwrap();
        let [questions, confirmation] = [Purpose::Questions, Purpose::Confirmation].map(Seals::new);
        // even under one key
        let same =
            Seals { purpose: Purpose::Confirmation, cipher: questions.cipher.clone(), answered: Mutex::default() };
        let state = questions.seal(&7, at).unwrap();
        assert_eq!(Purpose::of(&state), Purpose::Questions);
        for state in [state.clone(), format!("confirm.{state}")] {
            for other in [&confirmation, &same] {
                assert_eq!(other.open::<i32>(&state, at), Err(StateFault::Altered), "{state}");
            }
        }
        let state = same.seal(&7, at).unwrap();
        assert_eq!((Purpose::of(&state), same.open(&state, at)), (Purpose::Confirmation, Ok(7)));
        for state in [state.as_str(), state.strip_prefix("confirm.").unwrap()] {
            assert_eq!(questions.open::<i32>(state, at), Err(StateFault::Altered), "{state}");
        }
        let late = Timestamp::from_second(EXPIRY).unwrap();
        assert_eq!(same.open::<i32>(&state, late), Err(StateFault::Expired));
    }

    #[test]
    fn of_a_hundred_thousand_who_race_for_one_answer_one_wins() {
        const THREADS: usize = 8;
        const EACH: usize = 100_000 / THREADS;
        let seals = Seals::new(Purpose::Confirmation);
        let now = Timestamp::from_second(0).unwrap();
        for round in 0..10 {
            let gate = std::sync::Barrier::new(THREADS);
            let race = || {
                gate.wait();
                (0..EACH).filter(|_| seals.spend("user:me", &nonce(round), now).is_ok()).count()
            };
            let won: usize = std::thread::scope(|scope| {
                let racing: Vec<_> = (0..THREADS).map(|_| scope.spawn(race)).collect();
                racing.into_iter().map(|racer| racer.join().unwrap()).sum()
            });
            assert_eq!(won, 1, "round {round}");
        }
    }
}
