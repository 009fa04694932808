//! Who says yes to a write. The last step before a call is recorded: nothing is recorded, and so nothing run, without a [`Consent`], and nothing
//! but this step makes one.
//!
//! What a call needs is policy's to say ([`Permit::confirmation`]). A person behind a client is asked by the host's own [`question`]; where there is
//! none, where the client cannot ask, or where it is to be somebody else, the call waits for the [operator](Approvals). A model decides over
//! arguments and no more, so no argument is ever a yes.

mod approval;
mod approvals;
mod book;
mod matter;
pub(crate) mod question;
mod shown;
mod told;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use wardkeep_audit::{Confirmed, Means};
use wardkeep_model::{CorrelationId, Digest};
use wardkeep_policy::{self as policy, Arguments, Permit, Tool};

pub use approval::{Approval, ApprovalId, Decided, InvalidApprovalId, Standing};
pub use approvals::{Approvals, Keep, NotApproved, NotDecided, NotKept};
pub use book::{ApprovalLimits, Decision, Unapproved, Undecided};
pub use matter::Matter;
pub use shown::Shown;

use crate::{
    Caller, Host, NoAnswer,
    caller::Connection,
    seal::{Purpose, Seals, StateFault, Unspent},
};
use question::{Question, Said};

/// What a call brings to this step.
#[derive(Debug, Default)]
pub(crate) struct Plea {
    /// What the person was asked, and what came back; nothing of it is checked yet.
    pub said: Option<(Question, Option<Value>)>,
    /// The approval that the client was told to come back with.
    pub approval: Option<String>,
    /// Whether there is a way to a person.
    pub can_ask: bool,
}

impl Plea {
    /// Whether it goes on with a call of this caller to this tool, which was counted when it began. What merely says so does not.
    pub(crate) async fn goes_on(&self, host: &Host, principal: &str, tool: &Tool) -> bool {
        match (&self.said, &self.approval) {
            (Some((question, _)), _) => question.is_of(principal, tool),
            (None, Some(id)) => host.approvals().is_open(id, principal, tool).await,
            (None, None) => false,
        }
    }
}

/// The yes of an earlier leg of the same call, kept with the questions of its plugin.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Kept {
    confirmed: Confirmed,
    manifest: Digest,
    connection: Option<Connection>,
}

/// What this step comes to.
pub(crate) enum Confirmation<'p> {
    /// Nobody need be asked, or somebody has said yes. It counts once it is [used](Yes::using).
    Yes(Yes<'p>),
    /// The person has to be asked.
    Ask(Box<Question>),
    /// The person was asked, and what came back is no answer.
    Again(Box<Question>),
}

/// A yes that is not used up yet.
pub(crate) struct Yes<'p> {
    permit: &'p Permit,
    of: Of,
}

enum Of {
    Nobody,
    Person(Box<Question>, String),
    Operator(ApprovalId, Box<Matter>),
    Before(Confirmed),
}

/// Leave to record and run this one call: what it needs of a yes, it has, and that is used up.
pub(crate) struct Consent<'p> {
    permit: &'p Permit,
    confirmed: Option<Confirmed>,
}

