//! When a client has to be told that its list of tools has changed: only if what its own principal may see did.
//!
//! One bell rings for everybody; whoever waits compares what they may see now with what they could see before. Nothing is queued
//! for a client that is slow, and a reload waits for none: a bell that rings twice while a client is busy has rung once.

use std::{
    future::pending,
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use tokio::sync::watch;
use wardkeep_model::Digest;

use crate::{Host, Relay, entrance::Backend, identity::Credential};

/// A change so short before somebody began to listen may have come after what they listed last; they are told once too often.
const JUST_NOW: Duration = Duration::from_secs(1);
/// Between two looks at the clock.
const CLOCK: Duration = Duration::from_secs(30);

/// One caller's list at this process's own host.
pub(crate) struct HostLists {
    host: Arc<Host>,
    credential: Credential,
    bell: watch::Receiver<Option<Instant>>,
    /// What the caller may see; nothing if it is nobody any more.
    seen: Option<Digest>,
    doubtful: bool,
}

impl HostLists {
    pub(crate) fn new(host: &Arc<Host>, credential: Credential) -> Self {
        let mut bell = host.bell();
        let rung = *bell.borrow_and_update();
        let doubtful = rung.is_some_and(|rung| rung.elapsed() < JUST_NOW);
        Self { seen: host.seen_by(&credential), host: Arc::clone(host), credential, bell, doubtful }
    }

    /// Waits until the list has changed. False at the end: the host stops, or the caller's key is taken away. May be dropped.
    pub(crate) async fn changed(&mut self) -> bool {
        if std::mem::take(&mut self.doubtful) {
            return true;
        }
        loop {
            tokio::select! {
                rung = self.bell.changed() => if rung.is_err() { return false },
                () = self.host.stopping() => return false,
                // a key's end rings the bell
                () = over(self.credential.expires()) => return false,
            }
            let now = self.host.seen_by(&self.credential);
            if now.is_none() && self.credential.is_of_http() {
                return false;
            }
            if now != self.seen {
                self.seen = now;
                return true;
            }
        }
    }
}

/// Waits until a credential stands for nobody any more.
pub(crate) async fn ended(host: Arc<Host>, credential: Credential) {
    // heard from before the first look, so that no change is missed
    let mut bell = host.bell();
    while host.stands_for_somebody(&credential) {
        tokio::select! {
            rung = bell.changed() => if rung.is_err() { return },
            () = over(credential.expires()) => return,
        }
    }
}

/// The moment from which on a token is none.
async fn over(expires: Option<Timestamp>) {
    let Some(expires) = expires else { return pending().await };
    while let Ok(left) = Duration::try_from(expires.duration_since(Timestamp::now())) {
        if left.is_zero() {
            break;
        }
        // the clock on the wall may be set, and a machine may sleep
        tokio::time::sleep(left.min(CLOCK)).await;
    }
}

/// One caller's list, wherever the entrance leads.
pub(crate) struct Lists {
    backends: watch::Receiver<Backend>,
    credential: Credential,
    from: From,
}

enum From {
    Nowhere,
    Host(HostLists),
    Relay(Relay, watch::Receiver<u64>),
}

impl Lists {
    pub(crate) fn new(backends: watch::Receiver<Backend>, credential: Credential) -> Self {
        let mut lists = Self { backends, credential, from: From::Nowhere };
        lists.follow();
        lists
    }

    /// Waits until the list has changed, or another process has taken over, which may serve another one. False at the end.
    pub(crate) async fn changed(&mut self) -> bool {
        loop {
            tokio::select! {
                switched = self.backends.changed() => match switched {
                    Ok(()) => if self.follow() { return true },
                    // an entrance that nobody will switch any more
                    Err(_) => return self.from.changed().await,
                },
                changed = self.from.changed() => return changed,
            }
        }
    }

    /// Goes to where the entrance leads now. Whether the lists of before were another's.
    fn follow(&mut self) -> bool {
        let backend = self.backends.borrow_and_update().clone();
        let next = match (backend, &self.from) {
            (Backend::Absent, _) => return false,
            (Backend::Local(host), From::Host(lists)) if Arc::ptr_eq(&host, &lists.host) => return false,
            (Backend::Local(host), _) => From::Host(HostLists::new(&host, self.credential.clone())),
            (Backend::Relay(relay), _) => {
                let bell = relay.bell();
                From::Relay(relay, bell)
            }
        };
        !matches!(std::mem::replace(&mut self.from, next), From::Nowhere)
    }
}

impl From {
    async fn changed(&mut self) -> bool {
        match self {
            Self::Nowhere => pending().await,
            Self::Host(lists) => lists.changed().await,
            // the relay is kept so that its bell is; once it is closed, only a switch can tell
            Self::Relay(_relay, bell) => match bell.changed().await {
                Ok(()) => true,
                Err(_) => pending().await,
            },
        }
    }
}
