//! The journal being written: what callers hold. It hands records to one writer thread and waits for its word, within a time limit.

mod coalesce;
mod failure;
mod open;
mod options;
mod queue;
mod thread;
mod writer;

use std::{
    fmt,
    sync::{Arc, Mutex, atomic::Ordering},
    time::{Duration, Instant},
};

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};
use wardkeep_model::{CorrelationId, Cost, Digest, Effect, Outcome};

use self::{
    coalesce::Admitted,
    queue::{Entry, Message, Request, Shared},
    thread::{Held, Thread},
    writer::Writer,
};
pub use self::{
    failure::{Failure, NotRecorded, Operation},
    open::OpenError,
    options::{Options, Sync},
};
use crate::{
    Closing, Event, Intent, Refusal, Replay,
    sink::{Files, Sink},
};

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
            egress: Vec::new(),
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
/// How often a thread asks for the writer before it queues: another's record takes a few microseconds, a sync takes long.
const TRIES: usize = 4;

/// A handle on the journal; clones are cheap and write to the same one. Its async functions need a tokio runtime with a clock.
///
/// When the last handle is gone the writer ends by itself, but nobody waits for it: call [`Self::shutdown`] before a process ends.
#[derive(Clone)]
pub struct Journal {
    queue: mpsc::Sender<Message>,
    shared: Arc<Shared>,
    commit_timeout: Duration,
    writer: Held,
    /// Reads may be written by the caller's own thread: nothing is synced for them but a segment that is full.
    here: bool,
    sync: Sync,
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
        let writer: Held = Arc::new(Mutex::new(Some(Writer::new(current, Arc::clone(&shared), &options))));
        let (commit_timeout, sync) = (options.commit_timeout, options.sync);
        let thread = Thread { writer: Arc::clone(&writer), shared: Arc::clone(&shared), commit_timeout };
        // Its own small runtime, for the clock only: the writer waits in the kernel, where no other task may wait behind it.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(failed)?;
        std::thread::Builder::new()
            .name("audit-journal".to_owned())
            .spawn(move || runtime.block_on(thread.run(requests)))
            .map_err(failed)?;
        Ok((Self { queue, shared, commit_timeout, writer, here: false, sync }, opened))
    }

    /// A handle that writes reads on the thread of whoever asks, if nobody else is writing at that moment: to hand a record to another
    /// thread and to be woken again takes longer than to write it. Such a thread waits for the device if that hangs; whoever waits for the
    /// thread learns of it by [`Self::failed`].
    #[must_use]
    pub fn here(&self) -> Self {
        Self { here: true, ..self.clone() }
    }

    /// Waits until the journal fails, and says why. It never ends for one that does not.
    pub async fn failed(&self) -> Failure {
        self.shared.failed().await
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
    /// committed when this returns, the rest are one line with their number at the window's end. The id that it stands under in the
    /// log, which is the first one's: that is what its caller is to be told.
    pub async fn refusal(&self, mut refusal: Refusal) -> Result<CorrelationId, NotRecorded> {
        self.healthy()?;
        refusal.tidy();
        // Counted here and not behind the queue, so that a flood of refusals takes no place from calls.
        let admitted = self.shared.refusals().admit(refusal, Instant::now(), Timestamp::now());
        match admitted {
            Admitted::Counted(first) => Ok(first),
            Admitted::First(refusal) => {
                let id = refusal.correlation.clone();
                self.commit(Entry::Refusal(refusal), false).await.map(|()| id)
            }
        }
    }

    /// Writes what is only counted so far: for somebody who is about to read the log.
    pub async fn write_counts(&self) -> Result<(), NotRecorded> {
        self.healthy()?;
        let (answer, told) = oneshot::channel();
        let ask = async {
            self.queue.send(Message::Counts(answer)).await.map_err(|_| NotRecorded::Closed)?;
            told.await.unwrap_or(Err(NotRecorded::Closed))
        };
        // The writer's own callers find out whether it hangs.
        tokio::time::timeout(self.commit_timeout, ask).await.unwrap_or(Err(NotRecorded::Busy))
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
        // The journal's own thread lets the writer go when it has written all; one that hung it could not wait for.
        if self.failure() == Some(Failure::Hung)
            && let Ok(mut writer) = self.writer.try_lock()
        {
            *writer = None;
        }
    }

    fn healthy(&self) -> Result<(), NotRecorded> {
        self.failure().map_or(Ok(()), |failure| Err(failure.into()))
    }

    async fn commit(&self, entry: Entry, durable: bool) -> Result<(), NotRecorded> {
        self.healthy()?;
        let time = Timestamp::now();
        if self.here
            && !durable
            && self.sync != Sync::Always
            && let Some(committed) = self.commit_here(&entry, time)
        {
            return committed;
        }
        let steps = self.shared.steps.load(Ordering::Relaxed);
        let (answer, told) = oneshot::channel();
        let request = Request { entry, time, durable, answer: Some(answer) };
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

    /// Nothing if another writes, or has something to be written: the queue keeps the order then.
    fn commit_here(&self, entry: &Entry, time: Timestamp) -> Option<Result<(), NotRecorded>> {
        for _ in 0..TRIES {
            if self.queue.capacity() < QUEUE {
                return None;
            }
            if let Ok(mut writer) = self.writer.try_lock() {
                return writer.as_mut().map(|writer| writer.at_once(entry, time));
            }
            std::thread::yield_now();
        }
        None
    }
}

#[cfg(test)]
mod tests;
