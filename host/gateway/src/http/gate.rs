//! What every MCP request passes before rmcp sees it, cheapest first: Origin and Host, the credential, the session's owner, the
//! body, and room for a session that it would open.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use jiff::Timestamp;
use wardkeep_audit::Origin;

use super::body::{Bodies, refused};
use crate::{
    Host,
    caller::Peer,
    identity::{Identity, Unauthenticated},
    screen::{LONGEST_NAME, Refusal},
    session::Sessions,
};

const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
/// What rmcp repeats where they differ from the body (MCP 2026-07-28, Streamable HTTP, request headers).
const REPEATED: [HeaderName; 2] = [HeaderName::from_static("mcp-method"), HeaderName::from_static("mcp-name")];

tokio::task_local! {
    /// Who sent the request that this task answers. rmcp's factory takes it from here, so that a handler is bound to it.
    pub(super) static IDENTITY: Identity;
}

pub(super) struct Gate {
    host: Arc<Host>,
    sessions: Sessions,
    bodies: Bodies,
    hosts: Vec<String>,
    origins: Vec<String>,
}

impl Gate {
    pub(super) fn new(host: Arc<Host>, sessions: Sessions, hosts: Vec<String>, origins: Vec<String>) -> Self {
        Self { host, sessions, bodies: Bodies::new(), hosts, origins }
    }

    /// Checked before the credential, so that a page of another origin learns nothing at all. rmcp checks both again.
    fn is_ours(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), &'static str> {
        let mut hosts = headers.get_all(header::HOST).iter();
        let host = hosts.next().and_then(|host| host.to_str().ok());
        // `POST http://evil.example/mcp` names a host too, and that one counts (RFC 9112, 3.2.2)
        let target = uri.authority().map(|authority| authority.as_str());
        let named = host.into_iter().chain(target);
        if host.is_none() || hosts.next().is_some() || !named.into_iter().all(|named| self.answers_to(named)) {
            return Err("this host does not answer to that name");
        }
        let allowed = |origin: &HeaderValue| self.origins.iter().any(|ours| ours.as_bytes() == origin.as_bytes());
        if !headers.get_all(header::ORIGIN).iter().all(allowed) {
            return Err("requests of this origin are not accepted");
        }
        Ok(())
    }

    fn answers_to(&self, authority: &str) -> bool {
        host_name(authority).is_some_and(|name| self.hosts.iter().any(|ours| ours.eq_ignore_ascii_case(name)))
    }

    fn identity(&self, headers: &HeaderMap) -> Result<Identity, Unauthenticated> {
        let mut all = headers.get_all(header::AUTHORIZATION).iter();
        let header = all.next().ok_or(Unauthenticated::Missing)?;
        if all.next().is_some() {
            return Err(Unauthenticated::Malformed);
        }
        self.host.moment().callers.bearer(header.as_bytes(), Timestamp::now())
    }
}

/// `example.com:8080` to `example.com`, `[::1]:8080` to `::1`; nothing if it is neither a name nor a name and a port.
fn host_name(authority: &str) -> Option<&str> {
    let (name, rest) = match authority.strip_prefix('[') {
        Some(bracketed) => bracketed.split_once(']')?,
        None => authority.split_at_checked(authority.find(':').unwrap_or(authority.len()))?,
    };
    // digits only: the number's parser takes a sign
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok();
    (rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port)).then_some(name)
}

pub(super) async fn pass(State(gate): State<Arc<Gate>>, mut request: Request, next: Next) -> Response {
    if let Err(why) = gate.is_ours(request.uri(), request.headers()) {
        return (StatusCode::FORBIDDEN, why).into_response();
    }
    let identity = match gate.identity(request.headers()) {
        Ok(identity) => identity,
        Err(why) => {
            let peer = request.extensions().get::<Peer>().map(Peer::to_string);
            gate.host.record_unauthenticated(why, Origin { transport: "http", peer, ..Origin::default() }).await;
            let challenge = [(header::WWW_AUTHENTICATE, "Bearer realm=\"wardkeep\"")];
            return (StatusCode::UNAUTHORIZED, challenge, "a bearer token of this host is needed").into_response();
        }
    };
    let principal = &identity.principal;
    let session = match request.headers().get(SESSION).map(|value| value.to_str().map(str::to_owned)) {
        Some(Ok(session)) if gate.sessions.belongs_to(&session, &principal.name) => Some(session),
        Some(_) => return (StatusCode::NOT_FOUND, "no such session").into_response(),
        None => None,
    };
    let deletes = request.method() == Method::DELETE;
    let mut opening = None;
    if request.method() == Method::POST {
        let too_long = |value: &HeaderValue| value.len() > LONGEST_NAME;
        if REPEATED.iter().any(|name| request.headers().get_all(name).iter().any(too_long)) {
            return refused(Refusal::LongName);
        }
        let screened = match gate.bodies.read(request.body_mut()).await {
            Ok((body, screened)) => {
                *request.body_mut() = body;
                screened
            }
            Err(unread) => return unread.into_response(),
        };
        // only this opens a session: whoever has leaked theirs can still call without one
        if session.is_none() && screened.initializes {
            opening = gate.sessions.opening(&principal.name).await;
            if opening.is_none() {
                return (StatusCode::SERVICE_UNAVAILABLE, "too many sessions are open; end some").into_response();
            }
        }
    }
    // a session lasts; what its caller may do is what the operator's file says at each request
    request.extensions_mut().insert(identity.clone());
    let response = IDENTITY.scope(identity.clone(), next.run(request)).await;
    if let Some(opening) = opening
        && let Some(opened) = response.headers().get(SESSION).and_then(|value| value.to_str().ok())
    {
        opening.opened(opened);
    }
    if deletes && let Some(session) = session {
        gate.sessions.closed(&session);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::host_name;

    #[test]
    fn a_host_is_told_from_its_port() {
        for (authority, name) in [
            ("localhost", Some("localhost")),
            ("localhost:1", Some("localhost")),
            ("localhost:65535", Some("localhost")),
            ("[::1]:1", Some("::1")),
            ("[::1]", Some("::1")),
            ("localhost.evil.example:80", Some("localhost.evil.example")),
            ("user@localhost", Some("user@localhost")),
            ("", Some("")),
            ("localhost:", None),
            ("localhost:65536", None),
            ("localhost:+1", None),
            ("localhost:evil.com", None),
            ("localhost:80@evil.com", None),
            ("localhost:1:2", None),
            ("[::1]evil", None),
            ("[::1]:", None),
            ("[::1]:1x", None),
            ("[::1", None),
        ] {
            assert_eq!(host_name(authority), name, "{authority}");
        }
    }
}
