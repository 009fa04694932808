//! Refusals alike are counted: the first of a window is written, the rest are one line at its end. Stops a caller, and above all
//! somebody who could not even prove who they are, from filling the log or this host's memory.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use wardkeep_model::CorrelationId;

use crate::Refusal;

/// Different (rule, tool) pairs of one principal that are kept apart; further ones are counted by rule.
const PER_PRINCIPAL: usize = 64;
/// Different (rule, peer) pairs of unauthenticated callers that are kept apart; further ones are counted by rule.
const UNAUTHENTICATED_PEERS: usize = 8;
/// Entries of unauthenticated callers in all; further ones are counted as one.
const UNAUTHENTICATED: usize = 16;
/// Entries in all; further ones are counted as one.
const IN_ALL: usize = 4096;

const OTHER: &str = "other";

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    principal: Option<String>,
    rule: String,
    /// The tool; for unauthenticated callers the peer.
    apart: Option<String>,
}

#[derive(Debug)]
struct Entry {
    /// The first of them, with what is not alike taken out.
    like: Refusal,
    count: u64,
    from: Timestamp,
    to: Timestamp,
    ends: Instant,
}

/// What to do with a refusal.
#[derive(Debug)]
pub(super) enum Admitted {
    /// It is the first of its kind: write it.
    First(Box<Refusal>),
    /// It was counted, with the one of this id: by that it is found.
    Counted(CorrelationId),
}

/// Refusals that were counted in a window that is over.
#[derive(Debug)]
pub(super) struct Counted {
    pub(super) like: Refusal,
    pub(super) count: u64,
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
}

#[derive(Debug)]
pub(super) struct Coalescer {
    window: Duration,
    entries: HashMap<Key, Entry>,
    by_principal: HashMap<Option<String>, usize>,
    /// No window ends before this.
    earliest: Option<Instant>,
}

impl Coalescer {
    pub(super) fn new(window: Duration) -> Self {
        Self { window, entries: HashMap::new(), by_principal: HashMap::new(), earliest: None }
    }

    /// Decides on one refusal.
    pub(super) fn admit(&mut self, mut refusal: Refusal, now: Instant, time: Timestamp) -> Admitted {
        let key = self.key(&mut refusal);
        if let Some(entry) = self.entries.get_mut(&key) {
            if entry.count == 0 {
                entry.from = time;
            }
            entry.count += 1;
            entry.to = time;
            return Admitted::Counted(entry.like.correlation.clone());
        }
        let ends = now + self.window;
        self.earliest = Some(self.earliest.map_or(ends, |earliest| earliest.min(ends)));
        *self.by_principal.entry(key.principal.clone()).or_default() += 1;
        self.entries.insert(key, Entry { like: refusal.clone(), count: 0, from: time, to: time, ends });
        Admitted::First(Box::new(refusal))
    }

    /// When to ask [`Self::over`] next.
    pub(super) const fn next_due(&self) -> Option<Instant> {
        self.earliest
    }

    /// What was counted in windows that are over by `now`. An entry that counted nothing is forgotten: the next of its kind is a first.
    pub(super) fn over(&mut self, now: Instant) -> Vec<Counted> {
        self.take(|entry| entry.ends <= now, now)
    }

    /// What was counted so far, in all windows. Nothing is forgotten by it: whoever asks often makes nobody's next refusal a first.
    pub(super) fn so_far(&mut self, now: Instant) -> Vec<Counted> {
        self.take(|entry| entry.count > 0, now)
    }

    fn take(&mut self, due: impl Fn(&Entry) -> bool, now: Instant) -> Vec<Counted> {
        let mut counted = Vec::new();
        let by_principal = &mut self.by_principal;
        let window = self.window;
        self.entries.retain(|key, entry| {
            if !due(entry) {
                return true;
            }
            if entry.count == 0 {
                if let Some(left) = by_principal.get_mut(&key.principal) {
                    *left = left.saturating_sub(1);
                }
                return false;
            }
            counted.push(Counted { like: entry.like.clone(), count: entry.count, from: entry.from, to: entry.to });
            entry.count = 0;
            entry.ends = now + window;
            true
        });
        self.by_principal.retain(|_, left| *left > 0);
        self.earliest = self.entries.values().map(|entry| entry.ends).min();
        // A map has no order of its own; the log gets the one in which things began.
        counted.sort_by_key(|counted| counted.from);
        counted
    }

    /// The entry that this refusal belongs to, as exact as the budget allows. What the entry does not tell apart is taken out of `refusal`.
    fn key(&self, refusal: &mut Refusal) -> Key {
        let principal = refusal.principal.as_ref().map(|principal| principal.name.clone());
        let apart = if principal.is_some() { refusal.tool.clone() } else { refusal.origin.peer.clone() };
        let exact = Key { principal, rule: refusal.rule.clone(), apart };
        let used = self.by_principal.get(&exact.principal).copied().unwrap_or_default();
        let (apart_budget, budget) = if exact.principal.is_some() {
            (PER_PRINCIPAL, PER_PRINCIPAL * 2)
        } else {
            (UNAUTHENTICATED_PEERS, UNAUTHENTICATED)
        };
        let crowded = self.entries.len() >= IN_ALL;
        if self.entries.contains_key(&exact) || (used < apart_budget && !crowded) {
            if exact.principal.is_none() {
                // What an unauthenticated caller says it wanted tells nothing that could be relied on.
                refusal.tool = None;
            }
            return exact;
        }
        refusal.tool = None;
        refusal.origin.peer = None;
        refusal.origin.client = None;
        let by_rule = Key { apart: None, ..exact };
        if self.entries.contains_key(&by_rule) || (used < budget && !crowded) {
            return by_rule;
        }
        refusal.rule = OTHER.to_owned();
        if crowded {
            refusal.principal = None;
        }
        let principal = by_rule.principal.filter(|_| !crowded);
        Key { principal, rule: OTHER.to_owned(), apart: None }
    }
}

#[cfg(test)]
mod tests;
