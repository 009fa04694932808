//! Whether writes are rolled out with care: whether a plugin was watched before its writes are for everyone, which the audit log tells, and
//! whether anybody may call them at all. For `wardkeep check`.
//!
//! Warnings only. Nothing is decided by how long a log is: whoever wants a write to wait says so with `stage`.

use std::{collections::BTreeMap, path::Path};

use jiff::{Timestamp, ToSpan};
use wardkeep_audit::{Phase, Record, scan};
use wardkeep_gateway::{Callers, IssuerTerms};
use wardkeep_model::{Effect, Outcome, PluginName, Principal};
use wardkeep_policy::{
    Confirm, Fault, Manifest,
    manifest::{Stage, ToolTerms},
};

/// So many answered calls show what a plugin does.
const CALLS: u64 = 100;
/// Or so many days since the first of them.
const DAYS: i64 = 7;

/// What the log holds of one plugin.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Watched {
    calls: u64,
    first: Option<Timestamp>,
}

impl Watched {
    fn add(&mut self, time: Timestamp) {
        self.calls += 1;
        self.first = Some(self.first.map_or(time, |first| first.min(time)));
    }

    fn is_enough(&self, now: Timestamp) -> bool {
        let days = |first: Timestamp| first.checked_add((DAYS * 24).hours()).is_ok_and(|end| end <= now);
        self.calls >= CALLS || self.first.is_some_and(days)
    }
}

/// A warning for each tool that writes for everyone, of a plugin that was not watched before.
pub(crate) fn unwatched<'m>(log: &Path, manifests: impl Iterator<Item = &'m Manifest>, now: Timestamp) -> Vec<Fault> {
    let writing: BTreeMap<&PluginName, &Manifest> = manifests
        .filter(|manifest| writes(manifest).next().is_some())
        .map(|manifest| (manifest.name(), manifest))
        .collect();
    if writing.is_empty() {
        return Vec::new();
    }
    let watched = watch(log, &writing, now);
    let untried = writing.values().filter_map(|manifest| {
        let watched = watched.get(manifest.name()).copied().unwrap_or_default();
        (!watched.is_enough(now)).then(|| writes(manifest).map(move |tool| warning(manifest, tool, watched)))
    });
    untried.flatten().collect()
}

/// Tools that write and that no caller of the operator's file may call, whoever `allow` names.
pub(crate) fn unserved(manifest: &Manifest, callers: &Callers) -> Vec<Fault> {
    let some = |may: fn(&Principal) -> bool| {
        callers.stdio.iter().chain(callers.keys.iter().map(|key| &key.principal)).any(may)
    };
    let by_token = |may: fn(&IssuerTerms) -> bool| callers.oauth.terms().any(may);
    let confirmed = some(|who| who.writes) || by_token(|terms| terms.writes);
    let unconfirmed =
        some(|who| who.writes && who.unconfirmed_writes) || by_token(|terms| terms.writes && terms.unconfirmed_writes);
    let told = |tool: &ToolTerms| {
        let (served, how, mend) = match tool.confirm {
            Confirm::None => (unconfirmed, "write without a confirmation", "writes = true\nunconfirmed_writes = true"),
            Confirm::Client | Confirm::Operator => (confirmed, "write", "writes = true"),
        };
        let message = format!("served to nobody: no caller in wardkeep.toml may {how}");
        let fault = manifest.fault(&format!("tools.{}.confirm", tool.name), message);
        (!served).then(|| fault.mend(format!("at a caller in wardkeep.toml:\n{mend}")))
    };
    let tools = manifest.tools().values();
    tools.filter(|tool| tool.effect != Effect::Read && tool.stage != Stage::Off).filter_map(told).collect()
}

/// Tools that write, at the stage of everyone.
fn writes(manifest: &Manifest) -> impl Iterator<Item = &ToolTerms> {
    manifest.tools().values().filter(|tool| tool.effect != Effect::Read && tool.stage == Stage::General)
}

/// Reads the log until it has seen enough of each. A log that cannot be read is told elsewhere, and shows nothing here.
fn watch<'m>(
    log: &Path,
    writing: &BTreeMap<&'m PluginName, &Manifest>,
    now: Timestamp,
) -> BTreeMap<&'m PluginName, Watched> {
    let mut watched: BTreeMap<&PluginName, Watched> = BTreeMap::new();
    let Ok(records) = scan(log) else { return watched };
    for record in records.map_while(Result::ok) {
        let Some((name, manifest)) = about(&record, writing) else { continue };
        if shows(&record, manifest) {
            watched.entry(name).or_default().add(record.time);
            if watched.len() == writing.len() && watched.values().all(|watched| watched.is_enough(now)) {
                break;
            }
        }
    }
    watched
}

fn about<'w, 'm>(
    record: &Record,
    writing: &'w BTreeMap<&'m PluginName, &Manifest>,
) -> Option<(&'m PluginName, &'w Manifest)> {
    let plugin = record.plugin.as_ref()?;
    writing.iter().find(|(name, _)| name.as_str() == plugin).map(|(name, manifest)| (*name, *manifest))
}

/// An answered call of a tool that reads; where a plugin has none, of any of its tools, which were piloted then.
fn shows(record: &Record, manifest: &Manifest) -> bool {
    let answered = record.phase == Phase::Outcome && record.outcome == Some(Outcome::Ok);
    let reads = |tool: &ToolTerms| tool.effect == Effect::Read;
    let called = |tool: &ToolTerms| record.tool.as_deref() == Some(tool.published.as_str());
    let mut tools = manifest.tools().values();
    answered && (tools.any(|tool| reads(tool) && called(tool)) || !manifest.tools().values().any(reads))
}

fn warning(manifest: &Manifest, tool: &ToolTerms, watched: Watched) -> Fault {
    let seen = match watched {
        Watched { calls: 0, .. } => "no answered read".to_owned(),
        Watched { calls: 1, .. } => "one answered read".to_owned(),
        Watched { calls, .. } => format!("{calls} answered reads"),
    };
    let message = format!(
        "writes for everyone in `allow`, and the audit log holds {seen} of this plugin: {CALLS}, or the first {DAYS} days ago, \
         would show what it does"
    );
    manifest
        .fault(&format!("tools.{}.stage", tool.name), message)
        .mend("until then:\nstage = \"pilot\"\npilot_groups = [\"platform\"]")
}

#[cfg(test)]
mod tests;
