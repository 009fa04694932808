//! What the operator's file lets callers do: `[limits]` of `wardkeep.toml`. Upper bounds, as everything there.

use std::{collections::BTreeMap, num::NonZeroU32, time::Duration};

use wardkeep_policy::Rate;

/// How much one caller may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// Calls.
    pub rate: Rate,
    /// Of them such as change something.
    pub writes: Rate,
    /// Units of fuel, reserved as the limit of each call's tool and given back as far as a call did not use them.
    pub fuel_per_minute: u64,
    /// Calls at once.
    pub concurrency: u32,
}

impl Allowance {
    /// What an honest caller does not come near. It takes some processors to answer so many calls, and ten to use so much fuel; so many at
    /// once are half of what the host runs, each with as much fuel as any tool may have.
    pub const DEFAULT: Self =
        Self { rate: rate(1_000_000, 60), writes: rate(600, 60), fuel_per_minute: 4_000_000_000_000, concurrency: 128 };
}

/// How much callers may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowances {
    /// Each of them.
    pub each: Allowance,
    /// Those of whom the file says something else, by the principal's name.
    pub apart: BTreeMap<String, Allowance>,
    /// Calls at once of all together. None may hold more than what stays free, so one alone has half.
    pub calls: u32,
}

impl Allowances {
    /// Calls of all callers at once where the operator's file says nothing: four times what runs at once.
    pub const CALLS: u32 = 1_024;

    /// What this caller may do.
    #[must_use]
    pub fn of(&self, principal: &str) -> &Allowance {
        self.apart.get(principal).unwrap_or(&self.each)
    }
}

impl Default for Allowances {
    fn default() -> Self {
        Self { each: Allowance::DEFAULT, apart: BTreeMap::new(), calls: Self::CALLS }
    }
}

const fn rate(count: u32, seconds: u64) -> Rate {
    Rate { count: NonZeroU32::MIN.saturating_add(count - 1), per: Duration::from_secs(seconds) }
}
