//! Revocations: keys and components that no longer count, whatever else is signed. One approver suffices, since this only takes away.
//!
//! What was revoked once is remembered by the host's state and journal, so that deleting the file lifts nothing.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use wardkeep_model::Digest;

use crate::{
    document::{Document, Fault, Faults, Item, Table},
    key::PublicKey,
    signature::{REVOKE_NAMESPACE, verify_signature},
    trust::Trust,
};

/// A revocation as it was read, not yet verified.
#[derive(Debug, Clone)]
pub struct Revocation {
    file: String,
    bytes: Vec<u8>,
    remembered: Remembered,
}

/// A verified revocation, as state and journal keep it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Remembered {
    /// Of the document's raw bytes.
    pub digest: Digest,
    /// Why.
    pub reason: String,
    /// Key fingerprints, `SHA256:…`.
    pub keys: Vec<String>,
    /// Component digests.
    pub components: Vec<Digest>,
}

/// Everything that is revoked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Revocations {
    keys: BTreeSet<String>,
    components: BTreeSet<Digest>,
}

impl Revocation {
    /// Reads `revoked/<id>.toml`.
    ///
    /// # Errors
    /// All its faults.
    pub fn parse(file: &str, bytes: &[u8]) -> Result<Self, Faults> {
        let document = Document::read(file, bytes)?;
        let digest = document.digest();
        let remembered = document.parse(|table| read(digest, table))?;
        Ok(Self { file: file.into(), bytes: bytes.into(), remembered })
    }

    /// What it revokes, if an approver of `trust` has signed it.
    ///
    /// A signer whose own key is revoked counts here: otherwise who stole a key could be first and revoke the key of the person who
    /// is about to revoke theirs.
    ///
    /// # Errors
    /// A signature does not fit, or none is an approver's.
    pub fn verify(self, trust: &Trust, signatures: &[(String, Vec<u8>)], now: Timestamp) -> Result<Remembered, Faults> {
        let mut faults = Faults::none();
        let mut keys: Vec<PublicKey> = Vec::new();
        for (file, bytes) in signatures {
            match verify_signature(REVOKE_NAMESPACE, &self.bytes, bytes) {
                Ok(signed) => keys.push(signed.key),
                Err(error) => faults.push(Fault::of(file, error.to_string()).mend("sign again, or remove the file")),
            }
        }
        if trust.signed(&keys, &Revocations::default(), now) == 0 {
            let message = "not signed by anyone who may approve";
            faults.push(Fault::of(&self.file, message).mend(format!("sign it: wardkeep sign {}", self.file)));
        }
        faults.unless(self.remembered)
    }
}

impl Revocations {
    /// Whether signatures by this key no longer count.
    #[must_use]
    pub fn revokes_key(&self, fingerprint: &str) -> bool {
        self.keys.contains(fingerprint)
    }

    /// Whether this component may no longer run.
    #[must_use]
    pub fn revokes_component(&self, component: &Digest) -> bool {
        self.components.contains(component)
    }

    /// Adds what a verified or remembered revocation takes away.
    pub fn add(&mut self, remembered: &Remembered) {
        self.keys.extend(remembered.keys.iter().cloned());
        self.components.extend(remembered.components.iter().copied());
    }

    /// Whether nothing is revoked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.components.is_empty()
    }
}

impl<'a> FromIterator<&'a Remembered> for Revocations {
    fn from_iter<I: IntoIterator<Item = &'a Remembered>>(all: I) -> Self {
        let mut revocations = Self::default();
        all.into_iter().for_each(|remembered| revocations.add(remembered));
        revocations
    }
}

impl FromIterator<Remembered> for Revocations {
    fn from_iter<I: IntoIterator<Item = Remembered>>(all: I) -> Self {
        let mut revocations = Self::default();
        all.into_iter().for_each(|remembered| revocations.add(&remembered));
        revocations
    }
}

fn read(digest: Digest, mut table: Table<'_>) -> Option<Remembered> {
    table.format(1);
    let reason = table.required("reason", "reason = \"laptop lost\"").and_then(|item| item.line_of_text(1..=500));
    let keys = table.optional("keys").map_or(Some(Vec::new()), |item| item.list_of(fingerprint));
    let components = table.optional("components").map_or(Some(Vec::new()), |item| item.list_of(Item::read));
    if keys.as_ref().is_some_and(Vec::is_empty) && components.as_ref().is_some_and(Vec::is_empty) {
        let mend = "add keys = [\"SHA256:…\"] as `ssh-keygen -l` prints them, or components = [\"HEX\"]";
        table.fault("revokes nothing", Some(mend));
    }
    drop(table);
    Some(Remembered { digest, reason: reason?.into(), keys: keys?, components: components? })
}

fn fingerprint(item: &Item<'_>) -> Option<String> {
    item.read_with(|text| {
        let body = text.strip_prefix("SHA256:").unwrap_or_default();
        let valid = body.len() == 43 && body.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/'));
        if valid {
            Ok(text.to_owned())
        } else {
            Err("a fingerprint is `SHA256:` and 43 letters, as `ssh-keygen -l` prints it")
        }
    })
}
