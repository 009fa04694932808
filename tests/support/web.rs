//! A web server over TLS, with an authority of its own. What it answers, a function says; what arrived, it remembers to the byte.

use std::{
    collections::VecDeque,
    convert::Infallible,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, ready},
    thread,
    time::Duration,
};

use http_body_util::BodyExt as _;
use hyper::{
    Request, Response,
    body::{Body, Bytes, Frame, Incoming},
    header::HeaderMap,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct Seen {
    pub method: String,
    /// The `host` header, without its port.
    pub host: String,
    /// The path and the query as they stood in the request.
    pub target: String,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    /// Which connection it came over.
    pub connection: usize,
}

impl Seen {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// What the query says under this name, as it stood there.
    pub fn query(&self, name: &str) -> Option<&str> {
        let query = self.target.split_once('?')?.1;
        query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }
}

/// A piece of a body's script.
#[derive(Debug, Clone)]
pub enum Step {
    Bytes(Vec<u8>),
    Wait(Duration),
    /// The connection ends here, in the middle.
    Break,
}

/// How it answers.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: VecDeque<Step>,
}

impl Answer {
    pub fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: VecDeque::new() }
    }

    pub fn bytes(status: u16, content_type: &str, bytes: impl Into<Vec<u8>>) -> Self {
        let answer = Self::status(status).header("content-type", content_type);
        answer.step(Step::Bytes(bytes.into()))
    }

    pub fn json(status: u16, value: &Value) -> Self {
        Self::bytes(status, "application/json; charset=utf-8", value.to_string())
    }

    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    pub fn step(mut self, step: Step) -> Self {
        self.body.push_back(step);
        self
    }
}

type Answers = dyn Fn(&Seen) -> Answer + Send + Sync;

/// It runs until the test binary ends.
pub struct Web {
    pub address: SocketAddr,
    /// The certificate of its authority, in PEM.
    pub authority: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Web {
    /// A server for these names.
    pub fn start(names: &[&str], answers: impl Fn(&Seen) -> Answer + Send + Sync + 'static) -> Self {
        let (authority, tls) = certified(names);
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let told = Arc::clone(&seen);
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let answers: Arc<Answers> = Arc::new(answers);
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(serve(listener, tls, &answers, &told));
        });
        Self { address, authority, seen }
    }

    /// What arrived, in its order.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

/// An authority, and a server's certificate of it.
fn certified(names: &[&str]) -> (String, TlsAcceptor) {
    let mut of_authority = rcgen::CertificateParams::new(Vec::new()).unwrap();
    of_authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    of_authority.distinguished_name.push(rcgen::DnType::CommonName, "an authority of the tests");
    let key = rcgen::KeyPair::generate().unwrap();
    let authority = of_authority.self_signed(&key).unwrap().pem();
    let issuer = rcgen::Issuer::new(of_authority, key);

    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(names).unwrap().signed_by(&key, &issuer).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    (authority, TlsAcceptor::from(Arc::new(config)))
}

async fn serve(
    listener: std::net::TcpListener,
    tls: TlsAcceptor,
    answers: &Arc<Answers>,
    seen: &Arc<Mutex<Vec<Seen>>>,
) {
    let listener = TcpListener::from_std(listener).unwrap();
    for connection in 0.. {
        let Ok((stream, _)) = listener.accept().await else { return };
        let (tls, answers, seen) = (tls.clone(), Arc::clone(answers), Arc::clone(seen));
        tokio::spawn(async move {
            let Ok(stream) = tls.accept(stream).await else { return };
            let service = service_fn(move |request| {
                let (answers, seen) = (Arc::clone(&answers), Arc::clone(&seen));
                async move { Ok::<_, Infallible>(answered(request, connection, &*answers, &seen).await) }
            });
            // A client that goes away, or an answer that breaks off, is what the test wants to see.
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answered(
    request: Request<Incoming>,
    connection: usize,
    answers: &Answers,
    seen: &Mutex<Vec<Seen>>,
) -> Response<Script> {
    let (head, body) = request.into_parts();
    let host = head.headers.get("host").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let one = Seen {
        method: head.method.to_string(),
        host: host.split(':').next().unwrap_or_default().to_owned(),
        target: head.uri.to_string(),
        headers: head.headers.clone(),
        body: body.collect().await.map(|body| body.to_bytes().to_vec()).unwrap_or_default(),
        connection,
    };
    seen.lock().unwrap().push(one.clone());
    let answer = answers(&one);
    let mut response = Response::builder().status(answer.status);
    for (name, value) in &answer.headers {
        response = response.header(name, value);
    }
    response.body(Script { steps: answer.body, waits: None }).unwrap()
}

/// A body that goes by its script.
struct Script {
    steps: VecDeque<Step>,
    waits: Option<Pin<Box<tokio::time::Sleep>>>,
}

impl Body for Script {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        loop {
            if let Some(wait) = &mut self.waits {
                ready!(wait.as_mut().poll(context));
                self.waits = None;
            }
            match self.steps.pop_front() {
                None => return Poll::Ready(None),
                Some(Step::Bytes(bytes)) => return Poll::Ready(Some(Ok(Frame::data(bytes.into())))),
                Some(Step::Wait(time)) => self.waits = Some(Box::pin(tokio::time::sleep(time))),
                Some(Step::Break) => return Poll::Ready(Some(Err(std::io::ErrorKind::ConnectionReset.into()))),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.steps.is_empty() && self.waits.is_none()
    }
}
