//! From a credential to a principal. With nothing configured, nobody is anybody.

mod claims;
mod issuer;
mod keys;
mod oauth;
mod token;
mod verified;

use std::sync::Arc;

use jiff::Timestamp;
use subtle::ConstantTimeEq as _;
use wardkeep_model::{Authenticated, Digest, Principal};

pub use self::{
    claims::IssuerTerms,
    issuer::{KeySource, Pace},
    oauth::OAuth,
    token::Algorithm,
};
use self::{token::BadToken, verified::Verified};

/// Bytes of an API key.
const LONGEST_KEY: usize = 512;

/// Who may call, as the operator's file says.
#[derive(Debug, Clone, Default)]
pub struct Callers {
    /// Who calls over standard input and the home's own socket; absent, both are refused.
    pub stdio: Option<Principal>,
    /// Who calls over HTTP with a key of this host.
    pub keys: Vec<ApiKey>,
    /// Who calls over HTTP with an access token of an issuer.
    pub oauth: Arc<OAuth>,
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
    /// Whom to ask about it.
    pub owner: Option<String>,
}

/// What a caller proved who it is by: asked again when the operator's file changes while a client is connected.
#[derive(Debug, Clone)]
pub(crate) enum Credential {
    /// Standard input.
    Stdio,
    /// The home's own socket.
    Socket,
    /// A key with this digest.
    Key(Digest),
    /// An access token.
    Token(Arc<Verified>),
}

impl Credential {
    /// Whether it ends with a request, and with what the operator's file says: who is at this process's own ends may come back.
    pub(crate) const fn is_of_http(&self) -> bool {
        matches!(self, Self::Key(_) | Self::Token(_))
    }

    /// The key's digest, where it is one.
    pub(crate) const fn key(&self) -> Option<Digest> {
        match self {
            Self::Key(digest) => Some(*digest),
            Self::Stdio | Self::Socket | Self::Token(_) => None,
        }
    }

    /// When it ends by itself, whatever the operator's file says.
    pub(crate) fn expires(&self) -> Option<Timestamp> {
        match self {
            Self::Token(verified) => Some(verified.expires),
            Self::Stdio | Self::Socket | Self::Key(_) => None,
        }
    }
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
    #[error("{0}")]
    Token(#[from] BadToken),
}

impl Unauthenticated {
    pub(crate) const fn rule(self) -> &'static str {
        match self {
            Self::Missing => "no-credential",
            Self::Malformed => "malformed-credential",
            Self::Unknown => "unknown-key",
            Self::Expired => "expired-key",
            Self::NoLocalCaller => "no-local-caller",
            Self::Token(bad) => bad.rule(),
        }
    }
}

impl Callers {
    /// The principal of an `authorization` header (RFC 6750, section 2.1). Every key is compared, each in constant time, so
    /// that the time taken tells nothing about any of them.
    pub(crate) async fn bearer(&self, header: &[u8], now: Timestamp) -> Result<Identity, Unauthenticated> {
        let token = header
            .split_at_checked(7)
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case(b"bearer "))
            .map(|(_, token)| token.trim_ascii())
            .filter(|token| !token.is_empty())
            .ok_or(Unauthenticated::Malformed)?;
        let (open, is_token) = (self.oauth.is_open(), token.contains(&b'.'));
        if token.len() > token::LONGEST || (token.len() > LONGEST_KEY && !open) {
            return Err(if open { BadToken::TooLong.into() } else { Unauthenticated::Malformed });
        }
        let digest = Digest::of(token);
        match self.key(digest, now) {
            // a key of this host has no dot, and what has one is no key
            Err(Unauthenticated::Unknown) if open && is_token => {
                let verified = self.oauth.verify(token, digest, now).await?;
                Ok(Identity { principal: verified.principal.clone(), credential: Credential::Token(verified) })
            }
            known => known,
        }
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
    pub(crate) fn principal(&self, credential: &Credential, now: Timestamp) -> Result<Principal, Unauthenticated> {
        match credential {
            Credential::Stdio => self.local(Authenticated::Stdio),
            Credential::Socket => self.local(Authenticated::Socket),
            Credential::Key(digest) => self.key(*digest, now).map(|identity| identity.principal),
            Credential::Token(verified) => self.oauth.still(verified, now).ok_or(Unauthenticated::Expired),
        }
    }

    /// The principal of this host's own user.
    pub(crate) fn local(&self, authenticated: Authenticated) -> Result<Principal, Unauthenticated> {
        let principal = self.stdio.clone().ok_or(Unauthenticated::NoLocalCaller)?;
        Ok(Principal { authenticated, ..principal })
    }
}

#[cfg(test)]
pub(crate) mod tests;
