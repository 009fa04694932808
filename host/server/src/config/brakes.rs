//! `[brakes]`: when a caller or a plugin is stopped by itself. On without this table; what each number is for stands where the numbers do
//! (gateway, `BrakeTerms`) and in docs/operations.md.

use std::{num::NonZeroU32, ops::RangeInclusive, time::Duration};

use wardkeep_gateway::{BrakeTerms, Most};
use wardkeep_policy::document::{Item, Table};

/// Shorter, and a burst is a habit; longer, and a week's work is a burst.
const WINDOW: RangeInclusive<Duration> = Duration::from_secs(10)..=Duration::from_secs(86_400);
/// Whoever is to be stopped for longer is killed, by somebody who has looked.
const HOLD: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(7 * 86_400);
const COUNT: RangeInclusive<u32> = 1..=1_000_000;

pub(super) fn read(mut table: Table<'_>) -> Option<BrakeTerms> {
    let default = BrakeTerms::default();
    let enabled = table.optional("enabled").map_or(Some(default.enabled), |item| item.boolean());
    let window = table.optional("window").map_or(Some(default.window), |item| within(&item, &WINDOW, "10s to 1d"));
    let hold = table.optional("hold").map_or(Some(default.hold), |item| within(&item, &HOLD, "1s to 7d"));
    let caller = table.optional("caller").map_or(Some(default.caller), |item| most(item.table()?, default.caller));
    let plugin = table.optional("plugin").map_or(Some(default.plugin), |item| most(item.table()?, default.plugin));
    Some(BrakeTerms { enabled: enabled?, window: window?, hold: hold?, caller: caller?, plugin: plugin? })
}

fn within(item: &Item<'_>, range: &RangeInclusive<Duration>, words: &str) -> Option<Duration> {
    let duration = item.duration()?;
    if !range.contains(&duration) {
        item.fault("is outside of what makes sense here", Some(&format!("write {words}")));
        return None;
    }
    Some(duration)
}

fn most(mut table: Table<'_>, default: Most) -> Option<Most> {
    let mut count = |key: &'static str, default| match table.optional(key) {
        Some(item) => item.whole_u32(COUNT).and_then(NonZeroU32::new),
        None => Some(default),
    };
    let (denials, writes) = (count("denials", default.denials), count("writes", default.writes));
    Some(Most { denials: denials?, writes: writes? })
}
