//! The contract's words, read naively. Each function is a sentence or two of the contract, and calls nothing of the code under test.

use std::collections::BTreeSet;

use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};
use wardkeep_model::{Limits, Principal, Scopes};

use crate::generated::{Call, World, numbers, of_numbers};

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

/// The contract's sentences in the order of `docs/callers.md`, "How a call is decided", each with its rule. The first that holds refuses;
/// otherwise it is said who is still to be asked.
pub(crate) fn verdict(world: &World, call: &Call) -> Result<&'static str, &'static str> {
    let Call { principal, tool: name, now, .. } = call;
    let Some(tool) = world.tools.get(name.as_str()) else { return Err("unknown-tool") };
    let listed = |groups: &[&str]| principal.groups.iter().any(|group| groups.contains(&group.as_str()));
    let (effect, confirm) = (tool.class.0, confirms(tool.class));
    // "a client without a person behind it, and where the operator has destructive tools wait for him"
    let by_operator = confirm == "operator"
        || effect == "destructive" && call.confirming.destructive_by_operator
        || confirm == "client" && !(principal.human && call.confirming.client);
    let refusals = [
        ("killed", stopped(call, effect)),
        ("trust-expired", over(world.trust_expires, *now)),
        ("revoked", world.component_revoked),
        ("expired", over(world.expires, *now)),
        ("not-approved", !approved(world, *now)),
        ("stage-off", tool.stage == "off"),
        ("stage-pilot", tool.stage == "pilot" && !listed(&tool.pilots)),
        ("not-allowed", !tool.allow.iter().any(|entry| names(&format!("allow:{entry}"), principal))),
        ("caller-may-not-write", effect != "read" && !principal.writes),
        ("unconfirmed-writes", effect != "read" && confirm == "none" && !principal.unconfirmed_writes),
        ("nobody-confirms", effect != "read" && by_operator && !call.confirming.approvals),
        ("scope", principal.scopes.is_some_and(|scopes| !held(scopes).contains(&format!("tools:{effect}")))),
    ];
    match refusals.into_iter().find(|(_, refuses)| *refuses) {
        Some((rule, _)) => Err(rule),
        None if effect == "read" || confirm == "none" => Ok("none"),
        None if by_operator => Ok("operator"),
        None => Ok("client"),
    }
}

/// "an absent `confirm` on a write means client"
fn confirms((effect, written): (&str, &str)) -> &'static str {
    match written {
        _ if effect == "read" => "none",
        text if text.contains("none") => "none",
        text if text.contains("operator") => "operator",
        _ => "client",
    }
}

fn held(scopes: Scopes) -> Vec<String> {
    let Scopes { read, write, destructive } = scopes;
    let named = [(read, "tools:read"), (write, "tools:write"), (destructive, "tools:destructive")];
    named.into_iter().filter(|(held, _)| *held).map(|(_, name)| name.to_owned()).collect()
}

/// "all | writes | plugin:NAME | tool:NAME | caller:NAME", for as long as it says; a caller also where it acts for another.
fn stopped(call: &Call, effect: &str) -> bool {
    let Call { principal, tool, now, kills, .. } = call;
    let mut targets = vec!["all".to_owned(), "plugin:github".to_owned(), format!("tool:github_{tool}")];
    targets.extend((effect != "read").then(|| "writes".to_owned()));
    targets.extend(principal.actors.iter().chain([&principal.name]).map(|name| format!("caller:{name}")));
    kills.iter().any(|kill| targets.contains(&kill.target.to_string()) && kill.until.is_none_or(|until| *now < until))
}

/// "missing, null, number or object refuses"; the one argument of these calls is `x`.
pub(crate) fn lists(world: &World, tool: &str) -> bool {
    world.tools[tool].only.is_none_or(|only| only == "x" || only == "*")
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
