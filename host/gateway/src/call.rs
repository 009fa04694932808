//! The path of one call, top to bottom in the order of docs/architecture.md. If it has to scroll, the design has slipped.
//!
//! Each step takes what only the step before can give: no `Permit` without `authorize`, no `Ticket` without a permit, no
//! `Recorded` without a committed intent, and the sandbox can be entered with all three only.

use std::{collections::BTreeMap, pin::pin, time::Instant};

use serde_json::{Map, Value};
use wardkeep_model::{CorrelationId, Pause};
use wardkeep_policy::{Confirmation, Denial, Permit, Rule, authorize};
use wardkeep_sandbox::{self as sandbox, CallToken, Remains, Reporter};

use crate::{
    Answer, Caller, CancellationToken, Host, NoAnswer,
    asking::{
        Asked, Belongs, Unanswered,
        seal::{Seals, StateFault},
    },
    output::{self, questions},
    record,
};

/// One entry into a plugin.
pub(crate) struct Leg<'a> {
    pub tool: &'a str,
    pub arguments: Map<String, Value>,
    /// The questions of the leg before, and what came back; nothing of it is checked yet.
    pub back: Option<(Asked, BTreeMap<String, Value>)>,
    pub reporter: Option<Reporter>,
}

/// What a leg comes to.
pub(crate) enum Step {
    Done(Answer),
    /// With the arguments, which the next leg is checked with again.
    Asks(Asked, Map<String, Value>),
    /// Some answer is missing or does not fit; nothing was run, and nothing used up.
    Unanswered(Box<(Asked, Unanswered)>),
}

/// One call, from the request to its answer. Nothing is run that is not on record, nothing is answered that is not. What is left of the guest
/// is for the caller to drop, once the answer is on its way.
pub(crate) async fn call(
    host: &Host,
    caller: &Caller,
    id: &CorrelationId,
    leg: Leg<'_>,
    gone: &CancellationToken,
) -> Result<(Step, Remains), NoAnswer> {
    let Leg { tool, arguments, back, reporter } = leg;
    // find: one moment's fleet for the whole call, whatever is reloaded meanwhile
    let present = host.present();
    let (fleet, snapshot, case) = (present.fleet(), present.snapshot(), present.case(&caller.principal));
    let tool = snapshot.find(&case, tool)?;
    // limit: before anything is done for it
    let goes_on = back.as_ref().is_some_and(|(asked, _)| asked.is_of(&caller.principal.name, tool));
    let mut admitted = host.let_in(&present, caller, tool, goes_on)?;
    // check
    let arguments = host.checks().arguments(tool, arguments).await?;
    let belongs = Belongs { principal: &caller.principal.name, tool, arguments: &arguments };
    back.as_ref().map_or(Ok(()), |(asked, _)| asked.belongs(&belongs))?;
    // decide: asked afresh for every call, since manifests, approvers and trust expire
    let permit = authorize(snapshot, &case, tool, &arguments)?;
    let resumed = match back.map(|(asked, answers)| asked.answered(&answers)).transpose() {
        Ok(resumed) => resumed,
        Err(unanswered) => return Ok((Step::Unanswered(unanswered), Remains::default())),
    };
    let before = resumed.as_ref().map(|resumed| &resumed.asked);
    // admit
    let ticket = fleet.admit(&permit).await?;
    // answers count once, and only where they are about to be used
    if before.is_some_and(|asked| !host.seals().spend(asked.nonce(), present.now)) {
        return Err(StateFault::Used.into());
    }
    // confirm: until the step that asks stands here, a call that needs a yes does not run
    unasked(&permit)?;
    // record
    let recorded = host.record().intent(record::intent(id, caller, &permit, before.map(Asked::first))).await?;
    // run, act
    let token = CallToken::new(permit.limits().deadline);
    // from here on a revocation, a removal or an expiry ends it
    let _running = host.enter(&permit, &token);
    let resume = resumed.as_ref().map(|resumed| resumed.resumption.clone());
    let leg = sandbox::Leg { arguments: &arguments, resume, reporter };
    let (ran, remains) = until_gone(gone, &token, fleet.run(&permit, ticket, &recorded, leg, &token)).await;
    admitted.used(ran.cost.fuel, Instant::now());
    // filter
    let (step, closing) = match questions::pause(&permit, ran) {
        Ok((pause, ran)) => questions::filter(&permit, id, ran, &arguments, asked(pause, id, before, &belongs)),
        Err(ran) => {
            let filtered = output::filter(host.checks(), &permit, id, ran).await;
            (Step::Done(filtered.answer), filtered.closing)
        }
    };
    // close
    host.record().outcome(recorded, closing).await.map_err(NoAnswer::Withheld)?;
    // answer
    Ok((step, remains))
}

/// Nobody can be asked yet. `Confirming::NOBODY` keeps such tools out of lists; this holds even where a list errs.
fn unasked(permit: &Permit) -> Result<(), Denial> {
    match permit.confirmation() {
        Confirmation::None => Ok(()),
        Confirmation::Client | Confirmation::Operator => {
            let detail = "this host cannot ask for a confirmation yet".to_owned();
            Err(Denial { rule: Rule::NobodyConfirms, detail })
        }
    }
}

fn asked(pause: Pause, id: &CorrelationId, before: Option<&Asked>, of: &Belongs<'_>) -> Result<Asked, &'static str> {
    Asked::new(pause, id, before, of, Seals::nonce().ok_or("no-random-bytes")?)
}

/// A client that goes away ends its call, and the call's end is awaited all the same: the record is closed by what happened.
async fn until_gone<T>(gone: &CancellationToken, token: &CallToken, running: impl Future<Output = T>) -> T {
    let mut running = pin!(running);
    tokio::select! {
        ran = &mut running => ran,
        () = gone.cancelled() => {
            token.cancel();
            running.await
        }
    }
}
