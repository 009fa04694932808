//! Decisions: what a manifest does not name is never permitted, and what may have changed is asked again each time.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test may fail"
)]

#[path = "home/common.rs"]
mod common;

use std::{collections::BTreeSet, sync::Arc};

use common::{Surroundings, case, now, principal, trust};
use jiff::{Timestamp, ToSpan};
use serde_json::{Map, Value, json};
use wardkeep_model::{Digest, Limits, Principal, RootName};
use wardkeep_policy::{
    Access, Arguments, Evidence, FilesGrant, HostTerms, PluginTerms, Remembered, Revocations, Rule, Snapshot, Tool,
    Trust, authorize,
};

const HEAD: &str = "format = 1\n[plugin]\nname = \"github\"\nversion = \"1.4.0\"\nserial = 7\nexpires = 2027-06-30\nowner = \"me\"\n\
    [component]\nfile = \"github.wasm\"\nsha256 = \"@component@\"\ncontract_sha256 = \"@contract@\"\n";

const SEARCH: &str = "[grants.files.reports]\nroot = \"reports\"\naccess = \"read\"\n[tools.search]\neffect = \"read\"\n\
    uses = [\"files.reports\"]\nallow = [\"user:me\", \"group:engineering\"]\n";

fn plugin_signed_by(tools: &str, signers: &str) -> Arc<PluginTerms> {
    let manifest = common::fill(format!("{signers}{HEAD}{tools}").as_bytes());
    let surroundings = Surroundings::of(&manifest);
    let approved = surroundings.approve(&manifest).unwrap_or_else(|faults| panic!("{faults}"));
    Arc::new(surroundings.with_component(approved).unwrap())
}

fn plugin(tools: &str) -> Arc<PluginTerms> {
    plugin_signed_by(tools, "")
}

fn snapshot(plugin: &Arc<PluginTerms>, revocations: &Revocations) -> Snapshot {
    Snapshot::new(vec![plugin.clone()], &trust(), revocations).unwrap()
}

fn arguments(tool: &Tool) -> Arguments {
    tool.check(Map::from_iter([("q".into(), "x".into())])).unwrap()
}

fn tool(plugin: &PluginTerms, name: &str) -> Arc<Tool> {
    plugin.tools().find(|tool| tool.name().as_str() == name).unwrap().clone()
}

/// The rule that refuses, the same for finding, listing and deciding; nothing if the call is permitted.
fn verdict(snapshot: &Snapshot, principal: &Principal, tool: &Arc<Tool>, now: Timestamp) -> Option<Rule> {
    let decided = authorize(snapshot, &case(principal, now), tool, &arguments(tool)).err().map(|denial| denial.rule);
    let found = snapshot.find(&case(principal, now), tool.published().as_str()).err().map(|denial| denial.rule);
    let listed = snapshot.list(&case(principal, now)).any(|listed| Arc::ptr_eq(listed, tool));
    assert_eq!(decided, found);
    assert_eq!(decided.is_none(), listed);
    decided
}

#[test]
fn a_permit_carries_the_grants_and_limits_of_its_own_tool_only() {
    let plugin = plugin(&format!(
        "{SEARCH}[grants.clock.now]\n[tools.list]\neffect = \"read\"\nuses = [\"clock.now\"]\nallow = [\"user:me\"]\nlimits = {{ fuel = 5 }}\n"
    ));
    let snapshot = snapshot(&plugin, &Revocations::default());
    let (search, list, me) = (tool(&plugin, "search"), tool(&plugin, "list"), principal("user:me", &["engineering"]));
    let permit = authorize(&snapshot, &case(&me, now()), &search, &arguments(&search)).unwrap();
    let reports = FilesGrant { root: "reports".parse().unwrap(), access: Access::Read };
    assert_eq!((permit.grants().files.clone(), permit.grants().clock), (vec![reports], false));
    assert_eq!((permit.limits(), permit.rule()), (&Limits::DEFAULT, "allow:user:me"));
    let permit = authorize(&snapshot, &case(&me, now()), &list, &arguments(&list)).unwrap();
    assert_eq!((permit.grants().files.len(), permit.grants().clock, permit.limits().fuel), (0, true, 5));
    assert!(
        plugin.grants().clock && plugin.grants().any_files(Access::Read) && !plugin.grants().any_files(Access::Write)
    );
}

