//! Tokens whose signature was verified, by their digest: a client sends the same one with every request. What is kept is judged again at each
//! use by the clock and by the keys of that moment, so that nothing has to be taken out in time.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use wardkeep_model::{Digest, Principal};

use super::issuer::Issuer;

/// Tokens that are kept. Twice as many are held while the older half goes out.
const MOST: usize = 4_096;

/// A token that was good when it was looked at.
#[derive(Debug)]
pub(crate) struct Verified {
    pub(crate) principal: Principal,
    pub(crate) expires: Timestamp,
    pub(crate) issuer: Arc<Issuer>,
    /// The key that signed it.
    pub(crate) key: Digest,
}

/// Two generations: what is used in time passes into the younger one, and the older goes out whole. No list of who came last.
#[derive(Debug, Default)]
pub(crate) struct Kept(Mutex<Generations>);

#[derive(Debug, Default)]
struct Generations {
    young: HashMap<Digest, Arc<Verified>>,
    old: HashMap<Digest, Arc<Verified>>,
}

impl Kept {
    pub(crate) fn get(&self, token: Digest) -> Option<Arc<Verified>> {
        let mut kept = self.generations();
        if let Some(verified) = kept.young.get(&token) {
            return Some(Arc::clone(verified));
        }
        let verified = kept.old.remove(&token)?;
        kept.put(token, Arc::clone(&verified));
        Some(verified)
    }

    pub(crate) fn put(&self, token: Digest, verified: Arc<Verified>) {
        self.generations().put(token, verified);
    }

    pub(crate) fn forget(&self, token: Digest) {
        let mut kept = self.generations();
        kept.young.remove(&token);
        kept.old.remove(&token);
    }

    fn generations(&self) -> MutexGuard<'_, Generations> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        let kept = self.generations();
        kept.young.len() + kept.old.len()
    }
}

impl Generations {
    fn put(&mut self, token: Digest, verified: Arc<Verified>) {
        if self.young.len() >= MOST && !self.young.contains_key(&token) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(token, verified);
    }
}
