//! A server of the outside: a page of 1 KiB over TLS, in a process of its own; and the plainest client that there can be for it, which is the
//! floor of a request.

use std::{
    env,
    io::{BufRead as _, BufReader, Write as _},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    sync::Arc,
};

use http_body_util::{BodyExt as _, Full};
use hyper::{Request, Response, body::Bytes, client::conn::http1::SendRequest, service::service_fn};
use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use tokio::{
    net::{TcpListener, TcpStream},
    runtime::Runtime,
};
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// What this program is told to be the server.
pub const UPSTREAM: &str = "upstream";
/// Its name.
pub const NAME: &str = "localhost";
/// What it answers with.
pub const PAGE: usize = 1_024;

pub struct Upstream {
    pub address: SocketAddr,
    /// Its certificate, which is its own authority.
    pub pem: String,
    child: Child,
}

impl Upstream {
    pub fn start() -> Self {
        let mut child = Command::new(env::current_exe().unwrap()).arg(UPSTREAM).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines().map_while(Result::ok);
        let address = lines.next().expect("an address").parse().unwrap();
        let mut pem = String::new();
        while !pem.contains("END CERTIFICATE") {
            pem.push_str(&lines.next().expect("a certificate"));
            pem.push('\n');
        }
        Self { address, pem, child }
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The server itself. It ends when it is killed.
pub fn serve() {
    let made = rcgen::generate_simple_self_signed(vec![NAME.to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        // in one piece: who started this reads as far as the certificate's end and then no further
        let told = format!("{}\n{}", listener.local_addr().unwrap(), made.cert.pem());
        std::io::stdout().write_all(told.as_bytes()).unwrap();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                stream.set_nodelay(true).unwrap();
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let page = service_fn(|_| async {
                    Ok::<_, std::convert::Infallible>(Response::new(Full::new(Bytes::from_static(&[b'x'; PAGE]))))
                });
                let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), page).await;
            });
        }
    });
}

/// One connection of plain hyper, kept.
pub struct Plain {
    runtime: Runtime,
    sender: SendRequest<Full<Bytes>>,
    host: String,
}

impl Plain {
    pub fn open(upstream: &Upstream) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(upstream.pem.as_bytes()).unwrap()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let sender = runtime.block_on(async {
            let stream = TcpStream::connect(upstream.address).await.unwrap();
            stream.set_nodelay(true).unwrap();
            let connector = TlsConnector::from(Arc::new(config));
            let stream = connector.connect(NAME.try_into().unwrap(), stream).await.unwrap();
            let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
            tokio::spawn(connection);
            sender
        });
        Self { runtime, sender, host: format!("{NAME}:{}", upstream.address.port()) }
    }

    pub fn get(&mut self) {
        let request = Request::get("/page").header("host", &self.host).body(Full::default()).unwrap();
        let Self { runtime, sender, .. } = self;
        let page = runtime.block_on(async {
            sender.ready().await.unwrap();
            let response = sender.send_request(request).await.unwrap();
            response.into_body().collect().await.unwrap().to_bytes()
        });
        assert_eq!(page.len(), PAGE);
    }
}
