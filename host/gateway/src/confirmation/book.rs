//! All approvals of a home, and what may become of each. Pure: the time is given, and what is kept on disk is kept by [`super::Approvals`].

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use wardkeep_audit::{Confirmed, Means};
use wardkeep_model::CorrelationId;
use wardkeep_policy::kill::{Kills, Target};

use super::{Approval, ApprovalId, Decided, Matter, Shown, Standing};

/// Those that are settled are remembered for so long, so that a caller is told what became of its call.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(24);
/// And so many of them at most.
const MOST_SETTLED: usize = 1_000;

/// The bounds of the operator's queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApprovalLimits {
    /// How long an operator may take to decide, and after that the caller to call again.
    pub deadline: Duration,
    /// Open approvals of one principal at a time.
    pub each: usize,
    /// In all.
    pub all: usize,
}

impl Default for ApprovalLimits {
    fn default() -> Self {
        Self { deadline: Duration::from_secs(60 * 60), each: 8, all: 256 }
    }
}

/// Why a call is not approved, as its caller is told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unapproved {
    /// Nobody has decided yet.
    #[error("`{id}` waits for an operator until {until}")]
    Waits {
        /// The approval.
        id: ApprovalId,
        /// The end of waiting.
        until: Timestamp,
    },
    /// An operator said no.
    #[error("`{id}` was denied: {reason}")]
    Denied {
        /// The approval.
        id: ApprovalId,
        /// In the operator's words.
        reason: String,
    },
    /// No approval of this name belongs to this call.
    #[error("no such approval belongs to this call")]
    Unknown,
    /// It has been used.
    #[error("the approval was used already")]
    Used,
    /// Too late.
    #[error("the approval has expired")]
    Expired,
    /// Such calls were stopped since it was asked for.
    #[error("such calls were stopped since the approval was asked for")]
    Withdrawn,
    /// Enough wait already.
    #[error("too many calls wait for an operator")]
    Full,
}

/// Why an operator's decision does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Undecided {
    /// There is none.
    #[error("no approval is named `{0}`\n  mend: wardkeep approvals list --all")]
    Unknown(ApprovalId),
    /// It is past deciding.
    #[error("`{id}` cannot be {wanted} any more: it is {is}\n  mend: wardkeep approvals list --all")]
    Settled {
        /// The approval.
        id: ApprovalId,
        /// What was wanted.
        wanted: &'static str,
        /// Where it stands.
        is: &'static str,
    },
}

/// What an operator decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    /// It may run, once.
    Approve,
    /// It may not.
    Deny,
}

/// Oldest first.
#[derive(Debug, Clone, Default)]
pub(super) struct Book {
    approvals: Vec<Approval>,
    /// What is stopped, and was.
    kills: Arc<Kills>,
}

impl Book {
    pub(super) fn new(approvals: Vec<Approval>) -> Self {
        Self { approvals, kills: Arc::default() }
    }

    /// What is stopped by now, which every look at an approval asks.
    pub(super) fn stop(&mut self, kills: Arc<Kills>) {
        self.kills = kills;
    }

    pub(super) fn approvals(&self) -> &[Approval] {
        &self.approvals
    }

    fn is_stopped(&self, approval: &Approval, now: Timestamp) -> bool {
        approval.stopped_by(&self.kills, now).is_some()
    }

    /// Whether a call waits under it, or may run by it.
    pub(super) fn is_open(&self, approval: &Approval, now: Timestamp) -> bool {
        approval.standing.is_open() && now < approval.until && !self.is_stopped(approval, now)
    }

    pub(super) fn get(&self, id: &ApprovalId) -> Option<&Approval> {
        self.approvals.iter().find(|approval| approval.id == *id)
    }

    /// What this call was told to wait for: by its name, or where it brings none, its own that is open or was denied a while ago.
    /// Nothing if it has to be asked for.
    pub(super) fn find(
        &self,
        matter: &Matter,
        id: Option<&str>,
        now: Timestamp,
    ) -> Result<Option<&Approval>, Unapproved> {
        let own = |approval: &&Approval| approval.matter == *matter;
        let found = match id {
            Some(id) => {
                Some(self.approvals.iter().filter(own).find(|it| it.id.as_str() == id).ok_or(Unapproved::Unknown)?)
            }
            None => (self.approvals.iter().rev().filter(own))
                .find(|it| self.is_open(it, now) || (now < it.until && matches!(it.standing, Standing::Denied(_)))),
        };
        let Some(approval) = found else { return Ok(None) };
        match &approval.standing {
            Standing::Withdrawn(_) => Err(Unapproved::Withdrawn),
            Standing::Pending | Standing::Approved(_) if self.is_stopped(approval, now) => Err(Unapproved::Withdrawn),
            Standing::Denied(Decided { reason, .. }) => {
                Err(Unapproved::Denied { id: approval.id.clone(), reason: reason.clone() })
            }
            Standing::Used { .. } => Err(Unapproved::Used),
            Standing::Expired => Err(Unapproved::Expired),
            Standing::Pending | Standing::Approved(_) if now >= approval.until => Err(Unapproved::Expired),
            Standing::Pending => Err(Unapproved::Waits { id: approval.id.clone(), until: approval.until }),
            Standing::Approved(_) => Ok(Some(approval)),
        }
    }

