//! What every MCP request passes before rmcp sees it, cheapest first: where it comes from, Origin and Host, the credential, the session's
//! owner, the body, the scope of the token, and room for a session that it would open.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use axum::{
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures_util::StreamExt as _;
use http_body_util::BodyExt as _;
use jiff::Timestamp;
use serde_json::json;
use tokio_util::sync::CancellationToken;
use wardkeep_audit::Origin;
use wardkeep_model::{Principal, Scopes};

use super::{
    body::{Bodies, Read, refused, unavailable},
    connections::{Connections, Seldom},
    discovery,
    names::Names,
    proxied::{Misdirected, Proxies},
    said,
};
use crate::{
    Callers, Host,
    caller::Peer,
    identity::{Identity, Unauthenticated},
    lists,
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
    front: Arc<Front>,
    /// Requests that came by a proxy, by their clients: the connections are all the proxy's.
    proxied: Connections,
}

/// How requests reach this host.
pub(super) struct Front {
    pub(super) names: Names,
    pub(super) proxies: Option<Proxies>,
    /// What is wrong with a proxy is its operator's to know, and nobody's to fill the log with.
    misdirected: Mutex<Seldom>,
}

impl Front {
    pub(super) fn new(names: Names, proxies: Option<Proxies>) -> Self {
        Self { names, proxies, misdirected: Mutex::default() }
    }

    /// The address that the request comes from, and whether it came by a proxy.
    fn client(&self, request: &mut Request) -> Result<Option<(Peer, bool)>, Misdirected> {
        let Some(Peer(peer)) = request.extensions().get::<Peer>().copied() else { return Ok(None) };
        let Some(proxies) = &self.proxies else { return Ok(Some((Peer(peer), false))) };
        let client = Peer(proxies.client(peer, request.headers_mut())?);
        request.extensions_mut().insert(client);
        let by_proxy = proxies.trusts(peer);
        if by_proxy && !self.names.is_public(request.headers()) {
            return Err(Misdirected::OtherName);
        }
        Ok(Some((client, by_proxy)))
    }

    fn tell(&self, peer: Option<Peer>, why: Misdirected) {
        let mut seldom = self.misdirected.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = seldom.count(Instant::now()) {
            let peer = peer.map(|peer| peer.to_string());
            tracing::warn!(peer, count, "requests were refused: {why} ([listen] public_url, trusted_proxies)");
        }
    }
}

impl Gate {
    pub(super) fn new(host: Arc<Host>, sessions: Sessions, front: Arc<Front>) -> Self {
        Self { host, sessions, bodies: Bodies::new(), front, proxied: Connections::default() }
    }

    async fn identity(&self, callers: &Callers, headers: &HeaderMap) -> Result<Identity, Unauthenticated> {
        let mut all = headers.get_all(header::AUTHORIZATION).iter();
        let header = all.next().ok_or(Unauthenticated::Missing)?;
        if all.next().is_some() {
            return Err(Unauthenticated::Malformed);
        }
        callers.bearer(header.as_bytes(), Timestamp::now()).await
    }

    /// Whether what the host has asked in this session can be answered by this caller: by whoever called, or with at least their rights. A second key of
    /// the same principal may be a program's, and says yes to nothing that a person is asked. Which call an answer is for is rmcp's to know, so it has
    /// to do for every call that waits here.
    fn may_answer(&self, session: &str, identity: &Identity) -> bool {
        let askers = self.sessions.askers(session, &identity.credential);
        if askers.is_empty() {
            return true;
        }
        let (moment, now) = (self.host.moment(), Timestamp::now());
        let covers = |asker: &Principal| identity.principal.covers(asker);
        // the call of whoever is nobody by now comes to nothing, whatever is said to it
        askers.iter().all(|asker| moment.callers.principal(asker, now).as_ref().map_or(true, covers))
    }

    /// The answer to a call that nothing but the token's scopes stands in the way of: whoever may know that the tool exists is told what to
    /// ask the issuer for (MCP 2026-07-28, Authorization, Scope Challenge Handling). Everything else is decided where calls are.
    async fn step_up(
        &self,
        identity: &Identity,
        tool: &str,
        asks: Option<&str>,
        origin: impl FnOnce() -> Origin,
    ) -> Option<Response> {
        let held = identity.principal.scopes.filter(|held| *held != Scopes::ALL)?;
        let (id, lacking) = self.host.lacks_scope(identity, tool, origin).await?;
        let challenge = discovery::insufficient(&self.host.moment().callers.oauth, held, lacking);
        let text = format!("this tool needs a token with the scope {}", Scopes::name(lacking));
        let error = json!({ "code": -32_600, "message": text, "data": { "correlationId": id } });
        let asks = asks.and_then(|id| match id.strip_prefix('"').and_then(|id| id.strip_suffix('"')) {
            Some(text) => Some(text.into()),
            None => serde_json::from_str::<serde_json::Value>(id).ok(),
        });
        let body = json!({ "jsonrpc": "2.0", "id": asks, "error": error });
        let body = super::json_response(StatusCode::FORBIDDEN, &body);
        Some(discovery::with_challenge(StatusCode::FORBIDDEN, challenge, body))
    }
}

