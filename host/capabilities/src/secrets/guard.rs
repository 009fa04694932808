//! The second line of defence: finds the values of one plugin's secrets, and the encodings that they usually come back in, in what leaves
//! the guest and in what comes to it.
//!
//! The handle is the first line: no value enters a guest at all. This one is for upstreams that send a credential back, and for mistakes. It
//! stops nobody who encrypts, and must not be relied on as if it did.

mod look;
mod patterns;
mod stream;

use std::{borrow::Cow, fmt, sync::Arc};

use aho_corasick::{Input, automaton::Automaton, nfa::contiguous::NFA};
use wardkeep_model::SecretName;

use look::Look;
pub(crate) use stream::GuardStream;

/// What stands in the place of a value that was found.
const PLACE: &[u8] = b"[secret]";

/// Knows the values of one plugin's secrets that the host has read.
///
/// Its automaton holds what it looks for, as every such thing must: it is never shown, and the process that it is in cannot be dumped.
pub struct Guard {
    whole: Look,
    /// Forms whose lines may be broken.
    broken: Look,
    /// The values as names hold them, which are told in small letters.
    folded: NFA,
}

/// More, or longer values than an automaton can be made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the values are too long to be looked for")]
pub struct Unguardable;

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("patterns", &self.whole.names.len()).finish_non_exhaustive()
    }
}

impl Guard {
    /// A guard over these values; none where there is nothing to be looked for.
    ///
    /// # Errors
    ///
    /// There is too much to be looked for.
    pub fn over<'v>(
        values: impl Iterator<Item = (&'v SecretName, &'v [u8])>,
    ) -> Result<Option<Arc<Self>>, Unguardable> {
        let values: Vec<_> = values.collect();
        let looks = (Look::over(&values, patterns::of, false)?, Look::over(&values, patterns::broken, true)?);
        let (Some(whole), Some(broken)) = looks else { return Ok(None) };
        let plain = values.iter().map(|(_, value)| value);
        let folded = NFA::builder().ascii_case_insensitive(true).prefilter(false).build(plain);
        let folded = folded.map_err(|_| Unguardable)?;
        Ok(Some(Arc::new(Self { whole, broken, folded })))
    }

    /// Whose value is in there, if one is.
    #[must_use]
    pub fn finds(&self, bytes: &[u8]) -> Option<&SecretName> {
        // Where no line is broken, a whole form is all that there can be.
        let breaks = || bytes.iter().any(|byte| matches!(byte, b'\n' | b'\r' | b'\\'));
        self.whole.finds(bytes).or_else(|| if breaks() { self.broken.finds(bytes) } else { None })
    }

    /// Whether a value of this secret is in there.
    #[must_use]
    pub fn holds(&self, secret: &SecretName, bytes: &[u8]) -> bool {
        [&self.whole, &self.broken].into_iter().any(|look| look.holds(secret, bytes))
    }

    /// Whether a value is in there, or would be but for capitals.
    pub(crate) fn finds_folded(&self, bytes: &[u8]) -> bool {
        let input = Input::new(bytes).earliest(true);
        self.finds(bytes).is_some() || self.folded.try_find(&input).is_ok_and(|found| found.is_some())
    }

    /// The text with `[secret]` in the place of every value.
    #[must_use]
    pub fn without<'t>(self: &Arc<Self>, text: &'t str) -> Cow<'t, str> {
        if self.finds(text.as_bytes()).is_none() {
            return Cow::Borrowed(text);
        }
        let mut stream = self.stream();
        let mut bytes = stream.push(text.as_bytes());
        bytes.extend(stream.finish());
        Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The same for bytes that come in pieces.
    pub(crate) fn stream(self: &Arc<Self>) -> GuardStream {
        GuardStream::of(Arc::clone(self))
    }
}

#[cfg(test)]
mod tests;
