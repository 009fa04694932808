//! Access tokens as an OAuth 2.1 resource server takes them (MCP 2026-07-28, Authorization; RFC 9068): signed by a pinned issuer, meant for
//! this host, good now. The token goes no further than this: no guest, no upstream and no record ever sees it.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};
use wardkeep_model::{Digest, Principal};

use super::{
    claims::{self, IssuerTerms},
    issuer::{Issuer, KeySource},
    token::{BadToken, Token},
    verified::{Kept, Verified},
};

/// Who may call with access tokens. With no issuer, nobody.
#[derive(Debug, Default)]
pub struct OAuth {
    /// What clients ask tokens for (RFC 8707): how they reach this host.
    resource: String,
    issuers: Vec<Arc<Issuer>>,
    kept: Kept,
}

/// Every scope of this host.
const SCOPES: [&str; 3] = ["tools:read", "tools:write", "tools:destructive"];

impl OAuth {
    /// These issuers, whose keys are not had yet.
    #[must_use]
    pub fn new(resource: String, issuers: Vec<(IssuerTerms, Arc<dyn KeySource>)>) -> Self {
        let issuers = issuers.into_iter().map(|(terms, source)| Issuer::new(terms, source)).collect();
        Self { resource, issuers, kept: Kept::default() }
    }

    /// Whether anybody may call with a token.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !self.issuers.is_empty()
    }

    /// What the operator says of each issuer.
    pub fn terms(&self) -> impl Iterator<Item = &IssuerTerms> {
        self.issuers.iter().map(|issuer| &issuer.terms)
    }

    /// Begins to have the issuers' keys before the first token comes. Within a runtime.
    pub fn warm(&self) {
        self.issuers.iter().for_each(Issuer::warm);
    }

    /// How clients reach this host, which is what their tokens are for.
    pub(crate) fn resource(&self) -> &str {
        &self.resource
    }

    /// What tells clients where to get tokens (RFC 9728, section 2). Nothing where no issuer is named.
    pub(crate) fn metadata(&self) -> Option<Value> {
        let issuers: Vec<_> = self.issuers.iter().map(|issuer| issuer.terms.issuer.as_str()).collect();
        let metadata = json!({
            "resource": self.resource,
            "authorization_servers": issuers,
            "scopes_supported": SCOPES,
            "bearer_methods_supported": ["header"],
            "resource_name": "Wardkeep",
        });
        self.is_open().then_some(metadata)
    }

    /// Whom this token stands for. Its digest is known already.
    pub(crate) async fn verify(&self, token: &[u8], digest: Digest, now: Timestamp) -> Result<Arc<Verified>, BadToken> {
        if let Some(verified) = self.kept.get(digest) {
            // by the keys of this moment: what was verified with a key that was taken back is worth nothing
            let stands = now < verified.expires && verified.issuer.stands_by(verified.key).await;
            if stands {
                return Ok(verified);
            }
            self.kept.forget(digest);
        }
        let verified = Arc::new(self.read(token, now).await?);
        self.kept.put(digest, Arc::clone(&verified));
        Ok(verified)
    }

    /// What is cheap is asked first. Of a token that is not signed as it should be, nothing that it says comes to anything.
    async fn read(&self, token: &[u8], now: Timestamp) -> Result<Verified, BadToken> {
        let token = Token::parse(token)?;
        let said = token.claims.get("iss").and_then(Value::as_str).ok_or(BadToken::Issuer)?;
        let issuer = self.issuers.iter().find(|issuer| issuer.terms.issuer == said).ok_or(BadToken::Issuer)?;
        if !issuer.terms.algorithms.contains(&token.algorithm) {
            return Err(BadToken::Algorithm);
        }
        let known = |said: &str| self.terms().find(|terms| terms.issuer == said);
        let claimed = claims::claimed(&token.claims, &issuer.terms, known, now)?;
        let key = issuer.key(&token).await?;
        key.verify(&token)?;
        let claims::Claimed { principal, expires } = claimed;
        Ok(Verified { principal, expires, issuer: Arc::clone(issuer), key: key.print() })
    }

    /// Whom a token that was verified before stands for now; nobody under other terms of the operator.
    pub(crate) fn still(&self, verified: &Verified, now: Timestamp) -> Option<Principal> {
        let known = self.issuers.iter().any(|issuer| Arc::ptr_eq(issuer, &verified.issuer));
        let good = known && now < verified.expires && verified.issuer.holds(verified.key);
        good.then(|| verified.principal.clone())
    }
}

#[cfg(test)]
mod tests;
