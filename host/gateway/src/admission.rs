//! How often and how much: what a call has to pass before the host does any work for it. Rates of a caller, of a tool and of both together, a
//! caller's fuel, its calls at once, and the calls of all callers at once.
//!
//! All of them let a call in, or none of them counts it. It only counts: who may call is decided elsewhere, and how many calls of one tool,
//! one plugin and the whole host run at once is the sandbox's own admission. What is counted is kept over reloads, and lost with the process.

mod allowance;
mod bucket;
mod callers;
mod state;
mod throttled;
mod tools;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use wardkeep_model::{Effect, PluginName, ToolName, may_take};
use wardkeep_policy::{Rates, Tool};

pub use self::{
    allowance::{Allowance, Allowances},
    throttled::{Limit, Throttled},
};
use self::{
    bucket::Quota,
    callers::{Callers, Known},
    state::Entry,
    tools::Tools,
};

/// What a caller is told whom the host has no room for.
const RETRY_AFTER: Duration = Duration::from_secs(1);

const OVERLOAD: Throttled = Throttled { limit: Limit::Overload, retry_after: RETRY_AFTER };

/// What is counted of all callers and tools.
#[derive(Debug)]
pub(crate) struct Admission {
    /// The zero of the clock of all buckets.
    begun: Instant,
    callers: Callers,
    tools: Tools,
    /// Calls that the host has not answered.
    arrived: Arc<AtomicU32>,
}

/// What a call wants to be let in for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    plugin: &'a PluginName,
    tool: &'a ToolName,
    rates: Rates,
    /// Does the tool change anything.
    writes: bool,
    /// The most that it may use.
    fuel: u64,
    /// Is it a further leg of a call. Only the caller's own rate counts legs; the tool's rates and that of writes count calls, however often
    /// a person is asked in between.
    goes_on: bool,
}

impl<'a> Wanted<'a> {
    pub(crate) fn of(tool: &'a Tool, goes_on: bool) -> Self {
        Self {
            plugin: tool.plugin(),
            tool: tool.name(),
            rates: *tool.rate(),
            writes: tool.effect() != Effect::Read,
            fuel: tool.limits().fuel,
            goes_on,
        }
    }
}

/// A call that the host has taken on. Over when dropped.
#[derive(Debug)]
#[must_use = "a call is over when this is dropped"]
pub(crate) struct Arrived {
    known: Arc<Known>,
    all: Arc<AtomicU32>,
}

/// A call, or a leg of one, that was let in. It has ended when this is dropped; fuel of which nobody has said that it was used is given back.
#[derive(Debug)]
#[must_use = "a call has ended when this is dropped"]
pub(crate) struct Admitted {
    known: Arc<Known>,
    begun: Instant,
    reserved: u64,
}

impl Admission {
    pub(crate) fn new(begun: Instant) -> Self {
        Self { begun, callers: Callers::new(), tools: Tools::default(), arrived: Arc::default() }
    }

    /// Takes a call on, before anything is done for it, unless its caller has none left. A caller with nothing under way gets in where there
    /// is one place; one that has much must leave as much free, so that those who flood the host are turned away before those who do not.
    pub(crate) fn arrive(&self, principal: &str, allowances: &Allowances, now: Instant) -> Result<Arrived, Throttled> {
        let now = since(self.begun, now);
        let known = self.callers.known(principal, now).ok_or(OVERLOAD)?;
        let mut state = known.state();
        // asked again when it is let in; here a flood costs no other thread anything
        if let Some(retry_after) = state.exhausted(allowances.of(principal), now) {
            return Err(Throttled { limit: Limit::RateCaller, retry_after });
        }
        let own = state.arrived;
        let fits = |all: u32| {
            let free = allowances.calls.saturating_sub(all);
            may_take(own.into(), 1, free.into()).then_some(all + 1)
        };
        self.arrived.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).map_err(|_| OVERLOAD)?;
        state.arrived += 1;
        drop(state);
        Ok(Arrived { known, all: Arc::clone(&self.arrived) })
    }

    /// Counts a call that was refused before it could be let in, so that who asks without end for what there is not, or not for it, is soon told
    /// so at the door. By the caller's own rate alone: a tool's rate is for those who may call it.
    pub(crate) fn refused(&self, principal: &str, allowances: &Allowances, now: Instant) {
        let now = since(self.begun, now);
        if let Some(known) = self.callers.known(principal, now) {
            known.state().refused(allowances.of(principal), now);
        }
    }

    /// Whether its own rate lets nothing of this caller in now.
    pub(crate) fn is_exhausted(&self, principal: &str, allowances: &Allowances, now: Instant) -> bool {
        let now = since(self.begun, now);
        let exhausted = |known: Arc<Known>| known.state().exhausted(allowances.of(principal), now).is_some();
        self.callers.known(principal, now).is_none_or(exhausted)
    }

    /// Lets a call in, or one more leg of a call.
    pub(crate) fn enter(
        &self,
        principal: &str,
        wanted: Wanted<'_>,
        allowances: &Allowances,
        now: Instant,
    ) -> Result<Admitted, Throttled> {
        let now = since(self.begun, now);
        let Wanted { plugin, tool, rates, writes, fuel, goes_on } = wanted;
        let of_tool = (!rates.is_empty()).then(|| self.tools.of(plugin, tool));
        if rates.caller.is_some() && !self.callers.room_for_a_bucket(now) {
            return Err(OVERLOAD);
        }
        let known = self.callers.known(principal, now).ok_or(OVERLOAD)?;
        let mut state = known.state();
        let mut bucket = of_tool.as_ref().filter(|_| rates.tool.is_some()).map(|tool| tool.bucket());
        let entry = Entry {
            allowance: allowances.of(principal),
            writes,
            goes_on,
            fuel,
            own: of_tool.as_ref().and_then(|tool| Some((tool.id, Quota::from(rates.caller?)))),
            tool: bucket.as_deref_mut().and_then(|bucket| Some((bucket, Quota::from(rates.tool?)))),
        };
        let before = state.buckets();
        let reserved = state.enter(entry, now)?;
        self.callers.grew(before, state.buckets());
        drop((bucket, state));
        Ok(Admitted { known, begun: self.begun, reserved })
    }
}

impl Admitted {
    /// So much was used of what was reserved.
    pub(crate) fn used(&mut self, fuel: u64, now: Instant) {
        let reserved = std::mem::take(&mut self.reserved);
        self.known.state().used(reserved, fuel, since(self.begun, now));
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.known.state().leave(self.reserved);
    }
}

impl Drop for Arrived {
    fn drop(&mut self) {
        let mut state = self.known.state();
        state.arrived = state.arrived.saturating_sub(1);
        self.all.fetch_sub(1, Ordering::Relaxed);
    }
}

fn since(begun: Instant, now: Instant) -> u64 {
    u64::try_from(now.saturating_duration_since(begun).as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
