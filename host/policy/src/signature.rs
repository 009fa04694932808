//! Detached SSH signatures over a document's raw bytes (OpenSSH, PROTOCOL.sshsig), as `ssh-keygen -Y sign` makes them.
//!
//! A signature says who signed which bytes for which purpose. It carries no time and no authority: whether the key may approve is
//! asked of `trust`, with the time, and again in every decision.

use ssh_key::{HashAlg, LineEnding, PrivateKey, SshSig, private::Ed25519Keypair, private::KeypairData};

use crate::{
    document::quoted,
    key::{Algorithm, InvalidKey, PublicKey},
};

/// The purpose of a manifest's signature.
pub const MANIFEST_NAMESPACE: &str = "manifest@wardkeep.dev";
/// The purpose of a signature under `trust.toml`.
pub const TRUST_NAMESPACE: &str = "trust@wardkeep.dev";
/// The purpose of a signature under a revocation.
pub const REVOKE_NAMESPACE: &str = "revoke@wardkeep.dev";

/// Bytes of the largest signature file; a real one has about 300.
pub const LARGEST_SIGNATURE: usize = 4 << 10;

/// A security key sets this bit when a person has touched it (OpenSSH, PROTOCOL.u2f).
const USER_PRESENT: u8 = 0x01;
/// An ed25519 signature's bytes; in a security key's signature the flags follow.
const ED25519_BYTES: usize = 64;

/// Whose key has signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedBy {
    /// The key, fingerprint and algorithm with it.
    pub key: PublicKey,
}

/// Why a signature does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureFault {
    /// Not armoured as `ssh-keygen` armours it, to the byte: one signature has one spelling.
    #[error("not a signature file as `ssh-keygen -Y sign` writes it")]
    Malformed,
    /// Made by a key that may not approve.
    #[error(transparent)]
    Key(#[from] InvalidKey),
    /// Made for another purpose.
    #[error("made for the namespace {found}, not for `{wanted}`")]
    Namespace {
        /// The signature's own, in backticks.
        found: String,
        /// The one that is asked for.
        wanted: String,
    },
    /// A security key signed although nobody touched it.
    #[error("made by a security key that nobody touched")]
    NoUserPresence,
    /// Cryptographically wrong: the document or the signature was changed.
    #[error("does not fit these bytes")]
    Mismatch,
}

/// Who signed these bytes for this purpose.
///
/// # Errors
/// The signature does not count.
pub fn verify_signature(namespace: &str, document: &[u8], armoured: &[u8]) -> Result<SignedBy, SignatureFault> {
    if armoured.len() > LARGEST_SIGNATURE {
        return Err(SignatureFault::Malformed);
    }
    let signature = SshSig::from_pem(armoured).map_err(|_| SignatureFault::Malformed)?;
    // The envelope (version, reserved field, armour) is not itself signed. Only its one canonical spelling passes, so that no
    // byte of a signature file can be changed.
    let canonical = signature.to_pem(LineEnding::LF).map_err(|_| SignatureFault::Malformed)?;
    if signature.version() != SshSig::VERSION || !signature.reserved().is_empty() || canonical.as_bytes() != armoured {
        return Err(SignatureFault::Malformed);
    }
    let key = PublicKey::new(signature.public_key().clone())?;
    if Algorithm::of(&signature.algorithm()) != Some(key.algorithm()) {
        return Err(SignatureFault::Malformed);
    }
    if signature.namespace() != namespace {
        let found = quoted(signature.namespace());
        return Err(SignatureFault::Namespace { found, wanted: namespace.into() });
    }
    ssh_key::PublicKey::new(key.data().clone(), "")
        .verify(namespace, document, &signature)
        .map_err(|_| SignatureFault::Mismatch)?;
    // The crate verifies that the flags were signed, not what they say.
    let flags = signature.signature_bytes().get(ED25519_BYTES).copied().unwrap_or(0);
    if key.algorithm() == Algorithm::SkEd25519 && flags & USER_PRESENT == 0 {
        return Err(SignatureFault::NoUserPresence);
    }
    Ok(SignedBy { key })
}

/// Why a private key cannot sign here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignFault {
    /// Not an OpenSSH private key.
    #[error("not a private key as ssh-keygen writes it")]
    Malformed,
    /// It has a passphrase.
    #[error("the key has a passphrase; sign with `ssh-keygen -Y sign`, which asks for it")]
    Encrypted,
    /// Its kind may not approve, or signs in hardware.
    #[error("a key of this kind cannot sign here; sign with `ssh-keygen -Y sign`")]
    Kind,
}

/// Signs as `ssh-keygen -Y sign -n NAMESPACE` does, with the text of an OpenSSH private key file.
///
/// # Errors
/// The key cannot sign.
pub fn sign(namespace: &str, document: &[u8], private_key: &str) -> Result<String, SignFault> {
    let key = PrivateKey::from_openssh(private_key).map_err(|_| SignFault::Malformed)?;
    if key.is_encrypted() {
        return Err(SignFault::Encrypted);
    }
    PublicKey::new(key.public_key().key_data().clone()).map_err(|_| SignFault::Kind)?;
    let signature = key.sign(namespace, HashAlg::Sha512, document).map_err(|_| SignFault::Kind)?;
    signature.to_pem(LineEnding::LF).map_err(|_| SignFault::Malformed)
}

/// A new key in the two texts that `ssh-keygen` would write into its two files.
pub struct KeyPair {
    /// The private key file: for its owner only.
    pub private: String,
    /// The line of the public key file.
    pub public: String,
}

/// An ed25519 key from 32 random bytes, which must come from the operating system and be used for nothing else.
///
/// # Errors
/// The comment cannot be written.
pub fn generate_key(seed: &[u8; 32], comment: &str) -> Result<KeyPair, SignFault> {
    let pair = KeypairData::from(Ed25519Keypair::from_seed(seed));
    let key = PrivateKey::new(pair, comment).map_err(|_| SignFault::Malformed)?;
    let private = key.to_openssh(LineEnding::LF).map_err(|_| SignFault::Malformed)?;
    let public = key.public_key().to_openssh().map_err(|_| SignFault::Malformed)?;
    Ok(KeyPair { private: private.to_string(), public })
}

#[cfg(test)]
mod tests;
