//! MCP over standard input and output, for a client that starts this process. Both eras; the end of input ends the service.

use rmcp::{ServiceExt as _, service::ServerInitializeError};
use tokio_util::sync::CancellationToken;
use wardkeep_model::Principal;

use crate::{Entrance, ServeError, handler::Handler};

/// Serves until the input ends or it is stopped.
///
/// # Errors
///
/// [`ServeError::Handshake`] if the first message is not MCP.
pub async fn serve_stdio(entrance: Entrance, principal: Principal, stop: CancellationToken) -> Result<(), ServeError> {
    let handler = Handler::new(entrance, principal, "stdio");
    let serving = handler.serve_with_ct(rmcp::transport::stdio(), stop.clone());
    let running = match tokio::select! { running = serving => running, () = stop.cancelled() => return Ok(()) } {
        Ok(running) => running,
        // a client that opens and closes again has done nothing wrong
        Err(ServerInitializeError::ConnectionClosed(_) | ServerInitializeError::Cancelled) => return Ok(()),
        Err(error) => return Err(ServeError::Handshake(Box::new(error))),
    };
    running.waiting().await.map(drop).map_err(ServeError::Task)
}
