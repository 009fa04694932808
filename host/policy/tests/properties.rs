//! Decisions about manifests that nobody has thought of: each is made again by an oracle that knows the contract's words and nothing
//! of the code, and the two must agree. So nothing is permitted that the manifest does not name, and no limit grows.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail")]

#[path = "home/common.rs"]
mod common;
#[path = "properties/generated.rs"]
mod generated;
#[path = "properties/oracle.rs"]
mod oracle;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use generated::{Call, World, call, limits_world, world};
use proptest::{prelude::*, strategy::ValueTree as _, test_runner::TestRunner};
use serde_json::{Map, json};
use wardkeep_model::{Limits, Method, Scopes};
use wardkeep_policy::{Arguments, Confirmation, Permit, Snapshot, Tool, authorize, explain, kill::Kill};

/// A case of which the generated documents are sound: the snapshot that the host would serve.
fn snapshot(world: &World) -> Snapshot {
    let terms = world.load().unwrap_or_else(|faults| panic!("{faults}\n{}", world.manifest()));
    Snapshot::new(vec![Arc::new(terms)], &world.trust(), &world.revocations()).unwrap()
}

fn arguments(tool: &Tool) -> Arguments {
    tool.check(Map::from_iter([("q".into(), json!("x"))])).unwrap()
}

fn tool(snapshot: &Snapshot, name: &str) -> Option<Arc<Tool>> {
    snapshot.plugins().flat_map(|plugin| plugin.tools()).find(|tool| tool.name().as_str() == name).cloned()
}

