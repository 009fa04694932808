//! What a component says of itself, and what the host makes of it: the contract digest, a draft, the terms of a manifest that an
//! admin signed for it, the list, its schemas, arguments. Nothing that it says grants anything, hides anything from the digest, or
//! becomes a line of its own in a draft.
#![no_main]

use std::{collections::BTreeSet, fmt::Write as _};

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use wardkeep_fuzz::{faults, home};
use wardkeep_model::{
    Ask, Definition, Description, Digest, Effect, FilesAsk, HttpAsk, Limits, SecretAsk, ToolName, hidden,
};
use wardkeep_policy::{
    Approved, Candidate, Draft, Evidence, Faults, Grants, PluginTerms, Revocations, Rule, Snapshot, approve, authorize,
    document::basic_string, draft, manifest::Manifest, parse_json,
};

#[derive(Debug, Arbitrary)]
struct Input<'a> {
    name: &'a str,
    version: Version<'a>,
    tools: Vec<Tool<'a>>,
    imports: Vec<Import<'a>>,
    arguments: &'a str,
    /// Which word of the description is changed after it was approved.
    change: u8,
}

#[derive(Debug, Arbitrary)]
enum Version<'a> {
    Sound,
    Any(&'a str),
}

#[derive(Debug, Arbitrary)]
struct Tool<'a> {
    name: Name<'a>,
    title: Option<&'a str>,
    description: &'a str,
    input: Schema<'a>,
    output: Option<Schema<'a>>,
    effect: u8,
    idempotent: bool,
    asks: Vec<Asked<'a>>,
}

#[derive(Debug, Arbitrary)]
enum Name<'a> {
    Sound(u8),
    Any(&'a str),
}

#[derive(Debug, Arbitrary)]
enum Schema<'a> {
    Any(&'a str),
    /// What follows `{"type":"object",`.
    Object(&'a str),
}

#[derive(Debug, Arbitrary)]
enum Asked<'a> {
    Http(&'a str, Vec<&'a str>, &'a str),
    Secret(&'a str, &'a str),
    Files(&'a str, bool, &'a str),
    Clock(&'a str),
    Random(&'a str),
}

#[derive(Debug, Arbitrary)]
enum Import<'a> {
    Log,
    Clock,
    Any(&'a str),
}

impl Tool<'_> {
    fn definition(&self) -> Definition {
        let effects = [Effect::Read, Effect::Read, Effect::Write, Effect::Destructive];
        let schema = |schema: &Schema<'_>| match schema {
            Schema::Any(text) => (*text).to_owned(),
            Schema::Object("") => "{\"type\":\"object\"}".to_owned(),
            Schema::Object(rest) => format!("{{\"type\":\"object\",{rest}"),
        };
        Definition {
            name: match self.name {
                Name::Sound(number) => format!("tool_{number}"),
                Name::Any(text) => text.to_owned(),
            },
            title: self.title.map(Into::into),
            description: self.description.into(),
            input_schema: schema(&self.input),
            output_schema: self.output.as_ref().map(schema),
            effect: effects[usize::from(self.effect) % effects.len()],
            idempotent: self.idempotent,
            asks: self.asks.iter().map(Asked::ask).collect(),
        }
    }
}

impl Asked<'_> {
    fn ask(&self) -> Ask {
        let own = |text: &&str| (*text).to_owned();
        match self {
            Self::Http(host, methods, purpose) => Ask::Http(HttpAsk {
                host: own(host),
                methods: methods.iter().map(own).collect(),
                purpose: own(purpose),
            }),
            Self::Secret(name, purpose) => Ask::Secret(SecretAsk { name: own(name), purpose: own(purpose) }),
            Self::Files(root, write, purpose) => {
                Ask::Files(FilesAsk { root: own(root), write: *write, purpose: own(purpose) })
            }
            Self::Clock(purpose) => Ask::Clock(own(purpose)),
            Self::Random(purpose) => Ask::Random(own(purpose)),
        }
    }
}