    /// A new one, if there is room for it.
    pub(super) fn ask(
        &mut self,
        id: ApprovalId,
        matter: Matter,
        shown: Shown,
        call: &CorrelationId,
        limits: &ApprovalLimits,
        now: Timestamp,
    ) -> Result<&Approval, Unapproved> {
        let open = || self.approvals.iter().filter(|it| self.is_open(it, now));
        let own = open().filter(|it| it.matter.principal == matter.principal).count();
        if open().count() >= limits.all || own >= limits.each || self.get(&id).is_some() {
            return Err(Unapproved::Full);
        }
        let until = later(now, limits.deadline);
        let standing = Standing::Pending;
        let approval = Approval { id, matter, shown, correlation: call.clone(), asked: now, until, standing };
        self.approvals.push(approval);
        self.approvals.last().ok_or(Unapproved::Full)
    }

    /// An operator's decision. What is approved and not used yet can still be denied; nothing else is decided twice.
    pub(super) fn decide(
        &mut self,
        id: &ApprovalId,
        decision: Decision,
        decided: Decided,
        limits: &ApprovalLimits,
    ) -> Result<&Approval, Undecided> {
        let now = decided.at;
        let Some(approval) = self.approvals.iter_mut().find(|approval| approval.id == *id) else {
            return Err(Undecided::Unknown(id.clone()));
        };
        let stopped = approval.stopped_by(&self.kills, now).is_some();
        let late = approval.standing.is_open() && now >= approval.until;
        let (wanted, may) = match decision {
            Decision::Approve => ("approved", approval.standing == Standing::Pending),
            Decision::Deny => ("denied", approval.standing.is_open()),
        };
        if stopped || late || !may {
            let is = match (stopped, late) {
                (true, _) => "withdrawn",
                (false, true) => Standing::Expired.word(),
                (false, false) => approval.standing.word(),
            };
            return Err(Undecided::Settled { id: id.clone(), wanted, is });
        }
        match decision {
            Decision::Approve => {
                approval.until = later(now, limits.deadline);
                approval.standing = Standing::Approved(decided);
            }
            Decision::Deny => {
                // the same call is told so for as long as an operator had to decide, and then may ask anew
                approval.until = later(now, limits.deadline);
                approval.settle(Standing::Denied(decided));
            }
        }
        Ok(approval)
    }

    /// Uses an approval up, for this very call and once.
    pub(super) fn take(
        &mut self,
        id: &ApprovalId,
        matter: &Matter,
        call: &CorrelationId,
        now: Timestamp,
    ) -> Result<Confirmed, Unapproved> {
        let approval =
            self.approvals.iter_mut().find(|it| it.id == *id && it.matter == *matter).ok_or(Unapproved::Unknown)?;
        let by = match &approval.standing {
            Standing::Withdrawn(_) => return Err(Unapproved::Withdrawn),
            _ if approval.stopped_by(&self.kills, now).is_some() => return Err(Unapproved::Withdrawn),
            Standing::Approved(_) | Standing::Pending if now >= approval.until => return Err(Unapproved::Expired),
            Standing::Approved(decided) => decided.by.clone(),
            Standing::Pending => return Err(Unapproved::Waits { id: id.clone(), until: approval.until }),
            Standing::Denied(Decided { reason, .. }) => {
                return Err(Unapproved::Denied { id: id.clone(), reason: reason.clone() });
            }
            Standing::Used { .. } => return Err(Unapproved::Used),
            Standing::Expired => return Err(Unapproved::Expired),
        };
        approval.settle(Standing::Used { by: by.clone(), at: now, call: call.clone() });
        let asked = approval.correlation.clone();
        Ok(Confirmed { by, how: Means::Operator, asked, approval: Some(id.to_string()) })
    }

    /// Settles what was stopped, and what nobody decided or used in time, and forgets what was settled long ago. Gives what has just been settled, with
    /// what stopped it.
    pub(super) fn sweep(&mut self, now: Timestamp) -> Vec<(Approval, Option<Target>)> {
        let mut settled = Vec::new();
        for approval in self.approvals.iter_mut().filter(|it| it.standing.is_open()) {
            let stopped = approval.withdraw(&self.kills, now);
            if stopped.is_none() && now < approval.until {
                continue;
            }
            if stopped.is_none() {
                approval.settle(Standing::Expired);
            }
            settled.push((approval.clone(), stopped));
        }
        let forgotten = now.checked_sub(REMEMBERED).unwrap_or(Timestamp::MIN);
        self.approvals.retain(|it| it.standing.is_open() || it.until > forgotten);
        let mut surplus =
            self.approvals.iter().filter(|it| !it.standing.is_open()).count().saturating_sub(MOST_SETTLED);
        self.approvals.retain(|it| {
            let goes = surplus > 0 && !it.standing.is_open();
            surplus -= usize::from(goes);
            !goes
        });
        settled
    }
}

fn later(now: Timestamp, by: Duration) -> Timestamp {
    now.checked_add(by).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
