//! MCP over standard input and output, for a client that starts this process. Both eras; the end of input ends the service.

mod ids;
mod lines;

use rmcp::{ServiceExt as _, service::ServerInitializeError, transport::async_rw::AsyncRwTransport};
use tokio_util::sync::CancellationToken;
use wardkeep_model::Principal;

use crate::{
    Entrance, ServeError,
    handler::Handler,
    identity::{Credential, Identity},
};
use ids::Ids;
use lines::{Ends, Lines};

/// Serves until the input ends or it is stopped. What is no message is answered here; rmcp never sees it.
///
/// # Errors
///
/// [`ServeError::Handshake`] if the first message is not MCP.
pub async fn serve_stdio(entrance: Entrance, principal: Principal, stop: CancellationToken) -> Result<(), ServeError> {
    let identity = Identity { principal, credential: Credential::Stdio };
    let (lines, ends) = Lines::between(tokio::io::stdin(), tokio::io::stdout());
    let served = serve(Handler::new(entrance, identity, "stdio", CancellationToken::new()), ends, stop).await;
    lines.finish().await;
    served
}

async fn serve(handler: Handler, ends: Ends, stop: CancellationToken) -> Result<(), ServeError> {
    let (ids, Ends { read, written, refuse }) = (Ids::default(), ends);
    let transport = ids.around(AsyncRwTransport::new_server(read, written), refuse);
    let serving = ids.under(handler).serve_with_ct(transport, stop.clone());
    let running = match tokio::select! { running = serving => running, () = stop.cancelled() => return Ok(()) } {
        Ok(running) => running,
        // a client that opens and closes again has done nothing wrong
        Err(ServerInitializeError::ConnectionClosed(_) | ServerInitializeError::Cancelled) => return Ok(()),
        Err(error) => return Err(ServeError::Handshake(Box::new(error))),
    };
    running.waiting().await.map(drop).map_err(ServeError::Task)
}
