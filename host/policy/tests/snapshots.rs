//! A snapshot as a whole: how much it serves, and which plugin of it is out of service.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail")]

#[path = "home/common.rs"]
mod common;

use std::sync::Arc;

use common::{Surroundings, component, now, trust};
use jiff::Timestamp;
use wardkeep_model::{Digest, PluginName};
use wardkeep_policy::{PluginTerms, Remembered, Revocations, Rule, Snapshot, Trust};

const MANIFEST: &str = "format = 1\n[plugin]\nname = \"github\"\nversion = \"1.4.0\"\nserial = 7\nexpires = 2027-06-30\n\
    owner = \"me\"\n[component]\nfile = \"github.wasm\"\nsha256 = \"@component@\"\ncontract_sha256 = \"@contract@\"\n\
    [tools.search]\neffect = \"read\"\n[tools.list]\neffect = \"read\"\n";

fn plugin() -> Arc<PluginTerms> {
    let manifest = common::fill(MANIFEST.as_bytes());
    let surroundings = Surroundings::default();
    let approved = surroundings.approve(&manifest).unwrap_or_else(|faults| panic!("{faults}"));
    Arc::new(surroundings.with_component(approved).unwrap())
}

fn snapshot(plugin: &Arc<PluginTerms>, trust: &Trust, revocations: &Revocations) -> Snapshot {
    Snapshot::new(vec![plugin.clone()], trust, revocations).unwrap()
}

fn revoked() -> Revocations {
    let (digest, reason) = (Digest::of(b""), String::new());
    Revocations::from_iter([Remembered { digest, reason, keys: Vec::new(), components: vec![component()] }])
}

fn at(time: &str) -> Timestamp {
    time.parse().unwrap()
}

fn name(name: &str) -> PluginName {
    name.parse().unwrap()
}

#[test]
fn a_snapshot_counts_what_it_serves_and_finds_a_plugin_by_its_name() {
    let plugin = plugin();
    let snapshot = snapshot(&plugin, &trust(), &Revocations::default());
    assert_eq!((snapshot.plugin_count(), snapshot.tool_count()), (1, 2));
    assert!(snapshot.plugin(&name("github")).is_some_and(|found| Arc::ptr_eq(found, &plugin)));
    assert!(snapshot.plugin(&name("gitlab")).is_none());
    let empty = Snapshot::empty();
    assert_eq!((empty.plugin_count(), empty.tool_count()), (0, 0));
}

#[test]
fn a_plugin_is_out_of_service_for_the_rule_that_refuses_all_its_calls() {
    let plugin = plugin();
    let serving = snapshot(&plugin, &trust(), &Revocations::default());
    assert_eq!(serving.out_of_service(&name("github"), now()), None);
    assert_eq!(serving.out_of_service(&name("gitlab"), now()), Some(Rule::UnknownTool));
    assert_eq!(serving.out_of_service(&name("github"), at("2027-07-01T00:00:00Z")), Some(Rule::Expired));
    let after = snapshot(&plugin, &trust(), &revoked());
    assert_eq!(after.out_of_service(&name("github"), now()), Some(Rule::Revoked));
}
