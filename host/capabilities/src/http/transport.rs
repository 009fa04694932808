//! Sends what was decided on where it was decided to, and nothing else: no redirect is followed, no proxy asked, no cookie kept.
//!
//! A connection of HTTP/1.1 is driven by the call that uses it, one of HTTP/2 by a task on the runtime of what guests wait for (decision 012): a
//! call that ends early takes its request with it and no connection that others wait for.

use std::{
    fmt,
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri, header};
use http_body_util::Full;
use hyper::{
    body::{Body as _, Bytes, Frame, Incoming},
    client::conn::{http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ClientConfig;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::OwnedSemaphorePermit,
    task::JoinHandle,
    time::timeout,
};

use super::{
    Network, Target, TransportError,
    dial::Dialled,
    driven::Driven,
    pool::{Pool, Sender},
};
use crate::Reach;

/// How long a request may wait for the head of its answer.
const FIRST_BYTE: Duration = Duration::from_secs(15);
/// Bytes of an answer's headers, and how many there may be.
const HEAD: usize = 64 << 10;
const HEADERS: usize = 100;
/// Besides the headers themselves: the line of the status, and what stands between them.
const HEAD_BUFFER: usize = HEAD + (8 << 10);
/// What a peer may send ahead of being read: on one request of a shared connection, and on all of them.
const STREAM_WINDOW: u32 = 256 << 10;
const CONNECTION_WINDOW: u32 = 4 << 20;

/// One plugin's way out.
pub(crate) struct Transport {
    way: Option<(Network, Arc<ClientConfig>)>,
    pool: Arc<Pool>,
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport").field("way", &self.way.is_some()).finish_non_exhaustive()
    }
}

/// An answer whose body is still to be read.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Arriving,
}

/// A body on its way. Dropped before its end, it closes its connection; a shared one only gives up this answer.
pub(crate) struct Arriving {
    incoming: Incoming,
    lease: Option<Lease>,
}

/// A connection that is given back once its answer was read.
struct Lease {
    pool: Arc<Pool>,
    target: Target,
    sender: Sender,
}

impl Lease {
    fn give_back(self) {
        // a shared one was never taken out
        if !self.sender.is_shared() {
            self.pool.give_back(&self.target, self.sender);
        }
    }
}

impl fmt::Debug for Arriving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Arriving").finish_non_exhaustive()
    }
}

impl Arriving {
    /// The next bytes; nothing at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, TransportError> {
        while let Some(frame) = poll_fn(|context| self.frame(context)).await {
            // what follows the body belongs to the connection and goes nowhere
            if let Ok(bytes) = frame.map_err(TransportError::Http)?.into_data()
                && !bytes.is_empty()
            {
                return Ok(Some(bytes));
            }
        }
        if let Some(lease) = self.lease.take() {
            lease.give_back();
        }
        Ok(None)
    }

    fn frame(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.incoming).poll_frame(context) {
            return Poll::Ready(frame);
        }
        if let Some(lease) = &mut self.lease {
            lease.sender.drive(context);
        }
        Pin::new(&mut self.incoming).poll_frame(context)
    }

    /// Whether nothing is to come.
    pub(crate) fn is_over(&self) -> bool {
        self.lease.is_none()
    }

    /// How many bytes there are to come, if the peer has said so.
    pub(crate) fn announced(&self) -> Option<u64> {
        self.incoming.size_hint().exact()
    }
}

/// A new connection: one that many share, or one that nothing was said on yet.
enum Connected {
    Many(Sender),
    One(Dialled, OwnedSemaphorePermit),
}

/// Ends what it waits for when nobody waits any more.
struct Connecting(JoinHandle<Result<Connected, TransportError>>);

impl Drop for Connecting {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Transport {
    pub(crate) fn new(network: Option<&Network>) -> Self {
        Self { way: network.map(|network| (network.clone(), network.tls())), pool: Pool::new() }
    }

