//! What every MCP request passes before rmcp sees it, cheapest first: Origin and Host, the credential, the session's owner, the
//! body's size.

use std::{sync::Arc, time::Duration};

use axum::{
    body::{Body, Bytes},
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http_body_util::BodyExt as _;
use jiff::Timestamp;
use wardkeep_audit::Origin;
use wardkeep_model::Principal;

use super::BODY_BYTES;
use crate::{Host, caller::Peer, identity::Unauthenticated, session::Sessions};

const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
/// A body over the limit is read on to here before the answer: a client that is still sending would see a broken pipe.
const DRAIN_BYTES: usize = 4 * BODY_BYTES;
/// A client gets this long to send its body.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

tokio::task_local! {
    /// Who sent the request that this task answers. rmcp's factory takes it from here, so that a handler is bound to it.
    pub(super) static PRINCIPAL: Principal;
}

pub(super) struct Gate {
    host: Arc<Host>,
    sessions: Sessions,
    hosts: Vec<String>,
    origins: Vec<String>,
}

impl Gate {
    pub(super) const fn new(host: Arc<Host>, sessions: Sessions, hosts: Vec<String>, origins: Vec<String>) -> Self {
        Self { host, sessions, hosts, origins }
    }

    /// Checked before the credential, so that a page of another origin learns nothing at all. rmcp checks both again.
    fn is_ours(&self, headers: &HeaderMap) -> Result<(), &'static str> {
        let mut hosts = headers.get_all(header::HOST).iter();
        let host = hosts.next().and_then(|host| host.to_str().ok()).map(host_name);
        if hosts.next().is_some()
            || !host.is_some_and(|host| self.hosts.iter().any(|ours| ours.eq_ignore_ascii_case(host)))
        {
            return Err("this host does not answer to that name");
        }
        let allowed = |origin: &HeaderValue| self.origins.iter().any(|ours| ours.as_bytes() == origin.as_bytes());
        if !headers.get_all(header::ORIGIN).iter().all(allowed) {
            return Err("requests of this origin are not accepted");
        }
        Ok(())
    }

    fn principal(&self, headers: &HeaderMap) -> Result<Principal, Unauthenticated> {
        let mut all = headers.get_all(header::AUTHORIZATION).iter();
        let header = all.next().ok_or(Unauthenticated::Missing)?;
        if all.next().is_some() {
            return Err(Unauthenticated::Malformed);
        }
        self.host.callers().bearer(header.as_bytes(), Timestamp::now())
    }
}

/// `example.com:8080` to `example.com`, `[::1]:8080` to `::1`.
fn host_name(authority: &str) -> &str {
    match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(rest),
        None => authority.split(':').next().unwrap_or(authority),
    }
}

pub(super) async fn pass(State(gate): State<Arc<Gate>>, mut request: Request, next: Next) -> Response {
    if let Err(why) = gate.is_ours(request.headers()) {
        return (StatusCode::FORBIDDEN, why).into_response();
    }
    let principal = match gate.principal(request.headers()) {
        Ok(principal) => principal,
        Err(why) => {
            let peer = request.extensions().get::<Peer>().map(Peer::to_string);
            gate.host.record_unauthenticated(why, Origin { transport: "http", peer, ..Origin::default() }).await;
            let challenge = [(header::WWW_AUTHENTICATE, "Bearer realm=\"wardkeep\"")];
            return (StatusCode::UNAUTHORIZED, challenge, "a bearer token of this host is needed").into_response();
        }
    };
    let session = match request.headers().get(SESSION).map(|value| value.to_str().map(str::to_owned)) {
        Some(Ok(session)) if gate.sessions.belongs_to(&session, &principal.name) => Some(session),
        Some(_) => return (StatusCode::NOT_FOUND, "no such session").into_response(),
        None => None,
    };
    let deletes = request.method() == Method::DELETE;
    if request.method() == Method::POST {
        if session.is_none() && !gate.sessions.has_room(&principal.name).await {
            return (StatusCode::SERVICE_UNAVAILABLE, "too many sessions are open; end some").into_response();
        }
        match bounded(request.body_mut()).await {
            Ok(bytes) => *request.body_mut() = Body::from(bytes),
            Err(unread) => return unread.into_response(),
        }
    }
    let name = principal.name.clone();
    let response = PRINCIPAL.scope(principal, next.run(request)).await;
    match session {
        Some(session) if deletes => gate.sessions.closed(&session),
        Some(_) => {}
        None => {
            if let Some(opened) = response.headers().get(SESSION).and_then(|value| value.to_str().ok()) {
                gate.sessions.opened(opened, &name);
            }
        }
    }
    response
}

/// Why a body was not read.
enum Unread {
    Broken,
    TooLarge,
    TooSlow,
}

impl IntoResponse for Unread {
    fn into_response(self) -> Response {
        match self {
            Self::Broken => (StatusCode::BAD_REQUEST, "the body broke off").into_response(),
            Self::TooLarge => {
                let text = format!("a request may have {BODY_BYTES} bytes at most");
                (StatusCode::PAYLOAD_TOO_LARGE, text).into_response()
            }
            Self::TooSlow => (StatusCode::REQUEST_TIMEOUT, "the body took too long").into_response(),
        }
    }
}

async fn bounded(body: &mut Body) -> Result<Bytes, Unread> {
    let read = async {
        let mut bytes = Vec::new();
        let mut total = 0_usize;
        while let Some(frame) = body.frame().await {
            let Ok(chunk) = frame.map_err(|_| Unread::Broken)?.into_data() else { continue };
            total = total.saturating_add(chunk.len());
            if total > DRAIN_BYTES {
                break;
            }
            if total <= BODY_BYTES {
                bytes.extend_from_slice(&chunk);
            } else {
                bytes = Vec::new();
            }
        }
        if total > BODY_BYTES { Err(Unread::TooLarge) } else { Ok(Bytes::from(bytes)) }
    };
    tokio::time::timeout(BODY_TIMEOUT, read).await.unwrap_or(Err(Unread::TooSlow))
}

#[cfg(test)]
mod tests {
    use super::host_name;

    #[test]
    fn a_host_is_told_from_its_port() {
        for (authority, name) in [
            ("localhost", "localhost"),
            ("localhost:1", "localhost"),
            ("[::1]:1", "::1"),
            ("[::1]", "::1"),
            ("localhost.evil.example:80", "localhost.evil.example"),
            ("", ""),
        ] {
            assert_eq!(host_name(authority), name);
        }
    }
}
