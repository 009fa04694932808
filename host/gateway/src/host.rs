//! One host: the fleet of the moment, the journal and the callers. Everything a transport can ask of it is here.

use std::{convert::Infallible, future::pending, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use jiff::Timestamp;
use serde_json::json;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use wardkeep_audit::{Journal, Origin};
use wardkeep_model::{Authenticated, CorrelationId, Principal};
use wardkeep_sandbox::Fleet;

use crate::{
    Answer, Caller, Callers, NoAnswer, Refused, ToolCall, ToolView, call, checks::Checks, identity::Unauthenticated,
    listing, record,
};

/// What serves: plugins, journal, callers.
pub struct Host {
    fleet: ArcSwap<Fleet>,
    journal: Journal,
    callers: Callers,
    checks: Checks,
    /// Every call's task, until its record is closed.
    calls: TaskTracker,
    /// Ends what runs when the host stops.
    closing: CancellationToken,
}

impl Host {
    /// A host over a loaded fleet and an open journal.
    #[must_use]
    pub fn new(fleet: Arc<Fleet>, journal: Journal, callers: Callers) -> Arc<Self> {
        Arc::new(Self {
            fleet: ArcSwap::new(fleet),
            journal,
            callers,
            checks: Checks::new(),
            calls: TaskTracker::new(),
            closing: CancellationToken::new(),
        })
    }

    /// The fleet of this moment. A call keeps the one that it began with.
    #[must_use]
    pub fn fleet(&self) -> Arc<Fleet> {
        self.fleet.load_full()
    }

    /// Puts another fleet in place, whole.
    pub fn replace(&self, fleet: Arc<Fleet>) {
        self.fleet.store(fleet);
    }

    /// Where calls are recorded.
    #[must_use]
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    pub(crate) const fn checks(&self) -> &Checks {
        &self.checks
    }

    pub(crate) fn callers(&self) -> &Callers {
        &self.callers
    }

    /// Is there a caller for standard input and for the home's own socket.
    #[must_use]
    pub fn local_principal(&self, authenticated: Authenticated) -> Option<Principal> {
        self.callers.local(authenticated).ok()
    }

    /// What this principal may call now, in the order of the published names.
    #[must_use]
    pub fn tools(&self, principal: &Principal) -> Vec<ToolView> {
        self.fleet().snapshot().list(principal, Timestamp::now()).map(|tool| listing::view(tool)).collect()
    }

    /// Takes no more calls, cancels those that run and waits until their records are closed. Before the journal is shut: an
    /// intent without outcome is to mean that the host died.
    ///
    /// False if some did not end in time.
    pub async fn close(&self, within: Duration) -> bool {
        self.calls.close();
        self.closing.cancel();
        tokio::time::timeout(within, self.calls.wait()).await.is_ok()
    }

    /// One call in a task of its own: a panic ends that call only, and a caller that goes away cancels it without the record
    /// being left open.
    ///
    /// # Errors
    ///
    /// An unknown tool (-32602), or the host's own failure (-32603). Everything else is an answer with `isError`.
    pub async fn call(
        self: &Arc<Self>,
        caller: Caller,
        request: ToolCall,
        cancelled: CancellationToken,
    ) -> Result<Answer, Refused> {
        let id = correlation_id()?;
        // fires too when this future is dropped because its client went away; the task goes on and closes the record
        let gone = cancelled.child_token();
        let _cancel_when_dropped = gone.clone().drop_guard();
        if self.closing.is_cancelled() {
            return Err(Refused::internal_error(
                "the host is stopping; nothing was run",
                Some(json!({ "correlationId": id })),
            ));
        }
        let closing = self.closing.clone();
        let task = self.calls.spawn({
            let (host, id) = (Arc::clone(self), id.clone());
            async move {
                let name = request.tool.clone();
                let calling = call::call(&host, &caller, &id, request, &gone);
                let called = tokio::select! {
                    called = calling => called,
                    // never wins: it passes the stop on to the call, whose end is awaited above
                    never = pass_on(&closing, &gone) => match never {},
                };
                match called {
                    Ok(answer) => Ok(answer),
                    Err(none) => host.refuse(&caller, &name, &id, none).await,
                }
            }
        });
        task.await.unwrap_or_else(|error| {
            tracing::error!(%error, correlation = %id, "a call's task ended unexpectedly");
            Err(NoAnswer::internal(&id))
        })
    }

    /// Records why there is no answer, then says so. A refusal that can't be recorded is still a refusal.
    async fn refuse(&self, caller: &Caller, tool: &str, id: &CorrelationId, none: NoAnswer) -> Result<Answer, Refused> {
        if let Some(refusal) = record::refusal(id, caller, tool, &none)
            && let Err(error) = self.journal.refusal(refusal).await
        {
            tracing::error!(%error, correlation = %id, "a refusal could not be recorded");
        }
        none.into_answer(tool, id)
    }

    /// Records a caller that could not be told; the journal bounds how many.
    pub(crate) async fn record_unauthenticated(&self, why: Unauthenticated, origin: Origin) {
        let Ok(id) = correlation_id() else { return };
        if let Err(error) = self.journal.refusal(record::unauthenticated(&id, why, origin)).await {
            tracing::error!(%error, "an unauthenticated request could not be recorded");
        }
    }
}

async fn pass_on(closing: &CancellationToken, gone: &CancellationToken) -> Infallible {
    closing.cancelled().await;
    gone.cancel();
    pending().await
}

fn correlation_id() -> Result<CorrelationId, Refused> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| {
        tracing::error!(%error, "the operating system gives no random bytes");
        Refused::internal_error("the host failed; nothing was run", None)
    })?;
    Ok(CorrelationId::from_bytes(bytes))
}