    /// Sends one request and waits for the head of its answer. The request's URI is path and query only.
    pub(crate) async fn send(
        &self,
        target: &Target,
        mut request: Request<Full<Bytes>>,
    ) -> Result<Answer, TransportError> {
        let origin = request.uri().clone();
        loop {
            let waiting = self.pool.take(target).await;
            let used_before = waiting.is_some();
            let mut sender = match waiting {
                Some(sender) => sender,
                None => self.connect(target).await?,
            };
            address(&mut request, target, &origin, sender.is_shared())?;
            let sent = timeout(FIRST_BYTE, sender.send(request)).await;
            match sent.map_err(|_| TransportError::Unanswered)? {
                Ok(response) => return self.answer(target, sender, response),
                Err(mut error) => {
                    self.pool.forget(target, &sender);
                    // Closed by the peer while it waited: what was not sent may be sent on another one, and nothing else may.
                    match error.take_message() {
                        Some(unsent) if used_before => request = unsent,
                        _ => return Err(broken(error.into_error())),
                    }
                }
            }
        }
    }

    fn answer(&self, target: &Target, sender: Sender, response: Response<Incoming>) -> Result<Answer, TransportError> {
        let (head, incoming) = response.into_parts();
        if head.status == StatusCode::SWITCHING_PROTOCOLS {
            return Err(TransportError::Unusable("the answer changes the protocol, which was not asked for"));
        }
        let bytes: usize = head.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
        if head.headers.len() > HEADERS || bytes > HEAD {
            return Err(TransportError::TooLarge(HEAD as u64));
        }
        let empty = incoming.is_end_stream();
        let lease = Lease { pool: Arc::clone(&self.pool), target: target.clone(), sender };
        let mut body = Arriving { incoming, lease: Some(lease) };
        coded(&head.headers, empty)?;
        if empty && let Some(lease) = body.lease.take() {
            lease.give_back();
        }
        Ok(Answer { status: head.status, headers: head.headers, body })
    }

