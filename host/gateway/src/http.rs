//! MCP over streamable HTTP, and the two health endpoints.
//!
//! This file accepts connections; [`gate`] is what every request passes before rmcp sees it.

mod body;
mod connections;
mod discovery;
mod gate;
mod names;
mod paced;
mod proxied;
mod said;
mod share;
mod threads;

use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, Uri, header},
    response::{IntoResponse, Response},
    routing::get,
};
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use jiff::Timestamp;
use rmcp::transport::streamable_http_server::{
    StreamableHttpServerConfig, StreamableHttpService, session::local::LocalSessionManager,
};
use serde_json::json;
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use tower::Service as _;

use crate::{
    Entrance, Host, ServeError,
    caller::Peer,
    handler::Handler,
    session::{KEEP_ALIVE, Sessions},
};
use connections::{Connections, Place, Seldom};
use gate::{Front, Gate, VISITOR, Visitor};
use names::Names;
use paced::Paced;
use threads::Threads;

pub use proxied::{ForwardedBy, Proxies};

/// A client gets this long to send its request's head, and a connection to be used again.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// Bytes of a request's head, and of what is buffered of a connection.
const HEAD_BYTES: usize = 64 << 10;
/// Bytes of one message: of a request's body, and of a line of standard input.
pub(crate) const BODY_BYTES: usize = 4 << 20;
/// When stopping, running requests get this long to end by themselves.
const GRACE: Duration = Duration::from_secs(2);
/// And what was told to end gets this long.
const LINGER: Duration = Duration::from_secs(3);

/// Where and as what to listen.
#[derive(Debug, Clone)]
pub struct HttpOptions {
    /// Address and port; port 0 takes a free one.
    pub listen: SocketAddr,
    /// How clients reach this host, where that is not the address itself. Its host is accepted in `Host`.
    pub public_url: Option<String>,
    /// Values of `Origin` that are accepted, such as `https://app.example.com`. Requests without one pass.
    pub origins: Vec<String>,
    /// What ends TLS before this host, if anything does.
    pub proxies: Option<Proxies>,
}

/// A bound HTTP server.
pub struct HttpServer {
    listener: TcpListener,
    address: SocketAddr,
    router: Router,
    front: Arc<Front>,
    host: Arc<Host>,
    rmcp: CancellationToken,
    threads: Threads,
}

