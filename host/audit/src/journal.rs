//! The journal being written: what callers hold. It hands records to one writer thread and waits for its word, within a time limit.

use std::{path::PathBuf, time::Duration};

use wardkeep_model::{CorrelationId, Digest};

use crate::{Closing, Event, Intent, Refusal, Replay};

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

/// Why a journal cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process, or another journal of this one, writes there.
    #[error("the audit journal `{}` is being written by another", directory.display())]
    Locked {
        /// The directory.
        directory: PathBuf,
    },
}

/// Why the journal writes no more, until it is opened again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The device took longer than the time limit.
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
}

/// Proof that a call's intent is committed. Only the journal makes it; it is used up by the outcome.
#[derive(Debug)]
pub struct Recorded {
    correlation: CorrelationId,
}

impl Recorded {
    /// The call's id.
    #[must_use]
    pub const fn correlation(&self) -> &CorrelationId {
        &self.correlation
    }
}

/// A handle on the journal; clones are cheap and write to the same one.
#[derive(Debug, Clone)]
pub struct Journal {}

impl Journal {
    /// Opens the journal of a directory: reads and checks all of it, cuts and records an incomplete last line, records unfinished calls.
    pub fn open(options: Options) -> Result<(Self, Opened), OpenError> {
        Err(OpenError::Locked { directory: options.directory })
    }

    /// Commits an intent. The call may run once this returns.
    pub async fn intent(&self, intent: Intent) -> Result<Recorded, NotRecorded> {
        drop(intent);
        Err(NotRecorded::Closed)
    }

    /// Commits how a call ended. The answer may leave once this returns.
    pub async fn outcome(&self, recorded: Recorded, closing: Closing) -> Result<(), NotRecorded> {
        drop((recorded, closing));
        Err(NotRecorded::Closed)
    }

    /// Records a request that was refused before its intent, or counts it with others alike.
    pub async fn refusal(&self, refusal: Refusal) -> Result<(), NotRecorded> {
        drop(refusal);
        Err(NotRecorded::Closed)
    }

    /// Commits an event.
    pub async fn event(&self, event: Event) -> Result<(), NotRecorded> {
        drop(event);
        Err(NotRecorded::Closed)
    }

    /// Why the journal refuses, if it does.
    #[must_use]
    pub fn failure(&self) -> Option<Failure> {
        None
    }

    /// Writes what is counted, syncs and ends the writer. Every later record is refused.
    pub async fn shutdown(&self) {}
}
