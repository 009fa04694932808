//! Where a request goes, once that is decided, and why it did not get there.

use std::net::IpAddr;

use ipnet::IpNet;
use wardkeep_model::Scheme;

/// A destination that was decided on. Connections are shared only between requests whose destinations are equal in all of this.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Target {
    /// How it is spoken to.
    pub(crate) scheme: Scheme,
    /// A name in lower case without a dot at its end, or an IPv4 address as four decimal numbers.
    pub(crate) host: String,
    /// The port.
    pub(crate) port: u16,
    /// Networks that are not public and may be reached all the same: manifest and operator both say so.
    pub(crate) private: Vec<IpNet>,
    /// Whether nothing but this machine may be reached: where a credential goes in the clear, for tests.
    pub(crate) loopback_only: bool,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TransportError {
    /// The operator lets nothing out.
    #[error("this host reaches nothing outside")]
    Closed,
    /// The host's name leads where nothing may go.
    #[error("`{host}` leads to {address}, which is {what}")]
    Forbidden {
        /// The host as it was asked for.
        host: String,
        /// One of its addresses.
        address: IpAddr,
        /// All of them that nothing may go to.
        all: Vec<IpAddr>,
        /// What kind of address it is, such as `loopback`.
        what: &'static str,
    },
    /// The name is not known, or nobody answers for it.
    #[error("the name `{host}` is not known")]
    Name {
        /// The host as it was asked for.
        host: String,
        /// What the resolver says.
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Nobody listens there.
    #[error("nobody listens at `{host}`, port {port}")]
    Connect {
        /// The host as it was asked for.
        host: String,
        /// The port.
        port: u16,
        /// What the system says.
        #[source]
        cause: std::io::Error,
    },
    /// No TLS, or not with whom it should be.
    #[error("no TLS with `{host}`")]
    Tls {
        /// The host as it was asked for.
        host: String,
        /// What is wrong with it.
        #[source]
        cause: std::io::Error,
    },
    /// It did not answer as HTTP, or broke off.
    #[error("the answer is not HTTP, or breaks off")]
    Http(#[source] hyper::Error),
    /// An answer that the host does not take.
    #[error("{0}")]
    Unusable(&'static str),
    /// Too slow, before anything was sent.
    #[error("{0} took too long")]
    Timeout(&'static str),
    /// Sent, and too slow.
    #[error("no answer began in time")]
    Unanswered,
    /// More bytes than it may have.
    #[error("the answer has more than {0} bytes")]
    TooLarge(u64),
}

impl TransportError {
    /// Whether nothing of the request can have left the host.
    pub(crate) const fn is_before_sending(&self) -> bool {
        match self {
            Self::Closed
            | Self::Forbidden { .. }
            | Self::Name { .. }
            | Self::Connect { .. }
            | Self::Tls { .. }
            | Self::Timeout(_) => true,
            Self::Http(_) | Self::Unanswered | Self::Unusable(_) | Self::TooLarge(_) => false,
        }
    }
}
