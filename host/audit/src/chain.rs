//! The chain. Each line carries the SHA-256 of the whole line before it, line feed included, and of its own bytes up to that digest.
//!
//! It shows damage and careless edits. It stops nobody who can write the files: they can compute it anew, or cut the end off.

use sha2::{Digest as _, Sha256};
use wardkeep_model::{CorrelationId, Digest};

use crate::line::{Line, Phase};

/// What the first line of a journal carries as digest of the line before.
pub(crate) const GENESIS: Digest = Digest::from_bytes([0; 32]);

/// No line is longer; the caps of all strings together keep writers well below.
pub(crate) const MAX_LINE: usize = 128 << 10;

const HEX: usize = 64;
/// What follows the seal: `"`, the end of `unmapped`, the end of the object, a line feed.
const AFTER_SEAL: usize = 4;

/// Where a chain stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Chain {
    /// Digest of the last line.
    pub(crate) head: Digest,
    /// Number of the next line, from 1 through all segments.
    pub(crate) next: u64,
}

/// What is wrong with a line.
#[derive(Debug, thiserror::Error)]
pub enum Damage {
    /// It is no record of this journal.
    #[error("not a record: {0}")]
    NotARecord(#[from] serde_json::Error),
    /// Its bytes are not those that were written.
    #[error("the line was changed: its digest is {found}, its bytes say {expected}")]
    Changed {
        /// What its bytes amount to.
        expected: Digest,
        /// What stands in it.
        found: Digest,
    },
    /// It does not follow the line before: one was removed, added, changed or moved.
    #[error("it does not follow the line before: `prev` is {found}, that line is {expected}")]
    Broken {
        /// Digest of the line before.
        expected: Digest,
        /// What stands in this line.
        found: Digest,
    },
    /// Its number is not the next one.
    #[error("its sequence number is {found} in place of {expected}")]
    OutOfOrder {
        /// The next number.
        expected: u64,
        /// What stands in this line.
        found: u64,
    },
    /// It ends a call that was not begun.
    #[error("an outcome without intent, of call {correlation}")]
    OutcomeWithoutIntent {
        /// The call.
        correlation: CorrelationId,
    },
    /// It begins a call that is still open.
    #[error("a second intent of call {correlation}")]
    SecondIntent {
        /// The call.
        correlation: CorrelationId,
    },
    /// A call's line without the call's id.
    #[error("an {} without correlation id", phase.as_str())]
    Anonymous {
        /// Which kind of line.
        phase: Phase,
    },
    /// It does not end, and more follows.
    #[error("an incomplete line before the end of the journal")]
    Incomplete,
    /// It is longer than any line that the journal writes.
    #[error("longer than {MAX_LINE} bytes")]
    TooLong,
    /// The segment is not there.
    #[error("this segment is missing")]
    MissingSegment,
}

impl Chain {
    pub(crate) const fn new() -> Self {
        Self { head: GENESIS, next: 1 }
    }

    /// Appends the line to `buffer` as the next of the chain. On an error `buffer` is as before.
    pub(crate) fn seal(&mut self, mut line: Line<'_>, buffer: &mut Vec<u8>) -> Result<(), serde_json::Error> {
        let start = buffer.len();
        line.unmapped.prev = self.head;
        line.metadata.sequence = self.next;
        if let Err(error) = serde_json::to_writer(&mut *buffer, &line) {
            buffer.truncate(start);
            return Err(error);
        }
        buffer.push(b'\n');
        let (_, written) = buffer.split_at_mut(start);
        let (body, tail) = written.split_at_mut(written.len() - HEX - AFTER_SEAL);
        let mut hasher = Sha256::new_with_prefix(&*body);
        let seal: [u8; 32] = hasher.clone().finalize().into();
        for (pair, byte) in tail.chunks_exact_mut(2).zip(seal) {
            pair.copy_from_slice(&hex(byte));
        }
        hasher.update(&*tail);
        self.head = Digest::from_bytes(hasher.finalize().into());
        self.next += 1;
        Ok(())
    }

    /// Checks that `bytes`, line feed included, are the next line, and reads it.
    pub(crate) fn check(&mut self, bytes: &[u8]) -> Result<Line<'static>, Damage> {
        let line: Line<'static> = serde_json::from_slice(bytes)?;
        let body = bytes.get(..bytes.len().saturating_sub(HEX + AFTER_SEAL)).unwrap_or_default();
        let expected = Digest::of(body);
        if line.unmapped.digest != expected {
            return Err(Damage::Changed { expected, found: line.unmapped.digest });
        }
        if line.unmapped.prev != self.head {
            return Err(Damage::Broken { expected: self.head, found: line.unmapped.prev });
        }
        if line.metadata.sequence != self.next {
            return Err(Damage::OutOfOrder { expected: self.next, found: line.metadata.sequence });
        }
        self.head = Digest::of(bytes);
        self.next += 1;
        Ok(line)
    }
}

fn hex(byte: u8) -> [u8; 2] {
    let digit = |nibble: u8| if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 };
    [digit(byte >> 4), digit(byte & 15)]
}
