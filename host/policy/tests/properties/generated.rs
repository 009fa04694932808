//! Manifests, trusts, revocations and callers, at random but sound: what is refused at load has its own tests.

use std::{collections::BTreeMap, fmt::Write as _, time::Duration};

use jiff::Timestamp;
use proptest::prelude::*;
use wardkeep_model::{Authenticated, Definition, Description, Digest, Effect, Limits, Principal, Scopes};
use wardkeep_policy::{
    Candidate, Case, Confirming, Evidence, Faults, HostTerms, MANIFEST_NAMESPACE, PluginTerms, PublicKey, Remembered,
    Revocations, Trust, approve,
    kill::{Kill, Kills},
    sign,
};

use crate::common;

pub(crate) const TOOLS: [&str; 4] = ["search", "list", "show", "count"];
/// The wiki may be written to, by tools that write.
pub(crate) const GRANTS: [&str; 5] = ["files.reports", "files.wiki", "clock.now", "random.any", "http.api"];
/// What a tool does and whose yes it waits for, as the manifest says it.
const CLASSES: [(&str, &str); 6] = [
    ("read", ""),
    ("write", "confirm = \"none\"\n"),
    ("write", ""),
    ("write", "confirm = \"operator\"\n"),
    ("destructive", ""),
    ("destructive", "confirm = \"client\"\n"),
];
/// Names that look alike among them.
const ENTRIES: [&str; 6] = ["user:me", "user:me2", "service:ci", "group:engineering", "group:oncall", "group:user:me"];
const GROUPS: [&str; 5] = ["engineering", "oncall", "user:me", "group:oncall", "engineerin"];
/// Groups as `pilot_groups` may name them.
const PILOTS: [&str; 4] = ["engineering", "oncall", "user:me", "engineerin"];
const PEOPLE: [&str; 3] = ["alice", "bob", "carol"];

/// All that a decision depends on but the call.
#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) tools: BTreeMap<&'static str, ToolSpec>,
    pub(crate) plugin_limits: Written,
    pub(crate) ceilings: Written,
    pub(crate) inert: bool,
    /// Manifest and trust end with these days.
    pub(crate) expires: &'static str,
    pub(crate) trust_expires: &'static str,
    pub(crate) threshold: u32,
    /// By index into `PEOPLE`, each with a first and a second key.
    pub(crate) signers: Vec<(usize, bool)>,
    /// The last day of each person.
    pub(crate) not_after: [Option<&'static str>; 3],
    pub(crate) revoked_keys: Vec<(usize, bool)>,
    pub(crate) component_revoked: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct ToolSpec {
    pub(crate) stage: &'static str,
    pub(crate) pilots: Vec<&'static str>,
    /// What `only` lists for the one argument that there is.
    pub(crate) only: Option<&'static str>,
    pub(crate) class: (&'static str, &'static str),
    pub(crate) uses: Vec<&'static str>,
    pub(crate) allow: Vec<&'static str>,
    pub(crate) limits: Written,
}

/// Limits as a table writes them, in the order of `KEYS`; the deadline in milliseconds.
pub(crate) type Written = [Option<u64>; 12];

#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) principal: Principal,
    pub(crate) tool: String,
    pub(crate) now: Timestamp,
    pub(crate) kills: Vec<Kill>,
    pub(crate) confirming: Confirming,
}

