//! The journal being written: what callers hold. It hands records to one writer thread and waits for its word, within a time limit.

mod coalesce;
mod open;
mod writer;

use std::{
    fmt, io,
    path::PathBuf,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};
use wardkeep_model::{CorrelationId, Cost, Digest, Effect, Outcome};

pub use self::open::OpenError;
use self::{
    coalesce::Admitted,
    writer::{Entry, Message, Request, Shared, Writer},
};
use crate::{
    Closing, Event, Intent, Refusal, Replay,
    sink::{Files, Sink},
};

/// When a record counts as committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sync {
    /// Writes, destructive tools and events are synced to the device; reads and refusals are written to the kernel and synced
    /// within [`Options::sync_within`]: `kill -9` loses nothing, power loss may cost that window of reads.
    #[default]
    Writes,
    /// Every record is synced to the device.
    Always,
}

/// Where and how to keep the journal.
#[derive(Debug, Clone)]
pub struct Options {
    /// The directory of the segments; made with mode 0700 if it is not there.
    pub directory: PathBuf,
    /// When a record counts as committed.
    pub sync: Sync,
    /// A segment is closed before it would grow beyond this many bytes.
    pub segment_bytes: u64,
    /// How long a caller waits for the writer before it is told no.
    pub commit_timeout: Duration,
    /// How long a record that was only written to the kernel may stay unsynced.
    pub sync_within: Duration,
    /// Refusals alike within this time are counted instead of written one by one.
    pub refusal_window: Duration,
}

impl Options {
    /// The defaults, in this directory.
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            sync: Sync::Writes,
            segment_bytes: 64 << 20,
            commit_timeout: Duration::from_secs(5),
            sync_within: Duration::from_millis(100),
            refusal_window: Duration::from_secs(10),
        }
    }
}

/// What opening found.
#[derive(Debug)]
pub struct Opened {
    /// The incomplete last line that was cut, if there was one. It is recorded.
    pub torn: Option<Torn>,
    /// Intents without outcome: the host died while they ran. Each is recorded, and so is not found again.
    pub unfinished: Vec<Unfinished>,
    /// The state that the journal mirrors.
    pub replay: Replay,
}

/// An incomplete last line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Torn {
    /// The segment's file name.
    pub segment: String,
    /// Which line, from 1.
    pub line: u64,
    /// How many bytes were there.
    pub bytes: u64,
    /// Digest of those bytes.
    pub digest: Digest,
}

/// An intent without outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfinished {
    /// The call.
    pub correlation: CorrelationId,
    /// The tool's published name.
    pub tool: String,
    /// Who called.
    pub user: String,
}

/// Which step of the writer failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Appending to the segment.
    Write,
    /// Syncing it to the device.
    Sync,
    /// Beginning the next one.
    Rotate,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Write => "write",
            Self::Sync => "sync",
            Self::Rotate => "begin the next segment",
        })
    }
}

/// Why the journal writes no more, until it is opened again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The device refused.
    #[error("the audit journal could not {operation}: {kind}")]
    Io {
        /// What was tried.
        operation: Operation,
        /// What the device said.
        kind: io::ErrorKind,
    },
    /// The device took longer than [`Options::commit_timeout`].
    #[error("the device of the audit journal does not answer")]
    Hung,
}

/// A record was not committed: the call must not go on, the answer must not leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotRecorded {
    /// The journal failed and refuses everything until it is opened again.
    #[error(transparent)]
    Failed(#[from] Failure),
    /// More was asked of the journal than it could write within the time limit; it works on.
    #[error("the audit journal is too busy")]
    Busy,
    /// The journal was shut down.
    #[error("the audit journal is closed")]
    Closed,
    /// A call of this correlation id is still running.
    #[error("a call of this correlation id is still running")]
    Duplicate,
    /// The call has no open intent, so that its outcome has nothing to stand on.
    #[error("no call of this correlation id is running")]
    NoIntent,
}

/// Proof that a call's intent is committed. Only the journal makes it; it is used up by the outcome. Dropped without one, it leaves
/// an outcome `host-error`, class `abandoned`, if the journal can still take it.
#[must_use = "a call without outcome is a finding"]
pub struct Recorded {
    intent: Arc<Intent>,
    queue: mpsc::Sender<Message>,
    open: bool,
}

impl Recorded {
    /// The call's id.
    #[must_use]
    pub fn correlation(&self) -> &CorrelationId {
        &self.intent.correlation
    }
}

impl fmt::Debug for Recorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Recorded").field(self.correlation()).finish()
    }
}

/// The host's own word for a call that nobody ended.
const ABANDONED: &str = "abandoned";

impl Drop for Recorded {
    fn drop(&mut self) {
        if !self.open {
            return;
        }
        let closing = Closing {
            outcome: Outcome::HostError,
            error_class: Some(ABANDONED.to_owned()),
            cost: Cost::default(),
            notes: Vec::new(),
            touched: Vec::new(),
        };
        let entry = Entry::Abandoned(Arc::clone(&self.intent), Box::new(closing.tidy()));
        let durable = self.intent.effect != Effect::Read;
        let request = Request { entry, time: Timestamp::now(), durable, answer: None };
        // Best effort: what cannot be said now is found as an unfinished call at the next start.
        if self.queue.try_send(Message::Record(request)).is_err() {
            tracing::warn!(correlation = %self.intent.correlation, "a call without outcome could not be recorded");
        }
    }
}

/// Records that may wait for the writer; further callers wait for a place, within their time limit.
const QUEUE: usize = 1024;

