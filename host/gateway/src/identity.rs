//! From a credential to a principal. With nothing configured, nobody is anybody.

use jiff::Timestamp;
use subtle::ConstantTimeEq as _;
use wardkeep_model::{Authenticated, Digest, Principal};

/// Who may call, as the operator's file says.
#[derive(Debug, Clone, Default)]
pub struct Callers {
    /// Who calls over standard input and the home's own socket; absent, both are refused.
    pub stdio: Option<Principal>,
    /// Who calls over HTTP with a bearer token.
    pub keys: Vec<ApiKey>,
}

/// One API key. The host knows its digest only.
#[derive(Debug, Clone)]
pub struct ApiKey {
    /// Its name in `[callers.keys]`.
    pub name: String,
    /// SHA-256 of the whole token.
    pub sha256: Digest,
    /// Whom it stands for.
    pub principal: Principal,
    /// From when on it is refused.
    pub expires: Option<Timestamp>,
}

/// What a caller proved who it is by: asked again when the operator's file changes while a client is connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Credential {
    /// Standard input.
    Stdio,
    /// The home's own socket.
    Socket,
    /// A bearer token with this digest.
    Key(Digest),
}

/// A caller and what it proved it by.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) principal: Principal,
    pub(crate) credential: Credential,
}

/// Why nobody could be told from a credential. The caller is told only that it is not authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unauthenticated {
    #[error("no bearer token")]
    Missing,
    #[error("more than one authorization header, or one that is no bearer token")]
    Malformed,
    #[error("an unknown key")]
    Unknown,
    #[error("a key that has expired")]
    Expired,
    #[error("no [callers.stdio] in the operator's file")]
    NoLocalCaller,
}

impl Unauthenticated {
    pub(crate) const fn rule(self) -> &'static str {
        match self {
            Self::Missing => "no-credential",
            Self::Malformed => "malformed-credential",
            Self::Unknown => "unknown-key",
            Self::Expired => "expired-key",
            Self::NoLocalCaller => "no-local-caller",
        }
    }
}

impl Callers {
    /// The principal of an `authorization` header (RFC 6750, section 2.1). Every key is compared, each in constant time, so
    /// that the time taken tells nothing about any of them.
    pub(crate) fn bearer(&self, header: &[u8], now: Timestamp) -> Result<Identity, Unauthenticated> {
        let token = header
            .split_at_checked(7)
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case(b"bearer "))
            .map(|(_, token)| token.trim_ascii())
            .filter(|token| (1..=512).contains(&token.len()))
            .ok_or(Unauthenticated::Malformed)?;
        self.key(Digest::of(token), now)
    }

    fn key(&self, digest: Digest, now: Timestamp) -> Result<Identity, Unauthenticated> {
        let mut found = None;
        for key in &self.keys {
            if bool::from(key.sha256.as_bytes().ct_eq(digest.as_bytes())) {
                found = Some(key);
            }
        }
        let key = found.ok_or(Unauthenticated::Unknown)?;
        if key.expires.is_some_and(|expires| now >= expires) {
            return Err(Unauthenticated::Expired);
        }
        Ok(Identity { principal: key.principal.clone(), credential: Credential::Key(digest) })
    }

    /// Whom a credential stands for now.
    pub(crate) fn principal(&self, credential: Credential, now: Timestamp) -> Result<Principal, Unauthenticated> {
        match credential {
            Credential::Stdio => self.local(Authenticated::Stdio),
            Credential::Socket => self.local(Authenticated::Socket),
            Credential::Key(digest) => self.key(digest, now).map(|identity| identity.principal),
        }
    }

    /// The principal of this host's own user.
    pub(crate) fn local(&self, authenticated: Authenticated) -> Result<Principal, Unauthenticated> {
        let principal = self.stdio.clone().ok_or(Unauthenticated::NoLocalCaller)?;
        Ok(Principal { authenticated, ..principal })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn callers() -> Callers {
        let principal = Principal {
            name: "service:ci".into(),
            groups: vec!["automation".into()],
            authenticated: Authenticated::ApiKey,
            writes: false,
            human: false,
            unconfirmed_writes: false,
            scopes: None,
            actors: Vec::new(),
        };
        let expires = Some("2027-01-01T00:00:00Z".parse().unwrap());
        Callers {
            stdio: None,
            keys: vec![ApiKey { name: "ci".into(), sha256: Digest::of(b"wk_x"), principal, expires }],
        }
    }

    fn at(time: &str) -> Timestamp {
        time.parse().unwrap()
    }

    #[test]
    fn a_known_key_gives_its_principal_until_the_moment_it_expires() {
        let before = callers().bearer(b"Bearer wk_x", at("2026-12-31T23:59:59Z"));
        assert_eq!(before.map(|known| known.principal.name), Ok("service:ci".to_owned()));
        let at_the_limit = callers().bearer(b"Bearer wk_x", at("2027-01-01T00:00:00Z"));
        assert_eq!(at_the_limit.unwrap_err(), Unauthenticated::Expired);
    }

    #[test]
    fn everything_else_is_nobody() {
        let now = at("2026-12-01T00:00:00Z");
        for (header, expected) in [
            (&b"Bearer wk_y"[..], Unauthenticated::Unknown),
            (b"Bearer ", Unauthenticated::Malformed),
            (b"Basic wk_x", Unauthenticated::Malformed),
            (b"", Unauthenticated::Malformed),
            (b"wk_x", Unauthenticated::Malformed),
            (&[b"Bearer ".as_slice(), &[b'a'; 513]].concat(), Unauthenticated::Malformed),
        ] {
            assert_eq!(callers().bearer(header, now).unwrap_err(), expected, "{}", String::from_utf8_lossy(header));
        }
        assert_eq!(Callers::default().bearer(b"Bearer wk_x", now).unwrap_err(), Unauthenticated::Unknown);
        assert_eq!(Callers::default().local(Authenticated::Stdio).unwrap_err(), Unauthenticated::NoLocalCaller);
    }
}
