//! `wardkeep:http/client`: requests by the grants of the running tool.
//!
//! Parts that do not know each other's work: [`policy`] decides and touches nothing, [`transport`] sends what was decided and nothing else,
//! and here the one is asked before the other, for every request.

mod address;
mod body;
mod dial;
mod driven;
mod headers;
mod host;
mod page;
mod policy;
mod pool;
mod tally;
mod target;
mod transport;

use std::{borrow::Cow, sync::Arc};

use http::{HeaderMap, HeaderValue, header};
use http_body_util::Full;
use hyper::body::Bytes;
use wardkeep_model::{Egress, Limits, Method, NoteKind};
use wardkeep_policy::{HttpRule, SecretTerms};
use wasmtime::component::Resource;

#[allow(unreachable_pub, reason = "the bindings, which are generated, name it")]
pub use self::body::Body;
pub(crate) use self::{
    dial::Network,
    target::{Target, TransportError},
    transport::Transport,
};
pub use self::{
    dial::NetworkError,
    page::{InvalidPage, Page, Unfetched},
};
use self::{
    policy::{Asked, Decision, Standing, decide, push_pair},
    tally::Tally,
    transport::Answer,
};
use crate::{
    CallState, EndCall, Guard,
    bindings::client::{self, Error, Host, HostBody, Payload, Request, Response},
    secrets::Injection,
    state::Exhausted,
};

/// Answers that a call may leave unread at a time: each holds a connection.
const OPEN: usize = 16;
/// Who asks, where the guest does not say it.
const USER_AGENT: &str = concat!("wardkeep/", env!("CARGO_PKG_VERSION"));

/// What one call holds of this capability.
#[derive(Debug, Default)]
pub(crate) struct HttpCall {
    rules: Vec<HttpRule>,
    secrets: Vec<Arc<SecretTerms>>,
    requests_left: u32,
    request_body: u64,
    response_body: u64,
    /// As many clones as answers hold connections.
    open: Arc<()>,
    tally: Tally,
}

impl HttpCall {
    pub(crate) fn new(rules: &[HttpRule], secrets: &[Arc<SecretTerms>], limits: &Limits) -> Self {
        Self {
            rules: rules.to_vec(),
            secrets: secrets.to_vec(),
            requests_left: limits.requests,
            request_body: limits.request_body,
            response_body: limits.response_body,
            open: Arc::new(()),
            tally: Tally::default(),
        }
    }

    /// What was sent where.
    pub(crate) fn egress(&mut self) -> Vec<Egress> {
        self.tally.take()
    }
}

impl Host for CallState {
    async fn send(&mut self, request: Request) -> wasmtime::Result<Result<Response, Error>> {
        if self.request("http.send").is_err() {
            return Ok(Err(Error::Exhausted));
        }
        let injection = match &request.secret {
            Some(handle) => {
                let held = self.table.get(handle)?;
                Some((held.name().clone(), held.injection()))
            }
            None => None,
        };
        let headers: Vec<(String, String)> =
            request.headers.into_iter().map(|header| (header.name, header.value)).collect();
        let body = request.body.map(|body| match body {
            Payload::Text(text) => Bytes::from(text),
            Payload::Bytes(bytes) => Bytes::from(bytes),
        });
        let asked = Asked {
            method: method(request.method),
            host: &request.host,
            path: &request.path,
            query: &request.query,
            headers: &headers,
            secret: injection.as_ref().map(|(name, _)| name),
            body: body.as_ref().map(|body| body.len() as u64),
        };
        let standing = Standing {
            rules: &self.http.rules,
            secrets: &self.http.secrets,
            private: &self.reach.shared.private,
            cleartext_to_loopback: self.reach.shared.cleartext_to_loopback,
            request_body: self.http.request_body,
        };
        let decision = match decide(&asked, &standing) {
            Ok(decision) => decision,
            Err(refusal) => {
                self.note_denied("http", &refusal.plain(&asked), &refusal.record(&asked));
                return Ok(Err(match refusal {
                    policy::Refusal::Invalid(invalid) => Error::InvalidRequest(invalid.to_string()),
                    policy::Refusal::Denied(denied) => Error::Denied(denied.to_string()),
                    policy::Refusal::TooLarge(_) => Error::TooLarge,
                }));
            }
        };
        let what = format!("{} {}{}", asked.method, decision.target.authority(), shown(&decision.path_and_query));
        let body = body.unwrap_or_default();
        let Ok(sent) = frozen(asked.method, &decision, body, injection.map(|(_, injection)| injection)) else {
            return Ok(Err(Error::InvalidRequest("the request is not a valid one".into())));
        };
        Ok(self.sent(&what, &decision, sent).await?)
    }
}

