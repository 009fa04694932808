//! What a transport talks to: this process's own host, or the one of the process that owns the home. Which of them it is may
//! change while clients are connected, when the owner ends and this process takes over.

use std::{sync::Arc, time::Duration};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use wardkeep_model::{Authenticated, Principal};

use crate::{
    Caller, Host, Line, Refused, Relay, Response, ToolCall, ToolView,
    identity::{Credential, Unauthenticated},
    listing,
    lists::Lists,
};

/// How long a request waits for a take-over before it is refused.
const TAKE_OVER: Duration = Duration::from_secs(20);

#[derive(Clone)]
pub(crate) enum Backend {
    Absent,
    Local(Arc<Host>),
    Relay(Relay),
}

impl Backend {
    fn serves(&self) -> bool {
        match self {
            Self::Absent => false,
            Self::Local(_) => true,
            Self::Relay(relay) => !relay.is_closed(),
        }
    }
}

/// Cheap to clone; every clone sees a switch at once.
#[derive(Clone)]
pub struct Entrance(watch::Receiver<Backend>);

/// Says what an [`Entrance`] leads to.
pub struct EntranceSwitch(watch::Sender<Backend>);

impl EntranceSwitch {
    /// From now on to this process's own host.
    pub fn set_local(&self, host: Arc<Host>) {
        self.0.send_replace(Backend::Local(host));
    }

    /// From now on to the process that owns the home.
    pub fn set_relay(&self, relay: Relay) {
        self.0.send_replace(Backend::Relay(relay));
    }
}

impl Entrance {
    /// An entrance to this process's own host, for good.
    #[must_use]
    pub fn local(host: Arc<Host>) -> Self {
        // `borrow` works on after the sender is gone; nobody will switch this one
        Self(watch::channel(Backend::Local(host)).1)
    }

    /// An entrance that leads nowhere until its switch is set; requests wait for that.
    #[must_use]
    pub fn switchable() -> (Self, EntranceSwitch) {
        let (sender, receiver) = watch::channel(Backend::Absent);
        (Self(receiver), EntranceSwitch(sender))
    }

    async fn backend(&self) -> Result<Backend, Refused> {
        let current = self.0.borrow().clone();
        if current.serves() {
            return Ok(current);
        }
        let mut receiver = self.0.clone();
        match tokio::time::timeout(TAKE_OVER, receiver.wait_for(Backend::serves)).await {
            Ok(Ok(backend)) => Ok(backend.clone()),
            Ok(Err(_)) | Err(_) => Err(Refused::internal_error(
                "the process that owns this home has ended and none has taken over yet",
                None,
            )),
        }
    }

    /// What the caller may call now. Through a relay the owner takes the principal from the socket, not from here.
    ///
    /// # Errors
    ///
    /// -32603 if no host can be reached.
    pub async fn tools(&self, caller: &Caller) -> Result<Vec<ToolView>, Refused> {
        match self.backend().await? {
            Backend::Local(host) => Ok(host.tools(&current(&host, caller.clone()).await?.principal)),
            Backend::Relay(relay) => relay.tools(caller).await,
            Backend::Absent => Err(Refused::internal_error("no host", None)),
        }
    }

    /// One call.
    ///
    /// # Errors
    ///
    /// As [`Host::call`]; and -32603 if the owner ended while it ran: whether it had its effect stands in the audit log.
    pub async fn call(
        &self,
        caller: Caller,
        call: ToolCall,
        line: Line,
        cancelled: CancellationToken,
    ) -> Result<Response, Refused> {
        match self.backend().await? {
            Backend::Local(host) => host.call(current(&host, caller).await?, call, line, cancelled).await,
            Backend::Relay(relay) => relay.call(&caller, call, line, cancelled).await,
            Backend::Absent => Err(Refused::internal_error("no host", None)),
        }
    }

    /// What tells when a caller's list has changed.
    pub(crate) fn lists(&self, credential: Credential) -> Lists {
        Lists::new(self.0.clone(), credential)
    }

    /// One tool's definition, where this process has it: rmcp asks without waiting. A relay serves no HTTP, where alone it is
    /// asked for.
    pub(crate) fn tool(&self, principal: &Principal, name: &str) -> Option<ToolView> {
        match &*self.0.borrow() {
            Backend::Local(host) => {
                let present = host.present();
                let tool = present.snapshot().find(&present.case(principal), name).ok()?;
                Some(listing::view(tool))
            }
            Backend::Relay(_) | Backend::Absent => None,
        }
    }
}

/// Who calls over standard input is what the operator's file says now, and not what it said when the client came. A key was asked
/// for with this very request, and a socket's peer is the owner's to know.
async fn current(host: &Host, caller: Caller) -> Result<Caller, Refused> {
    if caller.principal.authenticated != Authenticated::Stdio {
        return Ok(caller);
    }
    match host.local_principal(Authenticated::Stdio) {
        Some(principal) => Ok(Caller { principal, ..caller }),
        None => {
            host.record_unauthenticated(Unauthenticated::NoLocalCaller, caller.origin).await;
            Err(Refused::invalid_request("not authenticated", None))
        }
    }
}
