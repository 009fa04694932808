//! The path of one call, top to bottom in the order of docs/architecture.md. If it has to scroll, the design has slipped.
//!
//! Each step takes what only the step before can give: no `Permit` without `authorize`, no `Ticket` without a permit, no
//! `Recorded` without a committed intent, and the sandbox can be entered with all three only.

use std::pin::pin;

use jiff::Timestamp;
use wardkeep_model::CorrelationId;
use wardkeep_policy::authorize;
use wardkeep_sandbox::{CallToken, Ran};

use crate::{Answer, Caller, CancellationToken, Host, NoAnswer, ToolCall, output, record};

/// One call, from the request to its answer. Nothing is run that is not on record, nothing is answered that is not.
pub(crate) async fn call(
    host: &Host,
    caller: &Caller,
    id: &CorrelationId,
    request: ToolCall,
    gone: &CancellationToken,
) -> Result<Answer, NoAnswer> {
    let now = Timestamp::now();
    // find: one moment's fleet for the whole call, whatever is reloaded meanwhile
    let fleet = host.fleet();
    let snapshot = fleet.snapshot();
    let tool = snapshot.find(&caller.principal, &request.tool, now)?;
    // check
    let arguments = host.checks().arguments(tool, request.arguments).await?;
    // decide: asked afresh for every call, since manifests, approvers and trust expire
    let permit = authorize(snapshot, &caller.principal, tool, &arguments, now)?;
    // admit
    let ticket = fleet.admit(&permit).await?;
    // confirm: nothing to ask; `authorize` refuses every tool that writes until confirmations exist
    // record
    let recorded = host.journal().intent(record::intent(id, caller, &permit)).await?;
    // run, act
    let token = CallToken::new(permit.limits().deadline);
    // from here on a revocation, a removal or an expiry ends it
    let _running = host.enter(&permit, &token);
    let ran = until_gone(gone, &token, fleet.run(&permit, ticket, &recorded, &arguments, &token)).await;
    // filter
    let filtered = output::filter(host.checks(), &permit, id, ran).await;
    // close
    host.journal().outcome(recorded, filtered.closing).await.map_err(NoAnswer::Withheld)?;
    // answer
    Ok(filtered.answer)
}

/// A client that goes away ends its call, and the call's end is awaited all the same: the record is closed by what happened.
async fn until_gone(gone: &CancellationToken, token: &CallToken, running: impl Future<Output = Ran>) -> Ran {
    let mut running = pin!(running);
    tokio::select! {
        ran = &mut running => ran,
        () = gone.cancelled() => {
            token.cancel();
            running.await
        }
    }
}
