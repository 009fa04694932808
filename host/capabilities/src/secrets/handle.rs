//! What the WIT resource `secret` stands for, and how one is opened. The only way from a name to a value, and it leads into a request alone.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use http::{HeaderName, HeaderValue};
use ipnet::IpNet;
use jiff::Timestamp;
use secrecy::SecretString;
use wardkeep_model::{NoteKind, Scheme, SecretName};
use wardkeep_policy::{
    Grants, SecretTerms,
    manifest::{Credential, Endpoint, Inject},
};
use wasmtime::component::Resource;
use zeroize::Zeroizing;

use super::{
    exchange::{self, ExchangeError},
    plugin::{Live, Secret},
    token::Granted,
    value,
};
use crate::{
    CallState, EndCall, Reach,
    bindings::{
        handle,
        store::{self, Error},
    },
    http::{Target, TransportError},
};

/// What one call holds of this capability: what its tool was granted, and what it has opened.
#[derive(Default)]
pub(crate) struct SecretsCall {
    granted: Vec<Granting>,
    /// Kept to the end of the call, so that the guard looks for them that long.
    opened: Vec<Live>,
}

#[derive(Clone)]
struct Granting {
    terms: Arc<SecretTerms>,
    /// Networks that the grants which carry it may reach. Its token endpoint may be there too, and nowhere else that is not public.
    private: Vec<IpNet>,
}

impl std::fmt::Debug for SecretsCall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.granted.iter().map(|granting| &granting.terms.name)).finish()
    }
}

impl SecretsCall {
    pub(crate) fn new(grants: &Grants) -> Self {
        let granting = |terms: &Arc<SecretTerms>| {
            let carries = grants.http.iter().filter(|grant| grant.secret.as_ref() == Some(&terms.name));
            Granting {
                terms: Arc::clone(terms),
                private: carries.flat_map(|grant| grant.private.iter().copied()).collect(),
            }
        };
        Self { granted: grants.secrets.iter().map(granting).collect(), opened: Vec::new() }
    }

    fn granted(&self, name: &str) -> Option<Granting> {
        self.granted.iter().find(|granting| granting.terms.name.as_str() == name).cloned()
    }

    fn keep(&mut self, live: &Live) {
        if !self.opened.iter().any(|known| known.is(live)) {
            self.opened.push(live.clone());
        }
    }
}

/// What the resource `secret` stands for.
pub struct Held {
    name: SecretName,
    injection: Injection,
}

/// What the host puts into a request.
#[derive(Debug, Clone)]
pub(crate) enum Injection {
    /// A header; its value is marked as one that is not to be shown.
    Header(HeaderName, HeaderValue),
    /// A query parameter.
    Query(String, SecretString),
}

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Held").field(&self.name).finish()
    }
}

impl Held {
    pub(crate) fn name(&self) -> &SecretName {
        &self.name
    }

    /// What goes into a request.
    pub(crate) fn injection(&self) -> Injection {
        self.injection.clone()
    }

    fn new(terms: &SecretTerms, live: &Live) -> Option<Self> {
        let text = live.text();
        let injection = match &terms.inject {
            Inject::Header { name, before, after } => {
                let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
                Injection::Header(name, value::header(before, text, after)?)
            }
            Inject::Basic { user } => {
                let encoded = Zeroizing::new(BASE64.encode(&*basic_pair(user, text)));
                Injection::Header(http::header::AUTHORIZATION, value::header("Basic ", &encoded, "")?)
            }
            Inject::Query { name } => Injection::Query(name.clone(), SecretString::from(text)),
        };
        Some(Self { name: terms.name.clone(), injection })
    }
}

/// What stands in a basic authorization before it is encoded (RFC 7617).
pub(super) fn basic_pair(user: &str, password: &str) -> Zeroizing<Vec<u8>> {
    Zeroizing::new([user.as_bytes(), b":", password.as_bytes()].concat())
}

impl handle::Host for CallState {}

impl handle::HostSecret for CallState {
    async fn name(&mut self, secret: Resource<Held>) -> wasmtime::Result<String> {
        Ok(self.table.get(&secret)?.name.to_string())
    }

    async fn drop(&mut self, secret: Resource<Held>) -> wasmtime::Result<()> {
        self.table.delete(secret)?;
        Ok(())
    }
}