#[test]
fn a_manifest_holds_to_the_last_instant_of_its_last_day_and_no_longer() {
    let plugin = plugin(SEARCH);
    let snapshot = snapshot(&plugin, &Revocations::default());
    let (tool, me) = (tool(&plugin, "search"), principal("user:me", &[]));
    let end: Timestamp = "2027-07-01T00:00:00Z".parse().unwrap();
    assert_eq!(verdict(&snapshot, &me, &tool, end - 1.nanosecond()), None);
    assert_eq!(verdict(&snapshot, &me, &tool, end), Some(Rule::Expired));
    let trust_end: Timestamp = "2027-11-23T00:00:00Z".parse().unwrap();
    assert_eq!(verdict(&snapshot, &me, &tool, trust_end), Some(Rule::TrustExpired));
}

#[test]
fn a_revoked_key_or_component_stops_a_plugin_that_is_already_loaded() {
    let plugin = plugin(SEARCH);
    let (tool, me) = (tool(&plugin, "search"), principal("user:me", &[]));
    let revoke = |keys: &[u8], components: Vec<Digest>| {
        let public = |seed: &u8| {
            common::key(*seed).public.parse::<wardkeep_policy::PublicKey>().unwrap().fingerprint().to_owned()
        };
        let keys = keys.iter().map(public).collect();
        Revocations::from_iter([Remembered { digest: Digest::of(b""), reason: "lost".into(), keys, components }])
    };
    let verdict = |revocations| verdict(&snapshot(&plugin, &revocations), &me, &tool, now());
    assert_eq!(verdict(revoke(&[2], vec![Digest::of(b"another")])), None);
    assert_eq!(verdict(revoke(&[1], Vec::new())), Some(Rule::NotApproved));
    assert_eq!(verdict(revoke(&[], vec![common::component()])), Some(Rule::Revoked));
}

#[test]
fn an_approver_counts_only_while_the_trust_in_force_says_so() {
    let plugin = plugin(SEARCH);
    let (tool, me) = (tool(&plugin, "search"), principal("user:me", &[]));
    let under = |approvers: &str| {
        let text = format!("format = 1\nversion = 4\nexpires = 2027-11-22\n{approvers}");
        Snapshot::new(
            vec![plugin.clone()],
            &Trust::parse("trust.toml", text.as_bytes()).unwrap(),
            &Revocations::default(),
        )
        .unwrap()
    };
    let person = |name: &str, seed| format!("[approvers.{name}]\nkeys = [\"{}\"]\n", common::key(seed).public);
    let until = format!("{}not_before = 2026-11-01\nnot_after = 2026-12-31\n", person("alice", 1));
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    assert_eq!(verdict(&under(&until), &me, &tool, at("2026-12-31T23:59:59Z")), None);
    assert_eq!(verdict(&under(&until), &me, &tool, at("2027-01-01T00:00:00Z")), Some(Rule::NotApproved));
    assert_eq!(verdict(&under(&until), &me, &tool, at("2026-10-31T23:59:59Z")), Some(Rule::NotApproved));
    assert_eq!(verdict(&under(&person("bob", 2)), &me, &tool, now()), Some(Rule::NotApproved));
    let two = format!("{}{}[thresholds]\nread = 2\n", person("alice", 1), person("bob", 2));
    assert_eq!(verdict(&under(&two), &me, &tool, now()), Some(Rule::NotApproved));
}

