//! Why serving could not begin or go on.

use std::{io, net::SocketAddr, path::PathBuf};

/// A transport that could not serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address is taken or not this machine's.
    #[error(
        "can't listen on {address}: {source}; set another `http` under [listen] in wardkeep.toml, or end what listens there"
    )]
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the operating system says.
        source: io::Error,
    },
    /// The home's own socket.
    #[error("can't listen on the socket {path}: {source}")]
    Socket {
        /// The socket's path.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// The operating system gives no more threads.
    #[error("can't start the threads that requests are served on: {0}")]
    Threads(io::Error),
    /// `[listen] public_url` is no URL with a host.
    #[error("`{0}` is no http or https URL; mend `public_url` under [listen] in wardkeep.toml")]
    PublicUrl(String),
    /// Standard input was not MCP.
    #[error("the client's first message could not be understood: {0}")]
    Handshake(Box<rmcp::service::ServerInitializeError>),
    /// The thread that served standard input ended by itself.
    #[error("the thread that serves standard input ended unexpectedly")]
    Lost,
    /// A task of the server ended by itself.
    #[error("a server task ended unexpectedly: {0}")]
    Task(tokio::task::JoinError),
}
