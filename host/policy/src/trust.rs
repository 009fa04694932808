//! `trust.toml`: who may approve, and how many must.
//!
//! A signature carries no time, so whether an approver counts is judged when a decision is made, not when the file was signed.
//! People are counted, not keys: one person with two keys is one approver.

mod initial;
mod read;
mod rotation;

use jiff::{Timestamp, civil::Date};
use wardkeep_model::{Digest, Effect};

pub use initial::InitialTrust;
pub use rotation::check_rotation;

use crate::{
    day,
    document::{Document, Fault, Faults, Lines},
    key::PublicKey,
    revocation::Revocations,
};

/// The approvers and thresholds of a home.
#[derive(Debug, Clone)]
pub struct Trust {
    file: String,
    digest: Digest,
    lines: Lines,
    version: u64,
    expires: Date,
    thresholds: Thresholds,
    approvers: Vec<Approver>,
}

/// How many people must sign for each effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Thresholds {
    read: u32,
    write: u32,
    destructive: u32,
}

/// A person who may approve.
#[derive(Debug, Clone)]
pub struct Approver {
    name: String,
    keys: Vec<PublicKey>,
    from: Timestamp,
    until: Timestamp,
}

impl Approver {
    /// The person's name in `trust.toml`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The person's keys.
    #[must_use]
    pub fn keys(&self) -> &[PublicKey] {
        &self.keys
    }

    /// Whether the person may approve at this time.
    #[must_use]
    pub fn valid_at(&self, now: Timestamp) -> bool {
        (self.from..self.until).contains(&now)
    }

    /// From when, and until when excluded, the person may approve.
    pub(crate) const fn window(&self) -> (Timestamp, Timestamp) {
        (self.from, self.until)
    }
}

impl Trust {
    /// Reads `trust.toml`.
    ///
    /// # Errors
    /// All its faults.
    pub fn parse(file: &str, bytes: &[u8]) -> Result<Self, Faults> {
        let document = Document::read(file, bytes)?;
        let (digest, lines) = (document.digest(), document.lines());
        document.parse(|table| read::read(file, digest, lines, table))
    }

    /// The digest of its raw bytes, which the operator's file pins.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// Only goes up.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// The last day.
    #[must_use]
    pub const fn expires(&self) -> Date {
        self.expires
    }

    /// The first instant at which it holds no more.
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        day::end(self.expires)
    }

    /// How faults name the document.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// How many people must sign a manifest whose gravest tool has this effect.
    #[must_use]
    pub const fn threshold(&self, effect: Effect) -> u32 {
        match effect {
            Effect::Read => self.thresholds.read,
            Effect::Write => self.thresholds.write,
            Effect::Destructive => self.thresholds.destructive,
        }
    }

    /// Everyone who may approve, at some time.
    #[must_use]
    pub fn approvers(&self) -> &[Approver] {
        &self.approvers
    }

    /// Whose key this is.
    #[must_use]
    pub fn approver(&self, key: &PublicKey) -> Option<&Approver> {
        self.approvers.iter().find(|approver| approver.keys.contains(key))
    }

    /// Whether these are the bytes that the operator's file pins.
    ///
    /// # Errors
    /// They are others.
    pub fn check_pin(&self, root_sha256: Digest) -> Result<(), Faults> {
        if self.digest == root_sha256 {
            return Ok(());
        }
        let message = "is not the document that `trust.root_sha256` in wardkeep.toml pins".to_owned();
        let mend = format!(
            "put the pinned document back; only if you changed it yourself, write into wardkeep.toml:\n\
             [trust]\nroot_sha256 = \"{}\"",
            self.digest
        );
        Err(Fault::of(&self.file, message).mend(mend).into())
    }

    /// The fault that this document is past its last day, if it is.
    pub(crate) fn expired(&self, now: Timestamp) -> Option<Fault> {
        let fault = || {
            let mend =
                "renew it: a later `expires`, a higher `version`, the new digest in wardkeep.toml, and signatures";
            Fault::of(&self.file, format!("expired at the end of {}, UTC", self.expires))
                .at(self.lines.of_key("expires"), "expires")
                .mend(mend)
        };
        (self.expires_at() <= now).then(fault)
    }

    /// Why this key's signature does not count now, if it does not.
    pub(crate) fn objection(&self, key: &PublicKey, revocations: &Revocations, now: Timestamp) -> Option<String> {
        let Some(approver) = self.approver(key) else {
            return Some(format!("by a key that {} does not know, {}", self.file, key.fingerprint()));
        };
        if revocations.revokes_key(key.fingerprint()) {
            return Some(format!("by a revoked key of `{}`, {}", approver.name, key.fingerprint()));
        }
        (!approver.valid_at(now)).then(|| format!("by `{}`, who may not approve at this time", approver.name))
    }

    /// The people behind these keys whose signatures may count at some time, each once, whatever the keys.
    pub(crate) fn people(&self, keys: &[PublicKey], revocations: &Revocations) -> Vec<&Approver> {
        let counts = |key: &&PublicKey| keys.contains(key) && !revocations.revokes_key(key.fingerprint());
        self.approvers.iter().filter(|approver| approver.keys.iter().any(|key| counts(&key))).collect()
    }

    /// How many people could sign with keys that count now.
    pub(crate) fn able(&self, revocations: &Revocations, now: Timestamp) -> u32 {
        let keys: Vec<_> = self.approvers.iter().flat_map(|approver| approver.keys.iter().cloned()).collect();
        self.signed(&keys, revocations, now)
    }

    /// How many people have signed with keys that count now.
    pub(crate) fn signed(&self, keys: &[PublicKey], revocations: &Revocations, now: Timestamp) -> u32 {
        let people = self.people(keys, revocations).into_iter().filter(|person| person.valid_at(now)).count();
        u32::try_from(people).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests;
