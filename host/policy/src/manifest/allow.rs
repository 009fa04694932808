//! Who may call a tool: exact names and groups. There is no wildcard, since it would let in people whom nobody has thought of.

use std::{fmt, str::FromStr};

use wardkeep_model::Principal;

use crate::document::hidden;

/// One entry of `allow`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Allowed {
    /// Exactly this principal, such as `user:me` or `service:ci`.
    Principal(String),
    /// Everyone in the group, without the `group:` prefix.
    Group(String),
}

/// Text that is no entry of `allow`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAllowed {
    /// Not one of the three kinds.
    #[error("an entry is \"user:NAME\", \"service:NAME\" or \"group:NAME\"")]
    Kind,
    /// A pattern.
    #[error("an entry names one caller or one group exactly; there is no wildcard")]
    Wildcard,
    /// Blanks, hidden characters, nothing or too much.
    #[error("a name is 1 to 128 bytes without blanks and hidden characters")]
    Name,
}

impl Allowed {
    /// Whether this entry lets the principal in.
    #[must_use]
    pub fn admits(&self, principal: &Principal) -> bool {
        match self {
            Self::Principal(name) => principal.name == *name,
            Self::Group(group) => principal.groups.iter().any(|held| held == group),
        }
    }
}

impl FromStr for Allowed {
    type Err = InvalidAllowed;

    fn from_str(text: &str) -> Result<Self, InvalidAllowed> {
        if text.contains(['*', '?']) {
            return Err(InvalidAllowed::Wildcard);
        }
        let (kind, name) = text.split_once(':').ok_or(InvalidAllowed::Kind)?;
        let valid = (1..=128).contains(&name.len()) && !name.chars().any(|c| c.is_whitespace() || hidden(c));
        match kind {
            "user" | "service" | "oauth" | "group" if !valid => Err(InvalidAllowed::Name),
            "group" => Ok(Self::Group(name.into())),
            "user" | "service" | "oauth" => Ok(Self::Principal(text.into())),
            _ => Err(InvalidAllowed::Kind),
        }
    }
}

impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Principal(name) => f.write_str(name),
            Self::Group(group) => write!(f, "group:{group}"),
        }
    }
}

impl serde::Serialize for Allowed {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use wardkeep_model::Authenticated;

    use super::*;

    fn principal(name: &str, groups: &[&str]) -> Principal {
        Principal {
            name: name.into(),
            groups: groups.iter().map(|group| (*group).into()).collect(),
            authenticated: Authenticated::Stdio,
            writes: false,
            human: false,
            unconfirmed_writes: false,
            scopes: None,
            actors: Vec::new(),
        }
    }

    #[test]
    fn an_entry_admits_its_own_name_and_nothing_like_it() {
        let user: Allowed = "user:me".parse().unwrap();
        assert!(user.admits(&principal("user:me", &[])));
        for other in ["user:me2", "user:m", "service:me", "me", "USER:me", "group:user:me"] {
            assert!(!user.admits(&principal(other, &["me", "user:me"])), "{other}");
        }
        let group: Allowed = "group:oncall".parse().unwrap();
        assert!(group.admits(&principal("user:me", &["a", "oncall"])));
        assert!(!group.admits(&principal("group:oncall", &["oncalls", "group:oncall"])));
    }

    #[test]
    fn wildcards_and_bare_words_are_refused() {
        for (text, error) in [
            ("*", InvalidAllowed::Wildcard),
            ("user:*", InvalidAllowed::Wildcard),
            ("group:team-?", InvalidAllowed::Wildcard),
            ("any", InvalidAllowed::Kind),
            ("everyone", InvalidAllowed::Kind),
            ("any:one", InvalidAllowed::Kind),
            ("User:me", InvalidAllowed::Kind),
            ("user:", InvalidAllowed::Name),
            ("user:a b", InvalidAllowed::Name),
            ("user:a\u{200b}", InvalidAllowed::Name),
        ] {
            assert_eq!(text.parse::<Allowed>(), Err(error), "{text}");
        }
    }
}
