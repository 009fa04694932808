use wardkeep_model::{Authenticated, Definition, Description, Effect};

use super::*;
use crate::{
    approval::{Approved, HostTerms},
    component::Evidence,
    manifest::Manifest,
    revocation::Revocations,
    signature::generate_key,
    trust::Trust,
};

/// A manifest with a writing tool does not parse in this host. If it did by mistake, no call would be let through all the same.
#[test]
fn a_writing_tool_is_denied_even_if_its_manifest_came_through() {
    let definition = Definition {
        name: "create".into(),
        title: None,
        description: String::new(),
        input_schema: r#"{"type":"object"}"#.into(),
        output_schema: None,
        effect: Effect::Write,
        idempotent: false,
        asks: Vec::new(),
    };
    let description = Description { name: "x".into(), version: "1.0.0".into(), tools: vec![definition] };
    let component = Digest::of(b"component");
    let text = format!(
        "format = 1\n[plugin]\nname = \"x\"\nversion = \"1.0.0\"\nserial = 1\nexpires = 2027-01-01\nowner = \"me\"\n\
         [component]\nfile = \"x.wasm\"\nsha256 = \"{component}\"\ncontract_sha256 = \"{}\"\n\
         [tools.create]\neffect = \"write\"\nside_effects = \"creates\"\nallow = [\"user:me\"]\n",
        description.contract_digest()
    );
    let (_, manifest, faults) = Manifest::parse_further("manifest.toml", text.as_bytes());
    assert_eq!(faults.len(), 1, "{faults}");
    let public = generate_key(&[1; 32], "").unwrap().public;
    let trust = format!("format = 1\nversion = 1\nexpires = 2027-01-01\n[approvers.a]\nkeys = [\"{public}\"]\n");
    let trust = Trust::parse("trust.toml", trust.as_bytes()).unwrap();
    let approved = Approved { manifest: Arc::new(manifest.unwrap()), signers: vec![public.parse().unwrap()] };
    let host = HostTerms { deployment: None, roots: std::collections::BTreeSet::new(), ceilings: Limits::CEILING };
    let evidence = Evidence { component, imports: &[], description: &description };
    let plugin = Arc::new(approved.with_component(evidence, &host, &Revocations::default()).unwrap());
    let snapshot = Snapshot::new(vec![plugin.clone()], &trust, &Revocations::default()).unwrap();
    let now = "2026-11-22T12:00:00Z".parse().unwrap();
    let tool = plugin.tools().next().unwrap();
    let arguments = tool.check(serde_json::Map::new()).unwrap();
    for (writes, rule) in [(false, Rule::CallerMayNotWrite), (true, Rule::EffectNotServed)] {
        let caller = Principal {
            name: "user:me".into(),
            groups: Vec::new(),
            authenticated: Authenticated::Stdio,
            writes,
            human: true,
            unconfirmed_writes: true,
        };
        assert_eq!(authorize(&snapshot, &caller, tool, &arguments, now).unwrap_err().rule, rule);
        assert_eq!(snapshot.list(&caller, now).count(), 0);
    }
}