fuzz_target!(|input: Input<'_>| {
    let description = Description {
        name: input.name.into(),
        version: match input.version {
            Version::Sound => "1.4.0".into(),
            Version::Any(text) => text.into(),
        },
        tools: input.tools.iter().take(16).map(Tool::definition).collect(),
    };
    let imports: Vec<String> = input
        .imports
        .iter()
        .map(|import| match import {
            Import::Log => "wardkeep:log/log@0.1.0".into(),
            Import::Clock => "wasi:clocks/wall-clock@0.2.6".into(),
            Import::Any(text) => (*text).to_owned(),
        })
        .collect();
    let distinct =
        description.tools.iter().map(|tool| &tool.name).collect::<BTreeSet<_>>().len() == description.tools.len();
    if distinct {
        let mut turned = description.clone();
        turned.tools.reverse();
        assert_eq!(turned.contract_digest(), description.contract_digest(), "the order of tools changes the contract");
        drafted(&description, &imports);
    }
    let changed = changed(&description, input.change);
    assert_ne!(changed.contract_digest(), description.contract_digest(), "a change that the digest does not see");

    let document = manifest(&description);
    let Some(approved) = approved(&document) else { return };
    refused(approved.clone(), &changed, &imports);
    let evidence = Evidence { component: component(), imports: &imports, description: &description };
    match approved.with_component(evidence, &home::host(), &Revocations::default()) {
        Ok(terms) => served(terms, &description, input.arguments),
        Err(refusal) => faults::check(&refusal),
    }
});

fn component() -> Digest {
    Digest::of(b"component")
}

/// The draft is TOML of which every live line is the host's, and it grants nothing to anybody.
fn drafted(description: &Description, imports: &[String]) {
    let text = draft(&Draft {
        file: "it.wasm",
        component: component(),
        description,
        imports,
        owner: "me@example.com",
        now: home::now(),
    });
    assert!(!text.replace('\n', "").chars().any(hidden), "a draft carries hidden characters");
    let table: toml::Table = text.parse().expect("a draft is TOML");
    let top: BTreeSet<&str> = table.keys().map(String::as_str).collect();
    assert!(top.is_subset(&BTreeSet::from(["format", "plugin", "component", "tools"])), "{top:?}");
    let tools = wardkeep_fuzz::toml::table(&table, "tools");
    for (name, tool) in &tools {
        assert!(description.tools.iter().any(|known| known.name == *name), "a tool that nobody described: {name}");
        let tool = tool.as_table().expect("a tool is a table");
        for list in ["uses", "allow"] {
            assert!(tool.get(list).and_then(toml::Value::as_array).is_some_and(Vec::is_empty), "`{list}` of a draft");
        }
    }
    match Manifest::parse("manifest.toml", text.as_bytes()) {
        Ok(manifest) => {
            assert!(manifest.grants().is_empty());
            assert!(manifest.tools().values().all(|tool| tool.allow.is_empty() && tool.uses.is_empty()));
            assert_eq!(manifest.component().contract_sha256, description.contract_digest());
        }
        Err(refused) => faults::check(&refused),
    }
}

/// Another description: one word of it is not what it was.
fn changed(description: &Description, which: u8) -> Description {
    let mut changed = description.clone();
    let index = usize::from(which / 8) % changed.tools.len().max(1);
    let Some(tool) = changed.tools.get_mut(index) else {
        changed.name.push('x');
        return changed;
    };
    match which % 8 {
        0 => changed.version.push('1'),
        1 => tool.name.push('x'),
        2 => tool.title = tool.title.take().map_or_else(|| Some(String::new()), |_| None),
        3 => tool.description.insert(0, ' '),
        4 => tool.input_schema.push(' '),
        5 => tool.output_schema = tool.output_schema.take().map_or_else(|| Some("{}".into()), |text| Some(text + " ")),
        6 => tool.idempotent = !tool.idempotent,
        _ => tool.asks.push(Ask::Clock(String::new())),
    }
    changed
}

