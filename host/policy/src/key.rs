//! Public keys of approvers, as `ssh-keygen` writes them.

use std::{fmt, str::FromStr};

use ssh_key::{Algorithm as SshAlgorithm, EcdsaCurve, HashAlg, public::KeyData};

use crate::document::quoted;

/// What signatures may be made with. RSA is left out: its keys are as old as their weaknesses, and the crate for it is unpatched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// `ssh-ed25519`.
    Ed25519,
    /// `sk-ssh-ed25519@openssh.com`: a security key that a person has to touch.
    SkEd25519,
    /// `ecdsa-sha2-nistp256`.
    EcdsaP256,
}

impl Algorithm {
    /// The algorithm's name in SSH.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ed25519 => "ssh-ed25519",
            Self::SkEd25519 => "sk-ssh-ed25519@openssh.com",
            Self::EcdsaP256 => "ecdsa-sha2-nistp256",
        }
    }

    pub(crate) const fn of(algorithm: &SshAlgorithm) -> Option<Self> {
        match algorithm {
            SshAlgorithm::Ed25519 => Some(Self::Ed25519),
            SshAlgorithm::SkEd25519 => Some(Self::SkEd25519),
            SshAlgorithm::Ecdsa { curve: EcdsaCurve::NistP256 } => Some(Self::EcdsaP256),
            _ => None,
        }
    }
}

/// A public key of an accepted algorithm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    data: KeyData,
    algorithm: Algorithm,
    fingerprint: String,
}

/// Text or bytes that are no key for approving.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKey {
    /// Not a line of an OpenSSH `.pub` file.
    #[error("not a public key as ssh-keygen writes it: the kind, the key in base64, a comment")]
    Malformed,
    /// A key, but not one that may approve.
    #[error("a key of kind {kind} may not approve; use ssh-ed25519, sk-ssh-ed25519@openssh.com or ecdsa-sha2-nistp256")]
    Algorithm {
        /// Its kind, in backticks.
        kind: String,
    },
}

impl PublicKey {
    pub(crate) fn new(data: KeyData) -> Result<Self, InvalidKey> {
        let kind = data.algorithm();
        let algorithm = Algorithm::of(&kind).ok_or_else(|| InvalidKey::Algorithm { kind: quoted(kind.as_str()) })?;
        let fingerprint = data.fingerprint(HashAlg::Sha256).to_string();
        Ok(Self { data, algorithm, fingerprint })
    }

    /// `SHA256:…`, as `ssh-keygen -l` prints it.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// What it signs with.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    pub(crate) const fn data(&self) -> &KeyData {
        &self.data
    }
}

impl FromStr for PublicKey {
    type Err = InvalidKey;

    fn from_str(line: &str) -> Result<Self, InvalidKey> {
        let kind = line.split(' ').next().unwrap_or_default();
        match ssh_key::PublicKey::from_openssh(line) {
            Ok(key) => Self::new(key.key_data().clone()),
            // Kinds whose parts this build leaves out do not parse; say so rather than "malformed".
            Err(_) if kind.starts_with("ssh-") || kind.starts_with("ecdsa-") || kind.starts_with("sk-") => {
                match SshAlgorithm::new(kind).ok().as_ref().map(Algorithm::of) {
                    Some(Some(_)) => Err(InvalidKey::Malformed),
                    _ => Err(InvalidKey::Algorithm { kind: quoted(kind) }),
                }
            }
            Err(_) => Err(InvalidKey::Malformed),
        }
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = ssh_key::PublicKey::new(self.data.clone(), "").to_openssh().map_err(|_| fmt::Error)?;
        f.write_str(line.trim_end())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ED25519: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti user@example.com";

    #[test]
    fn a_key_is_read_and_written_as_ssh_does() {
        let key: PublicKey = ED25519.parse().unwrap();
        assert_eq!(key.fingerprint(), "SHA256:UCUiLr7Pjs9wFFJMDByLgc3NrtdU344OgUM45wZPcIQ");
        assert_eq!(key.algorithm(), Algorithm::Ed25519);
        assert_eq!(format!("{key} user@example.com"), ED25519);
    }

    #[test]
    fn other_kinds_of_keys_are_refused_by_name() {
        for (line, kind) in [("ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAB", "`ssh-rsa`"), ("ssh-dss AAAA", "`ssh-dss`")] {
            assert_eq!(line.parse::<PublicKey>(), Err(InvalidKey::Algorithm { kind: kind.into() }));
        }
        for line in ["", "me", "ssh-ed25519", "ssh-ed25519 AAAA", "-----BEGIN OPENSSH PRIVATE KEY-----"] {
            assert_eq!(line.parse::<PublicKey>(), Err(InvalidKey::Malformed), "{line}");
        }
    }
}
