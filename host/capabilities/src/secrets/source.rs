//! Where values come from, as the rest of the host sees it. What a source is made of (a directory, the environment) the operator's file says
//! and the server builds; here nothing is read.

use std::{error::Error, fmt, io, sync::Arc, time::SystemTime};

use secrecy::SecretSlice;
use wardkeep_policy::manifest::SourceKey;

/// Bytes of a value at least. Shorter ones would be found everywhere, so that the guard could not look for them.
pub(crate) const SHORTEST: usize = 8;
/// Bytes of a value at most, its last end of a line aside.
pub const LONGEST: usize = 16 << 10;

/// The operator's sources.
pub trait SecretSources: Send + Sync + fmt::Debug {
    /// What is there now. Blocks, and is asked again for every handle that is opened: so a changed value needs no restart.
    ///
    /// # Errors
    ///
    /// Nothing usable is there.
    fn read(&self, key: &SourceKey) -> Result<Reading, SourceError>;
}

/// A host without sources.
#[derive(Debug)]
pub(crate) struct NoSources;

impl SecretSources for NoSources {
    fn read(&self, _: &SourceKey) -> Result<Reading, SourceError> {
        Err(SourceError::NoSource)
    }
}

/// A value as it was read. Not to be shown: it has no `Debug`, and is wiped when it is dropped.
pub struct Reading {
    /// Its bytes, without the end of the last line.
    pub value: SecretSlice<u8>,
    /// When it was last changed, where the source knows.
    pub changed: Option<SystemTime>,
}

/// Why there is no usable value. Tells of the place and its rule, and never a part of what lies there.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SourceError {
    /// The operator's file has no source of this kind.
    #[error("the operator's file names no source of this kind")]
    NoSource,
    /// Nothing of this name is there.
    #[error("it is not there")]
    Absent,
    /// It is there and cannot be read.
    #[error("it cannot be read: {0}")]
    Unreadable(Arc<io::Error>),
    /// Others than its owner may read it.
    #[error("others may read it (mode {mode:04o})")]
    OpenToOthers {
        /// Its permissions.
        mode: u32,
    },
    /// Others may change it, or what leads to it.
    #[error("others may change it: {0}")]
    Untrusted(Arc<dyn Error + Send + Sync>),
    /// It is a link that leads elsewhere.
    #[error("it leads out of the directory of secrets")]
    LeadsOut,
    /// Too short to be looked for.
    #[error("it has less than {SHORTEST} bytes, and would be found in texts that have nothing to do with it")]
    TooShort,
    /// Longer than any credential.
    #[error("it has more than {LONGEST} bytes")]
    TooLong,
    /// Bytes that cannot go where the manifest puts them.
    #[error("it holds what cannot stand {0}")]
    Unfit(&'static str),
    /// It should be a key.
    #[error("it is no RSA private key in PEM")]
    NoKey,
}

impl SourceError {
    /// The word for the record.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::NoSource => "no-source",
            Self::Absent => "absent",
            Self::Unreadable(_) => "unreadable",
            Self::OpenToOthers { .. } => "open-to-others",
            Self::Untrusted(_) => "untrusted",
            Self::LeadsOut => "leads-out",
            Self::TooShort => "too-short",
            Self::TooLong => "too-long",
            Self::Unfit(_) => "unfit",
            Self::NoKey => "no-key",
        }
    }
}

impl Reading {
    /// A value from bytes as they were found: the end of the last line goes, since editors and `echo` put it there.
    ///
    /// # Errors
    ///
    /// It is too short or too long.
    pub fn new(mut bytes: Vec<u8>, changed: Option<SystemTime>) -> Result<Self, SourceError> {
        let end = bytes.strip_suffix(b"\r\n").or_else(|| bytes.strip_suffix(b"\n")).map_or(bytes.len(), <[u8]>::len);
        let fits = match end {
            0..SHORTEST => Err(SourceError::TooShort),
            SHORTEST..=LONGEST => Ok(()),
            _ => Err(SourceError::TooLong),
        };
        // Without giving memory back that still holds it: a box of its own, and the old bytes are wiped.
        let value = SecretSlice::from(bytes.get(..end).unwrap_or_default().to_vec());
        zeroize::Zeroize::zeroize(&mut bytes);
        fits.map(|()| Self { value, changed })
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn one_end_of_a_line_goes_and_lengths_are_bounded_without_it() {
        let read = |bytes: &[u8]| Reading::new(bytes.to_vec(), None).map(|read| read.value.expose_secret().to_vec());
        assert_eq!(read(b"12345678\n").unwrap(), b"12345678");
        assert_eq!(read(b"12345678\r\n").unwrap(), b"12345678");
        assert_eq!(read(b"12345678\n\n").unwrap(), b"12345678\n");
        assert!(matches!(read(b"1234567\n"), Err(SourceError::TooShort)));
        assert!(matches!(read(b""), Err(SourceError::TooShort)));
        assert!(read(&[b'x'; LONGEST]).is_ok());
        assert!(matches!(read(&[b'x'; LONGEST + 1]), Err(SourceError::TooLong)));
    }
}
