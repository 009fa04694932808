//! Why a call has no answer of its tool, and the one function that puts that into MCP's words.
//!
//! Three audiences: the caller reads a short public sentence with the correlation id, the same for "forbidden" and for "does not
//! exist"; the record keeps rule and detail; nothing of the operator's documents is ever told to the caller.

use std::time::Duration;

use rmcp::model::{ContentBlock, ErrorCode, MetaObject};
use serde_json::{Value, json};
use wardkeep_audit::NotRecorded;
use wardkeep_model::{CorrelationId, Outcome};
use wardkeep_policy::{Denial, Mismatch, Rule};
use wardkeep_sandbox::NotAdmitted;

use crate::{
    Answer, Killed, META, Refused, Throttled,
    confirmation::Unconfirmed,
    legs::elicitation,
    seal::{StateFault, Unspent},
};

/// A call that ended before its tool could answer.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer {
    /// No such tool for this caller, or not now.
    #[error("{0}")]
    Denied(#[from] Denial),
    /// The arguments break the tool's schema.
    #[error("{0}")]
    Arguments(#[from] Mismatch),
    /// Too often, or too much.
    #[error("{0}")]
    Throttled(#[from] Throttled),
    /// It was killed while it waited; nothing of it runs.
    #[error("{0}")]
    Killed(#[from] Killed),
    /// Too many calls at once, or a plugin that is out of service.
    #[error("{0}")]
    NotAdmitted(#[from] NotAdmitted),
    /// Somebody has to say yes to it, and has not.
    #[error("{0}")]
    Unconfirmed(#[from] Unconfirmed),
    /// The client brings answers to questions that were not asked here.
    #[error("the request state is no good: {0}")]
    State(#[from] StateFault),
    /// The person's answer does not fit the question.
    #[error("{0}")]
    Answers(String),
    /// The person could not be asked, or did not answer in time.
    #[error("the person did not answer")]
    Unanswered,
    /// The tool asks, and the client has not said that it can be asked.
    #[error("the client declares no elicitation")]
    Elicitation,
    /// Who called is nobody any more: a key was taken back or has expired while the call waited.
    #[error("who called is nobody any more: {rule}")]
    Gone {
        /// As records spell it.
        rule: &'static str,
    },
    /// The intent could not be committed; nothing was run.
    #[error("{0}")]
    NotRecorded(#[from] NotRecorded),
    /// The outcome could not be committed; the call ran and its answer is withheld.
    #[error("{0}")]
    Withheld(NotRecorded),
    /// The journal's device holds the call's own thread: what became of the call is not known.
    #[error("the audit log does not answer")]
    Stuck,
}

impl From<Unspent> for NoAnswer {
    /// That the host is full is no fault of the caller's.
    fn from(unspent: Unspent) -> Self {
        match unspent {
            Unspent::Used => StateFault::Used.into(),
            Unspent::Full(throttled) => throttled.into(),
        }
    }
}

impl NoAnswer {
    /// How the call ended, as the record says it.
    pub(crate) const fn outcome(&self) -> Outcome {
        match self {
            Self::Denied(_) | Self::State(_) | Self::Elicitation | Self::Gone { .. } => Outcome::Denied,
            Self::Unanswered => Outcome::Cancelled,
            Self::Unconfirmed(unconfirmed) => unconfirmed.outcome(),
            Self::Killed(_) => Outcome::Killed,
            Self::Arguments(_) | Self::Answers(_) => Outcome::InvalidArguments,
            Self::Throttled(_) | Self::NotAdmitted(NotAdmitted::Throttled { .. }) => Outcome::Throttled,
            Self::NotAdmitted(NotAdmitted::OutOfService) | Self::NotRecorded(_) | Self::Withheld(_) | Self::Stuck => {
                Outcome::HostError
            }
        }
    }

    /// The host's own failure, without a word on what it was.
    pub(crate) fn internal(id: &CorrelationId) -> Refused {
        Refused::internal_error("the host failed", Some(json!({ "correlationId": id })))
    }

    /// What the caller is told.
    pub(crate) fn into_answer(self, tool: &str, id: &CorrelationId) -> Result<Answer, Refused> {
        let data = Some(json!({ "correlationId": id }));
        match self {
            // Whoever gets here may call the tool and knows it; which list it was and what it holds stays with the operator.
            Self::Denied(Denial { rule: Rule::OnlyList, .. }) => {
                Ok(failed("these arguments name something that this tool may not touch".to_owned(), id))
            }
            Self::Denied(_) => {
                let shown: String = tool.chars().filter(|c| !c.is_control()).take(64).collect();
                Err(Refused::new(ErrorCode::INVALID_PARAMS, format!("unknown tool `{shown}`"), data))
            }
            Self::Arguments(mismatch) => Ok(failed(mismatch.to_string(), id)),
            Self::State(_) => {
                let text = "this request state is not good here (any more); call the tool again without it";
                Err(Refused::new(ErrorCode::INVALID_PARAMS, text, data))
            }
            Self::Answers(what) => Ok(failed(what, id)),
            Self::Unconfirmed(unconfirmed) => unconfirmed.into_answer(id),
            Self::Killed(Killed::Revoked) => Ok(failed("the key of this call was revoked".to_owned(), id)),
            Self::Killed(Killed::Stopped) => {
                Ok(failed("the tool was taken out of service while the call waited".to_owned(), id))
            }
            Self::Unanswered => Ok(failed("the tool's question was not answered".to_owned(), id)),
            Self::Elicitation => {
                let mut refused = Refused::missing_required_client_capability(elicitation());
                if let Some(Value::Object(data)) = &mut refused.data {
                    data.insert("correlationId".to_owned(), json!(id));
                }
                Err(refused)
            }
            Self::Gone { .. } => {
                let text = "what you proved who you are by has ended while the call waited; nothing was run";
                Err(Refused::invalid_request(text, data))
            }
            Self::NotAdmitted(NotAdmitted::OutOfService) => {
                Err(Refused::internal_error("this tool is out of service", data))
            }
            Self::NotAdmitted(NotAdmitted::Throttled { retry_after }) => {
                Ok(later("too many calls at once", retry_after, id))
            }
            Self::Throttled(Throttled { limit, retry_after }) => Ok(later(limit.told(), retry_after, id)),
            Self::NotRecorded(error) => {
                tracing::error!(%error, correlation = %id, "a call was refused because it could not be recorded");
                Err(Refused::internal_error("the call could not be recorded, so it was not run", data))
            }
            Self::Stuck => {
                tracing::error!(correlation = %id, "a call's thread waits for the audit log, which does not answer");
                Err(Refused::internal_error(
                    "the call could not be recorded, and whether it ran is not known; its answer is withheld",
                    data,
                ))
            }
            Self::Withheld(error) => {
                tracing::error!(%error, correlation = %id, "an answer was withheld because its outcome could not be recorded");
                Err(Refused::internal_error(
                    "the call ran, but its outcome could not be recorded; the answer is withheld",
                    data,
                ))
            }
        }
    }
}

/// An answer that says when to come again: in whole seconds, and not before there is room.
fn later(why: &str, retry_after: Duration, id: &CorrelationId) -> Answer {
    let seconds = retry_after.as_secs().saturating_add(u64::from(retry_after.subsec_nanos() > 0)).max(1);
    let mut answer = failed(format!("{why}; try again in {seconds} s"), id);
    answer.meta.get_or_insert_default().0.insert(format!("{META}retry-after-seconds"), seconds.into());
    answer
}

/// An answer that says that the call failed (MCP, Tools, Error Handling: `isError`).
pub(crate) fn failed(text: String, id: &CorrelationId) -> Answer {
    let mut answer = Answer::error(vec![ContentBlock::text(text)]);
    let mut meta = MetaObject::new();
    meta.0.insert(format!("{META}correlation-id"), json!(id));
    answer.meta = Some(meta);
    answer
}
