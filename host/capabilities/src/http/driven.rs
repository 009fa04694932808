//! A connection of HTTP/1.1 that is driven by whoever uses it: no other thread has to be woken to write a request, and one wakening brings
//! the answer. While it waits in the pool nobody reads it, so nothing that a peer sends then is taken for an answer.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    task::{Context, Poll},
};

use http::{Request, Response};
use http_body_util::Full;
use hyper::{
    body::{Bytes, Incoming},
    client::conn::{TrySendError, http1::SendRequest},
};
use tokio::sync::OwnedSemaphorePermit;

/// What hyper does for a connection: nothing happens on it unless this is polled.
type Connection = Pin<Box<dyn Future<Output = Result<(), hyper::Error>> + Send>>;

/// Both halves of one connection.
pub(super) struct Driven {
    sender: SendRequest<Full<Bytes>>,
    /// Nothing once it is over.
    connection: Option<Connection>,
    _place: OwnedSemaphorePermit,
}

impl Driven {
    pub(super) fn new(
        sender: SendRequest<Full<Bytes>>,
        connection: impl Future<Output = Result<(), hyper::Error>> + Send + 'static,
        place: OwnedSemaphorePermit,
    ) -> Self {
        Self { sender, connection: Some(Box::pin(connection)), _place: place }
    }

    pub(super) async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, TrySendError<Request<Full<Bytes>>>> {
        let mut sending = pin!(self.sender.try_send_request(request));
        let connection = &mut self.connection;
        poll_fn(|context| {
            if let Poll::Ready(answer) = sending.as_mut().poll(context) {
                return Poll::Ready(answer);
            }
            let _over = drive(connection, context);
            sending.as_mut().poll(context)
        })
        .await
    }

    /// Waits until it takes a request; false if it never will.
    pub(super) async fn ready(&mut self) -> bool {
        poll_fn(|context| {
            // first, since a peer that has closed it leaves it looking ready
            if drive(&mut self.connection, context).is_ready() {
                return Poll::Ready(false);
            }
            self.sender.poll_ready(context).map(|ready| ready.is_ok())
        })
        .await
    }

    /// Reads and writes what can be; ready when the connection is over.
    pub(super) fn drive(&mut self, context: &mut Context<'_>) -> Poll<()> {
        drive(&mut self.connection, context)
    }

    pub(super) fn is_closed(&self) -> bool {
        self.connection.is_none() || self.sender.is_closed()
    }
}

fn drive(connection: &mut Option<Connection>, context: &mut Context<'_>) -> Poll<()> {
    let Some(running) = connection else { return Poll::Ready(()) };
    // Whoever waits for an answer on it is told by hyper how it ended.
    running.as_mut().poll(context).map(|_ended| *connection = None)
}
