//! What is not answered, on record before it is said.

use std::time::Instant;

use wardkeep_audit::{Journal, Origin, Refusal};
use wardkeep_model::{CorrelationId, Effect};
use wardkeep_policy::Rule;

use super::{Host, correlation_id};
use crate::{
    Answer, Caller, NoAnswer, Refused,
    identity::{Identity, Unauthenticated},
    record,
};

impl Host {
    /// Records why there is no answer, then says so, under the id that it is found by. A refusal that can't be recorded is still a refusal.
    pub(super) async fn refuse(
        &self,
        journal: &Journal,
        caller: &Caller,
        tool: &str,
        id: &CorrelationId,
        none: NoAnswer,
    ) -> Result<Answer, Refused> {
        self.brakes.refused(&self.moment.load().brakes, &caller.principal.name, &none);
        let Some(refusal) = record::refusal(id, caller, tool, &none) else { return none.into_answer(tool, id) };
        let found_by = record_refusal(journal, refusal).await;
        // what asked for an approval stands in the log as that, by its own id
        let asked =
            matches!(&none, NoAnswer::Unconfirmed(unconfirmed) if unconfirmed.waits_since(&self.approvals, id).await);
        none.into_answer(tool, if asked { id } else { &found_by })
    }

    /// The scope that alone keeps this principal from a tool, if that is so: the one refusal that is told to the caller as it is. Recorded like
    /// every other.
    pub(crate) async fn lacks_scope(
        &self,
        identity: &Identity,
        tool: &str,
        origin: impl FnOnce() -> Origin,
    ) -> Option<(CorrelationId, Effect)> {
        let (present, principal) = (self.present(), &identity.principal);
        let denial = present.snapshot().find(&present.case(principal), tool).err()?;
        let Rule::Scope(effect) = denial.rule else { return None };
        // who has no call left is told that, as it is everywhere else
        if self.admission.is_exhausted(&principal.name, &present.moment.allowances, Instant::now()) {
            return None;
        }
        drop(present);
        self.not_let_in(&principal.name);
        let id = correlation_id().ok()?;
        let caller = Caller::new(identity.clone(), origin(), None);
        let none = NoAnswer::Denied(denial);
        self.brakes.refused(&self.moment.load().brakes, &principal.name, &none);
        let refusal = record::refusal(&id, &caller, tool, &none)?;
        Some((record_refusal(&self.journal, refusal).await, effect))
    }

    /// Records that a client is asked something, and comes again. The id that this is found by.
    pub(crate) async fn note_asked(
        &self,
        caller: &Caller,
        tool: &str,
        id: &CorrelationId,
        rule: &str,
    ) -> CorrelationId {
        record_refusal(&self.record, record::asks(id, caller, tool, rule)).await
    }

    /// Records that somebody answered in a session for a call that may do more than they.
    pub(crate) async fn record_weaker_answer(&self, identity: &Identity, origin: Origin) {
        let Ok(id) = correlation_id() else { return };
        let caller = Caller::new(identity.clone(), origin, None);
        record_refusal(&self.journal, record::weaker_answer(&id, &caller)).await;
    }

    /// Records a caller that could not be told; the journal bounds how many.
    pub(crate) async fn record_unauthenticated(&self, why: Unauthenticated, origin: Origin) {
        let Ok(id) = correlation_id() else { return };
        if let Err(error) = self.journal.refusal(record::unauthenticated(&id, why, origin)).await {
            tracing::error!(%error, "an unauthenticated request could not be recorded");
        }
    }
}

/// The id that the refusal is found by in the log: its own, or that of the first of those that it was counted with.
async fn record_refusal(journal: &Journal, refusal: Refusal) -> CorrelationId {
    let id = refusal.correlation.clone();
    journal.refusal(refusal).await.unwrap_or_else(|error| {
        tracing::error!(%error, correlation = %id, "a refusal could not be recorded");
        id
    })
}
