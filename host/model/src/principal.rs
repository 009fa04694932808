//! Who calls. A principal is made by the gateway once it has authenticated the caller, and nowhere else.

use serde::Serialize;

use crate::Effect;

/// How the caller proved who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Authenticated {
    /// The client started this process and speaks over its standard input.
    Stdio,
    /// Another process of the same user, by the socket peer's credentials.
    Socket,
    /// A bearer token that the operator's file knows by its digest.
    ApiKey,
    /// An access token of an issuer that the operator's file names (OAuth 2.1).
    #[serde(rename = "oauth")]
    OAuth,
}

/// The most actors that a principal carries; a longer chain is refused where tokens are read.
pub const MOST_ACTORS: usize = 8;

/// What a token allows at most. One scope does not hold another: a token that may write need not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Scopes {
    /// `tools:read`.
    pub read: bool,
    /// `tools:write`.
    pub write: bool,
    /// `tools:destructive`.
    pub destructive: bool,
}

impl Scopes {
    /// Every scope that there is.
    pub const ALL: Self = Self { read: true, write: true, destructive: true };

    /// Whether a tool of this class is covered.
    #[must_use]
    pub const fn allows(self, effect: Effect) -> bool {
        match effect {
            Effect::Read => self.read,
            Effect::Write => self.write,
            Effect::Destructive => self.destructive,
        }
    }

    /// The scope that covers a tool of this class.
    #[must_use]
    pub const fn name(effect: Effect) -> &'static str {
        match effect {
            Effect::Read => "tools:read",
            Effect::Write => "tools:write",
            Effect::Destructive => "tools:destructive",
        }
    }
}

/// An authenticated caller, with the upper bounds that the operator's file sets. It grants nothing: manifests do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Principal {
    /// Such as `user:me` or `service:ci`.
    pub name: String,
    /// Group names without the `group:` prefix.
    pub groups: Vec<String>,
    /// How it was authenticated.
    pub authenticated: Authenticated,
    /// May it call tools that write.
    pub writes: bool,
    /// Is there a person who can answer a confirmation.
    pub human: bool,
    /// May tools with `confirm = "none"` write for it.
    pub unconfirmed_writes: bool,
    /// What its token allows at most; nothing if the method of authentication has no scopes.
    pub scopes: Option<Scopes>,
    /// Who acts for it (RFC 8693, section 4.1, `act`), the nearest first; at most [`MOST_ACTORS`].
    pub actors: Vec<String>,
}

impl Principal {
    /// Whether it is the same caller, through the same actors, and may do at least as much.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        let Self { name, groups, authenticated: _, writes, human, unconfirmed_writes, scopes, actors } = other;
        let flags = [(self.writes, *writes), (self.human, *human), (self.unconfirmed_writes, *unconfirmed_writes)];
        let (own, theirs) = (self.scopes.unwrap_or(Scopes::ALL), scopes.unwrap_or(Scopes::ALL));
        let effects = [Effect::Read, Effect::Write, Effect::Destructive];
        self.name == *name
            && self.actors == *actors
            && flags.iter().all(|(own, theirs)| *own || !*theirs)
            && effects.into_iter().all(|effect| own.allows(effect) || !theirs.allows(effect))
            && groups.iter().all(|group| self.groups.contains(group))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_covers_itself_and_whoever_of_the_same_name_may_do_less() {
        let scopes = Scopes { read: true, write: true, destructive: false };
        let full = Principal {
            name: "oauth:corp/alice".into(),
            groups: vec!["a".into(), "b".into()],
            authenticated: Authenticated::OAuth,
            writes: true,
            human: true,
            unconfirmed_writes: true,
            scopes: Some(scopes),
            actors: vec!["agent".into()],
        };
        assert!(full.covers(&full));
        for less in [
            Principal { groups: vec!["b".into()], ..full.clone() },
            Principal { writes: false, ..full.clone() },
            Principal { human: false, ..full.clone() },
            Principal { unconfirmed_writes: false, ..full.clone() },
            Principal { scopes: Some(Scopes { write: false, ..scopes }), ..full.clone() },
        ] {
            assert!(full.covers(&less) && !less.covers(&full), "{less:?}");
        }
        let unbounded = Principal { scopes: None, ..full.clone() };
        assert!(unbounded.covers(&full) && !full.covers(&unbounded));
        for other in [
            Principal { name: "oauth:corp/bob".into(), ..full.clone() },
            Principal { actors: Vec::new(), ..full.clone() },
            Principal { actors: vec!["other".into()], ..full.clone() },
        ] {
            assert!(!full.covers(&other) && !other.covers(&full), "{other:?}");
        }
    }
}
