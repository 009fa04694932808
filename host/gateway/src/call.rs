//! The path of one call, top to bottom in the order of docs/architecture.md. If it has to scroll, the design has slipped.
//!
//! Each step takes what only the step before can give: no `Permit` without `authorize`, no `Ticket` without a permit, no
//! `Recorded` without a committed intent, and the sandbox can be entered with all three only.

use std::{collections::BTreeMap, pin::pin, sync::Arc, time::Instant};

use serde_json::{Map, Value};
use wardkeep_model::{CorrelationId, Pause};
use wardkeep_policy::{Arguments, authorize};
use wardkeep_sandbox::{self as sandbox, CallToken, Remains, Reporter};

use crate::{
    Answer, Caller, CancellationToken, Host, NoAnswer,
    asking::{Asked, Belongs, Unanswered},
    confirmation::{self, Confirmation, Kept, Plea, question::Question},
    output::{self, Heard, questions},
    record,
    running::Entered,
    seal::Seals,
};

/// One entry into a plugin.
pub(crate) struct Leg<'a> {
    pub tool: &'a str,
    pub arguments: Map<String, Value>,
    /// The questions of the leg before, and what came back; nothing of it is checked yet.
    pub back: Option<(Asked, BTreeMap<String, Value>)>,
    pub plea: Plea,
    pub reporter: Option<Reporter>,
}

/// What a leg comes to.
pub(crate) enum Step<'h> {
    Done(Answer),
    /// With the arguments, which the next leg is checked with again, and the call's place among those that can be killed.
    Asks(Box<Asked>, Map<String, Value>, Entered<'h>),
    /// Whether it may run is the person's to say. With the same; nothing was run.
    Confirms(Box<Question>, Map<String, Value>, Entered<'h>),
    /// The person was asked, and what came back is no answer; nothing was run, and nothing used up.
    Unclear(Box<Question>),
    /// Some answer is missing or does not fit; nothing was run, and nothing used up.
    Unanswered(Box<(Asked, Unanswered)>),
}

/// One call, from the request to its answer. Nothing is run that is not on record, nothing is answered that is not. What is left of the guest
/// is for the caller to drop, once the answer is on its way.
pub(crate) async fn call<'h>(
    host: &'h Host,
    caller: &Arc<Caller>,
    id: &CorrelationId,
    leg: Leg<'_>,
    gone: &CancellationToken,
) -> Result<(Step<'h>, Remains), NoAnswer> {
    let Leg { tool, arguments, back, plea, reporter } = leg;
    // find: one moment's fleet for the whole call, whatever is reloaded meanwhile
    let present = host.present();
    let (fleet, snapshot, case) = (present.fleet(), present.snapshot(), present.case(&caller.principal));
    let name = &caller.principal.name;
    let tool = snapshot.find(&case, tool).inspect_err(|_| host.not_let_in(name))?;
    // limit: before anything is done for it
    host.may_ask(name, tool, present.now)?;
    let answers = back.as_ref().is_some_and(|(asked, _)| asked.is_of(name, tool));
    let mut admitted = host.let_in(&present, name, tool, answers || plea.goes_on(host, name, tool).await)?;
    // from here on a kill ends it, whatever it waits for
    let entered = host.enter(caller, tool);
    // check
    let arguments = entered.unless_killed(host.checks().arguments(tool, arguments)).await??;
    let (kills, now) = (host.kills(), present.now);
    let belongs = Belongs { principal: &caller.principal, tool, arguments: &arguments, kills: &kills, now };
    back.as_ref().map_or(Ok(()), |(asked, _)| asked.belongs(&belongs))?;
    // decide: asked afresh for every call, since manifests, approvers and trust expire
    let permit = authorize(snapshot, &case, tool, &arguments)?;
    let resumed = match back.map(|(asked, answers)| asked.answered(&answers)).transpose() {
        Ok(resumed) => resumed,
        Err(unanswered) => return Ok((Step::Unanswered(unanswered), Remains::default())),
    };
    let before = resumed.as_ref().map(|resumed| &resumed.asked);
    // confirm: nothing is held while somebody is asked
    let kept = before.map(Asked::kept);
    let looking = confirmation::look(host, caller, id, &permit, &arguments, kept, plea);
    let yes = match entered.unless_killed(looking).await?? {
        Confirmation::Yes(yes) => yes,
        Confirmation::Ask(question) => {
            return Ok((Step::Confirms(question, again(&arguments), entered), Remains::default()));
        }
        Confirmation::Again(question) => return Ok((Step::Unclear(question), Remains::default())),
    };
    // admit
    let ticket = entered.unless_killed(fleet.admit(&permit, name)).await??;
    // answers and a yes count once, and only where they are about to be used
    before.map_or(Ok(()), |asked| host.seals().spend(name, asked.nonce(), present.now))?;
    let consent = entered.unless_killed(yes.using(host, id)).await??;
    // record
    let intent = record::intent(id, caller, &consent, before.map(Asked::first));
    let recorded = entered.unless_killed(host.record().intent(intent)).await??;
    // run, act
    let token = CallToken::new(permit.limits().deadline);
    // from here on a revocation, a removal or an expiry ends it too
    host.runs(&entered, &permit, &token);
    let resume = resumed.as_ref().map(|resumed| resumed.resumption.clone());
    let leg = sandbox::Leg { arguments: &arguments, resume, reporter };
    let (ran, remains) = until_gone(gone, &token, fleet.run(&permit, ticket, &recorded, leg, &token)).await;
    admitted.used(ran.cost.fuel, Instant::now());
    // filter
    let (step, closing) = match questions::pause(&permit, ran) {
        Ok((pause, ran)) => {
            let asked = asked(pause, id, before, &belongs, consent.kept(caller.connection));
            questions::filter(&permit, id, ran, &arguments, asked, entered)
        }
        Err(ran) => {
            let answers = resumed.as_ref().map_or(&[][..], |resumed| &resumed.resumption.answers);
            let heard = Heard { arguments: arguments.text(), answers };
            let mut filtered = output::filter(host.checks(), &permit, id, ran, &heard).await;
            entered.tell(&mut filtered.closing);
            (Step::Done(filtered.answer), filtered.closing)
        }
    };
    // close
    host.close_record(caller, tool, recorded, closing).await.map_err(NoAnswer::Withheld)?;
    // answer
    Ok((step, remains))
}

fn asked(
    pause: Pause,
    id: &CorrelationId,
    before: Option<&Asked>,
    of: &Belongs<'_>,
    kept: Option<Kept>,
) -> Result<Asked, &'static str> {
    Asked::new(pause, id, before, of, Seals::nonce().ok_or("no-random-bytes")?, kept)
}

/// The arguments for another look at the same call.
fn again(arguments: &Arguments) -> Map<String, Value> {
    arguments.value().as_object().cloned().unwrap_or_default()
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
