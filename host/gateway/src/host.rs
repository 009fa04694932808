//! One host: the fleet of the moment, the journal and the callers. Everything a transport can ask of it is here.

mod refusals;

use std::{
    convert::Infallible,
    future::pending,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use jiff::Timestamp;
use serde_json::json;
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use wardkeep_audit::{Closing, Journal, NotRecorded, Origin, Recorded};
use wardkeep_model::{Authenticated, CorrelationId, Digest, Principal};
use wardkeep_policy::{Permit, Tool, kill::Kills};
use wardkeep_sandbox::{CallToken, Fleet, Remains};

use crate::{
    Approvals, Caller, Killed, Line, Moment, NoAnswer, Refused, Response, Throttled, ToolCall, ToolView, Tripped,
    admission::{Admission, Admitted, Arrived, Wanted},
    asking::thinking::Thinking,
    brakes::Brakes,
    checks::Checks,
    confirmation,
    identity::Credential,
    legs, listing,
    present::Present,
    running::{Entered, Running},
    seal::{Purpose, Seals},
};

/// Once the journal has failed, a call gets this long to say so itself.
const LAST_WORD: Duration = Duration::from_secs(1);

/// What serves: plugins, journal, callers.
pub struct Host {
    moment: ArcSwap<Moment>,
    /// Keys that were taken back and that the operator's file, as it was read last, still holds. Locked by whoever puts another moment in place.
    revoked: Mutex<Vec<Digest>>,
    /// What is stopped. Beside the moment, since it changes at other times.
    kills: ArcSwap<Kills>,
    journal: Journal,
    /// The same for calls, whose threads may wait for the device.
    record: Journal,
    /// How often and how much each has called. Beside the moment: no reload fills a bucket.
    admission: Admission,
    running: Running,
    /// What brakes are put on by.
    brakes: Brakes,
    tripped: Mutex<Option<mpsc::Receiver<Tripped>>>,
    /// Rings when what somebody may see has perhaps changed; holds when it did so last.
    bell: watch::Sender<Option<Instant>>,
    checks: Checks,
    /// What plugins ask, on its way through clients.
    seals: Seals,
    /// The host's own question whether a call may run, likewise.
    confirmations: Seals,
    approvals: Arc<Approvals>,
    /// Calls of older clients that wait for a person.
    thinking: Thinking,
    /// Every call's task, until its record is closed.
    calls: TaskTracker,
    /// Ends what runs when the host stops.
    closing: CancellationToken,
    /// Ends what only waits for news.
    stopping: CancellationToken,
}

impl Host {
    /// A host over loaded plugins and an open journal.
    #[must_use]
    pub fn new(moment: Moment, journal: Journal, approvals: Arc<Approvals>) -> Arc<Self> {
        let (brakes, tripped) = Brakes::new();
        Arc::new(Self {
            moment: ArcSwap::from_pointee(moment),
            revoked: Mutex::default(),
            kills: ArcSwap::from_pointee(Kills::none()),
            record: journal.here(),
            journal,
            admission: Admission::new(Instant::now()),
            running: Running::default(),
            brakes,
            tripped: Mutex::new(Some(tripped)),
            bell: watch::Sender::new(None),
            checks: Checks::new(),
            seals: Seals::new(Purpose::Questions),
            confirmations: confirmation::seals(),
            approvals,
            thinking: Thinking::default(),
            calls: TaskTracker::new(),
            closing: CancellationToken::new(),
            stopping: CancellationToken::new(),
        })
    }

    /// What serves now.
    pub fn moment(&self) -> Arc<Moment> {
        self.moment.load_full()
    }

    /// The fleet of this moment. A call keeps the one that it began with.
    #[must_use]
    pub fn fleet(&self) -> Arc<Fleet> {
        Arc::clone(&self.moment.load().fleet)
    }

    /// What decisions depend on, as it stands now.
    pub(crate) fn present(&self) -> Present {
        Present { moment: self.moment.load_full(), kills: self.kills.load_full(), now: Timestamp::now() }
    }

    /// Puts other plugins and callers in place, whole. Running calls go on under the terms that they began with, unless those may
    /// not be served any more: their number is given, and each is recorded as killed.
    pub fn replace(&self, mut moment: Moment) -> usize {
        {
            let mut revoked = self.revoked();
            revoked.retain(|key| moment.callers.keys.iter().any(|known| known.sha256 == *key));
            moment.callers.keys.retain(|known| !revoked.contains(&known.sha256));
            self.moment.store(Arc::new(moment));
        }
        self.settle()
    }

    /// Refuses a key from now on, and ends its calls, until the operator's file was seen without it: what is being read of that file at this moment may
    /// still hold it. Whether it was good, and how many calls ended.
    pub(crate) fn revoke(&self, key: Digest) -> (bool, usize) {
        let known = {
            let mut revoked = self.revoked();
            let mut moment = Moment::clone(&self.moment.load());
            let before = moment.callers.keys.len();
            moment.callers.keys.retain(|known| known.sha256 != key);
            let known = moment.callers.keys.len() < before;
            if known {
                revoked.push(key);
                self.moment.store(Arc::new(moment));
            }
            known
        };
        (known, self.settle())
    }

    fn revoked(&self) -> MutexGuard<'_, Vec<Digest>> {
        self.revoked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the calls that may not go on, and lets clients look at their lists again: after a swap, and when something expires.
    pub fn settle(&self) -> usize {
        let (fleet, now) = (self.fleet(), Timestamp::now());
        let ended = self.running.end(|terms| fleet.snapshot().objection(terms, now).is_some())
            + self.running.revoke(&self.moment.load().callers.keys);
        self.bell.send_replace(Some(Instant::now()));
        ended
    }

    /// When time alone may change what is served, or to whom: then [`Self::settle`] is due.
    #[must_use]
    pub fn next_change(&self, now: Timestamp) -> Option<Timestamp> {
        self.moment.load().next_change(now)
    }

    /// What is stopped now. Asked after a call was [entered](Self::enter) it misses nothing: what is stopped later ends the call.
    pub(crate) fn kills(&self) -> Arc<Kills> {
        self.kills.load_full()
    }

    /// Puts other kills in place of those before. New calls that they stop are refused from now on, and those that are under way end,
    /// each recorded as killed: how many.
    pub fn stop(&self, kills: Kills) -> usize {
        let kills = Arc::new(kills);
        // first: no call is let on by kills that its approval does not know of
        self.approvals.stop(Arc::clone(&kills));
        let before = self.kills.swap(Arc::clone(&kills));
        let ended = self.running.stop(&kills, Timestamp::now());
        // good for nothing already; now on record and on disk too
        let approvals = Arc::clone(&self.approvals);
        tokio::spawn(async move { approvals.settle().await });
        // the same once more is no news
        if before != kills {
            self.bell.send_replace(Some(Instant::now()));
        }
        ended
    }

    /// How many calls are under way that are stopped already, and have not come to their end yet.
    #[must_use]
    pub fn ending(&self) -> usize {
        self.running.stopping(&self.kills.load(), Timestamp::now())
    }

    /// How many kills and brakes hold.
    pub(crate) fn stopped(&self, now: Timestamp) -> usize {
        self.kills.load().iter().filter(|kill| kill.holds(now)).count()
    }

    /// Callers and plugins that have gone too far, as they do: to be stopped by whoever keeps the kills. Given once.
    #[must_use]
    pub fn tripped(&self) -> Option<mpsc::Receiver<Tripped>> {
        self.tripped.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Enters a call among those that are under way. One that is stopped by now ends here: what is in place is looked at after the call
    /// can be seen by whoever changes it.
    pub(crate) fn enter(&self, caller: &Arc<Caller>, tool: &Arc<Tool>) -> Entered<'_> {
        let entered = self.running.enter(caller, tool);
        if self.kills.load().covers(tool, &caller.principal, Timestamp::now()).is_some() {
            entered.kill(Killed::Stopped);
        }
        if !caller.has_key(&self.moment.load().callers.keys) {
            entered.kill(Killed::Revoked);
        }
        entered
    }

    /// Its guest is about to run. One whose plugin may not be served any more is ended before it begins, for the same reason.
    pub(crate) fn runs(&self, entered: &Entered<'_>, permit: &Permit, token: &CallToken) {
        entered.runs(permit.terms(), token);
        if self.moment.load().fleet.snapshot().objection(permit.terms(), Timestamp::now()).is_some() {
            token.kill();
        }
    }

    /// Closes the record of a call that ran, and counts what the brakes look at.
    pub(crate) async fn close_record(
        &self,
        caller: &Caller,
        tool: &Tool,
        recorded: Recorded,
        closing: Closing,
    ) -> Result<(), NotRecorded> {
        self.brakes.ran(&self.moment.load().brakes, &caller.principal.name, (tool.plugin(), tool.effect()), &closing);
        self.record.outcome(recorded, closing).await
    }

    /// Takes a call on, if its caller has one left and the host has room for it.
    fn arrive(&self, caller: &Caller) -> Result<Arrived, Throttled> {
        self.admission.arrive(&caller.principal.name, &self.moment.load().allowances, Instant::now())
    }

    /// Lets a call in, or one more leg of one, as far as this moment's allowances and the tool's rates go.
    pub(crate) fn let_in(
        &self,
        present: &Present,
        name: &str,
        tool: &Tool,
        goes_on: bool,
    ) -> Result<Admitted, Throttled> {
        self.admission.enter(name, Wanted::of(tool, goes_on), &present.moment.allowances, Instant::now())
    }

    /// Counts a call that ends before it could be let in.
    pub(crate) fn not_let_in(&self, name: &str) {
        self.admission.refused(name, &self.moment.load().allowances, Instant::now());
    }

    /// Whether this caller may be asked what the tool's plugin may ask: not if its answer could not be remembered.
    pub(crate) fn may_ask(&self, name: &str, tool: &Tool, now: Timestamp) -> Result<(), Throttled> {
        if tool.asks() { self.seals.may_ask(name, now) } else { Ok(()) }
    }

    pub(crate) fn bell(&self) -> watch::Receiver<Option<Instant>> {
        self.bell.subscribe()
    }

    /// What a caller may see, in so far as it can tell a change: names and manifests, of which everything shown is made. Nothing if
    /// the credential stands for nobody.
    pub(crate) fn seen_by(&self, credential: &Credential) -> Option<Digest> {
        let present = self.present();
        let principal = present.moment.callers.principal(credential, present.now).ok()?;
        let mut seen = Vec::new();
        for tool in present.snapshot().list(&present.case(&principal)) {
            seen.extend_from_slice(tool.published().as_str().as_bytes());
            seen.push(0);
            seen.extend_from_slice(tool.manifest_digest().as_bytes());
        }
        Some(Digest::of(&seen))
    }

    pub(crate) fn stands_for_somebody(&self, credential: &Credential) -> bool {
        self.moment.load().callers.principal(credential, Timestamp::now()).is_ok()
    }

    /// Ends what only waits for news, so that it does not hold up a stop.
    pub(crate) fn stop_listening(&self) {
        self.stopping.cancel();
    }

    pub(crate) async fn stopping(&self) {
        self.stopping.cancelled().await;
    }

    /// Where calls are recorded.
    #[must_use]
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// The journal for what runs on the guests' threads.
    pub(crate) const fn record(&self) -> &Journal {
        &self.record
    }

    pub(crate) const fn checks(&self) -> &Checks {
        &self.checks
    }

    /// Whom an `authorization` header stands for now, as HTTP asks; for measurements of that.
    pub async fn bearer(&self, header: &[u8], origin: Origin) -> Option<Caller> {
        let identity = self.moment().callers.bearer(header, Timestamp::now()).await.ok()?;
        Some(Caller::new(identity, origin, None))
    }

    /// A caller who has waited, with the rights that it has now: they may have been taken away meanwhile, or whom it stood for.
    pub(crate) fn again(&self, caller: &Caller) -> Result<Arc<Caller>, NoAnswer> {
        let principal = self.moment.load().callers.principal(&caller.credential, Timestamp::now());
        let principal = principal.map_err(|why| NoAnswer::Gone { rule: why.rule() })?;
        Ok(Arc::new(Caller { principal, ..caller.clone() }))
    }

    /// Is there a caller for standard input and for the home's own socket.
    #[must_use]
    pub fn local_principal(&self, authenticated: Authenticated) -> Option<Principal> {
        self.moment.load().callers.local(authenticated).ok()
    }

    /// What this principal may call now, in the order of the published names.
    #[must_use]
    pub fn tools(&self, principal: &Principal) -> Vec<ToolView> {
        let present = self.present();
        present.snapshot().list(&present.case(principal)).map(|tool| listing::view(tool)).collect()
    }

    /// Takes no more calls, cancels those that run and waits until their records are closed. Before the journal is shut: an
    /// intent without outcome is to mean that the host died.
    ///
    /// False if some did not end in time.
    pub async fn close(&self, within: Duration) -> bool {
        self.calls.close();
        self.stop_listening();
        self.closing.cancel();
        tokio::time::timeout(within, self.calls.wait()).await.is_ok()
    }

    /// One call in a task of its own, on the guests' threads: a panic ends that call only, and a caller that goes away cancels it without
    /// the record being left open.
    ///
    /// # Errors
    ///
    /// An unknown tool (-32602), or the host's own failure (-32603). Everything else is an answer with `isError`.
    pub async fn call(
        self: &Arc<Self>,
        caller: Caller,
        request: ToolCall,
        line: Line,
        cancelled: CancellationToken,
    ) -> Result<Response, Refused> {
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
        let arrived = match self.arrive(&caller) {
            Ok(arrived) => arrived,
            Err(throttled) => {
                let refused = self.refuse(&self.journal, &caller, &request.tool, &id, throttled.into()).await;
                return refused.map(Response::Complete);
            }
        };
        let (answer, mut answered) = oneshot::channel();
        // in a box at once: it is kilobytes, and is handed on a few times before it runs
        let path =
            Box::pin(Arc::clone(self).path(Arc::new(caller), id.clone(), request, line, gone, (arrived, answer)));
        self.fleet().spawn(self.calls.track_future(path));
        let response = tokio::select! {
            biased;
            response = &mut answered => response.ok(),
            // the call's own thread may hang in the device, and then answers nobody
            _ = self.journal.failed() => match timeout(LAST_WORD, answered).await {
                Ok(response) => response.ok(),
                Err(_) => return NoAnswer::Stuck.into_answer("", &id).map(Response::Complete),
            },
        };
        response.unwrap_or_else(|| {
            tracing::error!(correlation = %id, "a call's task ended unexpectedly");
            Err(NoAnswer::internal(&id))
        })
    }

    /// A call from its request to its answer, and what is left to clear away after it.
    async fn path(
        self: Arc<Self>,
        caller: Arc<Caller>,
        id: CorrelationId,
        request: ToolCall,
        line: Line,
        gone: CancellationToken,
        (arrived, answer): (Arrived, oneshot::Sender<Result<Response, Refused>>),
    ) {
        let name = request.tool.clone();
        let called = tokio::select! {
            called = legs::call(&self, &caller, &id, request, line, &gone) => called,
            // never wins: it passes the stop on to the call, whose end is awaited above
            never = pass_on(&self.closing, &gone) => match never {},
        };
        let (response, remains) = match called {
            Ok((response, remains)) => (Ok(response), remains),
            Err((id, none)) => {
                (self.refuse(&self.record, &caller, &name, &id, none).await.map(Response::Complete), Remains::default())
            }
        };
        // before the answer: who asks one thing after the other has never two under way
        drop(arrived);
        // nobody need be there any more
        let _ = answer.send(response);
        drop(remains);
    }

    pub(crate) fn thinking(&self) -> &Thinking {
        &self.thinking
    }

    /// Seals plugins' questions.
    pub(crate) fn seals(&self) -> &Seals {
        &self.seals
    }

    /// Seals the host's own questions.
    pub(crate) fn confirmations(&self) -> &Seals {
        &self.confirmations
    }

    /// Calls that wait for the operator.
    #[must_use]
    pub fn approvals(&self) -> &Arc<Approvals> {
        &self.approvals
    }
}

async fn pass_on(closing: &CancellationToken, gone: &CancellationToken) -> Infallible {
    closing.cancelled().await;
    gone.cancel();
    pending().await
}

pub(crate) fn correlation_id() -> Result<CorrelationId, Refused> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|error| {
        tracing::error!(%error, "the operating system gives no random bytes");
        Refused::internal_error("the host failed; nothing was run", None)
    })?;
    Ok(CorrelationId::from_bytes(bytes))
}

#[cfg(test)]
mod tests;
