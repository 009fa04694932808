//! What the journal is told of a call: values that are already known, put into the journal's own words.

use wardkeep_audit::{Closing, Intent, Origin, Refusal};
use wardkeep_model::{CorrelationId, Outcome};
use wardkeep_sandbox::{NotAdmitted, Ran};

use crate::{Caller, NoAnswer, confirmation::Consent, identity::Unauthenticated};

/// From a consent alone: what nobody said yes to is not recorded as about to run, and what is not recorded does not run.
pub(crate) fn intent(
    id: &CorrelationId,
    caller: &Caller,
    consent: &Consent<'_>,
    resumes: Option<&CorrelationId>,
) -> Intent {
    let permit = consent.permit();
    let tool = permit.tool();
    Intent {
        correlation: id.clone(),
        published: tool.published().clone(),
        tool: tool.name().clone(),
        plugin: tool.plugin().clone(),
        version: tool.version().to_string(),
        manifest_digest: tool.manifest_digest(),
        serial: tool.manifest_serial(),
        contract_digest: tool.contract_digest(),
        effect: tool.effect(),
        principal: caller.principal.clone(),
        origin: caller.origin.clone(),
        rule: permit.rule().to_owned(),
        resources: permit.resources().iter().map(|(place, id)| (place.as_str().to_owned(), id.clone())).collect(),
        limits: *permit.limits(),
        resumes: resumes.cloned(),
        confirmed: consent.confirmed().cloned(),
    }
}

/// `class` is a word of the host's own; texts of plugins and schemas (which quote arguments) never get here.
pub(crate) fn closing(outcome: Outcome, class: Option<&'static str>, ran: Ran, touched: Vec<String>) -> Closing {
    let Ran { cost, notes, egress, .. } = ran;
    Closing { outcome, error_class: class.map(str::to_owned), cost, notes, touched, egress }
}

/// A withheld answer has its intent on record, and a journal that just failed takes no refusal either.
pub(crate) fn refusal(id: &CorrelationId, caller: &Caller, tool: &str, none: &NoAnswer) -> Option<Refusal> {
    let rule = match none {
        NoAnswer::Denied(denial) => denial.rule.as_str(),
        NoAnswer::Arguments(_) => "schema",
        NoAnswer::Throttled(throttled) => throttled.limit.as_str(),
        NoAnswer::NotAdmitted(NotAdmitted::Throttled { .. }) => "concurrency",
        NoAnswer::NotAdmitted(NotAdmitted::OutOfService) => "out-of-service",
        NoAnswer::Killed(killed) => killed.rule(),
        NoAnswer::State(fault) => fault.rule(),
        NoAnswer::Answers(_) => "answers",
        NoAnswer::Unanswered => "unanswered",
        NoAnswer::Elicitation => "no-elicitation",
        NoAnswer::Gone { rule } => rule,
        NoAnswer::Unconfirmed(unconfirmed) => unconfirmed.rule(),
        NoAnswer::NotRecorded(_) | NoAnswer::Withheld(_) | NoAnswer::Stuck => return None,
    };
    Some(Refusal {
        correlation: id.clone(),
        principal: Some(caller.principal.clone()),
        tool: Some(tool.to_owned()),
        rule: rule.to_owned(),
        outcome: none.outcome(),
        origin: caller.origin.clone(),
    })
}

/// A client that is asked, under a rule that says what is waited for, and comes again.
pub(crate) fn asks(id: &CorrelationId, caller: &Caller, tool: &str, rule: &str) -> Refusal {
    Refusal {
        correlation: id.clone(),
        principal: Some(caller.principal.clone()),
        tool: Some(tool.to_owned()),
        rule: rule.to_owned(),
        outcome: Outcome::InputRequired,
        origin: caller.origin.clone(),
    }
}

/// An answer by somebody who may do less than who is asked.
pub(crate) fn weaker_answer(id: &CorrelationId, caller: &Caller) -> Refusal {
    Refusal {
        correlation: id.clone(),
        principal: Some(caller.principal.clone()),
        tool: None,
        rule: "weaker-answer".to_owned(),
        outcome: Outcome::Denied,
        origin: caller.origin.clone(),
    }
}

pub(crate) fn unauthenticated(id: &CorrelationId, why: Unauthenticated, origin: Origin) -> Refusal {
    Refusal {
        correlation: id.clone(),
        principal: None,
        tool: None,
        rule: why.rule().to_owned(),
        outcome: Outcome::Unauthenticated,
        origin,
    }
}
