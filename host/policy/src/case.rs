//! Everything that a decision depends on besides the tool and its arguments. Every entrance asks with the same value, so that a list, a
//! search, a decision and an explanation of it cannot come apart.

use jiff::Timestamp;
use wardkeep_model::Principal;

use crate::kill::Kills;

/// Who asks, when, and what the host can do at that moment.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    /// Who asks.
    pub principal: &'a Principal,
    /// What is stopped.
    pub kills: &'a Kills,
    /// Whom the host can ask for a yes.
    pub confirming: Confirming,
    /// The moment.
    pub now: Timestamp,
}

/// Whom the host can ask for a confirmation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Confirming {
    /// The person at the client.
    pub client: bool,
    /// The operator, by the queue of approvals.
    pub approvals: bool,
    /// Destructive tools wait for the operator, whatever their manifest says.
    pub destructive_by_operator: bool,
}

impl Confirming {
    /// Nobody: a tool that needs a yes is served to nobody.
    pub const NOBODY: Self = Self { client: false, approvals: false, destructive_by_operator: false };
}

impl Default for Confirming {
    /// Both, as the manifest says.
    fn default() -> Self {
        Self { client: true, approvals: true, destructive_by_operator: false }
    }
}

/// Whose yes a call needs before it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Confirmation {
    /// Nobody's.
    None,
    /// The person's at the client.
    Client,
    /// The operator's, out of band.
    Operator,
}

impl Confirmation {
    /// As texts spell it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Client => "client",
            Self::Operator => "operator",
        }
    }
}
