//! What becomes of a call that nobody said yes to, as the record says it and as its caller is told.

use serde_json::json;
use wardkeep_model::{CorrelationId, Outcome};

use super::{Approvals, NotApproved, Unapproved, Unconfirmed};
use crate::{Answer, META, NoAnswer, Refused, answer::failed};

impl Unconfirmed {
    /// As records spell it.
    #[must_use]
    pub const fn rule(&self) -> &'static str {
        match self {
            Self::Declined => "not-confirmed",
            Self::Unclear => "confirmation-unclear",
            Self::Approval(NotApproved::Unapproved(unapproved)) => match unapproved {
                Unapproved::Waits { .. } => "awaits-approval",
                Unapproved::Denied { .. } => "approval-denied",
                Unapproved::Unknown => "approval-unknown",
                Unapproved::Used => "approval-used",
                Unapproved::Expired => "approval-expired",
                Unapproved::Withdrawn => "approval-withdrawn",
                Unapproved::Full => "approvals-full",
            },
            Self::Approval(NotApproved::NotKept(_)) => "approval-not-kept",
        }
    }

    pub(crate) const fn outcome(&self) -> Outcome {
        match self {
            Self::Approval(NotApproved::Unapproved(Unapproved::Waits { .. })) => Outcome::InputRequired,
            Self::Approval(NotApproved::Unapproved(Unapproved::Full)) => Outcome::Throttled,
            Self::Approval(NotApproved::NotKept(_)) => Outcome::HostError,
            _ => Outcome::Denied,
        }
    }

    /// Whether it waits for an approval that this call has asked for, and none before it.
    pub(crate) async fn waits_since(&self, approvals: &Approvals, call: &CorrelationId) -> bool {
        let Self::Approval(NotApproved::Unapproved(Unapproved::Waits { id, .. })) = self else { return false };
        approvals.get(id).await.is_some_and(|approval| approval.correlation == *call)
    }

    pub(crate) fn into_answer(self, id: &CorrelationId) -> Result<Answer, Refused> {
        let unapproved = match self {
            Self::Declined => return Ok(failed("the person said no; nothing was run".to_owned(), id)),
            Self::Unclear => {
                return Ok(failed("the person's answer was neither yes nor no; nothing was run".to_owned(), id));
            }
            Self::Approval(NotApproved::NotKept(error)) => {
                tracing::error!(%error, correlation = %id, "a call was refused because its approval could not be written down");
                return Err(NoAnswer::internal(id));
            }
            Self::Approval(NotApproved::Unapproved(unapproved)) => unapproved,
        };
        let text = match &unapproved {
            Unapproved::Waits { id, until } => format!(
                "an operator has to approve this call, and nothing was run yet. Make the same call again, with the same arguments, \
                 after they have decided; that is possible until {until:.0}. The approval is `{id}`."
            ),
            Unapproved::Denied { id, reason } => format!("an operator denied this call ({id}): {reason}"),
            Unapproved::Unknown => "no such approval belongs to this call; make the call without it".to_owned(),
            Unapproved::Used => "this approval was used already; make the call without it to ask anew".to_owned(),
            Unapproved::Expired => "this approval has expired; make the call without it to ask anew".to_owned(),
            Unapproved::Withdrawn => {
                "such calls were stopped since this approval was asked for; make the call without it to ask anew"
                    .to_owned()
            }
            Unapproved::Full => {
                "too many calls wait for an operator already; nothing was run. Try again when some are decided"
                    .to_owned()
            }
        };
        let mut answer = failed(text, id);
        let meta = &mut answer.meta.get_or_insert_default().0;
        match &unapproved {
            Unapproved::Waits { id, until } => {
                meta.insert(format!("{META}approval"), json!(id));
                meta.insert(format!("{META}approval-is"), json!("pending"));
                meta.insert(format!("{META}approval-until"), json!(until));
            }
            Unapproved::Denied { id, .. } => {
                meta.insert(format!("{META}approval"), json!(id));
                meta.insert(format!("{META}approval-is"), json!("denied"));
            }
            _ => {}
        }
        Ok(answer)
    }
}
