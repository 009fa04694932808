//! What serves at one moment, swapped whole: nobody sees the plugins of one reload with the callers of another.

use std::sync::Arc;

use jiff::Timestamp;
use wardkeep_policy::Confirming;
use wardkeep_sandbox::Fleet;

use crate::{ApprovalLimits, BrakeTerms, Callers};

/// Plugins and callers of one moment.
#[derive(Clone)]
pub struct Moment {
    /// The plugins.
    pub fleet: Arc<Fleet>,
    /// Who may call.
    pub callers: Callers,
    /// Whom the host can ask for a confirmation.
    pub confirming: Confirming,
    /// How many calls may wait for the operator, and how long.
    pub approvals: ApprovalLimits,
    /// When a caller or a plugin is stopped by itself.
    pub brakes: BrakeTerms,
    /// How many plugins of the home were refused; for `/ready`.
    pub rejected: usize,
}

impl Moment {
    /// When time alone may change what is served, or to whom.
    pub(crate) fn next_change(&self, now: Timestamp) -> Option<Timestamp> {
        let keys = self.callers.keys.iter().filter_map(|key| key.expires).filter(|expires| *expires > now);
        self.fleet.snapshot().next_change(now).into_iter().chain(keys).min()
    }

    /// Plugins that can be called now.
    pub(crate) fn serving(&self, now: Timestamp) -> usize {
        let snapshot = self.fleet.snapshot();
        let approved = snapshot.plugins().filter(|plugin| snapshot.out_of_service(plugin.plugin(), now).is_none());
        let down: Vec<_> = self.fleet.out_of_service().collect();
        approved.filter(|plugin| !down.contains(&plugin.plugin())).count()
    }
}
