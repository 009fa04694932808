//! From a decided target to a connection: the name is resolved once, all its addresses are judged, and only those are dialled.
//!
//! The attacks: a name that leads inside, at once, by a second address, by an alias or when asked a second time. So nothing is asked twice, and one
//! forbidden address among public ones refuses them all.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{Arc, OnceLock},
    time::Duration,
};

use hickory_resolver::{
    TokioResolver,
    config::{ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig},
    net::runtime::TokioRuntimeProvider,
    proto::rr::Name,
};
use rustls::{
    ClientConfig, RootCertStore,
    client::Resumption,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, ServerName},
};
use tokio::{
    net::TcpStream,
    time::{Instant, timeout, timeout_at},
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use wardkeep_model::Scheme;

use super::{Target, TransportError, address::forbidden};
use crate::reactor::Stream;

/// What an address is that plain http may not go to.
pub(super) const ELSEWHERE: &str = "another machine";

/// How long asking for a name may take.
const RESOLVE: Duration = Duration::from_secs(5);
/// One name server's time for an answer.
const SERVER: Duration = Duration::from_secs(2);
/// How long connecting may take, TLS included.
pub(super) const CONNECT: Duration = Duration::from_secs(5);
/// An address that does not answer leaves this to the next one.
const SHARE: Duration = Duration::from_secs(1);
/// Addresses of a name that are dialled.
const DIALLED: usize = 8;
/// TLS sessions that one plugin resumes.
const SESSIONS: usize = 64;

/// What all plugins' connections have in common: whom TLS trusts, and where names are asked for.
#[derive(Clone)]
pub(crate) struct Network(Arc<Inner>);

struct Inner {
    tls: ClientConfig,
    name_servers: Vec<SocketAddr>,
    /// Made when the first name is asked for: a host that reaches nothing needs no name servers.
    resolver: OnceLock<TokioResolver>,
}

/// Trust that cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// A certificate of the operator's is none.
    #[error("certificate {number} of the operator's authorities is none")]
    Authority {
        /// Which one, from 1.
        number: usize,
        /// What is wrong with it.
        #[source]
        cause: rustls::Error,
    },
    /// The cryptography is not what it should be.
    #[error("TLS cannot be set up")]
    Tls(#[source] rustls::Error),
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Network").field("name_servers", &self.0.name_servers).finish_non_exhaustive()
    }
}