#[test]
fn two_keys_of_one_person_are_one_approver() {
    let plugin = plugin_signed_by(SEARCH, "#! signers = [1, 2]\n");
    let (tool, me) = (tool(&plugin, "search"), principal("user:me", &[]));
    let (first, second) = (common::key(1).public, common::key(2).public);
    let under = |approvers: String| {
        let text = format!("format = 1\nversion = 4\nexpires = 2027-11-22\n[thresholds]\nread = 2\n{approvers}");
        Snapshot::new(
            vec![plugin.clone()],
            &Trust::parse("trust.toml", text.as_bytes()).unwrap(),
            &Revocations::default(),
        )
        .unwrap()
    };
    let one = format!(
        "[approvers.alice]\nkeys = [\"{first}\", \"{second}\"]\n[approvers.bob]\nkeys = [\"{}\"]\n",
        common::key(4).public
    );
    assert_eq!(verdict(&under(one), &me, &tool, now()), Some(Rule::NotApproved));
    let two = format!("[approvers.alice]\nkeys = [\"{first}\"]\n[approvers.bob]\nkeys = [\"{second}\"]\n");
    assert_eq!(verdict(&under(two), &me, &tool, now()), None);
}

#[test]
fn a_tool_found_before_a_reload_is_not_run_after_it() {
    let (before, after) = (plugin(SEARCH), plugin(SEARCH));
    let snapshot = snapshot(&after, &Revocations::default());
    let (old, me) = (tool(&before, "search"), principal("user:me", &[]));
    let denial = authorize(&snapshot, &case(&me, now()), &old, &arguments(&old)).unwrap_err();
    assert_eq!(
        (denial.rule, denial.detail.as_str()),
        (Rule::UnknownTool, "`github_search` was replaced since it was found")
    );
}

#[test]
fn a_running_call_is_judged_by_its_own_terms_and_by_the_documents_of_the_moment() {
    let (begun, nothing) = (plugin(SEARCH), Revocations::default());
    let judged = |snapshot: &Snapshot, now| snapshot.objection(&begun, now);
    let same = snapshot(&begun, &nothing);
    assert_eq!(judged(&same, now()), None);
    // replaced: the call ends as it began
    let replaced = plugin(&SEARCH.replace("group:engineering", "group:oncall"));
    assert!(!Arc::ptr_eq(&begun, &replaced));
    assert_eq!(judged(&snapshot(&replaced, &nothing), now()), None);
    // removed
    assert_eq!(judged(&Snapshot::new(vec![], &trust(), &nothing).unwrap(), now()), Some(Rule::UnknownTool));
    assert_eq!(judged(&Snapshot::empty(), now()), Some(Rule::UnknownTool));
    // revoked or expired, whether it is served still or was replaced
    let component = Remembered {
        digest: Digest::of(b""),
        reason: "a test".into(),
        keys: vec![],
        components: vec![begun.component()],
    };
    let revoked = Revocations::from_iter([component]);
    let end: Timestamp = "2027-07-01T00:00:00Z".parse().unwrap();
    for served in [&begun, &replaced] {
        assert_eq!(judged(&snapshot(served, &revoked), now()), Some(Rule::Revoked));
        assert_eq!(judged(&snapshot(served, &nothing), end), Some(Rule::Expired));
        assert_eq!(judged(&snapshot(served, &nothing), end - 1.nanosecond()), None);
    }
}

#[test]
fn the_next_change_is_the_next_moment_at_which_something_begins_or_ends() {
    let served = snapshot(&plugin(SEARCH), &Revocations::default());
    let (manifest, trusted) = ("2027-07-01T00:00:00Z".parse().unwrap(), "2027-11-23T00:00:00Z".parse().unwrap());
    assert_eq!(served.next_change(now()), Some(manifest));
    assert_eq!(served.next_change(manifest), Some(trusted), "the moment itself is over");
    assert_eq!(Snapshot::empty().next_change(now()), None);
    // Carol's last day comes before the manifest's
    let signed = plugin_signed_by(SEARCH, "#!signers = [1, 3]\n#!now = \"2026-11-20T00:00:00Z\"\n");
    let carol = "2026-11-22T00:00:00Z".parse().unwrap();
    let early = "2026-11-20T00:00:00Z".parse().unwrap();
    assert_eq!(snapshot(&signed, &Revocations::default()).next_change(early), Some(carol));
}

#[test]
fn arguments_that_another_tool_checked_are_refused() {
    let plugin = plugin(&format!("{SEARCH}[tools.list]\neffect = \"read\"\nallow = [\"user:me\"]\n"));
    let snapshot = snapshot(&plugin, &Revocations::default());
    let (search, list) = (tool(&plugin, "search"), tool(&plugin, "list"));
    let denial =
        authorize(&snapshot, &case(&principal("user:me", &[]), now()), &search, &arguments(&list)).unwrap_err();
    assert_eq!(denial.rule, Rule::Unchecked);
}