impl Call {
    /// Hands the case of the call to `ask`, and the same to whoever else asks.
    pub(crate) fn case<T>(&self, ask: impl FnOnce(&Case<'_>) -> T) -> T {
        let kills = Kills::new(self.kills.clone());
        ask(&Case { principal: &self.principal, kills: &kills, confirming: self.confirming, now: self.now })
    }
}

const KEYS: [(&str, &str); 12] = [
    ("fuel", ""),
    ("memory", "B"),
    ("deadline", "ms"),
    ("output", "B"),
    ("host_calls", ""),
    ("log_lines", ""),
    ("log_bytes", "B"),
    ("table_elements", ""),
    ("concurrency", ""),
    ("requests", ""),
    ("request_body", "B"),
    ("response_body", "B"),
];

/// The same twelve of a value.
pub(crate) fn numbers(limits: &Limits) -> [u64; 12] {
    [
        limits.fuel,
        limits.memory,
        u64::try_from(limits.deadline.as_millis()).unwrap(),
        limits.output,
        limits.host_calls.into(),
        limits.log_lines.into(),
        limits.log_bytes.into(),
        limits.table_elements.into(),
        limits.concurrency.into(),
        limits.requests.into(),
        limits.request_body,
        limits.response_body,
    ]
}

pub(crate) fn of_numbers(numbers: [u64; 12]) -> Limits {
    let small = |at: usize| u32::try_from(numbers[at]).unwrap();
    Limits {
        fuel: numbers[0],
        memory: numbers[1],
        deadline: Duration::from_millis(numbers[2]),
        output: numbers[3],
        host_calls: small(4),
        log_lines: small(5),
        log_bytes: small(6),
        table_elements: small(7),
        concurrency: small(8),
        requests: small(9),
        request_body: numbers[10],
        response_body: numbers[11],
    }
}

pub(crate) fn rows(held: &Limits, most: &Limits) -> Vec<(&'static str, u64, u64)> {
    let (held, most) = (numbers(held), numbers(most));
    (0..12).map(|at| (KEYS[at].0, held[at], most[at])).collect()
}

fn written(limits: &Written) -> String {
    let mut entries = Vec::new();
    for ((key, unit), value) in KEYS.iter().zip(limits) {
        entries.extend(value.map(|value| match unit.is_empty() {
            true => format!("{key} = {value}"),
            false => format!("{key} = \"{value}{unit}\""),
        }));
    }
    format!("{{ {} }}", entries.join(", "))
}

fn seed(person: usize, second: bool) -> u8 {
    u8::try_from(person + 1 + if second { 10 } else { 0 }).unwrap()
}

impl World {
    pub(crate) fn lists(&self, tool: &str) -> bool {
        self.tools.contains_key(tool)
    }

    pub(crate) fn ceilings(&self) -> Limits {
        let default = numbers(&Limits::CEILING);
        of_numbers(std::array::from_fn(|at| self.ceilings[at].unwrap_or(default[at])))
    }

    pub(crate) fn ceilings_are_default(&self) -> bool {
        self.ceilings.iter().all(Option::is_none)
    }

    fn description() -> Description {
        let tools = TOOLS.iter().map(|name| common::definition(name, Effect::Read)).collect::<Vec<Definition>>();
        Description { name: "github".into(), version: "1.4.0".into(), tools }
    }

    pub(crate) fn manifest(&self) -> String {
        let mut text = format!(
            "format = 1\nlimits = {}\n[plugin]\nname = \"github\"\nversion = \"1.4.0\"\nserial = 7\nexpires = {}\n\
             owner = \"me\"\n[component]\nfile = \"github.wasm\"\nsha256 = \"{}\"\ncontract_sha256 = \"{}\"\nwasi = \"{}\"\n",
            written(&self.plugin_limits),
            self.expires,
            common::component(),
            Self::description().contract_digest(),
            if self.inert { "inert" } else { "none" },
        );
        for grant in GRANTS.iter().filter(|grant| self.tools.values().any(|tool| tool.uses.contains(grant))) {
            let _ = writeln!(text, "[grants.{grant}]");
            if let Some(root) = grant.strip_prefix("files.") {
                let access = if root == "wiki" { "write" } else { "read" };
                let _ = write!(text, "root = \"{root}\"\naccess = \"{access}\"\n");
            }
            if grant.starts_with("http.") {
                let methods = r#"["GET", "POST", "DELETE"]"#;
                let _ = write!(
                    text,
                    "host = \"api.example.com\"\nmethods = {methods}\npaths = [\"/{{/q}}/\", \"=/all\"]\n"
                );
            }
        }
        for (name, tool) in &self.tools {
            let _ = write!(
                text,
                "[tools.{name}]\neffect = \"{}\"\n{}side_effects = \"some\"\nresources = [\"/q\"]\nuses = {:?}\nallow = {:?}\nstage = \"{}\"\nlimits = {}\n",
                tool.class.0,
                tool.class.1,
                tool.uses,
                tool.allow,
                tool.stage,
                written(&tool.limits)
            );
            if tool.stage != "general" {
                let _ = writeln!(text, "pilot_groups = {:?}", tool.pilots);
            }
            text.extend(tool.only.map(|only| format!("only = {{ \"/q\" = [{only:?}] }}\n")));
        }
        text
    }

    pub(crate) fn trust(&self) -> Trust {
        let people = PEOPLE.iter().zip(self.not_after).enumerate().map(|(person, (name, not_after))| {
            let keys = [false, true].map(|second| common::key(seed(person, second)).public);
            let until = not_after.map_or(String::new(), |day| format!("not_after = {day}\n"));
            format!("[approvers.{name}]\nkeys = {keys:?}\n{until}")
        });
        let text = format!(
            "format = 1\nversion = 3\nexpires = {0}\nthresholds = {{ read = {1}, write = {1}, destructive = {1} }}\n{2}",
            self.trust_expires,
            self.threshold,
            people.collect::<String>()
        );
        Trust::parse("trust.toml", text.as_bytes()).unwrap_or_else(|faults| panic!("{faults}"))
    }