/// A handle on the journal; clones are cheap and write to the same one.
#[derive(Clone)]
pub struct Journal {
    queue: mpsc::Sender<Message>,
    shared: Arc<Shared>,
    commit_timeout: Duration,
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal").field("failure", &self.failure()).finish_non_exhaustive()
    }
}

impl Journal {
    /// Opens the journal of a directory: reads and checks all of it, cuts and records an incomplete last line, records unfinished
    /// calls. It blocks; the time grows with the log.
    pub fn open(options: Options) -> Result<(Self, Opened), OpenError> {
        Self::open_with(options, |files| Box::new(files))
    }

    /// As [`Self::open`], with something between the journal and its files: for tests of what a failing device does.
    pub fn open_with(options: Options, wrap: impl FnOnce(Files) -> Box<dyn Sink>) -> Result<(Self, Opened), OpenError> {
        let (current, opened) = open::open(&options, wrap)?;
        let failed = |source| OpenError::Io { step: "start the writer", directory: options.directory.clone(), source };
        let shared = Arc::new(Shared::new(options.refusal_window));
        let (queue, requests) = mpsc::channel(QUEUE);
        let writer = Writer::new(current, Arc::clone(&shared), &options);
        // Its own small runtime, for the clock only: the writer waits in the kernel, where no other task may wait behind it.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(failed)?;
        std::thread::Builder::new()
            .name("audit-journal".to_owned())
            .spawn(move || runtime.block_on(writer.run(requests)))
            .map_err(failed)?;
        Ok((Self { queue, shared, commit_timeout: options.commit_timeout }, opened))
    }

    /// Commits an intent. The call may run once this returns.
    pub async fn intent(&self, mut intent: Intent) -> Result<Recorded, NotRecorded> {
        intent.tidy();
        let durable = intent.effect != Effect::Read;
        let intent = Arc::new(intent);
        // Made before it is true: if this future is dropped while it waits, the drop closes an intent that was committed after all.
        let mut recorded = Recorded { intent: Arc::clone(&intent), queue: self.queue.clone(), open: true };
        match self.commit(Entry::Intent(intent), durable).await {
            Ok(()) => Ok(recorded),
            Err(error) => {
                // Another call holds this id, or the writer never wrote it; only a busy writer may still do so.
                recorded.open = error == NotRecorded::Busy;
                Err(error)
            }
        }
    }

    /// Commits how a call ended. The answer may leave once this returns.
    pub async fn outcome(&self, mut recorded: Recorded, closing: Closing) -> Result<(), NotRecorded> {
        let durable = recorded.intent.effect != Effect::Read;
        let entry = Entry::Outcome(Arc::clone(&recorded.intent), Box::new(closing.tidy()));
        let result = self.commit(entry, durable).await;
        recorded.open = result == Err(NotRecorded::Busy);
        result
    }

    /// Records a request that was refused before its intent, or counts it with others alike: the first within a window is
    /// committed when this returns, the rest are one line with their number at the window's end.
    pub async fn refusal(&self, mut refusal: Refusal) -> Result<(), NotRecorded> {
        self.healthy()?;
        refusal.tidy();
        // Counted here and not behind the queue, so that a flood of refusals takes no place from calls.
        let admitted = self.shared.refusals().admit(refusal, Instant::now(), Timestamp::now());
        match admitted {
            Admitted::Counted => Ok(()),
            Admitted::First(refusal) => self.commit(Entry::Refusal(refusal), false).await,
        }
    }

    /// Commits an event, synced to the device.
    pub async fn event(&self, mut event: Event) -> Result<(), NotRecorded> {
        event.tidy();
        self.commit(Entry::Event(Box::new(event)), true).await
    }

    /// Why the journal refuses, if it does.
    #[must_use]
    pub fn failure(&self) -> Option<Failure> {
        self.shared.failure()
    }

    /// Writes what is counted, syncs and ends the writer; the directory's lock is free when this returns. Every later record is
    /// refused. Whether all went well, [`Self::failure`] tells.
    pub async fn shutdown(&self) {
        let (answer, ended) = oneshot::channel();
        let ask = async {
            if self.queue.send(Message::Shutdown(answer)).await.is_ok() {
                // An error means that the writer has ended, which is what was asked for.
                let _ = ended.await;
            }
        };
        if tokio::time::timeout(self.commit_timeout, ask).await.is_err() {
            self.shared.fail(Failure::Hung);
        }
    }

    fn healthy(&self) -> Result<(), NotRecorded> {
        self.failure().map_or(Ok(()), |failure| Err(failure.into()))
    }

    async fn commit(&self, entry: Entry, durable: bool) -> Result<(), NotRecorded> {
        self.healthy()?;
        let steps = self.shared.steps.load(Ordering::Relaxed);
        let (answer, told) = oneshot::channel();
        let request = Request { entry, time: Timestamp::now(), durable, answer: Some(answer) };
        let ask = async {
            self.queue.send(Message::Record(request)).await.map_err(|_| NotRecorded::Closed)?;
            told.await.unwrap_or(Err(NotRecorded::Closed))
        };
        match tokio::time::timeout(self.commit_timeout, ask).await {
            Ok(result) => result,
            // The writer finished not one step in all that time: the device hangs, and no caller should wait for it again.
            Err(_) if self.shared.steps.load(Ordering::Relaxed) == steps => Err(self.shared.fail(Failure::Hung).into()),
            Err(_) => Err(NotRecorded::Busy),
        }
    }
}

#[cfg(test)]
mod tests;
