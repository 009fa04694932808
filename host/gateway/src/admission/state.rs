//! What is counted of one caller, and the one check of all its limits: all of them let a call in, or none counts it.

use std::time::Duration;

use super::{
    Allowance, Limit, Throttled,
    bucket::{Bucket, Quota},
    tools::ToolId,
};

/// What a caller is told whose own calls are in its way: about one call's time.
const MOMENT: Duration = Duration::from_secs(1);

/// What is counted of one caller.
#[derive(Debug)]
pub(super) struct State {
    /// Calls that the host has not answered.
    pub(super) arrived: u32,
    /// Of them those that were let in.
    running: u32,
    /// Fuel that calls may still use.
    reserved: u64,
    calls: Bucket,
    writes: Bucket,
    /// Fuel that calls have used.
    fuel: Bucket,
    /// Of tools with a rate for each caller. Few, so they are looked through.
    tools: Vec<(ToolId, Bucket)>,
}

/// A call that wants in.
pub(super) struct Entry<'a> {
    pub(super) allowance: &'a Allowance,
    /// Does its tool change anything.
    pub(super) writes: bool,
    /// Goes it on with a call that was counted when it began: then only what any leg costs is counted.
    pub(super) goes_on: bool,
    /// The most that it can use.
    pub(super) fuel: u64,
    /// The tool's rate for each caller.
    pub(super) own: Option<(ToolId, Quota)>,
    /// The tool's rate for all of them.
    pub(super) tool: Option<(&'a mut Bucket, Quota)>,
}

impl State {
    pub(super) const fn new() -> Self {
        Self {
            arrived: 0,
            running: 0,
            reserved: 0,
            calls: Bucket::EMPTY,
            writes: Bucket::EMPTY,
            fuel: Bucket::EMPTY,
            tools: Vec::new(),
        }
    }

    /// Lets a call in and says how much fuel is reserved for it, or says which limit keeps it longest, and counts nothing.
    pub(super) fn enter(&mut self, entry: Entry<'_>, now: u64) -> Result<u64, Throttled> {
        let Entry { allowance, writes, goes_on, fuel, own, tool } = entry;
        let known = own.and_then(|(id, _)| self.tools.iter().position(|(of, _)| *of == id));
        let mut first = Bucket::EMPTY;
        let own_bucket = match known.and_then(|at| self.tools.get_mut(at)) {
            Some((_, bucket)) => bucket,
            None => &mut first,
        };
        let counted = |bucket| (!goes_on).then_some(bucket);
        let mut buckets = [
            Some((Limit::RateCaller, &mut self.calls, Quota::from(allowance.rate))),
            writes.then_some((Limit::RateWrites, &mut self.writes, Quota::from(allowance.writes))).and_then(counted),
            own.map(|(_, quota)| (Limit::RateCallerTool, own_bucket, quota)).and_then(counted),
            tool.map(|(bucket, quota)| (Limit::RateTool, bucket, quota)).and_then(counted),
        ];
        let mut longest: Option<Throttled> = None;
        let mut over = |limit, retry_after| {
            if longest.is_none_or(|longest| longest.retry_after < retry_after) {
                longest = Some(Throttled { limit, retry_after });
            }
        };
        for (limit, bucket, quota) in buckets.iter_mut().flatten() {
            bucket.settle(now, *quota);
            if let Some(wait) = bucket.wait(1, *quota) {
                over(*limit, wait);
            }
        }
        if self.running >= allowance.concurrency {
            over(Limit::CallerConcurrency, MOMENT);
        }
        let budget = Quota::a_minute(allowance.fuel_per_minute);
        // what no budget holds runs alone, and is paid for afterwards
        let wanted = fuel.min(budget.most());
        self.fuel.settle(now, budget);
        if self.fuel.wait(wanted.saturating_add(self.reserved), budget).is_some() {
            over(Limit::FuelBudget, self.fuel.wait(wanted, budget).unwrap_or(MOMENT).max(MOMENT));
        }
        if let Some(throttled) = longest {
            return Err(throttled);
        }
        for (_, bucket, _) in buckets.iter_mut().flatten() {
            bucket.fill(1);
        }
        if let (Some((id, _)), None, false) = (own, known, goes_on) {
            // what is empty by now is as good as forgotten
            self.tools.retain(|(_, bucket)| !bucket.is_empty(now));
            // most have one or two; room for four would be most of what a caller takes
            self.tools.reserve_exact(1);
            self.tools.push((id, first));
        }
        self.running += 1;
        self.reserved = self.reserved.saturating_add(wanted);
        Ok(wanted)
    }

    /// How long its own rate lets nothing in, if it does now.
    pub(super) fn exhausted(&mut self, allowance: &Allowance, now: u64) -> Option<Duration> {
        let quota = Quota::from(allowance.rate);
        self.calls.settle(now, quota);
        self.calls.wait(1, quota)
    }

    /// Counts a call that never gets in. More of them than fit may have come at once; each is paid for.
    pub(super) fn refused(&mut self, allowance: &Allowance, now: u64) {
        self.calls.settle(now, Quota::from(allowance.rate));
        self.calls.fill(1);
    }

    /// Takes what a call has used in place of what was reserved for it.
    pub(super) fn used(&mut self, reserved: u64, fuel: u64, now: u64) {
        self.reserved = self.reserved.saturating_sub(reserved);
        self.fuel.drain_to(now);
        self.fuel.fill(fuel);
    }

    /// A call that was let in has ended.
    pub(super) fn leave(&mut self, reserved: u64) {
        self.reserved = self.reserved.saturating_sub(reserved);
        self.running = self.running.saturating_sub(1);
    }

    /// How many tools it has buckets of.
    pub(super) fn buckets(&self) -> usize {
        self.tools.len()
    }

    /// Forgets what is as if it had never been. Whether that is all of it.
    pub(super) fn forget(&mut self, now: u64) -> bool {
        self.tools.retain(|(_, bucket)| !bucket.is_empty(now));
        self.tools.shrink_to_fit();
        let idle = self.arrived == 0 && self.running == 0 && self.reserved == 0;
        idle && self.tools.is_empty() && [self.calls, self.writes, self.fuel].iter().all(|bucket| bucket.is_empty(now))
    }
}