impl CallState {
    /// Counts one request, which is a host call too.
    fn request(&mut self, function: &'static str) -> Result<(), Exhausted> {
        self.host_call(function)?;
        match self.http.requests_left.checked_sub(1) {
            Some(left) if Arc::strong_count(&self.http.open) <= OPEN => {
                self.http.requests_left = left;
                Ok(())
            }
            Some(_) => {
                self.note_exhausted("http", "answers that are not read to their ends");
                Err(Exhausted)
            }
            None => {
                self.note_exhausted("requests", function);
                Err(Exhausted)
            }
        }
    }

    /// Sends what was decided on, and waits for the head of the answer.
    async fn sent(
        &mut self,
        what: &str,
        decision: &Decision,
        request: http::Request<Full<Bytes>>,
    ) -> Result<Result<Response, Error>, EndCall> {
        let bytes = hyper::body::Body::size_hint(request.body()).lower();
        let request_method = request.method().clone();
        // A guest may choose a name below a host, and say something by it: where its words stay inside, the grant's own name is told.
        let to = if self.hides_words() { decision.grant.authority() } else { decision.target.authority() };
        let line = self.http.tally.sending(&to, bytes);
        let reach = Arc::clone(&self.reach);
        let answer = self.token.race(reach.transport.send(&decision.target, request)).await;
        let answer = match answer.map_err(EndCall::Stopped)? {
            Ok(answer) => answer,
            Err(error) => {
                if error.is_before_sending() {
                    self.http.tally.unsent(line, bytes);
                }
                let plain = format!("{} by grants.http.{}", request_method, decision.grant.name);
                self.note_unsent((&plain, what), &error, decision);
                // what a certificate names is the upstream's own word
                return Ok(Err(match told(&error) {
                    Error::Unreachable(words) => Error::Unreachable(self.without_secrets("http", words)),
                    told => told,
                }));
            }
        };
        let Answer { status, headers, body } = answer;
        let guard = self.guard();
        let mut replaced = false;
        let headers = readable(&headers, guard.as_ref(), &mut replaced);
        if replaced {
            self.note_replaced("http");
        }
        let body = Body::new(body, &reach, self.http.response_body, line);
        let body = body.counted(&self.http.open);
        let Ok(body) = self.table.push(body) else { return Ok(Err(Error::Exhausted)) };
        Ok(Ok(Response { status: status.as_u16(), headers, body }))
    }
}

impl CallState {
    /// Why there is no answer, for the record: whatever becomes of the guest's own words for it, the operator finds the reason here.
    fn note_unsent(&mut self, (plain, what): (&str, &str), error: &TransportError, decision: &Decision) {
        let TransportError::Forbidden { address, .. } = error else {
            let plain = format!("{plain}: no answer");
            return self.note(NoteKind::Unavailable, "http", &plain, &format!("{what}: {}", with_cause(error)));
        };
        let name = &decision.grant.name;
        let names = |networks: &[ipnet::IpNet]| networks.iter().any(|network| network.contains(address));
        let lacking = match (names(&decision.grant.private), names(&self.reach.shared.private)) {
            (true, false) => "`private` of [egress] does not name it".to_owned(),
            (false, true) => format!("`private` of grants.http.{name} does not name it"),
            (true, true) => "no document can allow it".to_owned(),
            (false, false) => format!("`private` of grants.http.{name} and of [egress] would both have to name it"),
        };
        self.note_denied("http", &format!("{plain}: {lacking}"), &format!("{what}: {error}; {lacking}"));
    }
}

fn with_cause(error: &TransportError) -> String {
    use std::error::Error as _;
    error.source().map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
}

impl HostBody for CallState {
    async fn read(&mut self, body: Resource<Body>, max: u32) -> wasmtime::Result<Result<Vec<u8>, Error>> {
        if self.host_call("http.read").is_err() {
            return Ok(Err(Error::Exhausted));
        }
        let body = self.table.get_mut(&body)?;
        let read = self.token.race(body.read(max)).await;
        self.http.tally.received(body.line, body.arrived());
        if body.has_replaced() {
            self.note_replaced("http");
        }
        Ok(read.map_err(EndCall::Stopped)?)
    }

