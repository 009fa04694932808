//! Decisions about manifests that nobody has thought of: each is made again by an oracle that knows the contract's words and nothing
//! of the code, and the two must agree. So nothing is permitted that the manifest does not name, and no limit grows.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail")]

#[path = "home/common.rs"]
mod common;
#[path = "properties/generated.rs"]
mod generated;
#[path = "properties/oracle.rs"]
mod oracle;

use std::{collections::BTreeSet, sync::Arc};

use common::case;
use generated::{Call, World, call, limits_world, world};
use proptest::prelude::*;
use serde_json::{Map, json};
use wardkeep_model::{Limits, Method};
use wardkeep_policy::{Arguments, Permit, Rule, Snapshot, Tool, authorize};

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
    fn a_call_is_permitted_exactly_where_every_rule_of_the_contract_allows_it(world in world(), calls in calls()) {
        let snapshot = snapshot(&world);
        for Call { principal, tool: name, now } in &calls {
            let expected = oracle::allows(&world, principal, name, *now);
            let Some(tool) = tool(&snapshot, name) else {
                prop_assert!(!world.lists(name), "a tool that the manifest lists is gone");
                let refused = snapshot.find(&case(principal, *now), &format!("github_{name}")).map(drop);
                prop_assert_eq!(refused.unwrap_err().rule, Rule::UnknownTool);
                continue;
            };
            let decided = authorize(&snapshot, &case(principal, *now), &tool, &arguments(&tool));
            prop_assert_eq!(decided.is_ok(), expected, "{:?} at {} by {:?}", decided, now, principal);
            prop_assert_eq!(snapshot.find(&case(principal, *now), tool.published().as_str()).is_ok(), expected);
            prop_assert_eq!(snapshot.list(&case(principal, *now)).any(|listed| Arc::ptr_eq(listed, &tool)), expected);
            if let Ok(permit) = decided {
                prop_assert_eq!(permit.tool().name().as_str(), name);
                prop_assert_eq!(held(&permit), oracle::grants(&world, name));
                prop_assert!(oracle::names(permit.rule(), principal), "{}", permit.rule());
                for method in Method::ALL {
                    let sends = permit.requests().iter().any(|rule| rule.allows(method) && !rule.paths.is_empty());
                    prop_assert_eq!(sends, oracle::may_send(&world, name, method.as_str()), "{}", method);
                }
                let paths = permit.requests().iter().flat_map(|rule| &rule.paths).map(ToString::to_string);
                prop_assert!(paths.into_iter().all(|path| path == "/x/" || path == "=/all"));
                prop_assert_eq!(permit.resources(), [("/q".parse().unwrap(), "x".to_owned())]);
            }
        }
    }

    #[test]
    fn arguments_that_another_tool_s_schema_has_let_through_permit_nothing(world in world(), calls in calls()) {
        let snapshot = snapshot(&world);
        let tools: Vec<_> = snapshot.plugins().flat_map(|plugin| plugin.tools()).cloned().collect();
        for Call { principal, now, .. } in &calls {
            for tool in &tools {
                for other in tools.iter().filter(|other| !Arc::ptr_eq(other, tool)) {
                    let decided = authorize(&snapshot, &case(principal, *now), tool, &arguments(other));
                    let allowed = oracle::allows(&world, principal, tool.name().as_str(), *now);
                    let rule = decided.map(drop).unwrap_err().rule;
                    prop_assert_eq!(allowed, rule == Rule::Unchecked, "{}", rule);
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

fn calls() -> impl Strategy<Value = Vec<Call>> {
    prop::collection::vec(call(), 8)
}
