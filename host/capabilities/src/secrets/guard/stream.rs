//! Looks through bytes that come in pieces, and gives on what cannot be part of a value.
//!
//! The automaton goes on where it stood, so that a byte is looked at once however small the pieces are: an upstream that sends single bytes
//! must not make the host search the same ones again and again.

use std::{collections::VecDeque, sync::Arc};

use aho_corasick::{
    Anchored,
    automaton::{Automaton, StateID},
};

use super::{
    Guard, PLACE,
    look::{Look, Step},
};

/// One stream of bytes under a guard. What leaves the search for whole forms goes through the one for those with broken lines.
#[derive(Debug)]
pub(crate) struct GuardStream {
    guard: Arc<Guard>,
    whole: Stage,
    broken: Stage,
}

/// One search through a stream. Holds back the longest form of a value at most, with its breaks.
#[derive(Debug, Default)]
struct Stage {
    state: StateID,
    /// Bytes that may be part of a value.
    held: Vec<u8>,
    /// How many of them were looked at.
    seen: usize,
    /// How many bytes were told before those.
    before: usize,
    /// Where in the stream those stand that may be part of a form over breaks, as many as the longest has at most. Without breaks one stands
    /// behind the other, and none is kept.
    fed: VecDeque<usize>,
    /// How many bytes of a break were skipped since.
    skipped: usize,
    /// The longest value so far that begins where the leftmost one does.
    found: Option<(usize, usize)>,
    replaced: bool,
}

impl GuardStream {
    pub(super) fn of(guard: Arc<Guard>) -> Self {
        let (whole, broken) = (Stage::of(&guard.whole), Stage::of(&guard.broken));
        Self { guard, whole, broken }
    }

    /// The same under another guard: what is held back is looked at again.
    pub(crate) fn under(self, guard: &Arc<Guard>) -> Self {
        if Arc::ptr_eq(&self.guard, guard) {
            return self;
        }
        let replaced = self.has_replaced();
        let held = [self.broken.held, self.whole.held].concat();
        let mut fresh = Self::of(Arc::clone(guard));
        (fresh.whole.held, fresh.whole.replaced) = (held, replaced);
        fresh
    }

    /// What may go on now that these bytes have come.
    pub(crate) fn push(&mut self, chunk: &[u8]) -> Vec<u8> {
        let whole = self.whole.push(&self.guard.whole, chunk, false);
        self.broken.push(&self.guard.broken, &whole, false)
    }

    /// What was held back, at the end.
    pub(crate) fn finish(&mut self) -> Vec<u8> {
        let whole = self.whole.push(&self.guard.whole, &[], true);
        self.broken.push(&self.guard.broken, &whole, true)
    }

    /// Whether anything was replaced.
    pub(crate) const fn has_replaced(&self) -> bool {
        self.whole.replaced || self.broken.replaced
    }

    /// How many bytes are held back.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.whole.held.len() + self.broken.held.len()
    }
}

impl Stage {
    fn of(look: &Look) -> Self {
        Self { state: look.start(), ..Self::default() }
    }

    fn push(&mut self, look: &Look, chunk: &[u8], last: bool) -> Vec<u8> {
        self.held.extend_from_slice(chunk);
        let mut out = Vec::with_capacity(self.held.len());
        // Bytes of `held` that are told already.
        let mut told = 0;
        let begin = look.start();
        loop {
            let decided = self.search(look, begin, last) || last;
            let Some((from, to)) = self.found.filter(|_| decided) else { break };
            out.extend_from_slice(self.held.get(told..from).unwrap_or_default());
            out.extend_from_slice(PLACE);
            // What was looked at beyond it is looked at again: it may begin the next one.
            (told, self.seen, self.found, self.state, self.replaced) = (to, to, None, begin, true);
            self.skipped = 0;
            self.fed.clear();
        }
        let keep = match self.found {
            _ if last => self.held.len(),
            None if self.state == begin => self.seen,
            // A longer value may still come to light that begins before the one that was found.
            found => self.oldest(look).min(found.map_or(usize::MAX, |(from, _)| from)),
        }
        .max(told);
        out.extend_from_slice(self.held.get(told..keep).unwrap_or_default());
        self.held.drain(..keep);
        self.seen = self.seen.saturating_sub(keep);
        self.before += keep;
        while self.fed.front().is_some_and(|at| *at < self.before) {
            self.fed.pop_front();
        }
        self.found = self.found.map(|(from, to)| (from.saturating_sub(keep), to.saturating_sub(keep)));
        out
    }

    /// Where a value may begin at the earliest that is not all there yet.
    fn oldest(&self, look: &Look) -> usize {
        let most = look.longest.saturating_sub(1);
        if look.is_over_breaks() { self.fed_before(most.min(self.fed.len())) } else { self.seen.saturating_sub(most) }
    }

    /// Where in `held` the automaton was fed this many bytes before the end.
    fn fed_before(&self, count: usize) -> usize {
        let at = self.fed.len().checked_sub(count).and_then(|at| self.fed.get(at));
        at.map_or(self.seen, |at| at.saturating_sub(self.before))
    }

    /// Feeds the automaton until it is sure of a value. False if the bytes end before.
    fn search(&mut self, look: &Look, begin: StateID, last: bool) -> bool {
        let matcher = &look.matcher;
        loop {
            let byte = match look.step(&self.held, self.seen, self.skipped, last) {
                Step::Feed(byte) => byte,
                Step::Skip(bytes) => {
                    self.seen += bytes;
                    self.skipped += bytes;
                    continue;
                }
                Step::Unknown | Step::End => return false,
            };
            self.state = matcher.next_state(Anchored::No, self.state, byte);
            if self.state == begin {
                self.fed.clear();
            } else if look.is_over_breaks() {
                if self.fed.len() == look.longest {
                    self.fed.pop_front();
                }
                self.fed.push_back(self.before + self.seen);
            }
            (self.seen, self.skipped) = (self.seen + 1, 0);
            if !matcher.is_special(self.state) {
                continue;
            }
            if matcher.is_dead(self.state) {
                // Only reached where nothing can make the value longer, or another begin before it.
                self.state = begin;
                return true;
            }
            if matcher.is_match(self.state) {
                let length = matcher.pattern_len(matcher.match_pattern(self.state, 0));
                let from =
                    if look.is_over_breaks() { self.fed_before(length) } else { self.seen.saturating_sub(length) };
                self.found = Some((from, self.seen));
                if length == look.longest {
                    self.state = begin;
                    return true;
                }
            }
        }
    }
}
