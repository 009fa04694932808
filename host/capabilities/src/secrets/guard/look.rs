//! One automaton over forms of values, and how it goes through bytes: byte by byte, or over the breaks of lines, as base64 stands in mails, keys and the
//! JSON of APIs. Keeps no bytes.

use std::collections::BTreeSet;

use aho_corasick::{
    Anchored, Input, MatchKind,
    automaton::{Automaton, StateID},
    nfa::contiguous::NFA,
};
use wardkeep_model::SecretName;
use zeroize::Zeroizing;

use super::Unguardable;

/// So many bytes may stand where a line is broken: a break, or two characters for each of its two, and how the next line is set in.
const LONGEST_BREAK: usize = 16;

/// What is looked for.
pub(super) struct Look {
    pub(super) matcher: NFA,
    /// For each pattern, whose value it is.
    pub(super) names: Vec<SecretName>,
    pub(super) longest: usize,
    /// Whether lines may be broken within a form.
    over_breaks: bool,
}

/// What the next byte is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Part of the text.
    Feed(u8),
    /// So many bytes of a break.
    Skip(usize),
    /// The next byte tells.
    Unknown,
    /// There is none.
    End,
}

impl Look {
    /// None where there is nothing to be looked for.
    pub(super) fn over(
        values: &[(&SecretName, &[u8])],
        forms: fn(&[u8]) -> BTreeSet<Vec<u8>>,
        over_breaks: bool,
    ) -> Result<Option<Self>, Unguardable> {
        let (mut names, mut all): (Vec<SecretName>, Vec<Zeroizing<Vec<u8>>>) = Default::default();
        for (name, value) in values {
            let found = forms(value);
            names.extend(std::iter::repeat_n((*name).clone(), found.len()));
            all.extend(found.into_iter().map(Zeroizing::new));
        }
        let Some(longest) = all.iter().map(|pattern| pattern.len()).max() else { return Ok(None) };
        let matcher = NFA::builder().match_kind(MatchKind::LeftmostLongest).prefilter(false).build(all.iter());
        Ok(Some(Self { matcher: matcher.map_err(|_| Unguardable)?, names, longest, over_breaks }))
    }

    pub(super) fn start(&self) -> StateID {
        // The one error is a search of a kind that the automaton was not built for; dead, it would replace nothing and hold all back.
        self.matcher.start_state(Anchored::No).unwrap_or_default()
    }

    pub(super) const fn is_over_breaks(&self) -> bool {
        self.over_breaks
    }

    /// What stands there, `skipped` bytes of a break after the last byte of text. `last`: nothing comes after these bytes.
    pub(super) fn step(&self, bytes: &[u8], at: usize, skipped: usize, last: bool) -> Step {
        let Some(byte) = bytes.get(at).copied() else { return Step::End };
        if !self.over_breaks || skipped >= LONGEST_BREAK {
            return Step::Feed(byte);
        }
        match (byte, bytes.get(at + 1)) {
            (b'\n' | b'\r', _) => Step::Skip(1),
            // as a string of JSON has it
            (b'\\', Some(b'n' | b'r')) => Step::Skip(2),
            (b'\\', None) if !last => Step::Unknown,
            (b' ' | b'\t', _) if skipped > 0 => Step::Skip(1),
            _ => Step::Feed(byte),
        }
    }

    /// Whose value is in there, if one is.
    pub(super) fn finds(&self, bytes: &[u8]) -> Option<&SecretName> {
        if !self.over_breaks {
            let input = Input::new(bytes).earliest(true);
            // The one error is a search of a kind that the automaton was not built for.
            let found = self.matcher.try_find(&input).ok().flatten()?;
            return self.names.get(found.pattern().as_usize());
        }
        self.each(bytes, |_| true)
    }

    /// Whether a value of this secret is in there.
    pub(super) fn holds(&self, secret: &SecretName, bytes: &[u8]) -> bool {
        self.each(bytes, |found| found == secret).is_some()
    }

    /// The first that is meant, of those that are found one after the other.
    fn each(&self, bytes: &[u8], mut is_meant: impl FnMut(&SecretName) -> bool) -> Option<&SecretName> {
        let (mut state, mut at, mut skipped) = (self.start(), 0, 0);
        loop {
            match self.step(bytes, at, skipped, true) {
                Step::Feed(byte) => {
                    state = self.matcher.next_state(Anchored::No, state, byte);
                    (at, skipped) = (at + 1, 0);
                    if !self.matcher.is_special(state) {
                        continue;
                    }
                    if self.matcher.is_match(state) {
                        let found = self.names.get(self.matcher.match_pattern(state, 0).as_usize());
                        if found.is_some_and(&mut is_meant) {
                            return found;
                        }
                    }
                    if self.matcher.is_dead(state) {
                        state = self.start();
                    }
                }
                Step::Skip(bytes) => (at, skipped) = (at + bytes, skipped + bytes),
                Step::Unknown | Step::End => return None,
            }
        }
    }
}