/// A manifest for every tool that can have one.
fn manifest(description: &Description) -> String {
    let mut text = format!(
        "format = 1\n[plugin]\nname = \"github\"\nversion = {}\nserial = 1\nexpires = 2027-06-30\nowner = \"me\"\n\
         [component]\nfile = \"it.wasm\"\nsha256 = \"{}\"\ncontract_sha256 = \"{}\"\n",
        basic_string(&description.version),
        component(),
        description.contract_digest()
    );
    let names: BTreeSet<&str> = description.tools.iter().map(|tool| tool.name.as_str()).collect();
    for name in names.into_iter().filter(|name| name.parse::<ToolName>().is_ok()) {
        let _ = write!(text, "[tools.\"{name}\"]\neffect = \"read\"\nallow = [\"user:me\"]\n");
    }
    text
}

/// Nothing where the words cannot stand in a manifest: a version that is none, names that are too long together.
fn approved(document: &str) -> Option<Approved> {
    let signatures = home::signatures(document.as_bytes());
    let candidate = Candidate {
        file: "plugins/github/manifest.toml",
        directory: "github",
        manifest: document.as_bytes(),
        signatures: &signatures,
        known: None,
    };
    match approve(&candidate, &home::TRUST, &Revocations::default(), &home::host(), home::now()) {
        Ok(approved) => Some(approved),
        Err(refused) => {
            faults::check(&refused);
            None
        }
    }
}

/// A component that tells another story than the approved one is not served.
fn refused(approved: Approved, changed: &Description, imports: &[String]) {
    let evidence = Evidence { component: component(), imports, description: changed };
    let refused: Faults = approved
        .with_component(evidence, &home::host(), &Revocations::default())
        .expect_err("another story than the approved one is served");
    faults::check(&refused);
    assert!(refused.iter().any(|fault| fault.key == "component.contract_sha256"));
}

fn served(terms: PluginTerms, description: &Description, arguments: &str) {
    assert!(description.tools.iter().all(|tool| tool.effect == Effect::Read || !listed(&terms, &tool.name)));
    assert_eq!(terms.grants(), &Grants::default(), "a component granted itself something");
    let snapshot = Snapshot::new(vec![terms.into()], &home::TRUST, &Revocations::default()).expect("one plugin");
    let (me, you) = (home::principal("user:me", &[]), home::principal("user:you", &["user:me".into()]));
    assert_eq!(snapshot.list(&home::case(&me)).count(), snapshot.tool_count());
    assert_eq!(snapshot.list(&home::case(&you)).count(), 0, "a component let somebody in");
    let arguments = parse_json(arguments, 64).ok();
    for tool in snapshot.list(&home::case(&me)) {
        let definition = tool.definition();
        assert!(description.tools.contains(definition));
        let input: Value = serde_json::from_str(&definition.input_schema).expect("a schema is JSON");
        assert_eq!(Some(&**tool.input_schema()), input.as_object(), "a client is told another schema");
        for value in [Some(Value::Object(serde_json::Map::new())), arguments.clone()].into_iter().flatten() {
            if let Some(output) = tool.output() {
                let _ = output.check(&value).map_err(|mismatch| sound(&mismatch.to_string()));
            }
            let Value::Object(value) = value else { continue };
            let again = Value::Object(value.clone()).to_string();
            let checked = match tool.check(value) {
                Ok(checked) => checked,
                Err(mismatch) => {
                    sound(&mismatch.to_string());
                    continue;
                }
            };
            assert_eq!(checked.text(), again);
            let permit = authorize(&snapshot, &home::case(&me), tool, &checked).expect("it is allowed");
            assert_eq!(permit.grants(), &Grants::default());
            assert_eq!(permit.limits(), &Limits::DEFAULT);
            let denial = authorize(&snapshot, &home::case(&you), tool, &checked).expect_err("it is not");
            assert_eq!(denial.rule, Rule::NotAllowed);
        }
    }
}

fn listed(terms: &PluginTerms, name: &str) -> bool {
    terms.tools().any(|tool| tool.name().as_str() == name)
}

/// A mismatch quotes the caller's value: bounded, and nothing that drives a terminal.
fn sound(message: &str) {
    assert!(message.len() < 8 << 10 && !message.chars().any(hidden), "{message:?}");
}
