//! Reading by lines: the file is looked through from its beginning, a chunk at a time, and only what was asked for is kept.

use memchr::memchr_iter;
use wardkeep_sdk::{Failure, Result};

use super::{Piece, Place};

/// Bytes of one host call.
const CHUNK: u32 = 1 << 20;

/// What is kept while looking through.
struct Kept {
    first: u32,
    last: u32,
    max_bytes: usize,
    /// The line that the next byte belongs to.
    line: u32,
    offset: u64,
    bytes: Vec<u8>,
    /// The line that did not fit any more.
    cut_in: Option<u32>,
}

impl Kept {
    /// Takes a piece of the file that lies in one line, its end of line included. Tells whether to go on.
    fn take(&mut self, piece: &[u8]) -> bool {
        if self.line < self.first {
            self.offset += piece.len() as u64;
        } else {
            let room = self.max_bytes - self.bytes.len();
            self.bytes.extend(piece.iter().take(room));
            if piece.len() > room {
                self.cut_in = Some(self.line);
                return false;
            }
        }
        true
    }

    /// Tells whether to go on.
    fn chunk(&mut self, chunk: &[u8]) -> bool {
        let mut begin = 0;
        for end in memchr_iter(b'\n', chunk) {
            let line = chunk.get(begin..=end).unwrap_or_default();
            if self.line > self.last || !self.take(line) {
                return false;
            }
            begin = end + 1;
            self.line = self.line.saturating_add(1);
        }
        self.line <= self.last && self.take(chunk.get(begin..).unwrap_or_default())
    }
}

pub(super) fn read(at: Place, first: u32, last: Option<u32>, max_bytes: u32) -> Result<Piece> {
    let last = last.unwrap_or(u32::MAX);
    if last < first {
        return Err(Failure::invalid_arguments(format!("`last_line` {last} lies before `first_line` {first}")));
    }
    let mut kept = Kept {
        first: first.max(1),
        last,
        max_bytes: max_bytes as usize,
        line: 1,
        offset: 0,
        bytes: Vec::new(),
        cut_in: None,
    };
    let mut position = Some(0_u32);
    while let Some(offset) = position {
        let chunk = at.read(offset, CHUNK)?;
        let more = kept.chunk(&chunk) && chunk.len() == CHUNK as usize;
        position = more.then(|| offset.checked_add(CHUNK)).flatten();
    }
    if kept.bytes.is_empty() && kept.cut_in.is_none() && first > 1 {
        let lines = kept.line.saturating_sub(u32::from(kept.offset == at.size));
        return Err(Failure::invalid_arguments(format!("`{}` has fewer than {first} lines: {lines}", at.path)));
    }
    Ok(piece(at, kept))
}

fn piece(at: Place, mut kept: Kept) -> Piece {
    // Cut at the end of a line rather than in it, unless that line alone is too long.
    let end_of_line = kept.bytes.iter().rposition(|byte| *byte == b'\n').filter(|_| kept.cut_in.is_some());
    let whole_lines = end_of_line.map(|end| kept.bytes.truncate(end + 1)).is_some();
    let ends = kept.bytes.iter().filter(|byte| **byte == b'\n').count();
    let lines = ends + usize::from(kept.bytes.last().is_some_and(|byte| *byte != b'\n'));
    let last_line = kept.first.saturating_add(u32::try_from(lines).unwrap_or(u32::MAX)).saturating_sub(1);
    let end = kept.offset + kept.bytes.len() as u64;

    let piece = at.piece(kept.offset, &kept.bytes);
    Piece {
        first_line: Some(kept.first),
        last_line: Some(last_line.max(kept.first)),
        truncated: kept.cut_in.is_some(),
        next_line: kept.cut_in.filter(|_| whole_lines),
        next_offset: kept.cut_in.map(|_| end).filter(|end| *end <= u32::MAX.into()),
        ..piece
    }
}
