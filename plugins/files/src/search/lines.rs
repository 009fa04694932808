//! Finding lines in a file that comes whole or piece by piece.
//!
//! The pattern runs over many lines at once, which is many times quicker than line by line; where it finds something, the line is looked at alone.
//! Nothing is missed that way: a line that matches alone also matches where it stands, since `^`, `$` and `\b` see the same there. A match that
//! runs over the end of its line is none.

use memchr::{memchr, memchr_iter, memrchr};

use super::{pattern::Pattern, report::Report};

/// A line without an end is searched in parts of this size.
const LONGEST_LINE: usize = 4 << 20;

/// A file that is being searched.
pub(super) struct Lines<'a> {
    pattern: &'a Pattern,
    context: usize,
    /// Kept from the pieces before: the context of what is still to be searched, then that.
    kept: Vec<u8>,
    /// Where in `kept` searching goes on; always the beginning of a line.
    from: usize,
    /// The number of the line that begins at `from`.
    number: u64,
}

impl<'a> Lines<'a> {
    pub(super) fn new(pattern: &'a Pattern, context: usize) -> Self {
        Self { pattern, context, kept: Vec::new(), from: 0, number: 1 }
    }

    /// A piece that others follow. Its last lines are kept until what follows them is known.
    pub(super) fn more(&mut self, path: &str, piece: &[u8], report: &mut Report) {
        self.kept.extend_from_slice(piece);
        let bytes = std::mem::take(&mut self.kept);
        let until = line_start_before(&bytes, bytes.len(), self.context);
        if until > self.from {
            self.search(path, &bytes, until, report);
        }
        if bytes.len() - self.from > LONGEST_LINE {
            // What follows counts as a line of its own, so that memory stays bounded.
            self.search(path, &bytes, bytes.len(), report);
            self.from = 0;
            return;
        }
        let keep = line_start_before(&bytes, self.from, self.context);
        self.from -= keep;
        self.kept = bytes.get(keep..).unwrap_or_default().to_vec();
    }

    /// The last piece, or the whole file.
    pub(super) fn last(&mut self, path: &str, piece: &[u8], report: &mut Report) {
        if self.kept.is_empty() {
            return self.search(path, piece, piece.len(), report);
        }
        self.kept.extend_from_slice(piece);
        let bytes = std::mem::take(&mut self.kept);
        self.search(path, &bytes, bytes.len(), report);
    }

    /// Tells of the matching lines that begin in `from..until`.
    fn search(&mut self, path: &str, bytes: &[u8], until: usize, report: &mut Report) {
        while self.from < until && !report.is_full() {
            let Some(found) = self.pattern.next(bytes, self.from).filter(|found| *found < until) else { break };
            let begin = bytes.get(self.from..found).and_then(|skipped| memrchr(b'\n', skipped));
            let begin = begin.map_or(self.from, |end| self.from + end + 1);
            self.advance(bytes, begin);
            let end = line_end(bytes, begin);
            let line = trimmed(bytes, begin, end);
            if let Some(found) = self.pattern.in_line(line) {
                let (before, after) = (self.before(bytes, begin), self.after(bytes, end));
                report.found(path, self.number, line, found, before, after);
            }
            self.advance(bytes, (end + 1).min(bytes.len()));
            if end >= bytes.len() {
                break;
            }
        }
        if self.from < until {
            self.advance(bytes, until);
        }
    }

    fn advance(&mut self, bytes: &[u8], to: usize) {
        let passed = bytes.get(self.from..to).unwrap_or_default();
        self.number += memchr_iter(b'\n', passed).count() as u64;
        self.from = to;
    }

    fn before<'b>(&self, bytes: &'b [u8], begin: usize) -> Vec<&'b [u8]> {
        let mut lines = Vec::with_capacity(self.context);
        let mut begin = begin;
        while begin > 0 && lines.len() < self.context {
            let end = begin - 1;
            begin = bytes.get(..end).and_then(|above| memrchr(b'\n', above)).map_or(0, |end| end + 1);
            lines.push(trimmed(bytes, begin, end));
        }
        lines.reverse();
        lines
    }

    fn after<'b>(&self, bytes: &'b [u8], end: usize) -> Vec<&'b [u8]> {
        let mut lines = Vec::with_capacity(self.context);
        let mut begin = end + 1;
        while begin < bytes.len() && lines.len() < self.context {
            let end = line_end(bytes, begin);
            lines.push(trimmed(bytes, begin, end));
            begin = end + 1;
        }
        lines
    }
}

fn line_end(bytes: &[u8], begin: usize) -> usize {
    bytes.get(begin..).and_then(|rest| memchr(b'\n', rest)).map_or(bytes.len(), |end| begin + end)
}

fn trimmed(bytes: &[u8], begin: usize, end: usize) -> &[u8] {
    let line = bytes.get(begin..end).unwrap_or_default();
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// The beginning of the line that lies so many lines above the one that holds `position`.
fn line_start_before(bytes: &[u8], position: usize, lines: usize) -> usize {
    let start =
        |position: usize| bytes.get(..position).and_then(|above| memrchr(b'\n', above)).map_or(0, |end| end + 1);
    (0..lines).fold(start(position), |begin, _| start(begin.saturating_sub(1)))
}
