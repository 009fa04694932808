//! One plugin's secrets: the values that the host has read for it, the tokens that were had for them, and the guard over all of these. Never
//! shared with another plugin.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use wardkeep_model::{PluginName, SecretName};
use wardkeep_policy::{
    SecretTerms,
    manifest::{Credential, Inject},
};
use zeroize::Zeroizing;

use super::{
    Guard, NoSources, SecretSources, SourceError,
    exchange::client_pair,
    token::{Token, Tokens},
    value::Value,
};

/// Values of one secret that are looked for besides the newest and the one before, while calls still hold them.
const OLDER: usize = 14;

/// What one plugin has of the sources.
pub(crate) struct PluginSecrets {
    sources: Arc<dyn SecretSources>,
    known: Mutex<Known>,
    /// Apart from what it is made of: who asks for it does not wait while one is built.
    guard: Mutex<Option<Arc<Guard>>>,
    /// Whose sources were looked at before a call began.
    looked_at: Mutex<Vec<Arc<SecretTerms>>>,
}

#[derive(Default)]
struct Known {
    newest: BTreeMap<SecretName, Arc<Secret>>,
    /// All that was read and may still be in use, the newest last.
    seen: Vec<Seen>,
}

/// One secret as it was read last.
pub(crate) struct Secret {
    pub(crate) terms: Arc<SecretTerms>,
    pub(crate) value: Arc<Value>,
    pub(crate) tokens: Arc<Tokens>,
}

/// What the host may put into a request, as long as somebody holds it.
#[derive(Clone)]
pub(crate) enum Live {
    Value(Arc<Value>),
    Token(Arc<Token>),
}

struct Seen {
    terms: Arc<SecretTerms>,
    live: Live,
}

impl fmt::Debug for PluginSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PluginSecrets").field("names", &self.known().newest.keys()).finish_non_exhaustive()
    }
}

impl PluginSecrets {
    pub(crate) fn new(_: &PluginName, sources: &Arc<dyn SecretSources>) -> Self {
        Self::of(Arc::clone(sources))
    }

    /// None at all.
    pub(crate) fn none() -> Self {
        Self::of(Arc::new(NoSources))
    }

    fn of(sources: Arc<dyn SecretSources>) -> Self {
        Self { sources, known: Mutex::default(), guard: Mutex::default(), looked_at: Mutex::default() }
    }

    /// Whether the source of each was looked at, so that a value that it held then is looked for in every answer.
    pub(crate) fn has_looked_at(&self, all: &[Arc<SecretTerms>]) -> bool {
        let looked_at = self.looked_at.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().all(|terms| looked_at.iter().any(|known| Arc::ptr_eq(known, terms)))
    }

    /// Reads what each source holds now. One that holds nothing is told to who opens it. Blocks.
    pub(crate) fn look_at(&self, all: &[Arc<SecretTerms>]) {
        for terms in all {
            if let Err(error) = self.read(terms) {
                tracing::debug!(secret = %terms.name, %error, "a secret is not to be had");
            }
        }
        *self.looked_at.lock().unwrap_or_else(PoisonError::into_inner) = all.to_vec();
    }

    /// Finds the values that were read for this plugin; nothing where none were.
    pub(crate) fn guard(&self) -> Option<Arc<Guard>> {
        self.newest_guard().clone()
    }

    fn newest_guard(&self) -> MutexGuard<'_, Option<Arc<Guard>>> {
        self.guard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The secret as its source has it now. Blocks.
    pub(crate) fn read(&self, terms: &Arc<SecretTerms>) -> Result<Arc<Secret>, SourceError> {
        // Not under the lock: a file system that hangs must not hold the calls that only ask for the guard.
        let value = Value::of(terms, self.sources.read(&terms.source)?)?;
        let mut known = self.known();
        let before = known.newest.get(&terms.name).filter(|known| known.terms == *terms);
        if let Some(before) = before.filter(|before| before.value.bytes() == value.bytes()) {
            return Ok(Arc::clone(before));
        }
        // Tokens outlive a change of the value: the last one serves while it is good, should no new one be had.
        let tokens = before.map(|before| Arc::clone(&before.tokens)).unwrap_or_default();
        let secret = Arc::new(Secret { terms: Arc::clone(terms), value: Arc::new(value), tokens });
        let guard = known.learn(terms, Live::Value(Arc::clone(&secret.value)))?;
        *self.newest_guard() = guard;
        known.newest.insert(terms.name.clone(), Arc::clone(&secret));
        Ok(secret)
    }

