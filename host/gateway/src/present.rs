//! What decisions depend on at one moment, taken once: a call that is found by one set of plugins and kills is decided by the same.

use std::sync::Arc;

use jiff::Timestamp;
use wardkeep_model::Principal;
use wardkeep_policy::{Case, Snapshot, kill::Kills};
use wardkeep_sandbox::Fleet;

use crate::Moment;

/// The host as it stands at one moment.
pub(crate) struct Present {
    pub(crate) moment: Arc<Moment>,
    pub(crate) kills: Arc<Kills>,
    pub(crate) now: Timestamp,
}

impl Present {
    /// The case of this principal.
    pub(crate) fn case<'a>(&'a self, principal: &'a Principal) -> Case<'a> {
        Case { principal, kills: &self.kills, confirming: self.moment.confirming, now: self.now }
    }

    pub(crate) fn fleet(&self) -> &Arc<Fleet> {
        &self.moment.fleet
    }

    pub(crate) fn snapshot(&self) -> &Snapshot {
        self.moment.fleet.snapshot()
    }
}
