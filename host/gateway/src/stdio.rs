//! MCP over standard input and output, for a client that starts this process. Both eras; the end of input ends the service.

mod ids;
mod lines;
mod streams;

use std::thread;

use rmcp::{ServiceExt as _, service::ServerInitializeError, transport::async_rw::AsyncRwTransport};
use tokio::{runtime::Builder, sync::oneshot};
use tokio_util::sync::CancellationToken;
use wardkeep_model::Principal;

use crate::{
    Entrance, ServeError,
    handler::Handler,
    identity::{Credential, Identity},
};
use ids::Ids;
use lines::{Ends, Lines};
use streams::Streams;

/// Serves until the input ends or it is stopped, on a thread of its own: one client needs no second one, and a runtime of several would wake
/// one for most messages. What is no message is answered here; rmcp never sees it.
///
/// # Errors
///
/// [`ServeError::Handshake`] if the first message is not MCP, [`ServeError::Threads`].
pub async fn serve_stdio(entrance: Entrance, principal: Principal, stop: CancellationToken) -> Result<(), ServeError> {
    let identity = Identity { principal, credential: Credential::Stdio };
    let handler = Handler::new(entrance, identity, "stdio", CancellationToken::new());
    let runtime = Builder::new_current_thread().enable_all().build().map_err(ServeError::Threads)?;
    let (ended, served) = oneshot::channel();
    let serving = move || {
        let served = runtime.block_on(async {
            let Streams { input, output } = Streams::of_this_process();
            let (lines, ends) = Lines::between(input, output);
            let served = Box::pin(serve(handler, ends, stop)).await;
            lines.finish().await;
            served
        });
        // what still reads the input is not waited for
        runtime.shutdown_background();
        // nobody need be there any more
        let _ = ended.send(served);
    };
    thread::Builder::new().name("stdio".to_owned()).spawn(serving).map_err(ServeError::Threads)?;
    served.await.unwrap_or(Err(ServeError::Lost))
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
