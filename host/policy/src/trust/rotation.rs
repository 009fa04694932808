//! A change of `trust.toml` in a home whose state knows an older one: approved by both the old and the new.

use jiff::Timestamp;
use wardkeep_model::{Digest, Effect};

use crate::{
    document::{Fault, Faults},
    key::PublicKey,
    revocation::Revocations,
    signature::{TRUST_NAMESPACE, verify_signature},
};

use super::Trust;

/// Whether `new`, whose bytes are `new_bytes`, may follow `old`. The very same document always may. An old document that has expired
/// may still be followed: its people are asked, and the operator pins the new one besides.
///
/// # Errors
/// The version does not rise, or people of the old or of the new are missing among the signers.
pub fn check_rotation(
    old: &Trust,
    new: &Trust,
    new_bytes: &[u8],
    signatures: &[(String, Vec<u8>)],
    revocations: &Revocations,
    now: Timestamp,
) -> Result<(), Faults> {
    if old.digest == new.digest && Digest::of(new_bytes) == new.digest {
        return Ok(());
    }
    let mut faults = Faults::none();
    let fault = |message: String| Fault::of(&new.file, message);
    if Digest::of(new_bytes) != new.digest {
        faults.push(fault("the bytes are not those of the document".into()));
    }
    if new.version <= old.version {
        let message = format!("version {} does not follow version {}, which this home knows", new.version, old.version);
        faults.push(
            fault(message)
                .at(new.lines.of_key("version"), "version")
                .mend(format!("write version = {}", old.version.saturating_add(1))),
        );
    }
    faults.extend(new.expired(now));
    let mut keys: Vec<PublicKey> = Vec::new();
    for (file, bytes) in signatures {
        match verify_signature(TRUST_NAMESPACE, new_bytes, bytes) {
            Ok(signed) => keys.push(signed.key),
            Err(error) => faults.push(Fault::of(file, error.to_string()).mend("sign again, or remove the file")),
        }
    }
    for (trust, which) in [(old, "old"), (new, "new")] {
        let (needed, signed) = (trust.to_rotate(), trust.signed(&keys, revocations, now));
        if signed < needed {
            let message = format!("signed by {signed} of the {needed} people whom the {which} document needs");
            faults.push(fault(message).mend(format!("sign it: wardkeep sign {}", new.file)));
        }
    }
    faults.unless(())
}

impl Trust {
    /// A change of who approves is as grave as anything can be; but a home with fewer people than that cannot ask for more.
    fn to_rotate(&self) -> u32 {
        let gravest = [Effect::Read, Effect::Write, Effect::Destructive].map(|effect| self.threshold(effect));
        let people = u32::try_from(self.approvers.len()).unwrap_or(u32::MAX);
        gravest.into_iter().max().unwrap_or(1).min(people)
    }
}
