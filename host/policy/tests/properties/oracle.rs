//! The contract's words, read naively. Each function is a sentence or two of the contract, and calls nothing of the code under test.

use std::collections::BTreeSet;

use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};
use wardkeep_model::{Limits, Principal};

use crate::generated::{World, numbers, of_numbers};

/// "ends at the end of that day, UTC"
fn over(day: &str, now: Timestamp) -> bool {
    let day: Date = day.parse().unwrap();
    day.saturating_add(1.day()).to_zoned(TimeZone::UTC).unwrap().timestamp() <= now
}

/// "thresholds per effect, distinct people and not keys", "judged at decision time", and revoked keys do not count.
fn approved(world: &World, now: Timestamp) -> bool {
    let counts = |(person, second): &&(usize, bool)| {
        let in_time = world.not_after[*person].is_none_or(|day| !over(day, now));
        in_time && !world.revoked_keys.contains(&(*person, *second))
    };
    let people: BTreeSet<usize> = world.signers.iter().filter(counts).map(|(person, _)| *person).collect();
    people.len() >= usize::try_from(world.threshold).unwrap()
}

/// "Deny by default: a tool that is not listed is not served; one without `allow` may be called by nobody."
pub(crate) fn allows(world: &World, principal: &Principal, tool: &str, now: Timestamp) -> bool {
    let Some(tool) = world.tools.get(tool) else { return false };
    let named = tool.allow.iter().any(|entry| names(&format!("allow:{entry}"), principal));
    named
        && served(tool.class, principal)
        && !tool.off
        && !over(world.expires, now)
        && !over(world.trust_expires, now)
        && !world.component_revoked
        && approved(world, now)
}

/// "writes: an upper bound, never a grant"; "a write with `confirm = "none"` needs unconfirmed_writes"; whoever else needs a yes can be
/// asked in these worlds.
fn served((effect, confirm): (&str, &str), principal: &Principal) -> bool {
    match effect {
        "read" => true,
        _ => principal.writes && (!confirm.contains("none") || principal.unconfirmed_writes),
    }
}

/// "While a READ tool runs, only GET, HEAD and OPTIONS leave the host".
pub(crate) fn may_send(world: &World, tool: &str, method: &str) -> bool {
    let tool = &world.tools[tool];
    let granted = tool.uses.contains(&"http.api") && ["GET", "POST", "DELETE"].contains(&method);
    granted && (tool.class.0 != "read" || ["GET", "HEAD", "OPTIONS"].contains(&method))
}

/// Whether an entry of `allow`, as records spell it, means this principal.
pub(crate) fn names(rule: &str, principal: &Principal) -> bool {
    let entry = rule.strip_prefix("allow:").unwrap_or_default();
    match entry.strip_prefix("group:") {
        Some(group) => principal.groups.contains(&group.to_owned()),
        None => !entry.is_empty() && principal.name == entry,
    }
}

/// "a tool uses the ones it lists and holds no other"
pub(crate) fn grants(world: &World, tool: &str) -> BTreeSet<String> {
    let mut held = BTreeSet::new();
    for uses in &world.tools[tool].uses {
        held.insert(match *uses {
            "clock.now" => "clock".to_owned(),
            "random.any" => "random".to_owned(),
            "http.api" => "http api".to_owned(),
            // "A tool with effect = "read" only ever reads, whatever its grant says."
            "files.wiki" if world.tools[tool].class.0 != "read" => "files wiki Write".to_owned(),
            files => format!("files {} Read", files.strip_prefix("files.").unwrap()),
        });
    }
    if world.inert {
        held.insert("inert".to_owned());
    }
    held
}

/// "the host's ceiling applies too; a tool may lower or raise within it"; "the effective limit is the smaller of the two"
pub(crate) fn limits(world: &World, tool: &str) -> Limits {
    let (default, ceiling) = (numbers(&Limits::DEFAULT), numbers(&Limits::CEILING));
    of_numbers(std::array::from_fn(|at| {
        let asked = world.tools[tool].limits[at].or(world.plugin_limits[at]).unwrap_or(default[at]);
        asked.min(world.ceilings[at].unwrap_or(ceiling[at]))
    }))
}
