//! Where and how to keep a journal.

use std::{path::PathBuf, time::Duration};

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