/// Health and counts: anybody may look who does not come by a foreign name.
pub(super) async fn look(State(front): State<Arc<Front>>, mut request: Request, next: Next) -> Response {
    // a proxy that looks for itself says nothing of a client
    let _ = front.client(&mut request);
    match front.names.may_look(request.uri(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(why) => (StatusCode::FORBIDDEN, why).into_response(),
    }
}

pub(super) async fn pass(State(gate): State<Arc<Gate>>, mut request: Request, next: Next) -> Response {
    let client = match gate.front.client(&mut request) {
        Ok(client) => client,
        Err(why) => {
            gate.front.tell(request.extensions().get::<Peer>().copied(), why);
            return (StatusCode::FORBIDDEN, why.to_string()).into_response();
        }
    };
    // before the credential, so that a page of another origin learns nothing at all; rmcp checks both again
    if let Err(why) = gate.front.names.ours(request.uri(), request.headers()) {
        return (StatusCode::FORBIDDEN, why).into_response();
    }
    let place = match client {
        Some((Peer(client), true)) => match gate.proxied.admit(client, false) {
            Some(place) => Some(place),
            None => return unavailable(StatusCode::SERVICE_UNAVAILABLE, "too many requests of this address at once"),
        },
        _ => None,
    };
    let callers = gate.host.moment();
    let identity = match gate.identity(&callers.callers, request.headers()).await {
        Ok(identity) => identity,
        Err(why) => {
            let peer = client.map(|(peer, _)| peer.to_string());
            // the record keeps the rule; whoever looks for a mistake of their own wants to know more, and asks for it
            tracing::debug!(peer, "a request of nobody: {why}");
            gate.host.record_unauthenticated(why, Origin { transport: "http", peer, ..Origin::default() }).await;
            let challenge = discovery::unauthenticated(&callers.callers.oauth, why != Unauthenticated::Missing);
            let body = "a bearer token of this host is needed".into_response();
            return discovery::with_challenge(StatusCode::UNAUTHORIZED, challenge, body);
        }
    };
    drop(callers);
    // it has done its work: what comes after has no use for it, and cannot pass it on
    request.headers_mut().remove(header::AUTHORIZATION);
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
    // a stream lasts longer than what opened it may
    let streams =
        (request.method() == Method::GET).then(|| lists::ended(Arc::clone(&gate.host), identity.credential.clone()));
    let (mut opening, mut asked, mut claimed) = (None, None, None);
    let ended = CancellationToken::new();
    if request.method() == Method::POST {
        let too_long = |value: &HeaderValue| value.len() > LONGEST_NAME;
        if REPEATED.iter().any(|name| request.headers().get_all(name).iter().any(too_long)) {
            return refused(Refusal::LongName);
        }
        let screened = match gate.bodies.read(&principal.name, request.body_mut()).await {
            Ok(Read { body, bytes, screened }) => {
                *request.body_mut() = body;
                let origin = || Origin {
                    peer: client.map(|(peer, _)| peer.to_string()),
                    request_id: screened.asks.clone(),
                    ..said::origin(&bytes)
                };
                if let Some(tool) = &screened.calls {
                    let of_session = || session.as_deref().and_then(|session| gate.sessions.client(session));
                    let origin = || {
                        let said = origin();
                        Origin { client: said.client.clone().or_else(of_session), ..said }
                    };
                    if let Some(refused) = gate.step_up(&identity, tool, screened.asks.as_deref(), origin).await {
                        return refused;
                    }
                }
                if let Some(session) = &session
                    && screened.answers
                    && !gate.may_answer(session, &identity)
                {
                    gate.host.record_weaker_answer(&identity, origin()).await;
                    let why = "who gives this answer may do less than who is asked";
                    return (StatusCode::FORBIDDEN, why).into_response();
                }
                if screened.initializes {
                    claimed = origin().client;
                }
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
            let Some(asking) = gate.sessions.asking(session, id, &identity.credential) else {
                return refused(Refusal::IdInUse);
            };
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
    if asked.is_some() || place.is_some() {
        response = response.map(|body| {
            Body::new(body.map_frame(move |frame| {
                let _until_dropped = (&asked, &place);
                frame
            }))
        });
    }
    if let Some(ended) = streams {
        response = response.map(|body| Body::from_stream(body.into_data_stream().take_until(Box::pin(ended))));
    }
    if let Some(opening) = opening
        && let Some(opened) = response.headers().get(SESSION).and_then(|value| value.to_str().ok())
    {
        opening.opened(opened, claimed, ended);
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
