//! One plugin's connections that wait for their next request.
//!
//! A connection serves only targets that are equal in everything that was decided: a peer that was judged under other private networks is
//! another peer.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use http::{Request, Response};
use http_body_util::Full;
use hyper::{
    body::{Bytes, Incoming},
    client::conn::{TrySendError, http2},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, sleep_until, timeout},
};

use super::{Target, TransportError, dial::CONNECT, driven::Driven};

/// Connections of one plugin at a time.
const OPEN: usize = 64;
/// Connections to one target that wait.
const WAITING: usize = 8;
/// How long a connection waits.
const IDLE: Duration = Duration::from_secs(60);
/// Requests that share a connection. What one call does not read holds up no more than its part of the window.
const SHARED: usize = 16;
/// A connection whose last answer was read to its end is ready at once, or is not worth waiting for.
const READY: Duration = Duration::from_millis(500);

/// What sends on one connection.
pub(super) enum Sender {
    One(Driven),
    Many(http2::SendRequest<Full<Bytes>>, Arc<()>),
}

impl Sender {
    pub(super) const fn is_shared(&self) -> bool {
        matches!(self, Self::Many(..))
    }

    pub(super) async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, TrySendError<Request<Full<Bytes>>>> {
        match self {
            Self::One(driven) => driven.send(request).await,
            Self::Many(sender, _) => sender.try_send_request(request).await,
        }
    }

    /// Lets the connection get on with what it has to read and write, if nobody else does.
    pub(super) fn drive(&mut self, context: &mut Context<'_>) {
        if let Self::One(driven) = self {
            let _over: Poll<()> = driven.drive(context);
        }
    }

    fn is_closed(&self) -> bool {
        match self {
            Self::One(driven) => driven.is_closed(),
            Self::Many(sender, _) => sender.is_closed(),
        }
    }

    fn another(&self) -> Option<Self> {
        match self {
            Self::One(_) => None,
            Self::Many(sender, uses) => Some(Self::Many(sender.clone(), Arc::clone(uses))),
        }
    }

    /// Requests that are on the way, by connections that many share. The pool's own is not counted.
    fn uses(&self) -> usize {
        match self {
            Self::One(_) => 0,
            Self::Many(_, uses) => Arc::strong_count(uses).saturating_sub(1),
        }
    }
}

struct Waiting {
    sender: Sender,
    since: Instant,
}

/// The connections of one plugin.
pub(super) struct Pool {
    waiting: Mutex<HashMap<Target, Vec<Waiting>>>,
    open: Arc<Semaphore>,
    sweeping: AtomicBool,
}

impl Pool {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            waiting: Mutex::default(),
            open: Arc::new(Semaphore::new(OPEN)),
            sweeping: AtomicBool::new(false),
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Target, Vec<Waiting>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One that waits and is ready, if there is one.
    pub(super) async fn take(&self, target: &Target) -> Option<Sender> {
        while let Some(sender) = self.next(target) {
            match sender {
                // nobody looked at it while it waited: whether the peer has closed it shows now
                Sender::One(mut one) => {
                    if matches!(timeout(READY, one.ready()).await, Ok(true)) {
                        return Some(Sender::One(one));
                    }
                }
                many @ Sender::Many(..) => return Some(many),
            }
        }
        None
    }

    /// The newest: the longest unused is the likeliest to be closed meanwhile.
    fn next(&self, target: &Target) -> Option<Sender> {
        let mut waiting = self.lock();
        let place = waiting.get_mut(target)?;
        place.retain(|one| !one.sender.is_closed());
        if let Some(shared) = place.iter_mut().rev().find(|one| one.sender.is_shared() && one.sender.uses() < SHARED) {
            shared.since = Instant::now();
            return shared.sender.another();
        }
        let at = place.iter().rposition(|one| !one.sender.is_shared())?;
        Some(place.remove(at).sender)
    }

    /// A place for one more connection. What waits makes room for what is wanted.
    pub(super) async fn place(&self) -> Result<OwnedSemaphorePermit, TransportError> {
        if let Ok(permit) = Arc::clone(&self.open).try_acquire_owned() {
            return Ok(permit);
        }
        self.close_oldest();
        match timeout(CONNECT, Arc::clone(&self.open).acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(TransportError::Timeout("waiting for one of the plugin's 64 connections")),
        }
    }

    fn close_oldest(&self) {
        let mut waiting = self.lock();
        let unused = |one: &Waiting| one.sender.uses() == 0;
        let since = |place: &Vec<Waiting>| place.iter().filter(|one| unused(one)).map(|one| one.since).min();
        let Some(oldest) = waiting.values().filter_map(since).min() else { return };
        for place in waiting.values_mut() {
            if let Some(at) = place.iter().position(|one| unused(one) && one.since == oldest) {
                place.remove(at);
                return;
            }
        }
    }

    /// Lets a connection wait for its next request.
    pub(super) fn give_back(self: &Arc<Self>, target: &Target, sender: Sender) {
        if sender.is_closed() {
            return;
        }
        let mut waiting = self.lock();
        let place = waiting.entry(target.clone()).or_default();
        place.push(Waiting { sender, since: Instant::now() });
        if place.len() > WAITING {
            // the longest unused of those that nobody uses
            if let Some(at) = place.iter().position(|one| one.sender.uses() == 0) {
                place.remove(at);
            }
        }
        drop(waiting);
        self.sweep();
    }

    /// A connection that many share is known from its first request on.
    pub(super) fn share(self: &Arc<Self>, target: &Target, sender: &Sender) {
        if let Some(sender) = sender.another() {
            self.give_back(target, sender);
        }
    }

    /// Takes a shared connection out that did not take a request.
    pub(super) fn forget(&self, target: &Target, failed: &Sender) {
        let Sender::Many(_, failed) = failed else { return };
        if let Some(place) = self.lock().get_mut(target) {
            place.retain(|one| !matches!(&one.sender, Sender::Many(_, uses) if Arc::ptr_eq(uses, failed)));
        }
    }

    /// One task as long as anything waits; it closes what has waited too long.
    fn sweep(self: &Arc<Self>) {
        if self.sweeping.swap(true, Ordering::AcqRel) {
            return;
        }
        let pool = Arc::downgrade(self);
        tokio::spawn(async move {
            let mut next = Instant::now() + IDLE;
            loop {
                sleep_until(next).await;
                let Some(pool) = pool.upgrade() else { return };
                let mut waiting = pool.lock();
                let now = Instant::now();
                for place in waiting.values_mut() {
                    place.retain(|one| !one.sender.is_closed() && (one.sender.uses() > 0 || now < one.since + IDLE));
                }
                waiting.retain(|_, place| !place.is_empty());
                let Some(oldest) = waiting.values().flatten().map(|one| one.since).min() else {
                    // under the lock, so that what is given back now finds nobody sweeping
                    pool.sweeping.store(false, Ordering::Release);
                    return;
                };
                next = (oldest + IDLE).max(now + Duration::from_secs(1));
            }
        });
    }
}

#[cfg(test)]
impl Pool {
    pub(super) fn waiting(&self) -> usize {
        self.lock().values().flatten().filter(|one| !one.sender.is_closed()).count()
    }

    pub(super) fn open(&self) -> usize {
        OPEN - self.open.available_permits()
    }
}
