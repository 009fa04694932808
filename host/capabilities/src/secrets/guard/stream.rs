//! Looks through bytes that come in pieces, and gives on what cannot be part of a value.
//!
//! The automaton goes on where it stood, so that a byte is looked at once however small the pieces are: an upstream that sends single bytes
//! must not make the host search the same ones again and again.

use std::sync::Arc;

use aho_corasick::{Anchored, automaton::Automaton, automaton::StateID};

use super::{Guard, PLACE};

/// One stream of bytes under a guard. Holds back one byte less than the longest form of a value at most.
#[derive(Debug)]
pub(crate) struct GuardStream {
    guard: Arc<Guard>,
    state: StateID,
    /// Bytes that may be part of a value.
    pub(super) held: Vec<u8>,
    /// How many of them the automaton has seen.
    seen: usize,
    /// The longest value so far that begins where the leftmost one does.
    found: Option<(usize, usize)>,
    replaced: bool,
}

impl GuardStream {
    pub(super) fn of(guard: Arc<Guard>) -> Self {
        let state = start(&guard);
        Self { guard, state, held: Vec::new(), seen: 0, found: None, replaced: false }
    }

    /// The same under another guard: what is held back is looked at again.
    pub(crate) fn under(self, guard: &Arc<Guard>) -> Self {
        if Arc::ptr_eq(&self.guard, guard) {
            return self;
        }
        Self { held: self.held, replaced: self.replaced, ..Self::of(Arc::clone(guard)) }
    }

    /// What may go on now that these bytes have come.
    pub(crate) fn push(&mut self, chunk: &[u8]) -> Vec<u8> {
        self.held.extend_from_slice(chunk);
        self.go_on(false)
    }

    /// What was held back, at the end.
    pub(crate) fn finish(&mut self) -> Vec<u8> {
        self.go_on(true)
    }

    /// Whether anything was replaced.
    pub(crate) const fn has_replaced(&self) -> bool {
        self.replaced
    }

    fn go_on(&mut self, last: bool) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.held.len());
        // Bytes of `held` that are told already.
        let mut told = 0;
        let begin = start(&self.guard);
        loop {
            let decided = self.search(begin) || last;
            let Some((from, to)) = self.found.filter(|_| decided) else { break };
            out.extend_from_slice(self.held.get(told..from).unwrap_or_default());
            out.extend_from_slice(PLACE);
            // What was looked at beyond it is looked at again: it may begin the next one.
            (told, self.seen, self.found, self.state, self.replaced) = (to, to, None, begin, true);
        }
        let most = self.guard.longest.saturating_sub(1);
        let keep = match self.found {
            _ if last => self.held.len(),
            None if self.state == begin => self.held.len(),
            // A longer value may still come to light that begins before the one that was found.
            found => self.held.len().saturating_sub(most).min(found.map_or(usize::MAX, |(from, _)| from)),
        }
        .max(told);
        out.extend_from_slice(self.held.get(told..keep).unwrap_or_default());
        self.held.drain(..keep);
        self.seen = self.seen.saturating_sub(keep);
        self.found = self.found.map(|(from, to)| (from.saturating_sub(keep), to.saturating_sub(keep)));
        out
    }

    /// Feeds the automaton until it is sure of a value. False if the bytes end before.
    fn search(&mut self, begin: StateID) -> bool {
        let matcher = &self.guard.matcher;
        for byte in self.held.get(self.seen..).unwrap_or_default() {
            self.state = matcher.next_state(Anchored::No, self.state, *byte);
            self.seen += 1;
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
                self.found = Some((self.seen.saturating_sub(length), self.seen));
                if length == self.guard.longest {
                    self.state = begin;
                    return true;
                }
            }
        }
        false
    }
}

fn start(guard: &Guard) -> StateID {
    // The one error is a search of a kind that the automaton was not built for; dead, it would replace nothing and hold all back.
    guard.matcher.start_state(Anchored::No).unwrap_or_default()
}
