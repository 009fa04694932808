//! A snapshot as a whole: how much it serves, which plugin of it is out of service, and which running calls may go on.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail")]

#[path = "home/common.rs"]
mod common;

use std::sync::Arc;

use common::{Surroundings, component, now, trust};
use jiff::Timestamp;
use wardkeep_model::{Digest, PluginName};
use wardkeep_policy::{PluginTerms, PublicKey, Remembered, Revocations, Rule, Snapshot, Trust};

const MANIFEST: &str = "format = 1\n[plugin]\nname = \"github\"\nversion = \"1.4.0\"\nserial = 7\nexpires = 2027-06-30\n\
    owner = \"me\"\n[component]\nfile = \"github.wasm\"\nsha256 = \"@component@\"\ncontract_sha256 = \"@contract@\"\n\
    [tools.search]\neffect = \"read\"\n[tools.list]\neffect = \"read\"\n";

fn plugin() -> Arc<PluginTerms> {
    signed_by("")
}

fn signed_by(signers: &str) -> Arc<PluginTerms> {
    let manifest = common::fill(format!("{signers}{MANIFEST}").as_bytes());
    let surroundings = Surroundings::of(&manifest);
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

#[test]
fn a_running_call_is_judged_by_its_own_signers_and_not_by_those_of_what_took_its_place() {
    let (running, newer) = (signed_by("#! signers = [1]\n"), signed_by("#! signers = [2]\n"));
    let alice: PublicKey = common::key(1).public.parse().unwrap();
    let keys = vec![alice.fingerprint().to_owned()];
    let (digest, reason, components) = (Digest::of(b""), String::new(), Vec::new());
    let revocations = Revocations::from_iter([Remembered { digest, reason, keys, components }]);
    let serving = snapshot(&newer, &trust(), &revocations);
    assert_eq!(serving.objection(&running, now()), Some(Rule::NotApproved));
    assert_eq!(serving.objection(&newer, now()), None);
}
