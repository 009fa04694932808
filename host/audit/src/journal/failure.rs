//! Why a record was not committed.

use std::{fmt, io};

use crate::Changed;

/// Which step of the writer failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Appending to the segment.
    Write,
    /// Syncing it to the device.
    Sync,
    /// Beginning the next one.
    Rotate,
    /// Looking whether the segment is still what was written.
    Examine,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Write => "write",
            Self::Sync => "sync",
            Self::Rotate => "begin the next segment",
            Self::Examine => "look at its segment",
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
    /// Somebody else removed or changed what is being written, so that records may be lost: a call more would run unrecorded.
    #[error(
        "the audit journal was changed by others: {0}; \
         stop the host, restore the directory from a copy, start the host"
    )]
    Changed(Changed),
    /// The device took longer than [`crate::Options::commit_timeout`].
    #[error("the device of the audit journal does not answer")]
    Hung,
    /// The journal itself failed while it wrote.
    #[error("the audit journal broke off while it wrote")]
    Broken,
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
