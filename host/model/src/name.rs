//! Names that have passed their rule. What holds one of these types needs no further check.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A name that breaks its rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} is {rule}")]
pub struct InvalidName {
    /// What the name is for, such as `a plugin name`.
    pub what: &'static str,
    /// The rule that it breaks.
    pub rule: &'static str,
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $rule:literal, $longest:literal, $first:expr, $other:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(std::sync::Arc<str>);

        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidName;

            fn from_str(text: &str) -> Result<Self, InvalidName> {
                let first: fn(char) -> bool = $first;
                let other: fn(char) -> bool = $other;
                let fits = (1..=$longest).contains(&text.len()) && text.starts_with(first) && text.chars().all(other);
                fits.then(|| Self(text.into())).ok_or(InvalidName { what: $what, rule: $rule })
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

fn lower(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit()
}

fn lower_dash(c: char) -> bool {
    lower(c) || c == '-' || c == '_'
}

fn word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '-'
}

name!(
    /// A plugin's name: unique in a home, and the name of its directory there.
    PluginName, "a plugin name", "1 to 40 of a-z, 0-9, `-` and `_`, beginning with a letter or digit", 40, lower, lower_dash
);
name!(
    /// A tool's name inside its plugin.
    ToolName, "a tool name", "1 to 64 of A-Z, a-z, 0-9, `_` and `-`", 64, word, word
);
name!(
    /// A tool's name as clients see it, unique in the host (MCP, Tools, Tool Names).
    PublishedName, "a published tool name", "1 to 64 of A-Z, a-z, 0-9, `_` and `-`", 64, word, word
);
name!(
    /// The name that a manifest gives to one of its grants.
    GrantName, "a grant name", "1 to 64 of a-z, 0-9, `-` and `_`, beginning with a letter or digit", 64, lower, lower_dash
);
name!(
    /// The name of a directory that guests may be granted; the operator's file maps it to a path.
    RootName, "a root name", "1 to 64 of a-z, 0-9, `-` and `_`, beginning with a letter or digit", 64, lower, lower_dash
);
name!(
    /// The name that a manifest gives to one of its secrets, and by which a component opens it.
    SecretName, "a secret name", "1 to 64 of a-z, 0-9, `-` and `_`, beginning with a letter or digit", 64, lower, lower_dash
);
name!(
    /// One id for a call through answer, log and audit.
    CorrelationId, "a correlation id", "32 hexadecimal digits", 32, |c| c.is_ascii_hexdigit(), |c| c.is_ascii_hexdigit()
);

impl CorrelationId {
    /// An id from 16 random bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(format!("{:032x}", u128::from_be_bytes(bytes)).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_their_rules_at_the_limit_and_beyond() {
        assert_eq!("a".repeat(40).parse::<PluginName>().map(|n| n.to_string()), Ok("a".repeat(40)));
        for bad in ["", "-a", "A", "a/b", "..", "a b", "ä", &"a".repeat(41)] {
            let error = bad.parse::<PluginName>().unwrap_err();
            assert_eq!(error.what, "a plugin name", "{bad}");
        }
        assert_eq!("x".repeat(64).parse::<ToolName>().map(|n| n.as_str().len()), Ok(64));
        assert_eq!("x".repeat(65).parse::<ToolName>().unwrap_err().what, "a tool name");
    }

    #[test]
    fn a_correlation_id_has_32_digits_even_when_it_begins_with_zeros() {
        assert_eq!(CorrelationId::from_bytes([0; 16]).as_str(), "0".repeat(32));
    }
}