/// What the permit holds, in the words of the manifest.
fn held(permit: &Permit) -> BTreeSet<String> {
    let grants = permit.grants();
    let files = grants.files.iter().map(|grant| format!("files {} {:?}", grant.root, grant.access));
    let plain = [(grants.clock, "clock"), (grants.random, "random"), (grants.wasi_inert, "inert")];
    let http = grants.http.iter().map(|grant| format!("http {}", grant.name));
    files.chain(http).chain(plain.into_iter().filter(|(is, _)| *is).map(|(_, name)| name.to_owned())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn list_find_authorize_and_why_say_what_the_contract_says(world in world(), calls in calls()) {
        let snapshot = snapshot(&world);
        for call in &calls {
            let name = call.tool.as_str();
            let (published, expected) = (format!("github_{name}"), oracle::verdict(&world, call));
            let given = Map::from_iter([("q".into(), json!("x"))]);
            let (found, listed, why, why_so) = call.case(|case| (
                snapshot.find(case, &published).map(drop).map_err(|denial| denial.rule.as_str()),
                snapshot.list(case).filter(|tool| tool.published().as_str() == published).count(),
                explain(&snapshot, case, &published, None),
                explain(&snapshot, case, &published, Some(given)),
            ));
            prop_assert_eq!(found.err(), expected.err(), "{:?}", call);
            prop_assert_eq!(listed, usize::from(expected.is_ok()));
            prop_assert_eq!(why.refusal(), expected.err());
            prop_assert_eq!(why.confirmation.map(Confirmation::as_str), expected.ok());
            let Some(tool) = tool(&snapshot, name) else {
                prop_assert!(!world.lists(name), "a tool that the manifest lists is gone");
                continue;
            };
            let decided = call.case(|case| authorize(&snapshot, case, &tool, &arguments(&tool)));
            let refused = expected.err().or((!oracle::lists(&world, name)).then_some("resource-not-allowed"));
            prop_assert_eq!(decided.as_ref().err().map(|denial| denial.rule.as_str()), refused, "{:?}", call);
            prop_assert_eq!(why_so.refusal(), refused);
            if let Ok(permit) = decided {
                prop_assert_eq!(permit.tool().name().as_str(), name);
                prop_assert_eq!(Ok(permit.confirmation().as_str()), expected);
                prop_assert_eq!(held(&permit), oracle::grants(&world, name));
                prop_assert!(oracle::names(permit.rule(), &call.principal), "{}", permit.rule());
                for method in Method::ALL {
                    let sends = permit.requests().iter().any(|rule| rule.allows(method) && !rule.paths.is_empty());
                    prop_assert_eq!(sends, oracle::may_send(&world, name, method.as_str()), "{}", method);
                }
                let paths = permit.requests().iter().flat_map(|rule| &rule.paths).map(ToString::to_string);
                prop_assert!(paths.into_iter().all(|path| path == "/x/" || path == "=/all"));
                prop_assert_eq!(permit.resources(), [("/q".parse().unwrap(), "x".to_owned())]);
                prop_assert_eq!(permit.resources(), why_so.resources);
            }
        }
    }

    #[test]
    fn nothing_widens_by_a_kill_or_by_a_scope_a_group_a_flag_or_a_queue_that_is_taken_away(
        world in world(), calls in calls(), more in generated::kill()
    ) {
        let snapshot = snapshot(&world);
        for call in &calls {
            let Some(tool) = tool(&snapshot, &call.tool) else { continue };
            let decide = |call: &Call| {
                let decided = call.case(|case| authorize(&snapshot, case, &tool, &arguments(&tool)));
                decided.ok().map(|permit| strength(permit.confirmation()))
            };
            let whole = decide(call);
            for (what, less) in narrower(call, &more) {
                if let Some(less) = decide(&less) {
                    // What is still permitted was so before, and waits for nobody milder than before.
                    prop_assert!(whole.is_some_and(|whole| whole <= less), "{}: {:?} {:?}", what, whole, less);
                }
            }
        }
    }

    #[test]
    fn arguments_that_another_tool_s_schema_has_let_through_permit_nothing(world in world(), calls in calls()) {
        let snapshot = snapshot(&world);
        let tools: Vec<_> = snapshot.plugins().flat_map(|plugin| plugin.tools()).cloned().collect();
        for call in &calls {
            for tool in &tools {
                for other in tools.iter().filter(|other| !Arc::ptr_eq(other, tool)) {
                    let call = Call { tool: tool.name().to_string(), ..call.clone() };
                    let decided = call.case(|case| authorize(&snapshot, case, tool, &arguments(other)));
                    let rule = decided.map(drop).unwrap_err().rule;
                    let expected = oracle::verdict(&world, &call).err().unwrap_or("unchecked-arguments");
                    prop_assert_eq!(rule.as_str(), expected);
                }
            }
        }
    }

    #[test]
    fn no_limit_grows_beyond_what_the_manifest_asks_and_the_operator_allows(world in limits_world()) {
        let snapshot = snapshot(&world);
        for tool in snapshot.plugins().flat_map(|plugin| plugin.tools()) {
            let expected = oracle::limits(&world, tool.name().as_str());
            prop_assert_eq!(tool.limits(), &expected);
            for (name, held, most) in generated::rows(tool.limits(), &world.ceilings()) {
                prop_assert!(held <= most, "{}: {} of {}", name, held, most);
            }
            if world.ceilings_are_default() {
                for (name, held, most) in generated::rows(tool.limits(), &Limits::CEILING) {
                    prop_assert!(held <= most, "{}: {} of {}", name, held, most);
                }
            }
        }
    }
}

/// What the oracle is never asked is not tested.
#[test]
fn the_worlds_at_random_meet_every_rule_and_every_confirmation() {
    let mut runner = TestRunner::deterministic();
    let mut met: BTreeMap<&str, usize> = BTreeMap::new();
    for _ in 0..400 {
        let (world, calls) = (world(), calls()).new_tree(&mut runner).unwrap().current();
        for call in &calls {
            let (Ok(verdict) | Err(verdict)) = oracle::verdict(&world, call);
            *met.entry(verdict).or_default() += 1;
        }
    }
    let rules = "unknown-tool killed trust-expired revoked expired not-approved stage-off stage-pilot not-allowed \
                 caller-may-not-write unconfirmed-writes nobody-confirms scope none client operator";
    for rule in rules.split(' ') {
        assert!(met.get(rule).is_some_and(|times| *times >= 25), "{rule}: {met:?}");
    }
}

const fn strength(confirmation: Confirmation) -> u8 {
    match confirmation {
        Confirmation::None => 0,
        Confirmation::Client => 1,
        Confirmation::Operator => 2,
    }
}

/// The same call with one thing less, or one more that stops it.
fn narrower(call: &Call, kill: &Kill) -> Vec<(&'static str, Call)> {
    let mut all = Vec::new();
    let mut add = |what, change: &dyn Fn(&mut Call)| {
        let mut less = call.clone();
        change(&mut less);
        all.push((what, less));
    };
    add("a kill", &|call| call.kills.push(kill.clone()));
    add("a longer kill", &|call| call.kills.iter_mut().for_each(|kill| kill.until = None));
    add("no client", &|call| call.confirming.client = false);
    add("no queue", &|call| call.confirming.approvals = false);
    add("destructive by the operator", &|call| call.confirming.destructive_by_operator = true);
    add("no writes", &|call| call.principal.writes = false);
    add("no person", &|call| call.principal.human = false);
    add("no unconfirmed writes", &|call| call.principal.unconfirmed_writes = false);
    add("an actor", &|call| call.principal.actors.push("service:bot".into()));
    for index in 0..call.principal.groups.len() {
        add("a group less", &|call| drop(call.principal.groups.remove(index)));
    }
    for scope in 0..3 {
        add("a scope less", &|call| {
            let mut scopes = call.principal.scopes.unwrap_or(Scopes::ALL);
            *[&mut scopes.read, &mut scopes.write, &mut scopes.destructive][scope] = false;
            call.principal.scopes = Some(scopes);
        });
    }
    all
}

fn calls() -> impl Strategy<Value = Vec<Call>> {
    prop::collection::vec(call(), 8)
}
