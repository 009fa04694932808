//! What every MCP request passes before rmcp sees it, cheapest first: Origin and Host, the credential, the session's owner, the
//! body, and room for a session that it would open.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http_body_util::BodyExt as _;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;
use wardkeep_audit::Origin;

use super::{
    body::{Bodies, refused, unavailable},
    names::Names,
};
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

/// What decides how a request is read.
const ONCE: [HeaderName; 5] = [
    SESSION,
    HeaderName::from_static("mcp-protocol-version"),
    HeaderName::from_static("mcp-method"),
    HeaderName::from_static("mcp-name"),
    header::CONTENT_TYPE,
];

tokio::task_local! {
    /// Who sent the request that this task answers. rmcp's factory takes it from here, so that a handler is bound to it.
    pub(super) static VISITOR: Visitor;
}

#[derive(Clone)]
pub(super) struct Visitor {
    pub(super) identity: Identity,
    /// Ends what runs in the session that this request opens.
    pub(super) ended: CancellationToken,
}

pub(super) struct Gate {
    host: Arc<Host>,
    sessions: Sessions,
    bodies: Bodies,
    names: Arc<Names>,
}

impl Gate {
    pub(super) fn new(host: Arc<Host>, sessions: Sessions, names: Arc<Names>) -> Self {
        Self { host, sessions, bodies: Bodies::new(), names }
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

/// Health and counts: anybody may look who does not come by a foreign name.
pub(super) async fn look(State(names): State<Arc<Names>>, request: Request, next: Next) -> Response {
    match names.may_look(request.uri(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(why) => (StatusCode::FORBIDDEN, why).into_response(),
    }
}

pub(super) async fn pass(State(gate): State<Arc<Gate>>, mut request: Request, next: Next) -> Response {
    // before the credential, so that a page of another origin learns nothing at all; rmcp checks both again
    if let Err(why) = gate.names.ours(request.uri(), request.headers()) {
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
    // two of what is read once would be read differently by whom else looks
    if ONCE.iter().any(|name| request.headers().get_all(name).iter().nth(1).is_some()) {
        return refused(Refusal::HeaderTwice);
    }
    let principal = &identity.principal;
    let session = match request.headers().get(SESSION).map(|value| value.to_str().map(str::to_owned)) {
        Some(Ok(session)) if gate.sessions.belongs_to(&session, &principal.name) => Some(session),
        Some(_) => return (StatusCode::NOT_FOUND, "no such session").into_response(),
        None => None,
    };
    let deletes = request.method() == Method::DELETE;
    let (mut opening, mut asked) = (None, None);
    let ended = CancellationToken::new();
    if request.method() == Method::POST {
        let too_long = |value: &HeaderValue| value.len() > LONGEST_NAME;
        if REPEATED.iter().any(|name| request.headers().get_all(name).iter().any(too_long)) {
            return refused(Refusal::LongName);
        }
        let screened = match gate.bodies.read(&principal.name, request.body_mut()).await {
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
                return unavailable(StatusCode::SERVICE_UNAVAILABLE, "too many sessions are open; end some");
            }
        }
        if let (Some(session), Some(id)) = (&session, screened.asks) {
            let Some(asking) = gate.sessions.asking(session, id) else { return refused(Refusal::IdInUse) };
            // with the request until it is answered, and with its answer until that is sent or nobody takes it
            request.extensions_mut().insert(Arc::clone(&asking));
            asked = Some(asking);
        }
    }
    let name = principal.name.clone();
    // a session lasts; what its caller may do is what the operator's file says at each request
    request.extensions_mut().insert(identity.clone());
    let visitor = Visitor { identity, ended: ended.clone() };
    let mut response = VISITOR.scope(visitor, next.run(request)).await;
    if let Some(asked) = asked {
        response = response.map(|body| {
            Body::new(body.map_frame(move |frame| {
                let _until_dropped = &asked;
                frame
            }))
        });
    }
    if let Some(opening) = opening
        && let Some(opened) = response.headers().get(SESSION).and_then(|value| value.to_str().ok())
    {
        opening.opened(opened, ended);
    }
    if deletes
        && response.status().is_success()
        && let Some(session) = session
    {
        gate.sessions.closed(&session);
        // it has ended and nothing is said of it; rmcp's 202 has some clients warn that it might not have
        *response.status_mut() = StatusCode::NO_CONTENT;
    }
    gate.bodies.answer(&name, response).await
}
