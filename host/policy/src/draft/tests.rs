use wardkeep_model::{FilesAsk, HttpAsk, SecretAsk};

use super::*;
use crate::manifest::{Manifest, Stage};

const NASTY: &str = "x\"\n[grants.files.all]\nroot = \"all\"\naccess = \"read\"\n#'''\"\"\"\r\u{2028}\u{85}\u{202e}\\";

fn definition(name: &str, effect: Effect, asks: Vec<Ask>) -> Definition {
    Definition {
        name: name.into(),
        title: Some(NASTY.into()),
        description: NASTY.into(),
        input_schema: NASTY.into(),
        output_schema: None,
        effect,
        idempotent: false,
        asks,
    }
}

fn files(root: &str, write: bool) -> Ask {
    Ask::Files(FilesAsk { root: root.into(), write, purpose: NASTY.into() })
}

fn write(description: &Description, imports: &[String]) -> String {
    draft(&Draft {
        file: "github.wasm",
        component: Digest::of(b"component"),
        description,
        imports,
        owner: "me",
        now: "2026-11-22T12:00:00Z".parse().unwrap(),
    })
}

#[test]
fn a_draft_is_a_manifest_that_grants_nothing_and_serves_nobody() {
    let asks = vec![files("reports", false), files("reports", true), Ask::Clock(NASTY.into()), files(NASTY, false)];
    let tools = vec![definition("search", Effect::Read, asks), definition("list", Effect::Read, Vec::new())];
    let description = Description { name: "github".into(), version: "1.4.0".into(), tools };
    let text = write(&description, &["wasi:cli/stdout@0.2.0".into()]);
    let manifest =
        Manifest::parse("manifest.toml", text.as_bytes()).unwrap_or_else(|faults| panic!("{faults}\n{text}"));
    assert_eq!((manifest.name().as_str(), manifest.serial(), manifest.grants().len()), ("github", 1, 0));
    assert_eq!(manifest.component().contract_sha256, description.contract_digest());
    assert_eq!(manifest.component().wasi, crate::manifest::Wasi::None);
    assert_eq!(manifest.tools().len(), 2);
    for tool in manifest.tools().values() {
        assert!(tool.uses.is_empty() && tool.allow.is_empty() && tool.stage == Stage::General, "{tool:?}");
    }
    let asked: Vec<&str> = text.lines().filter(|line| line.starts_with("# [grants.")).collect();
    assert_eq!(asked, ["# [grants.files.reports]", "# [grants.files.reports-write]", "# [grants.clock.now]"]);
}

#[test]
fn no_word_of_the_component_becomes_a_live_line() {
    let http = HttpAsk { host: NASTY.into(), methods: vec![NASTY.into()], purpose: NASTY.into() };
    let asks = vec![
        files(NASTY, true),
        Ask::Http(http),
        Ask::Secret(SecretAsk { name: NASTY.into(), purpose: NASTY.into() }),
        Ask::Random(NASTY.into()),
    ];
    let tools = vec![definition("search", Effect::Write, asks), definition(NASTY, Effect::Destructive, Vec::new())];
    let description = Description { name: NASTY.into(), version: NASTY.into(), tools };
    let text = write(&description, &[NASTY.into()]);
    let table: toml::Table = text.parse().unwrap_or_else(|error| panic!("{error}\n{text}"));
    let keys: Vec<&str> = table.keys().map(String::as_str).collect();
    assert_eq!(keys, ["component", "format", "plugin", "tools"]);
    assert_eq!(table["plugin"]["version"].as_str(), Some(NASTY));
    let tools: Vec<&str> = table["tools"].as_table().unwrap().keys().map(String::as_str).collect();
    assert_eq!(tools, ["search"]);
    assert!(!text.contains(['\r', '\u{202e}', '\u{2028}', '\u{85}']), "{text}");
}