    /// The trust of the day on which it was loaded, when everyone could still approve.
    fn trust_then(&self) -> Trust {
        Self { threshold: 1, not_after: [None; 3], trust_expires: "2027-11-22", ..self.clone() }.trust()
    }

    pub(crate) fn revocations(&self) -> Revocations {
        let keys = self.revoked_keys.iter().map(|(person, second)| {
            let key: PublicKey = common::key(seed(*person, *second)).public.parse().unwrap();
            key.fingerprint().to_owned()
        });
        let components = if self.component_revoked { vec![common::component()] } else { Vec::new() };
        let reason = String::new();
        Revocations::from_iter([Remembered { digest: Digest::of(b""), reason, keys: keys.collect(), components }])
    }

    pub(crate) fn load(&self) -> Result<PluginTerms, Faults> {
        let manifest = self.manifest();
        let signatures: Vec<_> = self
            .signers
            .iter()
            .map(|(person, second)| {
                let private = common::key(seed(*person, *second)).private;
                let signature = sign(MANIFEST_NAMESPACE, manifest.as_bytes(), &private).unwrap();
                (format!("{person}.sig"), signature.into_bytes())
            })
            .collect();
        let candidate = Candidate {
            file: "plugins/github/manifest.toml",
            directory: "github",
            manifest: manifest.as_bytes(),
            signatures: &signatures,
            known: None,
        };
        let host = HostTerms { ceilings: self.ceilings(), ..common::host() };
        let none = Revocations::default();
        let approved = approve(&candidate, &self.trust_then(), &none, &host, common::now())?;
        let description = Self::description();
        let evidence = Evidence { component: common::component(), imports: &[], description: &description };
        approved.with_component(evidence, &host, &none)
    }
}

fn some<T: Clone + std::fmt::Debug + 'static>(all: &'static [T], most: usize) -> impl Strategy<Value = Vec<T>> {
    prop::sample::subsequence(all, 0..=most)
}

fn tool(limits: impl Strategy<Value = Written>) -> impl Strategy<Value = ToolSpec> {
    // Most of them are served to somebody, so that there is something to permit.
    let stage = prop_oneof![1 => Just("off"), 3 => Just("pilot"), 6 => Just("general")];
    let pilots = prop::sample::subsequence(&PILOTS, 1..=PILOTS.len());
    let only = prop_oneof![6 => Just(None), 1 => Just(Some("x")), 1 => Just(Some("*")), 1 => Just(Some("y*"))];
    let class = prop_oneof![1 => Just(CLASSES[0]), 1 => Just(CLASSES[1]), 4 => prop::sample::select(&CLASSES)];
    let allow = prop::sample::subsequence(&ENTRIES, 2..=ENTRIES.len());
    (stage, pilots, only, class, some(&GRANTS, GRANTS.len()), allow, limits).prop_map(
        |(stage, pilots, only, class, uses, allow, limits)| ToolSpec {
            stage,
            pilots,
            only,
            class,
            uses,
            allow,
            limits,
        },
    )
}

const fn none() -> Just<Written> {
    Just([None; 12])
}

/// From one to far beyond every ceiling.
fn limits() -> impl Strategy<Value = Written> {
    let ceilings = numbers(&Limits::CEILING);
    let one = move |at: usize| {
        let ceiling = ceilings[at];
        prop_oneof![
            2 => Just(None),
            2 => (1..=ceiling).prop_map(Some),
            1 => prop::sample::select(vec![1, ceiling - 1, ceiling, ceiling + 1]).prop_map(Some),
            1 => (ceiling..=u64::from(u32::MAX).max(ceiling)).prop_map(Some),
        ]
    };
    std::array::from_fn::<_, 12, _>(one)
}

