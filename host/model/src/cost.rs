//! What a call used, and what it tried that it should not have.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What one call used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cost {
    /// Units of fuel: the same number for the same call of the same build.
    pub fuel: u64,
    /// Bytes of linear memory at the highest.
    pub memory_peak: u64,
    /// Wall-clock time in the sandbox.
    pub elapsed: Duration,
    /// Calls of capability functions.
    pub host_calls: u32,
    /// Bytes of the answer.
    pub output: u64,
    /// Log lines that were dropped because the limit was used up.
    pub log_lines_dropped: u32,
    /// Reports of progress that were dropped, or took another's place.
    pub progress_dropped: u32,
}

/// What a call sent to one host. At most 16 hosts of a call are kept apart; what goes to further ones is summed up under `…`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Egress {
    /// The host's name and, where it is not the scheme's own, `:` and the port.
    pub host: String,
    /// Requests that were sent, answered or not.
    pub requests: u32,
    /// Bytes of their bodies.
    pub bytes_out: u64,
    /// Bytes of the answers' bodies that were read.
    pub bytes_in: u64,
}

/// What kind of thing was noted during a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoteKind {
    /// The guest asked for something that the running tool was not granted.
    Denied,
    /// A limit answered instead of the capability.
    Exhausted,
    /// The host changed something of the answer before it left.
    Altered,
    /// Something that was granted could not be had: a secret without a usable value.
    Unavailable,
}

/// Something that the audit record keeps of a call besides its outcome. At most 16 a call; further ones are counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// What kind of thing it is.
    pub kind: NoteKind,
    /// Which capability, such as `files`.
    pub capability: String,
    /// What was asked for, at most 256 bytes, control characters escaped.
    pub detail: String,
    /// How often the same was asked for.
    pub count: u32,
}
