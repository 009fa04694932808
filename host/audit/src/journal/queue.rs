//! Between callers and writer: what is handed over, and what both see.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicU64},
    time::Duration,
};

use jiff::Timestamp;
use tokio::sync::{Notify, SetOnce, oneshot};

use super::{Failure, NotRecorded, coalesce::Coalescer};
use crate::{Event, Intent, Refusal, record::TidyClosing};

/// What is to be written.
#[derive(Debug)]
pub(super) enum Entry {
    Intent(Arc<Intent>),
    Outcome(Arc<Intent>, Box<TidyClosing>),
    /// The proof of this intent was dropped without an outcome. Left out if the call is not open.
    Abandoned(Arc<Intent>, Box<TidyClosing>),
    Refusal(Box<Refusal>),
    Event(Box<Event>),
}

#[derive(Debug)]
pub(super) struct Request {
    pub(super) entry: Entry,
    pub(super) time: Timestamp,
    /// Does it count as recorded only once it is on the device.
    pub(super) durable: bool,
    pub(super) answer: Option<oneshot::Sender<Result<(), NotRecorded>>>,
}

#[derive(Debug)]
pub(super) enum Message {
    Record(Request),
    /// What is counted only so far is to be written.
    Counts(oneshot::Sender<Result<(), NotRecorded>>),
    Shutdown(oneshot::Sender<()>),
}

/// What the writer and its callers both see.
#[derive(Debug)]
pub(super) struct Shared {
    failure: SetOnce<Failure>,
    /// Steps that the device has finished: a caller that waited in vain sees by it whether the writer is busy or stuck.
    pub(super) steps: AtomicU64,
    /// Rings before the first write since a sync: from then on a sync is due, and a device may be stuck.
    pub(super) writing: Notify,
    refusals: Mutex<Coalescer>,
}

impl Shared {
    pub(super) fn new(window: Duration) -> Self {
        Self {
            failure: SetOnce::new(),
            steps: AtomicU64::new(0),
            writing: Notify::new(),
            refusals: Mutex::new(Coalescer::new(window)),
        }
    }

    pub(super) fn failure(&self) -> Option<Failure> {
        self.failure.get().copied()
    }

    pub(super) async fn failed(&self) -> Failure {
        *self.failure.wait().await
    }

    /// The first failure stays; a later one is a consequence.
    pub(super) fn fail(&self, failure: Failure) -> Failure {
        if self.failure.set(failure).is_ok() {
            tracing::error!(%failure, "the audit journal failed: calls are refused until it is opened again");
        }
        self.failure().unwrap_or(failure)
    }

    /// Held for counting only, never over I/O.
    pub(super) fn refusals(&self) -> MutexGuard<'_, Coalescer> {
        self.refusals.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