impl Network {
    pub(crate) fn new(
        authorities: &[CertificateDer<'static>],
        name_servers: &[SocketAddr],
    ) -> Result<Self, NetworkError> {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        for (index, authority) in authorities.iter().enumerate() {
            let failed = |cause| NetworkError::Authority { number: index + 1, cause };
            roots.add(authority.clone()).map_err(failed)?;
        }
        // The provider is named: what some other part of the process installs as a default has no say here.
        let mut tls = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(NetworkError::Tls)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let name_servers = name_servers.to_vec();
        Ok(Self(Arc::new(Inner { tls, name_servers, resolver: OnceLock::new() })))
    }

    /// TLS for one plugin: sessions that are resumed are its own, or a server could tell that two plugins live in one host.
    pub(super) fn tls(&self) -> Arc<ClientConfig> {
        let mut tls = self.0.tls.clone();
        tls.resumption = Resumption::in_memory_sessions(SESSIONS);
        Arc::new(tls)
    }

    fn resolver(&self) -> Result<&TokioResolver, hickory_resolver::net::NetError> {
        if let Some(resolver) = self.0.resolver.get() {
            return Ok(resolver);
        }
        let provider = TokioRuntimeProvider::default();
        let mut builder = if self.0.name_servers.is_empty() {
            TokioResolver::builder(provider)?
        } else {
            let server = |address: &SocketAddr| {
                let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
                    connection.port = address.port();
                    connection
                });
                NameServerConfig::new(address.ip(), true, connections.into())
            };
            let config = ResolverConfig::from_parts(None, vec![], self.0.name_servers.iter().map(server).collect());
            let mut builder = TokioResolver::builder_with_config(config, provider);
            builder.options_mut().use_hosts_file = ResolveHosts::Never;
            builder
        };
        let options = builder.options_mut();
        options.timeout = SERVER;
        options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
        // What one plugin has asked for must not answer faster for another. Connections that are kept make up for it.
        options.cache_size = 0;
        let resolver = builder.build()?;
        Ok(self.0.resolver.get_or_init(|| resolver))
    }

    /// All addresses of a host, each of which may be dialled.
    pub(super) async fn addresses(&self, target: &Target) -> Result<Vec<IpAddr>, TransportError> {
        let found = match target.host.parse::<Ipv4Addr>() {
            Ok(address) => vec![address.into()],
            Err(_) => self.resolve(&target.host).await?,
        };
        let why = |address: &IpAddr| {
            let elsewhere = target.loopback_only && !address.to_canonical().is_loopback();
            let what = if elsewhere { Some(ELSEWHERE) } else { forbidden(*address, &target.private) };
            what.map(|what| (*address, what))
        };
        // One is enough to go nowhere: which of them would be taken is nobody's choice.
        let wrong: Vec<_> = found.iter().filter_map(why).collect();
        let Some((address, what)) = wrong.first().copied() else { return Ok(found) };
        let all = wrong.into_iter().map(|(address, _)| address).collect();
        Err(TransportError::Forbidden { host: target.host.clone(), address, all, what })
    }

    async fn resolve(&self, host: &str) -> Result<Vec<IpAddr>, TransportError> {
        let unknown =
            |cause: Box<dyn std::error::Error + Send + Sync>| TransportError::Name { host: host.into(), cause };
        let mut name = Name::from_ascii(host).map_err(|error| unknown(error.into()))?;
        // Whole as it is: a search domain of the system would make another name of it.
        name.set_fqdn(true);
        let resolver = self.resolver().map_err(|error| unknown(error.into()))?;
        let lookup = timeout(RESOLVE, resolver.lookup_ip(name))
            .await
            .map_err(|_| TransportError::Timeout("asking for the host's name"))?
            .map_err(|error| unknown(error.into()))?;
        let found: Vec<IpAddr> = lookup.iter().collect();
        if found.is_empty() { Err(unknown("it has no address".into())) } else { Ok(found) }
    }

    /// Dials the target, by addresses that were judged and by no others.
    pub(super) async fn dial(&self, target: &Target, tls: &Arc<ClientConfig>) -> Result<Dialled, TransportError> {
        let addresses = self.addresses(target).await?;
        let slow = |_| TransportError::Timeout("connecting");
        let until = Instant::now() + CONNECT;
        let tcp = timeout_at(until, first(&addresses, target, until)).await.map_err(slow)??;
        match target.scheme {
            Scheme::Http => Ok(Dialled::Clear(Stream::new(tcp))),
            Scheme::Https => {
                let failed = |cause| TransportError::Tls { host: target.host.clone(), cause };
                let name = ServerName::try_from(target.host.clone())
                    .map_err(|error| failed(std::io::Error::new(std::io::ErrorKind::InvalidInput, error)))?;
                let tls = TlsConnector::from(Arc::clone(tls)).connect(name, Stream::new(tcp));
                Ok(Dialled::Tls(Box::new(timeout_at(until, tls).await.map_err(slow)?.map_err(failed)?)))
            }
        }
    }
}

/// A connection before anything was said.
pub(super) enum Dialled {
    Clear(Stream),
    Tls(Box<TlsStream<Stream>>),
}

impl Dialled {
    pub(super) fn stream(&mut self) -> &mut Stream {
        match self {
            Self::Clear(stream) => stream,
            Self::Tls(stream) => stream.get_mut().0,
        }
    }
}

/// The first address that answers, in the order in which they came.
async fn first(addresses: &[IpAddr], target: &Target, until: Instant) -> Result<TcpStream, TransportError> {
    let mut failed = std::io::Error::from(std::io::ErrorKind::AddrNotAvailable);
    let dialled = addresses.len().min(DIALLED);
    for (index, address) in addresses.iter().take(dialled).enumerate() {
        let rest = u32::try_from(dialled - index).unwrap_or(1);
        let share = (until.saturating_duration_since(Instant::now()) / rest).max(SHARE);
        match timeout(share, TcpStream::connect((address.to_canonical(), target.port))).await {
            Ok(Ok(stream)) => {
                // Requests are small and wait for answers.
                let _unset = stream.set_nodelay(true);
                return Ok(stream);
            }
            Ok(Err(error)) => failed = error,
            Err(_) => failed = std::io::ErrorKind::TimedOut.into(),
        }
    }
    if failed.kind() == std::io::ErrorKind::TimedOut {
        return Err(TransportError::Timeout("connecting"));
    }
    Err(TransportError::Connect { host: target.host.clone(), port: target.port, cause: failed })
}
