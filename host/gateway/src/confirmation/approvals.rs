//! The operator's queue: calls that wait for a yes from outside of the client, kept so that neither a restart nor `kill -9` lets one run twice
//! or without one.
//!
//! Each change is in the journal first, then on disk, and only then true; what cannot be written down has not happened. An approval is used
//! up on disk before its call is recorded, so that a crash in between costs the call and never runs it twice.

use std::{io, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use futures_util::future::try_join_all;
use jiff::Timestamp;
use tokio::sync::{Mutex, MutexGuard};
use wardkeep_audit::{Confirmed, Event, Journal, NotRecorded};
use wardkeep_model::{CorrelationId, tidy};
use wardkeep_policy::{Tool, kill::Kills};

use super::{
    Approval, ApprovalId, ApprovalLimits, Decided, Decision, Matter, Shown, Unapproved, Undecided, book::Book,
};

/// How often it is looked for what has expired.
const ROUND: Duration = Duration::from_secs(10);
/// Bytes of an operator's name and of their reason.
const BY: usize = 128;
const REASON: usize = 256;

/// Where approvals outlast the process. Made by whoever owns the home.
pub trait Keep: Send + Sync {
    /// Replaces what was kept. On the device when it returns.
    ///
    /// # Errors
    ///
    /// What was kept before is still kept.
    fn keep(&self, approvals: &[Approval]) -> io::Result<()>;
}

/// An approval that could not be written down.
#[derive(Debug, thiserror::Error)]
pub enum NotKept {
    /// In the journal.
    #[error(transparent)]
    Journal(#[from] NotRecorded),
    /// In the home's `state/`.
    #[error("the approvals cannot be written: {0}")]
    State(#[from] io::Error),
    /// No name could be made for it.
    #[error("the operating system gives no random bytes: {0}")]
    Random(#[from] getrandom::Error),
}

/// Why a call is not approved, or not now.
#[derive(Debug, thiserror::Error)]
pub enum NotApproved {
    /// As the caller is told.
    #[error(transparent)]
    Unapproved(#[from] Unapproved),
    /// The host's own failure.
    #[error(transparent)]
    NotKept(#[from] NotKept),
}

/// Why a decision was not taken.
#[derive(Debug, thiserror::Error)]
pub enum NotDecided {
    /// It does not count.
    #[error(transparent)]
    Undecided(#[from] Undecided),
    /// The host's own failure.
    #[error(transparent)]
    NotKept(#[from] NotKept),
}

/// The queue of one home.
pub struct Approvals {
    // held while a change is written down: what is looked at is always what is kept
    book: Mutex<Book>,
    /// What is stopped, and was: apart, since it is put in place at once, also while a change is written down.
    kills: ArcSwap<Kills>,
    keep: Box<dyn Keep>,
    journal: Journal,
}

impl Approvals {
    /// The queue as it was kept.
    #[must_use]
    pub fn new(known: Vec<Approval>, keep: Box<dyn Keep>, journal: Journal) -> Self {
        Self { book: Mutex::new(Book::new(known)), kills: ArcSwap::default(), keep, journal }
    }

    /// Every approval that is remembered, oldest first.
    pub async fn list(&self) -> Vec<Approval> {
        self.swept().await.approvals().to_vec()
    }

    /// One of them.
    pub async fn get(&self, id: &ApprovalId) -> Option<Approval> {
        self.swept().await.get(id).cloned()
    }

    /// Whether a call of this caller to this tool waits under this name, or may run by it.
    pub(crate) async fn is_open(&self, id: &str, principal: &str, tool: &Tool) -> bool {
        let (book, now) = (self.book().await, Timestamp::now());
        let open = |approval: &Approval| book.is_open(approval, now) && approval.matter.is_of(principal, tool);
        book.approvals().iter().any(|approval| approval.id.as_str() == id && open(approval))
    }

    /// The approved one that this call may use; else it is asked for, or the caller is told what became of it.
    pub(crate) async fn ask(
        &self,
        matter: &Matter,
        shown: impl FnOnce() -> Shown,
        id: Option<&str>,
        call: &CorrelationId,
        limits: &ApprovalLimits,
    ) -> Result<ApprovalId, NotApproved> {
        let mut book = self.swept().await;
        let now = Timestamp::now();
        if let Some(approved) = book.find(matter, id, now)? {
            return Ok(approved.id.clone());
        }
        let mut bytes = [0; 8];
        getrandom::fill(&mut bytes).map_err(NotKept::from)?;
        let mut next = book.clone();
        let asked = next.ask(ApprovalId::from_bytes(bytes), matter.clone(), shown(), call, limits, now)?;
        let (id, until) = (asked.id.clone(), asked.until);
        let event = Event::ApprovalAsked {
            approval: id.to_string(),
            correlation: call.clone(),
            tool: matter.tool.to_string(),
            user: matter.principal.clone(),
            manifest: matter.manifest,
        };
        self.write(&mut book, next, Some(event)).await?;
        Err(Unapproved::Waits { id, until }.into())
    }

    /// Uses an approval up. On disk when it returns.
    pub(crate) async fn take(
        &self,
        id: &ApprovalId,
        matter: &Matter,
        call: &CorrelationId,
    ) -> Result<Confirmed, NotApproved> {
        let mut book = self.book().await;
        let mut next = book.clone();
        let confirmed = next.take(id, matter, call, Timestamp::now())?;
        // what becomes of it stands in the call's own records
        self.write(&mut book, next, None).await?;
        Ok(confirmed)
    }

    /// An operator's decision. Recorded and on disk when it returns.
    ///
    /// # Errors
    ///
    /// There is no such approval, or it is settled, or the decision cannot be written down.
    pub async fn decide(
        &self,
        id: &ApprovalId,
        decision: Decision,
        by: &str,
        reason: &str,
        limits: &ApprovalLimits,
    ) -> Result<Approval, NotDecided> {
        let mut book = self.swept().await;
        let mut next = book.clone();
        let (mut by, mut reason) = (by.to_owned(), reason.to_owned());
        tidy(&mut by, BY);
        tidy(&mut reason, REASON);
        let decided = Decided { by, reason, at: Timestamp::now() };
        let approval = next.decide(id, decision, decided.clone(), limits)?.clone();
        self.write(&mut book, next, Some(decided_event(&approval, decision, decided))).await?;
        Ok(approval)
    }

    /// What is stopped from now on, and what was. At once nothing counts that was asked for before.
    pub fn stop(&self, kills: Arc<Kills>) {
        self.kills.store(kills);
    }

    /// Puts on record and on disk what counts no more: tidiness, and nothing that anything depends on.
    pub(crate) async fn settle(&self) {
        drop(self.swept().await);
    }

    /// Records what expires or is stopped, when it does, for as long as it is polled.
    pub async fn watch(&self) {
        loop {
            drop(self.swept().await);
            tokio::time::sleep(ROUND).await;
        }
    }

    /// The book, which knows what is stopped.
    async fn book(&self) -> MutexGuard<'_, Book> {
        let mut book = self.book.lock().await;
        book.stop(self.kills.load_full());
        book
    }

    /// The book, with what has expired or was stopped settled. A device that fails changes nothing: what is late or stopped is so all the same.
    async fn swept(&self) -> MutexGuard<'_, Book> {
        let mut book = self.book().await;
        let mut next = book.clone();
        let before = next.approvals().len();
        let settled = next.sweep(Timestamp::now());
        if settled.is_empty() && next.approvals().len() == before {
            return book;
        }
        // together: the journal syncs once for all of them
        let events = settled.into_iter().map(|(approval, stopped)| {
            let Approval { id, matter: Matter { tool, principal: user, .. }, .. } = approval;
            let (approval, tool) = (id.to_string(), tool.to_string());
            self.journal.event(match stopped {
                None => Event::ApprovalExpired { approval, tool, user },
                Some(target) => Event::ApprovalWithdrawn { approval, tool, user, target: target.to_string() },
            })
        });
        if let Err(error) = try_join_all(events).await {
            tracing::error!(%error, "an approval's end could not be recorded");
            return book;
        }
        if let Err(error) = self.write(&mut book, next, None).await {
            tracing::error!(%error, "an approval's end could not be kept");
        }
        book
    }

    async fn write(&self, book: &mut Book, next: Book, event: Option<Event>) -> Result<(), NotKept> {
        if let Some(event) = event {
            self.journal.event(event).await?;
        }
        self.keep.keep(next.approvals())?;
        *book = next;
        Ok(())
    }
}

fn decided_event(approval: &Approval, decision: Decision, Decided { by, reason, .. }: Decided) -> Event {
    let (id, tool) = (approval.id.to_string(), approval.matter.tool.to_string());
    let user = approval.matter.principal.clone();
    match decision {
        Decision::Approve => Event::Approved { approval: id, tool, user, by, reason },
        Decision::Deny => Event::ApprovalDenied { approval: id, tool, user, by, reason },
    }
}

#[cfg(test)]
mod tests;
