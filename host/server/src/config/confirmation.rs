//! `[confirmation]`: whom the host asks for a yes besides the person at the client. It makes no tool need less than its manifest says.

use std::time::Duration;

use wardkeep_gateway::ApprovalLimits;
use wardkeep_policy::{
    Confirming,
    document::{Item, Table},
};

/// The shortest time in which somebody could decide, and the longest that a decision stays good.
const DEADLINES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(7 * 24 * 60 * 60)];
/// Calls that may wait in all; each is kept in memory and on disk.
const MOST: u32 = 10_000;

/// Who is asked, and how many may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Confirmation {
    pub(crate) confirming: Confirming,
    pub(crate) limits: ApprovalLimits,
}

pub(super) fn read(mut table: Table<'_>) -> Option<Confirmation> {
    let default = Confirmation::default();
    let approvals = table.optional("approvals").map_or(Some(true), |item| item.boolean());
    let destructive =
        table.optional("destructive").map_or(Some(false), |item| item.choice(&[("client", false), ("operator", true)]));
    let deadline = table.optional("deadline").map_or(Some(default.limits.deadline), |item| deadline(&item));
    let mut count = |key, default: usize| match table.optional(key) {
        Some(item) => item.whole_u32(1..=MOST).and_then(|count| usize::try_from(count).ok()),
        None => Some(default),
    };
    let (all, each) = (count("pending", default.limits.all), count("pending_per_caller", default.limits.each));
    drop(table);
    let confirming = Confirming { approvals: approvals?, destructive_by_operator: destructive?, ..default.confirming };
    Some(Confirmation { confirming, limits: ApprovalLimits { deadline: deadline?, each: each?, all: all? } })
}

fn deadline(item: &Item<'_>) -> Option<Duration> {
    let deadline = item.duration()?;
    let [least, most] = DEADLINES;
    if (least..=most).contains(&deadline) {
        return Some(deadline);
    }
    item.fault("is no time in which an operator could decide", Some("deadline = \"1h\"; from 1s to 7d"));
    None
}
