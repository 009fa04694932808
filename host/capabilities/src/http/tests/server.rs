//! A server on this machine that does what a test says, and counts who came.

use std::{
    convert::Infallible,
    future::Future,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use http::{Request, Response};
use http_body_util::Full;
use hyper::{
    body::{Bytes, Incoming},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{
    ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;

/// An authority, and what it certifies.
pub(crate) struct Certificates {
    authority: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

impl Certificates {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = params.self_signed(&key).unwrap().der().clone();
        Self { authority, issuer: Issuer::new(params, key) }
    }

    pub(crate) fn authority(&self) -> CertificateDer<'static> {
        self.authority.clone()
    }

    fn server(&self, names: &[&str], protocols: &[&str]) -> Arc<ServerConfig> {
        let key = KeyPair::generate().unwrap();
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        Arc::new(config)
    }
}

pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

type Handler = Arc<dyn Fn(Box<dyn Stream>, bool) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// Listens until it is dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    /// Connections that came.
    pub(crate) came: Arc<AtomicUsize>,
    /// Connections that are there now.
    pub(crate) there: Arc<AtomicUsize>,
    listening: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

struct Leaving(Arc<AtomicUsize>);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Server {
    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    pub(crate) fn came(&self) -> usize {
        self.came.load(Ordering::SeqCst)
    }

    /// Waits until nobody is connected.
    pub(crate) async fn is_left(&self) {
        for _ in 0..500 {
            if self.there.load(Ordering::SeqCst) == 0 {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
        panic!("{} are still connected", self.there.load(Ordering::SeqCst));
    }

    async fn start(tls: Option<Arc<ServerConfig>>, handler: Handler) -> Self {
        Self::listen(SocketAddr::from(([127, 0, 0, 1], 0)), tls, handler).await
    }

    async fn listen(at: SocketAddr, tls: Option<Arc<ServerConfig>>, handler: Handler) -> Self {
        let listener = TcpListener::bind(at).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (came, there) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let counters = (Arc::clone(&came), Arc::clone(&there));
        let listening = tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { return };
                counters.0.fetch_add(1, Ordering::SeqCst);
                counters.1.fetch_add(1, Ordering::SeqCst);
                let leaving = Leaving(Arc::clone(&counters.1));
                let (tls, handler) = (tls.clone(), Arc::clone(&handler));
                tokio::spawn(async move {
                    let _leaving = leaving;
                    let _unset = stream.set_nodelay(true);
                    match tls {
                        None => handler(Box::new(stream), false).await,
                        Some(tls) => {
                            if let Ok(stream) = TlsAcceptor::from(tls).accept(stream).await {
                                let second = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                                handler(Box::new(stream), second).await;
                            }
                        }
                    }
                });
            }
        });
        Self { address, came, there, listening }
    }

    /// Over TLS for these names, in these protocols: each connection is the script's.
    pub(crate) async fn scripted<F, D>(certificates: &Certificates, names: &[&str], script: F) -> Self
    where
        F: Fn(Box<dyn Stream>) -> D + Send + Sync + 'static,
        D: Future<Output = ()> + Send + 'static,
    {
        let tls = certificates.server(names, &["http/1.1"]);
        Self::start(Some(tls), Arc::new(move |stream, _| Box::pin(script(stream)))).await
    }

    /// In the clear: each connection is the script's.
    pub(crate) async fn in_the_clear<F, D>(script: F) -> Self
    where
        F: Fn(Box<dyn Stream>) -> D + Send + Sync + 'static,
        D: Future<Output = ()> + Send + 'static,
    {
        Self::at(SocketAddr::from(([127, 0, 0, 1], 0)), script).await
    }

    /// The same at this address.
    pub(crate) async fn at<F, D>(address: SocketAddr, script: F) -> Self
    where
        F: Fn(Box<dyn Stream>) -> D + Send + Sync + 'static,
        D: Future<Output = ()> + Send + 'static,
    {
        Self::listen(address, None, Arc::new(move |stream, _| Box::pin(script(stream)))).await
    }
}

/// A server of HTTP over TLS for `localhost`, in these protocols.
pub(crate) async fn tls<F, D>(certificates: &Certificates, protocols: &[&str], answer: F) -> Server
where
    F: Fn(Request<Incoming>) -> D + Clone + Send + Sync + 'static,
    D: Future<Output = Response<Full<Bytes>>> + Send + 'static,
{
    let config = certificates.server(&["localhost", "127.0.0.1", "made-up.granted.test"], protocols);
    let handler: Handler = Arc::new(move |stream, second| {
        let answer = answer.clone();
        let service = service_fn(move |request| {
            let answer = answer(request);
            async move { Ok::<_, Infallible>(answer.await) }
        });
        Box::pin(async move {
            let io = TokioIo::new(stream);
            if second {
                let _ended =
                    hyper::server::conn::http2::Builder::new(TokioExecutor::new()).serve_connection(io, service).await;
            } else {
                let _ended = hyper::server::conn::http1::Builder::new().serve_connection(io, service).await;
            }
        })
    });
    Server::start(Some(config), handler).await
}

/// One that says what it was asked.
pub(crate) async fn hello(certificates: &Certificates, protocols: &[&str]) -> Server {
    tls(certificates, protocols, |request: Request<Incoming>| async move {
        let host = request.headers().get("host").map(|host| host.to_str().unwrap().to_owned());
        let host = host.or_else(|| request.uri().authority().map(ToString::to_string)).unwrap_or_default();
        let target = request.uri().path_and_query().unwrap().to_string();
        let absolute = request.uri().scheme().is_some() && request.version() < http::Version::HTTP_2;
        let text = format!("{} {host} {target} {:?} absolute={absolute}", request.method(), request.version());
        Response::new(Full::new(Bytes::from(text)))
    })
    .await
}