impl HttpServer {
    /// Listens, without serving yet.
    ///
    /// # Errors
    ///
    /// [`ServeError::Listen`], [`ServeError::PublicUrl`], [`ServeError::Threads`].
    pub async fn bind(options: HttpOptions, host: Arc<Host>) -> Result<Self, ServeError> {
        let failed = |source: io::Error| ServeError::Listen { address: options.listen, source };
        let listener = TcpListener::bind(options.listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let public = options.public_url.as_deref().map(public_host).transpose()?;
        let hosts = allowed_hosts(address, public.as_deref());
        let rmcp = CancellationToken::new();
        let config = StreamableHttpServerConfig::default()
            .with_allowed_hosts(&hosts)
            .with_allowed_origins(&options.origins)
            .enforce_origin_validation()
            .with_json_response(true)
            .with_max_request_body_bytes(BODY_BYTES)
            .with_cancellation_token(rmcp.clone());
        let mut manager = LocalSessionManager::default();
        manager.session_config.keep_alive = Some(KEEP_ALIVE);
        // what a client has cancelled has no answer to come back for; kept, a flood of requests and cancellations fills the memory
        manager.session_config.completed_cache_ttl = Duration::ZERO;
        let manager = Arc::new(manager);
        let entrance = Entrance::local(Arc::clone(&host));
        let handler = move || {
            let Visitor { identity, ended } = VISITOR.try_with(Clone::clone).map_err(io::Error::other)?;
            Ok(Handler::new(entrance.clone(), identity, "http", ended))
        };
        let service = StreamableHttpService::new(handler, Arc::clone(&manager), config);
        let front = Arc::new(Front::new(Names::new(hosts, public, options.origins), options.proxies));
        let gate = Arc::new(Gate::new(Arc::clone(&host), Sessions::new(manager), Arc::clone(&front)));
        let known = discovery::paths(options.public_url.as_deref());
        let looks = known
            .iter()
            .fold(Router::new(), |looks, path| looks.route(path, get(discovery::metadata)))
            .route("/health", get(health))
            .route("/ready", get(ready))
            .layer(axum::middleware::from_fn_with_state(Arc::clone(&front), gate::look));
        let router = Router::new()
            .nest_service("/mcp", service)
            .layer(axum::middleware::from_fn_with_state(gate, gate::pass))
            .merge(looks)
            .with_state(Arc::clone(&host));
        let threads = Threads::start().map_err(ServeError::Threads)?;
        Ok(Self { listener, address, router, front, host, rmcp, threads })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until it is stopped; then running requests get a few seconds to end.
    pub async fn run(self, stop: CancellationToken) {
        let room = Connections::default();
        let mut connections = JoinSet::new();
        let (mut surplus, mut failures) = (Seldom::default(), Seldom::default());
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                () = stop.cancelled() => break,
            };
            while connections.try_join_next().is_some() {}
            match accepted {
                Ok((stream, peer)) => {
                    let by_proxy = self.front.proxies.as_ref().is_some_and(|proxies| proxies.trusts(peer.ip()));
                    let Some(place) = room.admit(peer.ip(), by_proxy) else {
                        if let Some(count) = surplus.count(Instant::now()) {
                            tracing::warn!(%peer, count, "too many connections; new ones were closed");
                        }
                        continue;
                    };
                    let stream = match stream.into_std() {
                        Ok(stream) => stream,
                        Err(error) => {
                            tracing::warn!(%error, %peer, "can't serve a connection");
                            continue;
                        }
                    };
                    let connection = connection(stream, peer, self.router.clone(), stop.clone(), place);
                    self.threads.spawn(&mut connections, connection);
                }
                Err(error) => {
                    if let Some(count) = failures.count(Instant::now()) {
                        tracing::warn!(%error, count, "can't accept connections");
                    }
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
        drop(self.listener);
        self.host.stop_listening();
        // calls get a moment to end by themselves, then they are cancelled and their clients told; only then streams are cut
        let mut ended = async || while connections.join_next().await.is_some() {};
        if timeout(GRACE, ended()).await.is_ok() {
            return;
        }
        self.host.close(LINGER).await;
        let _ = timeout(GRACE, ended()).await;
        self.rmcp.cancel();
        if timeout(LINGER, ended()).await.is_err() {
            tracing::warn!("some connections did not end by themselves and were closed");
        }
    }
}

async fn connection(
    stream: std::net::TcpStream,
    peer: SocketAddr,
    router: Router,
    stop: CancellationToken,
    _place: Place,
) {
    let stream = match TcpStream::from_std(stream) {
        Ok(stream) => stream,
        Err(error) => return tracing::warn!(%error, %peer, "can't serve a connection"),
    };
    // without it, an answer in two writes waits for the peer's delayed acknowledgement (some 40 ms)
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, %peer, "can't set TCP_NODELAY");
    }
    let service = hyper::service::service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(Peer(peer.ip()));
        let mut router = router.clone();
        async move { router.call(request).await.map_err(|never: Infallible| match never {}) }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(Paced::new(stream)), service);
    let mut connection = std::pin::pin!(connection);
    let mut stopping = false;
    loop {
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(%error, %peer, "a connection ended badly");
                }
                return;
            }
            () = stop.cancelled(), if !stopping => {
                stopping = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

/// The names that a request may call this host by: against DNS rebinding (MCP, Streamable HTTP, Security Warning).
fn allowed_hosts(address: SocketAddr, public: Option<&str>) -> Vec<String> {
    let mut hosts = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    if !address.ip().is_loopback() && !address.ip().is_unspecified() {
        hosts.push(address.ip().to_string());
    }
    hosts.extend(public.map(str::to_owned));
    hosts
}

/// The host by whose name clients reach this one.
fn public_host(url: &str) -> Result<String, ServeError> {
    let bad = || ServeError::PublicUrl(url.to_owned());
    let uri: Uri = url.parse().map_err(|_| bad())?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err(bad());
    }
    // an IPv6 address stands in brackets here
    Ok(uri.host().ok_or_else(bad)?.trim_matches(['[', ']']).to_ascii_lowercase())
}

async fn health() -> Response {
    json_response(StatusCode::OK, &json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION") }))
}

/// Counts only: what is loaded is nobody's business who has not said who they are.
async fn ready(State(host): State<Arc<Host>>) -> Response {
    let (moment, now) = (host.moment(), Timestamp::now());
    let recording = host.journal().failure().is_none();
    let status = if recording { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let (snapshot, serving) = (moment.fleet.snapshot(), moment.serving(now));
    let body = json!({
        "ready": recording,
        "recording": recording,
        "plugins": serving,
        "tools": snapshot.tool_count(),
        "rejected": moment.rejected,
        "out_of_service": snapshot.plugin_count() - serving,
        "stopped": host.stopped(now),
    });
    json_response(status, &body)
}

fn json_response(status: StatusCode, body: &serde_json::Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}