#[test]
fn arguments_reach_the_guest_as_the_host_writes_them_and_only_if_they_fit() {
    let plugin = plugin(SEARCH);
    let tool = tool(&plugin, "search");
    let check = |value: Value| tool.check(value.as_object().unwrap().clone());
    assert_eq!(check(json!({"q": "x"})).unwrap().text(), r#"{"q":"x"}"#);
    let mismatch = check(json!({"q": 7})).unwrap_err();
    assert_eq!(
        (mismatch.pointer.as_str(), mismatch.to_string().as_str()),
        ("/q", "at `/q`: 7 is not of type \"string\"")
    );
    assert_eq!(check(json!({})).unwrap_err().pointer, "");
    assert!(check(json!({"q": "x", "r": 1})).unwrap_err().message.contains("'r' was unexpected"));
}

#[test]
fn a_denial_tells_the_operator_which_line_would_allow_it() {
    let plugin = plugin(&format!("{SEARCH}stage = \"off\"\n[tools.list]\neffect = \"read\"\n"));
    let snapshot = snapshot(&plugin, &Revocations::default());
    let me = principal("user:me", &[]);
    let denial = |name| snapshot.find(&case(&me, now()), name).unwrap_err().to_string();
    assert_eq!(
        denial("github_list"),
        "not-allowed: plugins/github/manifest.toml:20: tools.list.allow: names neither `user:me` nor a group of theirs\n  \
         mend: add \"user:me\" or one of their groups, and sign again"
    );
    assert!(
        denial("github_search")
            .starts_with("stage-off: plugins/github/manifest.toml:19: tools.search.stage: the tool is off")
    );
    assert_eq!(denial("nothing"), "unknown-tool: no manifest publishes a tool named `nothing`");
    assert_eq!(denial("github_list\u{1b}"), "unknown-tool: no manifest publishes a tool named `github_list\\u{1b}`");
}

#[test]
fn with_no_plugin_every_call_is_refused() {
    let empty = Snapshot::empty();
    assert_eq!(empty.list(&case(&principal("user:me", &[]), now())).count(), 0);
    let plugin = plugin(SEARCH);
    let tool = tool(&plugin, "search");
    let denial = authorize(&empty, &case(&principal("user:me", &[]), now()), &tool, &arguments(&tool)).unwrap_err();
    assert_eq!(denial.rule, Rule::UnknownTool);
}

#[test]
fn two_plugins_may_not_publish_one_name() {
    let (first, second) = (plugin(SEARCH), plugin(SEARCH));
    let faults = Snapshot::new(vec![first, second], &trust(), &Revocations::default()).unwrap_err();
    assert_eq!(
        faults.to_string(),
        "plugins/github/manifest.toml:3: plugin.name: another plugin is named `github` too\n  mend: remove one of them\n\
         plugins/github/manifest.toml:15: tools.search: `github_search` is also the published name of `search` in plugin `github`\n  \
         mend: give one of them another `publish_as`"
    );
}

/// Numbers that are the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }

    fn some<'a>(&mut self, of: &[&'a str]) -> BTreeSet<&'a str> {
        of.iter().filter(|_| self.roll(3) == 0).copied().collect()
    }
}

/// What a random manifest names, kept apart from the document that says it.
struct Named {
    tool: &'static str,
    off: bool,
    allow: BTreeSet<&'static str>,
    uses: BTreeSet<&'static str>,
    fuel: Option<u64>,
    concurrency: Option<u64>,
}

const ENTRIES: [&str; 6] = ["user:me", "user:you", "service:me", "group:me", "group:user:me", "group:oncall"];
const USES: [&str; 4] = ["files.reports", "files.wiki", "clock.now", "random.any"];