fn built(limits: impl Strategy<Value = Written> + Clone + 'static) -> impl Strategy<Value = World> {
    let tools = prop::collection::btree_map(prop::sample::select(&TOOLS), tool(limits.clone()), 3..=TOOLS.len());
    let ends = prop_oneof![1 => Just("2026-11-22"), 1 => Just("2026-12-24"), 4 => Just("2027-06-30")];
    let until = prop::option::weighted(0.3, prop::sample::select(&["2026-11-30", "2027-01-15", "2026-01-01"]));
    let key = || (0..PEOPLE.len(), any::<bool>());
    let signed = prop::collection::vec(key(), 1..=3);
    let revoked = prop_oneof![2 => Just(Vec::new()), 1 => prop::collection::vec(key(), 0..=2)];
    let bits = (any::<bool>(), prop::bool::weighted(0.1), prop_oneof![3 => Just(1_u32), 1 => Just(2)]);
    (
        tools,
        (limits.clone(), limits),
        (ends.clone(), ends),
        [until.clone(), until.clone(), until],
        signed,
        revoked,
        bits,
    )
        .prop_map(
            |(tools, (plugin_limits, ceilings), (expires, trust_expires), not_after, signers, revoked_keys, bits)| {
                let (inert, component_revoked, threshold) = bits;
                World {
                    tools,
                    plugin_limits,
                    ceilings,
                    inert,
                    expires,
                    trust_expires,
                    threshold,
                    signers,
                    not_after,
                    revoked_keys,
                    component_revoked,
                }
            },
        )
}

/// Everything but limits at random.
pub(crate) fn world() -> impl Strategy<Value = World> {
    built(none())
}

/// Everything, limits too.
pub(crate) fn limits_world() -> impl Strategy<Value = World> {
    let either = prop_oneof![none(), limits()];
    built(either.boxed())
}

const NAMES: [&str; 7] = ["user:me", "user:me2", "service:ci", "group:oncall", "user:m", "USER:ME", ""];
const TIMES: [&str; 6] = [
    "2026-11-22T12:00:00Z",
    "2026-11-22T23:59:59.999999999Z",
    "2026-11-23T00:00:00Z",
    "2026-12-24T23:59:59Z",
    "2027-01-16T00:00:00Z",
    "2027-07-01T00:00:00Z",
];

fn caller() -> impl Strategy<Value = Principal> {
    let scopes = prop::option::weighted(0.3, any::<[bool; 3]>());
    let actors = prop::collection::vec(prop::sample::select(&["service:bot", "user:me2", "service:ci"]), 0..=2);
    let flags = (prop::bool::weighted(0.8), any::<bool>(), any::<bool>());
    let name = prop_oneof![2 => prop::sample::select(&NAMES[..3]), 1 => prop::sample::select(&NAMES)];
    (name, some(&GROUPS, 4), flags, scopes, actors).prop_map(|(name, groups, flags, scopes, actors)| Principal {
        name: name.into(),
        groups: groups.into_iter().map(str::to_owned).collect(),
        authenticated: Authenticated::ApiKey,
        writes: flags.0,
        human: flags.1,
        unconfirmed_writes: flags.2,
        scopes: scopes.map(|[read, write, destructive]| Scopes { read, write, destructive }),
        actors: actors.into_iter().map(str::to_owned).collect(),
    })
}

pub(crate) fn kill() -> impl Strategy<Value = Kill> {
    let target = prop_oneof![
        1 => Just("all".to_owned()),
        2 => Just("writes".to_owned()),
        2 => prop::sample::select(&["plugin:github", "plugin:gitlab"]).prop_map(str::to_owned),
        4 => prop::sample::select(&TOOLS).prop_map(|tool| format!("tool:github_{tool}")),
        1 => prop::sample::select(&TOOLS).prop_map(|tool| format!("tool:{tool}")),
        4 => prop::sample::select(&["user:me", "user:me2", "service:bot", "service:ci", "me"])
            .prop_map(|name| format!("caller:{name}")),
    ];
    (target, prop::option::of(prop::sample::select(&TIMES))).prop_map(|(target, until)| Kill {
        target: target.parse().unwrap(),
        reason: "a test".into(),
        by: "user:me".into(),
        since: "2026-11-01T00:00:00Z".parse().unwrap(),
        until: until.map(|until| until.parse().unwrap()),
    })
}

/// A caller, a tool, a time and what the host can do then; about half of the times everything is in force.
pub(crate) fn call() -> impl Strategy<Value = Call> {
    let now = prop_oneof![5 => Just(TIMES[0]), 3 => prop::sample::select(&TIMES)];
    let tool = prop_oneof![9 => prop::sample::select(&TOOLS).prop_map(str::to_owned), 1 => "[a-z]{1,8}"];
    let kills = prop_oneof![3 => Just(Vec::new()), 1 => prop::collection::vec(kill(), 0..=3)];
    let confirming = (prop::bool::weighted(0.8), prop::bool::weighted(0.8), any::<bool>()).prop_map(
        |(client, approvals, destructive_by_operator)| Confirming { client, approvals, destructive_by_operator },
    );
    (caller(), tool, now, kills, confirming).prop_map(|(principal, tool, now, kills, confirming)| Call {
        principal,
        tool,
        now: now.parse().unwrap(),
        kills,
        confirming,
    })
}
