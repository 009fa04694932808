//! One record as one line for people.

use std::time::Duration;

use jiff::Timestamp;
use wardkeep_audit::{About, Confirmed, Event, Means, Phase, Record, Revoked};
use wardkeep_model::{Blame, Egress, Note, NoteKind, Outcome};

use crate::screen::{Ink, Screen, escaped};

/// Time, what, how it ended, who, which call, details: everything of others escaped.
pub(super) fn line(screen: Screen, record: &Record) -> String {
    let time = record.time.strftime("%Y-%m-%d %H:%M:%S%.3f").to_string();
    let time = screen.paint(Ink::Dim, time);
    if let Some(event) = &record.event {
        return format!("{time}  {}  {}", screen.paint(Ink::Bold, format!("{:<18}", event.code())), event_text(event));
    }
    let (word, ink) = match (record.phase, record.outcome) {
        (Phase::Intent, _) => ("begins".to_owned(), Ink::Dim),
        (_, Some(outcome)) => (outcome.to_string(), ink(outcome)),
        (_, None) => (record.code.clone(), Ink::Dim),
    };
    let or_dash = |text: Option<&str>| text.map_or_else(|| "-".to_owned(), escaped);
    let mut line = format!(
        "{time}  {}  {:<24}  {:<16}",
        screen.paint(ink, format!("{word:<18}")),
        or_dash(record.tool.as_deref()),
        or_dash(record.user.as_deref()),
    );
    if let Some(id) = &record.correlation {
        line.push_str(&format!("  {}", screen.paint(Ink::Dim, id)));
    }
    if record.phase != Phase::Outcome
        && let Some(rule) = &record.rule
    {
        line.push_str(&format!("  by {}", escaped(rule)));
    }
    if record.phase != Phase::Outcome
        && let Some(Confirmed { by, how, approval, .. }) = &record.confirmed
    {
        let how = match how {
            Means::Client => "through the client",
            Means::Operator => "the operator",
        };
        let approval = approval.as_deref().map_or_else(String::new, |approval| format!(", {}", escaped(approval)));
        line.push_str(&format!("  confirmed by {} ({how}{approval})", escaped(by)));
    }
    if let Some(class) = &record.error_class {
        line.push_str(&format!("  {}", escaped(class)));
    }
    if let Some(elapsed) = record.elapsed_us {
        line.push_str(&format!("  {:?}", Duration::from_micros(elapsed)));
    }
    if let Some(fuel) = record.fuel {
        line.push_str(&format!("  fuel {fuel}"));
    }
    if let Some(count) = record.count {
        line.push_str(&format!("  {}", more(count, record.counted)));
    }
    if record.phase != Phase::Outcome
        && let Some(peer) = &record.peer
    {
        line.push_str(&format!("  from {}", escaped(peer)));
    }
    // what a call is about stands where it begins; how it went, where it ends
    if record.phase == Phase::Intent {
        line.push_str(&about(record));
    } else {
        line.push_str(&went(screen, record));
    }
    line.trim_end().to_owned()
}

/// How many a line counts besides the one whose id it has, and when those were: it is written later than they came.
fn more(count: u64, counted: Option<(Timestamp, Timestamp)>) -> String {
    let at = |time: Timestamp| time.strftime("%H:%M:%S%.3f");
    match (count, counted) {
        (1, Some((from, _))) => format!("1 more, at {}", at(from)),
        (_, Some((from, to))) => format!("{count} more, {} to {}", at(from), at(to)),
        (_, None) => format!("{count} more"),
    }
}

/// The resources that the manifest names: `/owner=acme`.
fn about(record: &Record) -> String {
    let named = |about: &About| Some(format!("  {}={}", escaped(about.place.as_deref()?), escaped(&about.id)));
    record.resources.iter().filter_map(named).collect()
}

/// What was claimed, where requests went, and what was tried or changed besides.
fn went(screen: Screen, record: &Record) -> String {
    let claimed = record.resources.iter().filter(|about| about.place.is_none());
    let mut text: String = claimed.map(|about| format!("  claims {}", escaped(&about.id))).collect();
    for Egress { host, requests, bytes_out, bytes_in } in &record.egress {
        text.push_str(&format!("  to {} ×{requests} ({bytes_out} B out, {bytes_in} B in)", escaped(host)));
    }
    for Note { kind, capability, detail, count } in &record.notes {
        let (word, ink) = match kind {
            NoteKind::Denied => ("denied", Ink::Bad),
            NoteKind::Exhausted => ("exhausted", Ink::Warning),
            NoteKind::Unavailable => ("unavailable", Ink::Warning),
            NoteKind::Altered => ("altered", Ink::Dim),
        };
        let times = if *count > 1 { format!(" ×{count}") } else { String::new() };
        text.push_str(&format!("  {} {}: {}{times}", screen.paint(ink, word), escaped(capability), escaped(detail)));
    }
    text
}