    /// A new connection. It is made in a task of its own, on the runtime where one that many share lives; one of a single call is heard where that
    /// runs.
    async fn connect(&self, target: &Target) -> Result<Sender, TransportError> {
        let (network, tls) = self.way.clone().ok_or(TransportError::Closed)?;
        let (pool, own) = (Arc::clone(&self.pool), target.clone());
        let connecting = async move {
            let place = pool.place().await?;
            let dialled = network.dial(&own, &tls).await?;
            match dialled {
                Dialled::Tls(stream) if stream.get_ref().1.alpn_protocol() == Some(b"h2") => {
                    let sender = many(*stream, place).await?;
                    pool.share(&own, &sender);
                    Ok(Connected::Many(sender))
                }
                dialled => Ok(Connected::One(dialled, place)),
            }
        };
        let mut connecting = Connecting(tokio::spawn(connecting));
        let connected = (&mut connecting.0).await;
        match connected.unwrap_or_else(|_| Err(TransportError::Unusable("the host is going down")))? {
            Connected::Many(sender) => Ok(sender),
            Connected::One(mut dialled, place) => {
                let failed = |cause| TransportError::Connect { host: target.host.clone(), port: target.port, cause };
                dialled.stream().settle().map_err(failed)?;
                match dialled {
                    Dialled::Clear(stream) => one(stream, place).await,
                    Dialled::Tls(stream) => one(*stream, place).await,
                }
            }
        }
    }
}

/// HTTP/1.1 over this stream.
async fn one<S>(stream: S, place: OwnedSemaphorePermit) -> Result<Sender, TransportError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = http1::Builder::new();
    builder.max_buf_size(HEAD_BUFFER).max_header_size(HEAD_BUFFER);
    let (sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(broken)?;
    Ok(Sender::One(Driven::new(sender, connection, place)))
}

/// HTTP/2 over this stream.
async fn many<S>(stream: S, place: OwnedSemaphorePermit) -> Result<Sender, TransportError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        // names and values have 32 bytes each of overhead there (RFC 9113, 6.5.2); what is between is counted above
        .max_header_list_size(u32::try_from(HEAD_BUFFER + HEADERS * 32).unwrap_or(u32::MAX));
    let (sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(broken)?;
    tokio::spawn(async move {
        let _place = place;
        let _ended = connection.await;
    });
    Ok(Sender::Many(sender, Arc::new(())))
}

/// Whom the request is for, in the form of the protocol. A guest has no part in it.
fn address(
    request: &mut Request<Full<Bytes>>,
    target: &Target,
    origin: &Uri,
    shared: bool,
) -> Result<(), TransportError> {
    let authority = target.authority();
    let invalid = |_| TransportError::Unusable("the request has no valid target");
    if shared {
        let uri = Uri::builder().scheme(target.scheme.as_str()).authority(authority.as_str());
        let path = origin.path_and_query().map_or("/", |path| path.as_str());
        *request.uri_mut() = uri
            .path_and_query(path)
            .build()
            .map_err(|_| TransportError::Unusable("the request has no valid target"))?;
        request.headers_mut().remove(header::HOST);
        *request.version_mut() = http::Version::HTTP_2;
    } else {
        *request.uri_mut() = origin.clone();
        let host = HeaderValue::from_str(&authority).map_err(invalid)?;
        request.headers_mut().insert(header::HOST, host);
        *request.version_mut() = http::Version::HTTP_11;
    }
    Ok(())
}

impl Target {
    /// The host and, where it is not the scheme's own, the port.
    pub(crate) fn authority(&self) -> String {
        if self.port == self.scheme.port() { self.host.clone() } else { format!("{}:{}", self.host, self.port) }
    }
}

/// Compressed answers are not taken: they were asked for without, and what is small on the wire may be huge in memory.
fn coded(headers: &HeaderMap, empty: bool) -> Result<(), TransportError> {
    let other = |name: header::HeaderName, plain: &[&str]| {
        let values = headers.get_all(name).into_iter();
        values.flat_map(|value| value.as_bytes().split(|byte| *byte == b',')).any(|coding| {
            let coding = coding.trim_ascii();
            !plain.iter().any(|plain| coding.eq_ignore_ascii_case(plain.as_bytes()))
        })
    };
    if !empty && other(header::CONTENT_ENCODING, &["identity", ""]) {
        return Err(TransportError::Unusable(
            "the answer is compressed, and was asked for without (`content-encoding`)",
        ));
    }
    if other(header::TRANSFER_ENCODING, &["chunked"]) {
        return Err(TransportError::Unusable("the answer is coded for its transfer by more than `chunked`"));
    }
    Ok(())
}

fn broken(error: hyper::Error) -> TransportError {
    if error.is_parse_too_large() { TransportError::TooLarge(HEAD as u64) } else { TransportError::Http(error) }
}

impl Reach {
    /// One request of the host's own, such as for a token: the whole answer, if it has at most `most` bytes. Its URI is path and query only.
    pub(crate) async fn ask(
        &self,
        target: &Target,
        mut request: Request<Full<Bytes>>,
        most: u64,
    ) -> Result<Response<Bytes>, TransportError> {
        request.headers_mut().insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let answer = self.transport.send(target, request).await?;
        let Answer { status, headers, mut body } = answer;
        let mut whole = Vec::new();
        while let Some(bytes) = body.next().await? {
            if (whole.len() + bytes.len()) as u64 > most {
                return Err(TransportError::TooLarge(most));
            }
            whole.extend_from_slice(&bytes);
        }
        let mut response = Response::new(Bytes::from(whole));
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        Ok(response)
    }
}

#[cfg(test)]
impl Transport {
    pub(crate) fn waiting(&self) -> usize {
        self.pool.waiting()
    }

    pub(crate) fn open(&self) -> usize {
        self.pool.open()
    }
}
