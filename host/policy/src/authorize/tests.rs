use std::sync::LazyLock;

use jiff::Timestamp;
use wardkeep_model::{Authenticated, Definition, Description, Effect, Principal};

use super::*;
use crate::{
    approval::{Approved, HostTerms},
    case::Confirming,
    component::Evidence,
    kill::Kills,
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
        authorize(&self.snapshot, &case(caller, now()), &self.tool, &arguments)
    }
}

fn now() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

/// A case in which nothing is stopped, and everybody can be asked.
fn case(principal: &Principal, now: Timestamp) -> Case<'_> {
    static NOTHING: LazyLock<Kills> = LazyLock::new(Kills::none);
    Case { principal, kills: &NOTHING, confirming: Confirming::default(), now }
}

fn caller(writes: bool, unconfirmed_writes: bool) -> Principal {
    let (name, groups) = ("user:me".into(), Vec::new());
    Principal {
        name,
        groups,
        authenticated: Authenticated::Stdio,
        writes,
        human: true,
        unconfirmed_writes,
        scopes: None,
        actors: Vec::new(),
    }
}

#[test]
fn a_tool_that_writes_is_listed_found_and_permitted_by_one_rule_and_to_nobody_else() {
    let (may_not, unconfirmed) = (Rule::CallerMayNotWrite, Rule::Unconfirmed);
    for (effect, confirm, reads, writes, writes_unconfirmed) in [
        (Effect::Read, "", None, None, None),
        (Effect::Write, "confirm = \"none\"\n", Some(may_not), Some(unconfirmed), None),
        (Effect::Write, "", Some(may_not), None, None),
        (Effect::Write, "confirm = \"client\"\n", Some(may_not), None, None),
        (Effect::Write, "confirm = \"operator\"\n", Some(may_not), None, None),
        (Effect::Destructive, "", Some(may_not), None, None),
        (Effect::Destructive, "confirm = \"operator\"\n", Some(may_not), None, None),
    ] {
        let served = Served::with(effect, confirm);
        let callers = [(caller(false, false), reads), (caller(false, true), reads)];
        let callers =
            callers.into_iter().chain([(caller(true, false), writes), (caller(true, true), writes_unconfirmed)]);
        for (caller, refused) in callers {
            let decided = served.decide(&caller, serde_json::json!({})).map(drop).map_err(|denial| denial.rule);
            assert_eq!(decided.err(), refused, "{effect} {confirm} {caller:?}");
            let found = served.snapshot.find(&case(&caller, now()), "x_create").map(drop).map_err(|denial| denial.rule);
            assert_eq!(found.err(), refused, "{effect} {confirm} {caller:?}");
            let listed = served.snapshot.list(&case(&caller, now())).count();
            assert_eq!(listed == 1, refused.is_none(), "{effect} {confirm} {caller:?}");
        }
    }
}

#[test]
fn a_write_that_is_refused_tells_the_operator_which_line_would_serve_it() {
    let told = |effect, terms, caller: &Principal| {
        Served::with(effect, terms).snapshot.find(&case(caller, now()), "x_create").unwrap_err().to_string()
    };
    assert_eq!(
        told(Effect::Write, "confirm = \"none\"\n", &caller(true, false)),
        "unconfirmed-writes: wardkeep.toml: unconfirmed_writes: `user:me` may not write without a confirmation\n  \
         mend: unconfirmed_writes = true at that caller"
    );
    let closed = Served::with(Effect::Write, "confirm = \"operator\"\n");
    let me = caller(true, true);
    let case = Case { confirming: Confirming::NOBODY, ..case(&me, now()) };
    assert_eq!(
        closed.snapshot.find(&case, "x_create").unwrap_err().to_string(),
        "nobody-confirms: m.toml:16: tools.create.confirm: a call of `user:me` needs an operator's yes, as the manifest \
         says, and the queue of approvals is closed\n  mend: wardkeep.toml: approvals = true in [confirmation]"
    );
}

/// Whose yes a call needs: what the manifest says, whether a person is there, and what the operator closes or forces.
#[test]
fn a_call_waits_for_the_person_only_where_there_is_one_and_else_for_the_operator_or_for_nobody() {
    use Confirmation::{Client, None as Nobody, Operator};
    let refused = Err(Rule::NobodyConfirms);
    let open = Confirming::default();
    let closed = Confirming { approvals: false, ..open };
    let forced = Confirming { destructive_by_operator: true, ..open };
    let (none, client, operator) = ("confirm = \"none\"\n", "confirm = \"client\"\n", "confirm = \"operator\"\n");
    for (effect, confirm, human, confirming, expected) in [
        (Effect::Read, "", false, Confirming::NOBODY, Ok(Nobody)),
        (Effect::Write, none, false, Confirming::NOBODY, Ok(Nobody)),
        (Effect::Write, client, true, open, Ok(Client)),
        (Effect::Write, "", true, forced, Ok(Client)),
        (Effect::Write, client, true, closed, Ok(Client)),
        (Effect::Write, client, true, Confirming { client: false, ..open }, Ok(Operator)),
        (Effect::Write, client, true, Confirming::NOBODY, refused),
        (Effect::Write, client, false, open, Ok(Operator)),
        (Effect::Write, client, false, closed, refused),
        (Effect::Write, operator, true, open, Ok(Operator)),
        (Effect::Write, operator, true, closed, refused),
        (Effect::Destructive, "", true, open, Ok(Client)),
        (Effect::Destructive, client, true, forced, Ok(Operator)),
        (Effect::Destructive, client, true, Confirming { approvals: false, ..forced }, refused),
        (Effect::Destructive, operator, true, open, Ok(Operator)),
    ] {
        let served = Served::with(effect, confirm);
        let me = Principal { human, ..caller(true, true) };
        let case = Case { confirming, ..case(&me, now()) };
        let arguments = served.tool.check(serde_json::Map::new()).unwrap();
        let decided = authorize(&served.snapshot, &case, &served.tool, &arguments);
        let decided = decided.map(|permit| permit.confirmation()).map_err(|denial| denial.rule);
        assert_eq!(decided, expected, "{effect} {confirm} {human} {confirming:?}");
        assert_eq!(served.snapshot.list(&case).count() == 1, expected.is_ok());
    }
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
