//! The name of an API key: a bare word of TOML, so that it can be a table's name.

use std::{fmt, str::FromStr};

/// A key's name in `[callers.keys]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyName(String);

/// A name that breaks the rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a name is 1 to 64 of a-z, 0-9, `-` and `_`")]
pub(crate) struct InvalidKeyName;

impl KeyName {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for KeyName {
    type Err = InvalidKeyName;

    fn from_str(text: &str) -> Result<Self, InvalidKeyName> {
        let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
        let fits = (1..=64).contains(&text.len()) && text.chars().all(word);
        fits.then(|| Self(text.to_owned())).ok_or(InvalidKeyName)
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