fn random_manifest(dice: &mut Dice) -> (Vec<Named>, String) {
    let named: Vec<Named> = ["search", "list"]
        .into_iter()
        .map(|tool| Named {
            tool,
            off: dice.roll(4) == 0,
            allow: dice.some(&ENTRIES),
            uses: dice.some(&USES),
            fuel: (dice.roll(2) == 0).then(|| 1 + dice.roll(40_000_000_000)),
            concurrency: (dice.roll(2) == 0).then(|| 1 + dice.roll(200)),
        })
        .collect();
    let used: BTreeSet<&str> = named.iter().flat_map(|named| named.uses.iter().copied()).collect();
    let mut text = String::new();
    for name in used {
        let keys = name.strip_prefix("files.").map(|root| format!("root = \"{root}\"\naccess = \"read\"\n"));
        text += &format!("[grants.{name}]\n{}", keys.unwrap_or_default());
    }
    for Named { tool, off, allow, uses, fuel, concurrency } in &named {
        text += &format!("[tools.{tool}]\neffect = \"read\"\nallow = {allow:?}\nuses = {uses:?}\n")
            .replace('{', "[")
            .replace('}', "]");
        text += if *off { "stage = \"off\"\n" } else { "" };
        let fuel = fuel.map(|fuel| format!("fuel = {fuel}\n")).unwrap_or_default();
        let concurrency = concurrency.map(|number| format!("concurrency = {number}\n")).unwrap_or_default();
        text += &format!("[tools.{tool}.limits]\n{fuel}{concurrency}");
    }
    (named, text)
}

#[test]
fn nothing_is_permitted_that_the_manifest_does_not_name_and_no_limit_grows() {
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let mut permitted = 0;
    for round in 0..300 {
        let (named, tools) = random_manifest(&mut dice);
        let ceilings =
            Limits { fuel: 1 + dice.roll(30_000_000_000), concurrency: 1 + dice.roll(99) as u32, ..Limits::CEILING };
        let manifest = common::fill(format!("{HEAD}{tools}").as_bytes());
        let approved = Surroundings::of(b"").approve(&manifest).unwrap_or_else(|faults| panic!("{tools}\n{faults}"));
        let roots: BTreeSet<RootName> = common::host().roots;
        let host = HostTerms { ceilings, roots, ..common::host() };
        let description = common::description();
        let evidence = Evidence { component: common::component(), imports: &[], description: &description };
        let plugin = Arc::new(approved.with_component(evidence, &host, &Revocations::default()).unwrap());
        let snapshot = snapshot(&plugin, &Revocations::default());
        for name in ["user:me", "user:you", "service:me", "user:m", "me"] {
            let groups: Vec<&str> = dice.some(&["me", "user:me", "oncall", "engineering"]).into_iter().collect();
            let caller = principal(name, &groups);
            for Named { tool: tool_name, off, allow, uses, fuel, concurrency } in &named {
                let tool = tool(&plugin, tool_name);
                let entry = |group: &&str| format!("group:{group}");
                let may =
                    !off && (allow.contains(name) || groups.iter().any(|group| allow.contains(entry(group).as_str())));
                assert_eq!(
                    verdict(&snapshot, &caller, &tool, now()).is_none(),
                    may,
                    "round {round}: {name} {groups:?}\n{tools}"
                );
                let Ok(permit) = authorize(&snapshot, &case(&caller, now()), &tool, &arguments(&tool)) else {
                    continue;
                };
                permitted += 1;
                let grants = permit.grants();
                let held: BTreeSet<String> = (grants.files.iter().map(|files| format!("files.{}", files.root)))
                    .chain(grants.clock.then(|| "clock.now".into()))
                    .chain(grants.random.then(|| "random.any".into()))
                    .collect();
                assert_eq!(held, uses.iter().map(|name| (*name).to_owned()).collect(), "round {round}\n{tools}");
                assert!(grants.files.iter().all(|files| files.access == Access::Read) && !grants.wasi_inert);
                let fuel = fuel.unwrap_or(Limits::DEFAULT.fuel).min(ceilings.fuel);
                let concurrency = concurrency.unwrap_or(8).min(ceilings.concurrency.into());
                assert_eq!((permit.limits().fuel, u64::from(permit.limits().concurrency)), (fuel, concurrency));
                assert_eq!(permit.limits().capped(&ceilings), *permit.limits());
            }
        }
    }
    assert!(permitted > 300, "{permitted}");
}
