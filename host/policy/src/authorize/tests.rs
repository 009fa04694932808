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

/// A plugin of one tool, and what serves it.
struct Served {
    snapshot: Snapshot,
    tool: Arc<Tool>,
}

impl Served {
    /// `terms` are further lines of the tool's table.
    fn with(effect: Effect, terms: &str) -> Self {
        let definition = Definition {
            name: "create".into(),
            title: None,
            description: String::new(),
            input_schema: r#"{"type":"object"}"#.into(),
            output_schema: None,
            effect: Effect::Read,
            idempotent: false,
            asks: Vec::new(),
        };
        let description = Description { name: "x".into(), version: "1.0.0".into(), tools: vec![definition] };
        let component = Digest::of(b"component");
        let text = format!(
            "format = 1\n[plugin]\nname = \"x\"\nversion = \"1.0.0\"\nserial = 1\nexpires = 2027-01-01\nowner = \"me\"\n\
             [component]\nfile = \"x.wasm\"\nsha256 = \"{component}\"\ncontract_sha256 = \"{}\"\n\
             [tools.create]\neffect = \"{effect}\"\nside_effects = \"creates\"\nallow = [\"user:me\"]\n{terms}",
            description.contract_digest()
        );
        let manifest = Manifest::parse("m.toml", text.as_bytes()).unwrap_or_else(|faults| panic!("{faults}"));
        let public = generate_key(&[1; 32], "").unwrap().public;
        let trust = format!(
            "format = 1\nversion = 1\nexpires = 2027-01-01\n[approvers.a]\nkeys = [\"{public}\"]\n[thresholds]\ndestructive = 1\n"
        );
        let trust = Trust::parse("trust.toml", trust.as_bytes()).unwrap();
        let approved = Approved { manifest: Arc::new(manifest), signers: vec![public.parse().unwrap()] };
        let evidence = Evidence { component, imports: &[], description: &description };
        let plugin = approved.with_component(evidence, &HostTerms::default(), &Revocations::default()).unwrap();
        let plugin = Arc::new(plugin);
        let tool = plugin.tools().next().unwrap().clone();
        Self { snapshot: Snapshot::new(vec![plugin], &trust, &Revocations::default()).unwrap(), tool }
    }

    fn decide(&self, caller: &Principal, arguments: Value) -> Result<Permit, Denial> {
        let arguments = self.tool.check(arguments.as_object().unwrap().clone()).unwrap();
        authorize(&self.snapshot, caller, &self.tool, &arguments, now())
    }
}

fn now() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

fn caller(writes: bool, unconfirmed_writes: bool) -> Principal {
    let (name, groups) = ("user:me".into(), Vec::new());
    Principal { name, groups, authenticated: Authenticated::Stdio, writes, human: true, unconfirmed_writes }
}

#[test]
fn a_tool_that_writes_is_listed_found_and_permitted_by_one_rule_and_to_nobody_else() {
    let (may_not, unconfirmed, waits) = (Rule::CallerMayNotWrite, Rule::Unconfirmed, Rule::EffectNotServed);
    for (effect, confirm, reads, writes, writes_unconfirmed) in [
        (Effect::Read, "", None, None, None),
        (Effect::Write, "confirm = \"none\"\n", Some(may_not), Some(unconfirmed), None),
        (Effect::Write, "", Some(may_not), Some(waits), Some(waits)),
        (Effect::Write, "confirm = \"client\"\n", Some(may_not), Some(waits), Some(waits)),
        (Effect::Write, "confirm = \"operator\"\n", Some(may_not), Some(waits), Some(waits)),
        (Effect::Destructive, "", Some(may_not), Some(waits), Some(waits)),
        (Effect::Destructive, "confirm = \"operator\"\n", Some(may_not), Some(waits), Some(waits)),
    ] {
        let served = Served::with(effect, confirm);
        let callers = [(caller(false, false), reads), (caller(false, true), reads)];
        let callers =
            callers.into_iter().chain([(caller(true, false), writes), (caller(true, true), writes_unconfirmed)]);
        for (caller, refused) in callers {
            let decided = served.decide(&caller, serde_json::json!({})).map(drop).map_err(|denial| denial.rule);
            assert_eq!(decided.err(), refused, "{effect} {confirm} {caller:?}");
            let found = served.snapshot.find(&caller, "x_create", now()).map(drop).map_err(|denial| denial.rule);
            assert_eq!(found.err(), refused, "{effect} {confirm} {caller:?}");
            let listed = served.snapshot.list(&caller, now()).count();
            assert_eq!(listed == 1, refused.is_none(), "{effect} {confirm} {caller:?}");
        }
    }
}

#[test]
fn a_write_that_is_refused_tells_the_operator_which_line_would_serve_it() {
    let told = |effect, terms, caller: &Principal| {
        Served::with(effect, terms).snapshot.find(caller, "x_create", now()).unwrap_err().to_string()
    };
    assert_eq!(
        told(Effect::Write, "confirm = \"none\"\n", &caller(true, false)),
        "unconfirmed-writes: wardkeep.toml: `user:me` may not write without a confirmation; `unconfirmed_writes = true` at \
         that caller would change it"
    );
    assert_eq!(
        told(Effect::Write, "confirm = \"client\"\n", &caller(true, true)),
        "effect-not-served: m.toml:16: tools.create.confirm: waits for a confirmation that this host cannot ask for yet\n  \
         mend: confirm = \"none\" here, signed again, and unconfirmed_writes = true at this caller in wardkeep.toml would serve it \
         without"
    );
    assert_eq!(
        told(Effect::Destructive, "", &caller(true, true)),
        "effect-not-served: m.toml:13: tools.create.effect: a destructive tool waits for a confirmation that this host cannot \
         ask for yet"
    );
}

#[test]
fn arguments_that_name_what_is_not_listed_are_refused_and_only_recorded_places_are_told() {
    let only = "only = { \"/owner\" = [\"acme\"], \"/repo/name\" = [\"web\", \"api-*\"] }\nresources = [\"/owner\"]\n";
    let served = Served::with(Effect::Read, only);
    let me = caller(false, false);
    let permit = served.decide(&me, serde_json::json!({"owner": "acme", "repo": {"name": "api-v1"}})).unwrap();
    let owner = ("/owner".parse().unwrap(), "acme".to_owned());
    assert_eq!(permit.resources(), [owner]);
    let told = |arguments| served.decide(&me, arguments).map(drop).unwrap_err();
    for (arguments, detail) in [
        (
            serde_json::json!({"owner": "ev\nil", "repo": {"name": "web"}}),
            "m.toml:16: tools.create.only.\"/owner\": the call names `ev\\u{a}il`\n  mend: list it here, and sign again",
        ),
        (
            serde_json::json!({"owner": "acme", "repo": {"name": "evil"}}),
            "m.toml:16: tools.create.only.\"/repo/name\": the call names a value that is not listed, or none\n  \
             mend: list it here, and sign again",
        ),
        (
            serde_json::json!({"repo": {"name": "web"}}),
            "m.toml:16: tools.create.only.\"/owner\": the call names a value that is not listed, or none\n  \
             mend: list it here, and sign again",
        ),
    ] {
        let denial = told(arguments);
        assert_eq!((denial.rule, denial.detail.as_str()), (Rule::OnlyList, detail));
    }
}