    /// Looks for this token too, from now on. Blocks: a guard over long ones takes its time.
    pub(crate) fn learn(&self, terms: &Arc<SecretTerms>, token: &Arc<Token>) -> Result<(), SourceError> {
        let mut known = self.known();
        if known.seen.iter().any(|seen| matches!(&seen.live, Live::Token(known) if Arc::ptr_eq(known, token))) {
            return Ok(());
        }
        let guard = known.learn(terms, Live::Token(Arc::clone(token)))?;
        *self.newest_guard() = guard;
        Ok(())
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// A guard over this one too. Nothing may be used that is not looked for: an error takes it back.
    fn learn(&mut self, terms: &Arc<SecretTerms>, live: Live) -> Result<Option<Arc<Guard>>, SourceError> {
        self.seen.push(Seen { terms: Arc::clone(terms), live });
        self.forget();
        let forms: Vec<_> = self.seen.iter().flat_map(Seen::forms).collect();
        match Guard::over(forms.iter().map(|(name, form)| (*name, form.as_slice()))) {
            Ok(guard) => {
                drop(forms);
                Ok(guard)
            }
            Err(_) => {
                drop(forms);
                self.seen.pop();
                Err(SourceError::TooLong)
            }
        }
    }

    /// Of each secret the two newest values and the two newest tokens are kept, and older ones while a call holds them.
    fn forget(&mut self) {
        let mut counts: BTreeMap<(SecretName, bool), usize> = BTreeMap::new();
        let mut kept: Vec<_> = std::mem::take(&mut self.seen)
            .into_iter()
            .rev()
            .filter(|seen| {
                let newer = counts.entry((seen.terms.name.clone(), seen.live.is_token())).or_default();
                *newer += 1;
                *newer <= 2 || (*newer <= 2 + OLDER && seen.live.is_held())
            })
            .collect();
        kept.reverse();
        self.seen = kept;
    }
}

impl Live {
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Value(value) => value.text(),
            Self::Token(token) => token.text(),
        }
    }

    pub(crate) fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Value(a), Self::Value(b)) => Arc::ptr_eq(a, b),
            (Self::Token(a), Self::Token(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }

    const fn is_token(&self) -> bool {
        matches!(self, Self::Token(_))
    }

    /// Whether anybody but the list of what was seen holds it.
    fn is_held(&self) -> bool {
        match self {
            Self::Value(value) => Arc::strong_count(value) > 1,
            Self::Token(token) => Arc::strong_count(token) > 1,
        }
    }
}

impl Seen {
    /// What is looked for: the value, and what stands in front of an encoding of it.
    fn forms(&self) -> Vec<(&SecretName, Zeroizing<Vec<u8>>)> {
        let text = match &self.live {
            Live::Value(value) => value.bytes(),
            Live::Token(token) => token.text().as_bytes(),
        };
        // in a header it stands encoded, and who sends that back may encode it once more
        let as_sent = |pair: &Zeroizing<Vec<u8>>| Zeroizing::new(BASE64.encode(&**pair).into_bytes());
        let mut forms = vec![Zeroizing::new(text.to_vec())];
        match (&self.terms.credential, &self.terms.inject, &self.live) {
            (Credential::OAuthClient { client_id, .. }, _, Live::Value(value)) => {
                forms.push(client_pair(client_id, value.text()));
                forms.extend(forms.last().map(as_sent));
            }
            (Credential::Static, Inject::Basic { user }, _) | (_, Inject::Basic { user }, Live::Token(_)) => {
                forms.push(super::handle::basic_pair(user, self.live.text()));
                forms.extend(forms.last().map(as_sent));
            }
            _ => {}
        }
        forms.into_iter().map(|form| (&self.terms.name, form)).collect()
    }
}

#[cfg(test)]
mod tests;
