//! The ids of requests over standard input that are not answered yet: no two have the same one.
//!
//! MCP lets a client use an id only once (Base Protocol, Requests). rmcp has one place for each: of two requests with one id, one would get
//! whichever answer comes first, and the other none for ever. So the second goes no further. What a client has cancelled gets no answer,
//! and its id is in use until its work has ended and rmcp has had time to drop the answer.

use std::{
    borrow::Cow,
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use rmcp::{
    RoleServer, Service,
    model::{
        ClientNotification, ClientRequest, JsonRpcMessage, NumberOrString, ProtocolVersion, ServerConfig, ServerResult,
    },
    service::{NotificationContext, RequestContext, RxJsonRpcMessage, TxJsonRpcMessage},
    transport::Transport,
};
use tokio::{sync::mpsc, time::timeout};

use crate::{Refused, screen::Refusal};

/// Requests of one client that are not answered yet.
const MOST: usize = 1_024;
/// A client that sends what is refused and reads nothing for so long is gone.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// How long an answer that nobody wants may be on its way to where rmcp drops it. A request that came under its id before would be given it.
const LATE: Duration = Duration::from_millis(100);

/// How far a request is that has no answer yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Runs,
    /// Its client wants no answer any more, and its work has not ended.
    Cancelled,
    /// Its work has ended; the answer is on its way.
    Ended,
    /// Both, since then: rmcp drops its answer and does not say when.
    Over(Instant),
}

impl Stage {
    /// Whether its id may be used again.
    fn is_free(self) -> bool {
        matches!(self, Self::Over(since) if since.elapsed() >= LATE)
    }
}

#[derive(Debug, Clone, Default)]
pub(super) struct Ids(Arc<Mutex<HashMap<NumberOrString, Stage>>>);

impl Ids {
    /// What rmcp reads from and writes to, without requests under an id that is in use.
    pub(super) fn around<T>(&self, transport: T, refuse: mpsc::Sender<String>) -> OnceEach<T> {
        OnceEach { transport, ids: self.clone(), refuse, refused: None }
    }

    /// What works on the requests.
    pub(super) fn under<S>(&self, service: S) -> Ending<S> {
        Ending { service, ids: self.clone() }
    }

    fn ask(&self, id: &NumberOrString) -> Result<(), String> {
        let mut asked = self.asked();
        if asked.len() >= MOST {
            asked.retain(|_, stage| !stage.is_free());
        }
        let room = asked.len() < MOST;
        match asked.entry(id.clone()) {
            Entry::Occupied(mut place) if place.get().is_free() => {
                place.insert(Stage::Runs);
                Ok(())
            }
            // under that very id, it would be taken for the answer of the other
            Entry::Occupied(_) => Err(Refusal::IdInUse.message()),
            Entry::Vacant(_) if !room => Err(Refusal::TooManyAsked { most: MOST }.answer(id)),
            Entry::Vacant(place) => {
                place.insert(Stage::Runs);
                Ok(())
            }
        }
    }

    fn answered(&self, id: &NumberOrString) {
        self.asked().remove(id);
    }

    fn cancelled(&self, id: &NumberOrString) {
        self.step(id, Stage::Cancelled);
    }

    fn ended(&self, id: &NumberOrString) {
        self.step(id, Stage::Ended);
    }

    /// What is both cancelled and ended is over.
    fn step(&self, id: &NumberOrString, next: Stage) {
        if let Entry::Occupied(mut asked) = self.asked().entry(id.clone()) {
            match asked.get() {
                Stage::Runs => *asked.get_mut() = next,
                Stage::Cancelled | Stage::Ended if *asked.get() != next => {
                    *asked.get_mut() = Stage::Over(Instant::now())
                }
                _ => {}
            }
        }
    }

    fn asked(&self) -> MutexGuard<'_, HashMap<NumberOrString, Stage>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A transport that lets through one request under each id at a time.
pub(super) struct OnceEach<T> {
    transport: T,
    ids: Ids,
    refuse: mpsc::Sender<String>,
    /// Kept here, since receiving may be dropped and begun anew.
    refused: Option<String>,
}

impl<T: Transport<RoleServer>> Transport<RoleServer> for OnceEach<T> {
    type Error = T::Error;

    fn send(
        &mut self,
        message: TxJsonRpcMessage<RoleServer>,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send + 'static {
        match &message {
            JsonRpcMessage::Response(response) => self.ids.answered(&response.id),
            JsonRpcMessage::Error(error) => error.id.iter().for_each(|id| self.ids.answered(id)),
            _ => {}
        }
        self.transport.send(message)
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        loop {
            if self.refused.is_some() {
                let place = timeout(PATIENCE, self.refuse.reserve()).await.ok()?.ok()?;
                if let Some(refused) = self.refused.take() {
                    place.send(refused);
                }
            }
            let message = self.transport.receive().await?;
            match &message {
                JsonRpcMessage::Request(request) => {
                    if let Err(refused) = self.ids.ask(&request.id) {
                        self.refused = Some(refused);
                        continue;
                    }
                }
                JsonRpcMessage::Notification(notification) => {
                    if let ClientNotification::CancelledNotification(cancelled) = &notification.notification {
                        cancelled.params.request_id.iter().for_each(|id| self.ids.cancelled(id));
                    }
                }
                _ => {}
            }
            return Some(message);
        }
    }

    fn close(&mut self) -> impl Future<Output = Result<(), Self::Error>> + Send {
        self.transport.close()
    }
}

/// A service that says when the work on a request has ended, however it did.
pub(super) struct Ending<S> {
    service: S,
    ids: Ids,
}

struct Ends<'i>(&'i Ids, NumberOrString);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.ended(&self.1);
    }
}

impl<S: Service<RoleServer>> Service<RoleServer> for Ending<S> {
    async fn handle_request(
        &self,
        request: ClientRequest,
        context: RequestContext<RoleServer>,
    ) -> Result<ServerResult, Refused> {
        let _ends = Ends(&self.ids, context.id.clone());
        self.service.handle_request(request, context).await
    }

    async fn handle_notification(
        &self,
        notification: ClientNotification,
        context: NotificationContext<RoleServer>,
    ) -> Result<(), Refused> {
        self.service.handle_notification(notification, context).await
    }

    fn get_info(&self) -> ServerConfig {
        self.service.get_info()
    }

    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        self.service.supported_protocol_versions()
    }
}

#[cfg(test)]
mod tests;