/// Why a call is not confirmed.
#[derive(Debug, thiserror::Error)]
pub enum Unconfirmed {
    /// The person said no.
    #[error("the person did not say yes")]
    Declined,
    /// What came back from the person is not an answer to the question.
    #[error("what came back is no answer to the question whether it may run")]
    Unclear,
    /// The operator has not said yes, or not to this.
    #[error(transparent)]
    Approval(#[from] NotApproved),
}

/// Decides what this call still needs. Nothing is used up here, so that a call which then finds no place can come again.
pub(crate) async fn look<'p>(
    host: &Host,
    caller: &Caller,
    id: &CorrelationId,
    permit: &'p Permit,
    arguments: &Arguments,
    before: Option<Option<&Kept>>,
    plea: Plea,
) -> Result<Confirmation<'p>, NoAnswer> {
    let yes = |of| Ok(Confirmation::Yes(Yes { permit, of }));
    let need = permit.confirmation();
    if let Some(kept) = before {
        // one yes is for one call, whatever its plugin asks on the way
        return match (need, kept) {
            (policy::Confirmation::None, None) => yes(Of::Nobody),
            (_, Some(kept))
                if enough(need, kept.confirmed.how)
                    && kept.manifest == permit.manifest_digest()
                    && kept.connection == caller.connection =>
            {
                yes(Of::Before(kept.confirmed.clone()))
            }
            _ => Err(StateFault::OtherCall.into()),
        };
    }
    if need == policy::Confirmation::None && plea.said.is_none() {
        return yes(Of::Nobody);
    }
    let matter = Matter::of(&caller.principal, permit, arguments);
    if let Some((question, answer)) = plea.said {
        question.belongs(&matter, caller.connection, &host.kills())?;
        return match question::said(answer.as_ref()) {
            Said::Yes if enough(need, Means::Client) => {
                yes(Of::Person(Box::new(question), caller.principal.name.clone()))
            }
            // it was asked under other terms than hold now
            Said::Yes => Err(StateFault::OtherCall.into()),
            Said::Unclear => Ok(Confirmation::Again(Box::new(question))),
            Said::No => {
                // a no is final: the same question is not answered with yes after it
                let no = host.confirmations().spend(&caller.principal.name, question.nonce(), jiff::Timestamp::now());
                Err(if let Err(full @ Unspent::Full(_)) = no { full.into() } else { Unconfirmed::Declined.into() })
            }
        };
    }
    let moment = host.moment();
    if need == policy::Confirmation::Client {
        if plea.can_ask && plea.approval.is_none() {
            host.confirmations().may_ask(&caller.principal.name, jiff::Timestamp::now())?;
            let nonce = Seals::nonce().ok_or(NoAnswer::Unanswered)?;
            let shown = Shown::of(permit, arguments);
            return Ok(Confirmation::Ask(Box::new(Question::new(nonce, id, matter, &shown, caller.connection))));
        }
        if !moment.confirming.approvals {
            return Err(NoAnswer::Elicitation);
        }
    }
    let shown = || Shown::of(permit, arguments);
    let asked = host.approvals().ask(&matter, shown, plea.approval.as_deref(), id, &moment.approvals).await;
    yes(Of::Operator(asked.map_err(Unconfirmed::from)?, Box::new(matter)))
}

/// Whether a yes said in this way is the one that is needed.
const fn enough(need: policy::Confirmation, how: Means) -> bool {
    match (need, how) {
        (policy::Confirmation::None | policy::Confirmation::Client, _) | (_, Means::Operator) => true,
        (policy::Confirmation::Operator, Means::Client) => false,
    }
}

impl<'p> Yes<'p> {
    /// Uses the yes up, once: whoever comes second with it is refused. From here on the call goes on or is lost.
    pub(crate) async fn using(self, host: &Host, id: &CorrelationId) -> Result<Consent<'p>, NoAnswer> {
        let Self { permit, of } = self;
        let confirmed = match of {
            Of::Nobody => None,
            Of::Before(confirmed) => Some(confirmed),
            Of::Person(question, by) => {
                host.confirmations().spend(&by, question.nonce(), jiff::Timestamp::now())?;
                Some(Confirmed { by, how: Means::Client, asked: question.asked().clone(), approval: None })
            }
            Of::Operator(approval, matter) => {
                Some(host.approvals().take(&approval, &matter, id).await.map_err(Unconfirmed::from)?)
            }
        };
        Ok(Consent { permit, confirmed })
    }
}

impl<'p> Consent<'p> {
    /// What it is for.
    pub(crate) const fn permit(&self) -> &'p Permit {
        self.permit
    }

    /// Who said yes, for the record.
    pub(crate) fn confirmed(&self) -> Option<&Confirmed> {
        self.confirmed.as_ref()
    }

    /// The same for the legs of this call that come after its plugin's questions.
    pub(crate) fn kept(&self, connection: Option<Connection>) -> Option<Kept> {
        let manifest = self.permit.manifest_digest();
        self.confirmed.clone().map(|confirmed| Kept { confirmed, manifest, connection })
    }
}

/// The seals of confirmations: with a key and a memory of their own, apart from plugins' questions.
pub(crate) fn seals() -> Seals {
    Seals::new(Purpose::Confirmation)
}