impl store::Host for CallState {
    async fn open(&mut self, name: String) -> wasmtime::Result<Result<Resource<Held>, Error>> {
        if self.host_call("secrets.open").is_err() {
            return Ok(Err(Error::Exhausted));
        }
        let Some(Granting { terms, private }) = self.secrets.granted(&name) else {
            self.note_denied("secrets", "secrets.open", &name);
            return Ok(Err(Error::Denied));
        };
        let (reach, wanted) = (Arc::clone(&self.reach), Arc::clone(&terms));
        let read = self.pool.run(&self.token, move || reach.secrets.read(&wanted)).await?;
        let secret = match read {
            Ok(secret) => secret,
            Err(error) => return Ok(Err(self.unavailable(&terms, error.as_str(), &error))),
        };
        let reach = Arc::clone(&self.reach);
        let live = match self.token.race(reach.live(&secret, &private)).await.map_err(EndCall::Stopped)? {
            Ok(live) => live,
            Err(error) => return Ok(Err(self.unavailable(&terms, error.as_str(), &error))),
        };
        if let Live::Token(token) = &live {
            let (reach, wanted, token) = (Arc::clone(&reach), Arc::clone(&terms), Arc::clone(token));
            // not on the threads that serve
            if let Err(error) = self.pool.run(&self.token, move || reach.secrets.learn(&wanted, &token)).await? {
                return Ok(Err(self.unavailable(&terms, error.as_str(), &error)));
            }
        }
        self.secrets.keep(&live);
        let Some(held) = Held::new(&terms, &live) else {
            return Ok(Err(self.unavailable(&terms, "unfit", &super::SourceError::Unfit("where it goes"))));
        };
        Ok(self.table.push(held).map_err(|_| Error::Exhausted))
    }
}

impl CallState {
    /// The guest learns that there is none; why not is for the operator.
    fn unavailable(&mut self, terms: &SecretTerms, word: &str, error: &dyn std::error::Error) -> Error {
        let (name, source) = (&terms.name, &terms.source);
        let why = told(error);
        tracing::warn!(secret = %name, %source, if_it_fails = terms.if_it_fails, "a secret has no usable value: {why}");
        let detail = format!("{name}: {word}");
        self.note(NoteKind::Unavailable, "secrets", &detail, &detail);
        Error::Unavailable
    }
}

/// An error with its causes on one line, and what mends it on lines of their own, as the host's other texts have it. Whatever stands in
/// them, no other line is broken.
fn told(error: &dyn std::error::Error) -> String {
    const MEND: &str = "\n  mend: ";
    let (mut causes, mut mends) = (Vec::new(), String::new());
    for cause in std::iter::successors(Some(error), |error| error.source()) {
        let text = cause.to_string();
        let (message, mend) = text.split_once(MEND).unwrap_or((&text, ""));
        causes.push(message.to_owned());
        if !mend.is_empty() {
            mends.push_str(MEND);
            mends.push_str(
                &mend.lines().map(|line| crate::shown(line.trim(), 512)).collect::<Vec<_>>().join("\n        "),
            );
        }
    }
    crate::shown(&causes.join(": "), 512) + &mends
}

impl Reach {
    /// What goes into requests: the value itself, or the token that it is exchanged for.
    async fn live(&self, secret: &Secret, private: &[IpNet]) -> Result<Live, ExchangeError> {
        let Secret { terms, value, tokens } = secret;
        let token = match &terms.credential {
            Credential::Static => return Ok(Live::Value(Arc::clone(value))),
            Credential::OAuthClient { token_url, client_id, scopes, audience } => {
                let exchange = async || -> Result<Granted, ExchangeError> {
                    let resource = audience.as_deref();
                    let request = exchange::client_request(token_url, client_id, value.text(), scopes, resource)?;
                    let answer = self.ask(&self.target(token_url, private)?, request, exchange::ANSWER).await?;
                    exchange::client_token(&answer)
                };
                tokens.get(value, exchange).await?
            }
            Credential::GithubApp { api, app, installation } => {
                let exchange = async || -> Result<Granted, ExchangeError> {
                    let key = value.bytes();
                    let request = exchange::installation_request(api, app, *installation, key, Timestamp::now())?;
                    let answer = self.ask(&self.target(api, private)?, request, exchange::ANSWER).await?;
                    exchange::installation_token(&answer, Timestamp::now())
                };
                tokens.get(value, exchange).await?
            }
        };
        Ok(Live::Token(token))
    }

    /// Under the same rules as requests of guests: a network that is not public needs the word of a grant and of the operator.
    fn target(&self, endpoint: &Endpoint, private: &[IpNet]) -> Result<Target, TransportError> {
        let loopback_only = endpoint.scheme == Scheme::Http;
        if loopback_only && !self.shared.cleartext_to_loopback {
            return Err(TransportError::Unusable("a credential does not go in the clear"));
        }
        let allowed = |net: &&IpNet| self.shared.private.iter().any(|operators| operators.contains(*net));
        Ok(Target {
            scheme: endpoint.scheme,
            host: endpoint.host.clone(),
            port: endpoint.port,
            private: private.iter().filter(allowed).copied().collect(),
            loopback_only,
        })
    }
}

#[cfg(test)]
mod tests;