const fn ink(outcome: Outcome) -> Ink {
    match outcome.blame() {
        None => Ink::Good,
        Some(Blame::Caller) => Ink::Warning,
        Some(Blame::Plugin | Blame::Host) => Ink::Bad,
    }
}

fn event_text(event: &Event) -> String {
    match event {
        Event::Started { version } => format!("wardkeep {}", escaped(version)),
        Event::Stopped { reason } => escaped(reason),
        Event::PluginLoaded { plugin, version, serial, .. } => {
            format!("{plugin} {}, serial {serial}", escaped(version))
        }
        Event::PluginRejected { plugin, reason, .. } => format!("{}: {}", escaped(plugin), escaped(reason)),
        Event::ReloadRefused { reason } => escaped(reason),
        Event::PluginRemoved { plugin, reason } if reason.is_empty() => plugin.to_string(),
        Event::PluginRemoved { plugin, reason } => format!("{plugin}: {}", escaped(reason)),
        Event::Revoked { target: Revoked::Key(key), .. } => format!("key {}", escaped(key)),
        Event::Revoked { target: Revoked::Component(digest), .. } => format!("component {digest}"),
        Event::TrustAccepted { version, document } => format!("version {version}, {document}"),
        Event::StateReset { by, reason } => format!("by {}: {}", escaped(by), escaped(reason)),
        Event::TornTail { segment, line, bytes, .. } => format!("{}:{line}: {bytes} bytes cut", escaped(segment)),
        Event::Unfinished { correlation, tool, user } => {
            format!("{} by {}, call {correlation}: nobody knows how it ended", escaped(tool), escaped(user))
        }
        Event::ApprovalAsked { approval, correlation, tool, user, .. } => {
            format!("{}: {} for {}, call {correlation}", escaped(approval), escaped(tool), escaped(user))
        }
        Event::Approved { approval, tool, user, by, reason }
        | Event::ApprovalDenied { approval, tool, user, by, reason } => {
            let reason = if reason.is_empty() { String::new() } else { format!(": {}", escaped(reason)) };
            format!("{}: {} for {} by {}{reason}", escaped(approval), escaped(tool), escaped(user), escaped(by))
        }
        Event::ApprovalExpired { approval, tool, user } => {
            format!("{}: {} for {}", escaped(approval), escaped(tool), escaped(user))
        }
        Event::ApprovalWithdrawn { approval, tool, user, target } => {
            format!("{}: {} for {}, with {}", escaped(approval), escaped(tool), escaped(user), escaped(target))
        }
        Event::Killed { target, by, reason, until, .. } => {
            let until = until.map(|until| format!(" until {until}")).unwrap_or_default();
            format!("{}{until}, by {}: {}", escaped(target), escaped(by), escaped(reason))
        }
        Event::Revived { target, by, reason, .. } => {
            format!("{}, by {}: {}", escaped(target), escaped(by), escaped(reason))
        }
        Event::Braked { target, reason, until } => format!("{} until {until}: {}", escaped(target), escaped(reason)),
        Event::KeyMade { key, user, by } | Event::KeyRevoked { key, user, by } => {
            format!("{} for {}, by {}", escaped(key), escaped(user), escaped(by))
        }
        Event::SettingsChanged { changes } => escaped(&changes.join("; ")),
        Event::KillEnded { target, brake } => format!("{}{}", escaped(target), if *brake { " (brake)" } else { "" }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_counts_says_when_it_counted() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let (from, to) = (at("2026-11-23T08:59:59.5Z"), at("2026-11-23T09:00:09.25Z"));
        assert_eq!(more(232, Some((from, to))), "232 more, 08:59:59.500 to 09:00:09.250");
        assert_eq!(more(1, Some((from, from))), "1 more, at 08:59:59.500");
        assert_eq!(more(5, None), "5 more", "a line of an older log");
    }
}