    async fn text(&mut self, body: Resource<Body>, max: u32) -> wasmtime::Result<Result<String, Error>> {
        if self.host_call("http.text").is_err() {
            return Ok(Err(Error::Exhausted));
        }
        let body = self.table.get_mut(&body)?;
        let read = self.token.race(body.text(max)).await;
        self.http.tally.received(body.line, body.arrived());
        if body.has_replaced() {
            self.note_replaced("http");
        }
        Ok(read.map_err(EndCall::Stopped)?)
    }

    async fn drop(&mut self, body: Resource<Body>) -> wasmtime::Result<()> {
        self.table.delete(body)?;
        Ok(())
    }
}

/// The request as it leaves. The credential is added here, when the guest has no more part in it.
fn frozen(
    method: Method,
    decision: &Decision,
    body: Bytes,
    injection: Option<Injection>,
) -> Result<http::Request<Full<Bytes>>, http::Error> {
    let mut headers = decision.headers.clone();
    headers.entry(header::USER_AGENT).or_insert(HeaderValue::from_static(USER_AGENT));
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    let mut target = decision.path_and_query.clone();
    match injection {
        Some(Injection::Header(name, value)) => drop(headers.insert(name, value)),
        Some(Injection::Query(name, value)) => {
            let mut pair = String::new();
            push_pair(&mut pair, &name, secrecy::ExposeSecret::expose_secret(&value));
            target.push(if target.contains('?') { '&' } else { '?' });
            target.push_str(&pair);
        }
        None => {}
    }
    let mut request = http::Request::builder().method(method.as_str()).uri(target).body(Full::new(body))?;
    *request.headers_mut() = headers;
    Ok(request)
}

/// A path for the record: without its query, which may hold what people typed.
fn shown(path_and_query: &str) -> String {
    let path = path_and_query.split('?').next().unwrap_or_default();
    let mut shown: String = path.chars().take(100).collect();
    if shown.len() < path.len() {
        shown.push('…');
    }
    shown
}

/// The guest's words for a failure. Addresses are not for it: where a name leads inside is the operator's business.
fn told(error: &TransportError) -> Error {
    match error {
        TransportError::Forbidden { host, .. } => {
            Error::Denied(format!("`{host}` leads to an address that is not public"))
        }
        TransportError::Timeout(_) | TransportError::Unanswered => Error::Timeout,
        TransportError::TooLarge(_) => Error::TooLarge,
        TransportError::Tls { .. } => Error::Unreachable(with_cause(error)),
        _ => Error::Unreachable(error.to_string()),
    }
}

/// An answer's headers for the guest: without those of the connection and without cookies, as text, and without credentials.
fn readable(headers: &HeaderMap, guard: Option<&Arc<Guard>>, replaced: &mut bool) -> Vec<client::Header> {
    let listed: Vec<String> = headers
        .get_all(header::CONNECTION)
        .into_iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(',').map(|name| name.trim().to_ascii_lowercase()))
        .collect();
    let hop = |name: &str| {
        matches!(
            name,
            "connection"
                | "keep-alive"
                | "te"
                | "trailer"
                | "transfer-encoding"
                | "upgrade"
                | "set-cookie"
                | "set-cookie2"
        ) || name.starts_with("proxy-")
            || listed.iter().any(|listed| listed == name)
    };
    let mut readable = Vec::with_capacity(headers.len());
    for (name, value) in headers {
        let name = name.as_str();
        let echoes = guard.is_some_and(|guard| guard.finds_folded(name.as_bytes()));
        *replaced |= echoes;
        if hop(name) || echoes {
            continue;
        }
        let Ok(value) = std::str::from_utf8(value.as_bytes()) else { continue };
        let clean = guard.map_or(Cow::Borrowed(value), |guard| guard.without(value));
        *replaced |= matches!(clean, Cow::Owned(_));
        readable.push(client::Header { name: name.to_owned(), value: clean.into_owned() });
    }
    readable
}

const fn method(method: client::Method) -> Method {
    match method {
        client::Method::Get => Method::Get,
        client::Method::Head => Method::Head,
        client::Method::Options => Method::Options,
        client::Method::Post => Method::Post,
        client::Method::Put => Method::Put,
        client::Method::Patch => Method::Patch,
        client::Method::Delete => Method::Delete,
    }
}

#[cfg(test)]
mod tests;
