//! What `docs/manifest.md` shows works, and its tables name every key.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail")]

use std::collections::BTreeSet;

use wardkeep_model::{Effect, Limits};
use wardkeep_policy::{Manifest, Revocation, Trust, document::Document};

const PAGE: &str = include_str!("../../../docs/manifest.md");
const CAPABILITIES: &str = include_str!("../../../docs/capabilities.md");

fn blocks(language: &str) -> Vec<&'static str> {
    blocks_of(PAGE, language)
}

fn blocks_of(page: &'static str, language: &str) -> Vec<&'static str> {
    let fence = format!("```{language}\n");
    page.split(fence.as_str()).skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

#[test]
fn the_examples_of_the_manual_are_read_without_a_fault() {
    let [manifest, trust, revocation] = blocks("toml")[..] else { panic!("three documents are shown") };
    let manifest = Manifest::parse("manifest.toml", manifest.as_bytes()).unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!((manifest.name().as_str(), manifest.tools().len(), manifest.grants().len()), ("reports", 3, 2));
    let trust = Trust::parse("trust.toml", trust.as_bytes()).unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!((trust.approvers().len(), trust.threshold(Effect::Destructive)), (2, 2));
    Revocation::parse("revoked/a.toml", revocation.as_bytes()).unwrap_or_else(|faults| panic!("{faults}"));
}

#[test]
fn every_piece_of_a_manifest_that_the_manual_of_capabilities_shows_can_be_written_as_it_is() {
    let pieces: Vec<_> =
        blocks_of(CAPABILITIES, "toml").into_iter().filter(|block| !block.starts_with("# wardkeep.toml")).collect();
    assert_eq!(pieces.len(), 5, "{pieces:?}");
    let whole = pieces.iter().find(|piece| piece.starts_with("format = 1")).unwrap();
    let (head, _) = whole.split_once("[limits]").unwrap();
    for piece in &pieces {
        let names = |line: &str| Some(line.strip_prefix("[grants.")?.strip_suffix(']')?.to_owned());
        let uses: Vec<String> = piece.lines().filter_map(names).collect();
        let text = match (piece.starts_with("format"), piece.contains("[tools.")) {
            (true, _) => (*piece).to_owned(),
            (false, true) => format!("{head}{piece}"),
            (false, false) => format!("{head}{piece}[tools.t]\neffect = \"read\"\nuses = {uses:?}\n"),
        };
        Manifest::parse("manifest.toml", text.as_bytes()).unwrap_or_else(|faults| panic!("{faults}\n{text}"));
    }
    let manifest = Manifest::parse("manifest.toml", whole.as_bytes()).unwrap();
    assert_eq!((manifest.tools().len(), manifest.grants().len(), manifest.secrets().len()), (3, 6, 2));
}

#[test]
fn the_fault_that_the_manual_shows_is_told_in_these_words() {
    let wrong = blocks("toml")[0].replace("expires = 2027-06-30", "expires = \"2027-06-30\"");
    let told = Manifest::parse("plugins/github/manifest.toml", wrong.as_bytes()).unwrap_err().to_string();
    let line = |text: &str| text.split_once(": plugin").map(|(_, rest)| rest.trim().to_owned());
    assert_eq!(line(&told), line(blocks("text")[0]));
}

#[test]
fn the_defaults_and_ceilings_of_the_manual_are_those_of_the_code() {
    let cells = |key: &str| -> Vec<String> {
        let row = PAGE.lines().find(|line| line.starts_with(&format!("| `limits.{key}` |"))).unwrap();
        row.split('|').skip(2).take(2).map(|cell| cell.replace(['`', '"', ' '], "").replace("ceiling", "")).collect()
    };
    let patch = |index: usize| {
        let quoted = |key| if key == "fuel" || !cells(key)[index].ends_with(char::is_alphabetic) { "" } else { "\"" };
        let keys = [
            "fuel",
            "memory",
            "deadline",
            "output",
            "host_calls",
            "log_lines",
            "log_bytes",
            "table_elements",
            "concurrency",
            "requests",
            "request_body",
            "response_body",
        ];
        let text: String = keys.map(|key| format!("{key} = {0}{1}{0}\n", quoted(key), cells(key)[index])).concat();
        let document = Document::read("limits", text.as_bytes()).unwrap();
        document
            .parse(|table| Some(wardkeep_policy::manifest::limits_patch(table)))
            .unwrap_or_else(|faults| panic!("{faults}"))
    };
    let zero = Limits { fuel: 0, memory: 0, output: 0, ..Limits::DEFAULT };
    assert_eq!(zero.with(&patch(0)), Limits::DEFAULT);
    assert_eq!(zero.with(&patch(1)), Limits::CEILING);
}

#[test]
fn the_tables_of_the_manual_name_every_key() {
    let rows: BTreeSet<&str> = PAGE.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    // What the parser itself says it knows, asked by giving it a key that it does not.
    let known = |table: &str, prefix: &str| {
        let document = format!("{table}\nzzzzzzzz = 1\n");
        let told = Manifest::parse("m", document.as_bytes()).unwrap_err();
        let fault = told.iter().find(|fault| fault.key.ends_with("zzzzzzzz")).unwrap();
        let keys = fault.mend.clone().unwrap().split("known here are ").nth(1).unwrap().to_owned();
        keys.split(", ").map(|key| format!("{prefix}{}", key.trim_matches('`'))).collect::<Vec<_>>()
    };
    let tables = [
        ("[plugin]", "plugin."),
        ("[component]", "component."),
        ("[limits]", "limits."),
        ("[grants.files.x]", "grants.files.<name>."),
        ("[grants.http.x]", "grants.http.<name>."),
        ("[secrets.x]", "secrets.<name>."),
        ("[tools.x]", "tools.<name>."),
        ("[tools.x.returns]", "tools.<name>.returns."),
    ];
    for key in tables.iter().flat_map(|(table, prefix)| known(table, prefix)) {
        // A table of its own has a row for each of its keys.
        let below = format!("{key}.");
        assert!(
            rows.iter().any(|row| *row == key || row.starts_with(&below)),
            "`{key}` is in no table of docs/manifest.md"
        );
    }
    for kind in known("[grants]", "grants.") {
        assert!(rows.iter().any(|row| row.starts_with(&format!("{kind}."))), "`{kind}`");
    }
    let nested = ["[secrets.x.inject]", "[secrets.x.oauth]", "[secrets.x.github_app]"];
    for key in nested.iter().flat_map(|table| known(table, "")) {
        assert!(
            PAGE.contains(&format!("`{key}`")) || PAGE.contains(&format!("{key} = ")),
            "`{key}` is nowhere in docs/manifest.md"
        );
    }
}
