//! Orders: what a command of the operator asks of the process that owns the home, over the home's own socket. Only processes of the same
//! user are heard there, and nothing over MCP leads here: a model gives no orders.
//!
//! A command makes its change durable before it gives the order, so that an owner which hangs, or dies, loses nothing of it. Only a kill is
//! ordered also where it cannot be: who must stop something does not wait for a disk.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};
use wardkeep_audit::{Event, NotRecorded};
use wardkeep_model::Digest;
use wardkeep_policy::kill::Kill;

use crate::{Approval, ApprovalId, Decision, Host};

/// The host gets this long to do what it was told; who gave the order waits less.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the owner is told to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// The kills on disk have changed: they are in force from now on.
    Kills {
        /// Up to this change at least, as the file numbers them.
        change: u64,
    },
    /// A kill that the command could not write: in force from now on, and written by the owner as soon as that can be done. Until then it ends with the owner.
    Stop(Kill),
    /// Calls that wait for the operator: carried out by the host itself.
    Approvals(ApprovalOrder),
    /// A key was taken out of the operator's file: it is refused from now on, and its calls end. Carried out by the host itself.
    Revoke {
        /// The key's digest.
        key: Digest,
    },
    /// Somebody is about to read the audit log: what is only counted so far is written. Carried out by the host itself.
    Counts,
    /// What an operator did to the operator's file is recorded. Carried out by the host itself.
    Record(KeyChange),
}

/// What an operator did to an API key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyChange {
    /// What.
    pub what: Keyed,
    /// The key's name in the operator's file.
    pub key: String,
    /// Whom it stands for.
    pub user: String,
    /// Who did it, as the operating system knows them. The socket hears nobody else.
    pub by: String,
}

/// See [`KeyChange`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Keyed {
    /// It is in the file from now on.
    Made,
    /// It is there no more.
    Revoked,
}

impl KeyChange {
    /// As the log has it.
    #[must_use]
    pub fn event(self) -> Event {
        let Self { what, key, user, by } = self;
        match what {
            Keyed::Made => Event::KeyMade { key, user, by },
            Keyed::Revoked => Event::KeyRevoked { key, user, by },
        }
    }
}

/// What is to be done about calls that wait for the operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ApprovalOrder {
    /// Which there are.
    List,
    /// One of them is decided.
    Decide {
        /// Which.
        id: ApprovalId,
        /// How.
        decision: Decision,
        /// Who decides, as the operating system knows them. The socket hears nobody else.
        by: String,
        /// Why.
        reason: String,
    },
}

/// That an order was carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Done {
    /// New calls are refused, and running ones were told to end.
    Kills {
        /// Which change is in force; none for one that is not on disk.
        change: Option<u64>,
        /// Running calls that were told to end.
        ended: usize,
        /// Those of them that have not ended yet.
        ending: usize,
        /// Whether it stands in the audit log.
        recorded: bool,
        /// The change names a plugin or a tool that is not served now: perhaps another was meant.
        unserved: bool,
    },
    /// All that are known, or the one that was decided.
    Approvals(Vec<Approval>),
    /// The key is refused.
    Revoked {
        /// Whether it was good until now.
        known: bool,
        /// Calls of it that were under way and were told to end.
        ended: usize,
    },
    /// It stands in the audit log.
    Recorded,
}

/// That an order was not carried out, or not to the end. For the operator who gave it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Undone {
    /// Nobody in the owner takes such orders, now or ever.
    #[error("the process that owns this home takes no orders now; it is starting or ending")]
    Nobody,
    /// It took the order, and something stood in the way.
    #[error("{what}")]
    Failed {
        /// What, in the owner's words, with a mend.
        what: String,
    },
    /// It did not come to an end with it.
    #[error("the process that owns this home took the order and does not come to an end with it")]
    Late,
    /// The owner has ended.
    #[error("the process that owns this home ended before it had carried out the order")]
    Lost,
}

/// One order on its way to whoever carries it out.
#[derive(Debug)]
pub struct Placed {
    /// What is to be done.
    pub order: Order,
    /// Dropped by one who does not carry it out.
    pub answer: oneshot::Sender<Result<Done, Undone>>,
}

/// The way to whoever carries orders out. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Orders(mpsc::Sender<Placed>);

impl Orders {
    /// Both ends.
    #[must_use]
    pub fn new() -> (Self, mpsc::Receiver<Placed>) {
        let (orders, placed) = mpsc::channel(16);
        (Self(orders), placed)
    }

    /// Has the order carried out.
    ///
    /// # Errors
    ///
    /// See [`Undone`].
    pub async fn place(&self, order: Order) -> Result<Done, Undone> {
        let (answer, answered) = oneshot::channel();
        let done = async {
            self.0.send(Placed { order, answer }).await.map_err(|_| Undone::Nobody)?;
            answered.await.unwrap_or(Err(Undone::Nobody))
        };
        timeout(PATIENCE, done).await.unwrap_or(Err(Undone::Late))
    }
}

impl ApprovalOrder {
    /// Carries it out.
    pub(crate) async fn by(self, host: &Host) -> Result<Done, Undone> {
        match self {
            Self::List => Ok(Done::Approvals(host.approvals().list().await)),
            Self::Decide { id, decision, by, reason } => {
                let limits = host.moment().approvals;
                let decided = host.approvals().decide(&id, decision, &by, &reason, &limits).await;
                decided
                    .map(|approval| Done::Approvals(vec![approval]))
                    .map_err(|error| Undone::Failed { what: error.to_string() })
            }
        }
    }
}

/// What the journal made of an order that is about it alone.
pub(crate) fn recorded(result: Result<(), NotRecorded>) -> Result<Done, Undone> {
    result.map(|()| Done::Recorded).map_err(|error| Undone::Failed { what: error.to_string() })
}
