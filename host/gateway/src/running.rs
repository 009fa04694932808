//! The calls that are under way now, and the end of those that may not go on.
//!
//! A call is entered before it looks a last time whether it may go on, and a change is put in place before the calls are gone
//! through: whichever comes first, none slips between. The lock is held for one insertion or removal in a map, and by a change
//! for a walk over at most as many calls as may be under way at once.
//!
//! A call is under way from when its tool is known until it is answered: while it waits for a place, for the log or for a person as well
//! as while its guest runs. Three things can end it. A kill, and a key that is taken back, end it wherever it stands; what is served in a
//! plugin's place ends only what runs, since a call that waits is decided again.

use std::{
    collections::HashMap,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;
use wardkeep_audit::Closing;
use wardkeep_model::Outcome;
use wardkeep_policy::{PluginTerms, Tool, kill::Kills};
use wardkeep_sandbox::CallToken;

use crate::{Caller, identity::ApiKey};

#[derive(Default)]
pub(crate) struct Running(Mutex<Calls>);

#[derive(Default)]
struct Calls {
    next: u64,
    under_way: HashMap<u64, Call>,
}

struct Call {
    caller: Arc<Caller>,
    tool: Arc<Tool>,
    /// Ends what it waits for.
    killed: CancellationToken,
    /// Set before that.
    why: Arc<OnceLock<Killed>>,
    /// Its guest, once there is one.
    guest: Option<(Arc<PluginTerms>, CallToken)>,
}

impl Call {
    /// Whether it was not killed before.
    fn kill(&self, why: Killed) -> bool {
        let first = self.why.set(why).is_ok();
        self.killed.cancel();
        if let Some((_, token)) = &self.guest {
            token.kill();
        }
        first
    }

    fn is_among(&self, kills: &Kills, now: Timestamp) -> bool {
        kills.covers(&self.tool, &self.caller.principal, now).is_some()
    }
}

/// A call's place among those that are under way; left when dropped.
pub(crate) struct Entered<'r> {
    running: &'r Running,
    number: u64,
    killed: CancellationToken,
    why: Arc<OnceLock<Killed>>,
}

/// The call was ended while it waited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Killed {
    /// By a kill.
    #[error("the call was killed while it waited")]
    Stopped,
    /// Its caller's key was taken back.
    #[error("the key of the call was revoked while it waited")]
    Revoked,
}

impl Killed {
    /// As records spell it.
    #[must_use]
    pub const fn rule(self) -> &'static str {
        match self {
            Self::Stopped => "killed",
            Self::Revoked => "key-revoked",
        }
    }
}

impl Running {
    pub(crate) fn enter(&self, caller: &Arc<Caller>, tool: &Arc<Tool>) -> Entered<'_> {
        let (killed, why) = (CancellationToken::new(), Arc::default());
        let (caller, tool) = (Arc::clone(caller), Arc::clone(tool));
        let call = Call { caller, tool, killed: killed.clone(), why: Arc::clone(&why), guest: None };
        let mut calls = self.calls();
        let number = calls.next;
        calls.next += 1;
        calls.under_way.insert(number, call);
        Entered { running: self, number, killed, why }
    }

    /// Ends every call whose guest runs under terms that are among those. How many.
    pub(crate) fn end(&self, may_not_go_on: impl Fn(&Arc<PluginTerms>) -> bool) -> usize {
        let mut ended = 0;
        for call in self.calls().under_way.values() {
            if let Some((terms, token)) = &call.guest
                && may_not_go_on(terms)
            {
                token.kill();
                ended += 1;
            }
        }
        ended
    }

    /// Ends every call that these stop, wherever it stands. How many.
    pub(crate) fn stop(&self, kills: &Kills, now: Timestamp) -> usize {
        let calls = self.calls();
        calls.under_way.values().filter(|call| call.is_among(kills, now) && call.kill(Killed::Stopped)).count()
    }

    /// Ends every call that came with a key which is none of these, wherever it stands. How many.
    pub(crate) fn revoke(&self, keys: &[ApiKey]) -> usize {
        let calls = self.calls();
        calls.under_way.values().filter(|call| !call.caller.has_key(keys) && call.kill(Killed::Revoked)).count()
    }

    /// How many calls are still under way that these stop.
    pub(crate) fn stopping(&self, kills: &Kills, now: Timestamp) -> usize {
        self.calls().under_way.values().filter(|call| call.is_among(kills, now)).count()
    }

    fn calls(&self) -> MutexGuard<'_, Calls> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entered<'_> {
    /// What the future gives, unless the call is killed before. It is dropped then: give it only what may be dropped.
    pub(crate) async fn unless_killed<F: Future>(&self, waits: F) -> Result<F::Output, Killed> {
        let waits = pin!(waits);
        self.killed.run_until_cancelled(waits).await.ok_or_else(|| self.why())
    }

    /// Its guest is about to run: from here on the token ends it.
    pub(crate) fn runs(&self, terms: &Arc<PluginTerms>, token: &CallToken) {
        if let Some(call) = self.running.calls().under_way.get_mut(&self.number) {
            call.guest = Some((Arc::clone(terms), token.clone()));
        }
        // killed before the token stood there
        if self.killed.is_cancelled() {
            token.kill();
        }
    }

    pub(crate) fn kill(&self, why: Killed) {
        let _ = self.why.set(why);
        self.killed.cancel();
    }

    fn why(&self) -> Killed {
        self.why.get().copied().unwrap_or(Killed::Stopped)
    }

    /// Says in the record of a call that was ended while it ran, where it was not the kill of a tool, what ended it.
    pub(crate) fn tell(&self, closing: &mut Closing) {
        if closing.outcome == Outcome::Killed && self.why() == Killed::Revoked {
            closing.error_class = Some(Killed::Revoked.rule().to_owned());
        }
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.running.calls().under_way.remove(&self.number);
    }
}
