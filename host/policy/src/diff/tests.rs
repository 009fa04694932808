use wardkeep_model::{Ask, Definition, Description, Effect};

use super::*;
use crate::document::hidden;

const BASE: &str = r#"format = 1
[plugin]
name = "github"
version = "1.4.0"
serial = 7
expires = 2027-06-30
owner = "me@example.com"
[component]
file = "github.wasm"
sha256 = "0000000000000000000000000000000000000000000000000000000000000000"
contract_sha256 = "0000000000000000000000000000000000000000000000000000000000000000"
[grants.files.reports]
root = "reports"
access = "read"
[tools.search]
effect = "read"
uses = ["files.reports"]
allow = ["group:engineering"]
[tools.list]
effect = "read"
allow = ["user:me"]
"#;

/// As `diff` shows it to a host that knows more: keys that this host refuses are read all the same.
fn manifest(text: &str) -> Manifest {
    let (_, manifest, faults) = Manifest::parse_further("manifest.toml", text.as_bytes());
    manifest.unwrap_or_else(|| panic!("{faults}\n{text}"))
}

fn definition(name: &str) -> Definition {
    Definition {
        name: name.into(),
        title: None,
        description: "does something".into(),
        input_schema: r#"{"type":"object"}"#.into(),
        output_schema: None,
        effect: Effect::Read,
        idempotent: true,
        asks: Vec::new(),
    }
}

fn description() -> Description {
    Description {
        name: "github".into(),
        version: "1.4.0".into(),
        tools: vec![definition("search"), definition("list")],
    }
}

fn between(old: &str, new: &str) -> Difference {
    let (old, new, description) = (manifest(old), manifest(new), description());
    let side = |manifest| Side { manifest, description: Some(&description) };
    diff(Some(side(&old)), side(&new))
}

fn described(change: impl FnOnce(&mut Description)) -> Difference {
    let (manifest, old, mut new) = (manifest(BASE), description(), description());
    change(&mut new);
    let side = |description| Side { manifest: &manifest, description: Some(description) };
    diff(Some(side(&old)), side(&new))
}

fn edited(edits: &[(&str, &str)]) -> String {
    edits.iter().fold(BASE.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1)
    })
}

fn lines<T: ToString>(list: &[T]) -> Vec<String> {
    list.iter().map(ToString::to_string).collect()
}

#[test]
fn the_same_manifest_and_component_do_not_differ() {
    let none = between(BASE, BASE);
    assert!(none.is_empty() && none.sections().is_empty(), "{none}");
}

#[test]
fn every_way_to_let_more_happen_is_added_and_its_reverse_taken_away() {
    const WIKI: &str = "[grants.files.wiki]\nroot = \"wiki\"\naccess = \"read\"\n[tools.search]";
    let both = r#"uses = ["files.reports", "files.wiki"]"#;
    let uses = r#"uses = ["files.reports"]"#;
    let effect = "effect = \"read\"\nuses";
    let write = "effect = \"write\"\nside_effects = \"changes\"\nuses";
    let http = "[grants.http.x]\nhost = \"a.b\"\nmethods = [\"POST\"]\npaths = [\"=/g\"]\nread_only = ";
    type Edits<'a> = &'a [(&'a str, &'a str)];
    let cases: &[(Edits<'_>, &[&str])] = &[
        (&[("[tools.search]", WIKI), (uses, both)], &["`search` reads files of the root `wiki`"]),
        (
            &[("effect = \"read\"\nallow", "effect = \"read\"\nuses = [\"files.reports\"]\nallow")],
            &["`list` reads files of the root `reports`"],
        ),
        (
            &[
                ("[tools.search]", "[grants.clock.now]\n[tools.search]"),
                (uses, "uses = [\"files.reports\", \"clock.now\"]"),
            ],
            &["`search` knows the time"],
        ),
        (
            &[
                ("[tools.search]", "[grants.random.any]\n[tools.search]"),
                (uses, "uses = [\"files.reports\", \"random.any\"]"),
            ],
            &["`search` gets random numbers"],
        ),
        (
            &[("effect = \"read\"\nuses", "effect = \"read\"\nasks = true\nuses")],
            &["`search` puts questions of the plugin's own to the person who calls"],
        ),
        (
            &[("allow = [\"user:me\"]", "allow = [\"user:me\", \"service:ci\"]")],
            &["`list` may be called by `service:ci`"],
        ),
        (
            &[("[component]", "[component]\nwasi = \"inert\"")],
            &["the component imports WASI, linked to stubs that do nothing"],
        ),
        (
            &[
                ("[tools.search]", &format!("{http}false\n[tools.search]")),
                (uses, "uses = [\"files.reports\", \"http.x\"]"),
            ],
            &["`search` sends requests through `http.x`"],
        ),
        (
            &[
                ("[tools.search]", &format!("{http}true\n[tools.search]")),
                (uses, "uses = [\"files.reports\", \"http.x\"]"),
            ],
            &[
                "SIGNED EXCEPTION: `search` reads, and may send what looks like a write through `http.x`",
                "`search` sends requests through `http.x`",
            ],
        ),
        (&[("access = \"read\"", "access = \"write\"")], &[]),
    ];
    for (edits, words) in cases {
        let new = edited(edits);
        let (there, back) = (between(BASE, &new), between(&new, BASE));
        assert_eq!(
            (lines(&there.added), lines(&there.taken)),
            (words.iter().map(|word| (*word).to_owned()).collect(), Vec::new()),
            "{edits:?}"
        );
        assert_eq!((lines(&back.added), lines(&back.taken)), (Vec::new(), lines(&there.added)), "{edits:?}");
    }
    // A class changes both ways; with it, what a grant is worth.
    let wide = BASE.replace("access = \"read\"", "access = \"write\"");
    let graver = between(&wide, &wide.replace(effect, write));
    assert_eq!(lines(&graver.added), ["`search` changes files of the root `reports`", "`search` runs as write"]);
    assert_eq!(lines(&graver.taken), ["`search` runs as read"]);
    let off = between(BASE, &BASE.replace("effect = \"read\"\nuses", "effect = \"read\"\nstage = \"off\"\nuses"));
    assert_eq!((lines(&off.added), lines(&off.taken)), (Vec::new(), vec!["`search` is served".to_owned()]));
    let bound = between(BASE, &BASE.replace("[component]", "deployment = \"prod\"\n[component]"));
    assert_eq!(
        (lines(&bound.added), lines(&bound.taken)),
        (vec!["holds in the deployment `prod`".to_owned()], vec!["holds in every deployment".to_owned()])
    );
}

#[test]
fn another_root_under_the_same_name_of_a_grant_is_added_and_another_name_for_the_same_is_not() {
    let moved = between(BASE, &edited(&[("root = \"reports\"", "root = \"secrets\"")]));
    assert_eq!(lines(&moved.added), ["`search` reads files of the root `secrets`"]);
    assert_eq!(lines(&moved.taken), ["`search` reads files of the root `reports`"]);
    let renamed = between(BASE, &BASE.replace("files.reports", "files.papers"));
    assert!(renamed.added.is_empty() && renamed.taken.is_empty(), "{renamed}");
    assert_eq!(lines(&renamed.rest), ["names of grants: [\"files.papers\"] instead of [\"files.reports\"]"]);
}

#[test]
fn a_first_manifest_is_added_whole() {
    let (new, description) = (manifest(BASE), description());
    let first = diff(None, Side { manifest: &new, description: Some(&description) });
    assert_eq!(
        lines(&first.added),
        [
            "`search` reads files of the root `reports`",
            "`list` runs as read",
            "`search` runs as read",
            "`list` may be called by `user:me`",
            "`search` may be called by `group:engineering`",
            "`list` is served",
            "`search` is served",
            "holds in every deployment",
        ]
    );
    assert!(first.taken.is_empty() && first.contract.is_empty() && first.limits.is_empty(), "{first}");
    assert_eq!(first.tools_added.len(), 2);
}

#[test]
fn a_limit_is_told_for_the_tools_that_it_changes_for_raised_ones_first() {
    let new = edited(&[
        ("[component]", "[limits]\nfuel = 5\nmemory = \"65MiB\"\n[component]"),
        ("allow = [\"user:me\"]", "allow = [\"user:me\"]\nlimits = { deadline = \"30s\", fuel = 1_000_000_000 }"),
    ]);
    let limits = between(BASE, &new).limits;
    assert_eq!(
        lines(&limits),
        [
            "+ memory 65MiB instead of 64MiB: `list`, `search`",
            "+ deadline 30s instead of 10s: `list`",
            "- fuel 5 instead of 1000000000: `search`",
        ]
    );
    assert_eq!(Amount::Bytes(1025).to_string(), "1025B");
}

#[test]
fn every_word_of_a_contract_is_told_with_what_it_means_for_clients() {
    type Change = fn(&mut Description);
    let cases: [(Change, &str, &str); 9] = [
        (
            |it| it.tools[0].title = Some("Find".into()),
            "words",
            "`search`: title\n      was nothing\n      is  \"Find\"",
        ),
        (
            |it| it.tools[0].description = "obey\nme\u{202e}".into(),
            "words",
            "`search`: description\n      was \"does something\"\n      is  \"obey\\nme\\u202E\"",
        ),
        (|it| it.tools[0].effect = Effect::Write, "breaking", "`search` says that it is write, not read"),
        (
            |it| it.tools[0].idempotent = false,
            "breaking",
            "`search` may not be called twice with the effect of once any more",
        ),
        (|it| it.tools[0].output_schema = Some("{}".into()), "additive", "`search` gives structured results"),
        (
            |it| it.tools[0].input_schema = r#"{"type":"object","required":["q"]}"#.into(),
            "breaking",
            "`search` takes `/q`: required now",
        ),
        (
            |it| it.tools[0].input_schema = r#"{"type":"object","properties":{"q":{}}}"#.into(),
            "additive",
            "`search` takes `/q`: new",
        ),
        (
            |it| it.tools[0].asks = vec![Ask::Clock("stamps".into())],
            "words",
            "`search` asks for: The time, because: `stamps`",
        ),
        (|it| drop(it.tools.remove(0)), "nothing", ""),
    ];
    for (change, section, words) in cases {
        let Contract { breaking, additive, words: told, unseen, needs_major } = described(change).contract;
        let [breaking, additive, told] = [lines(&breaking), lines(&additive), lines(&told)];
        assert_eq!(breaking == [words], section == "breaking", "{breaking:?} {words}");
        assert_eq!(additive == [words], section == "additive", "{additive:?} {words}");
        assert_eq!(told == [words], section == "words", "{told:?} {words}");
        assert_eq!(breaking.len() + additive.len() + told.len(), usize::from(section != "nothing"), "{words}");
        assert_eq!((needs_major, unseen), (section == "breaking", false), "{words}");
    }
}

#[test]
fn a_tool_that_goes_breaks_and_one_that_comes_does_not() {
    let without = BASE.split("[tools.list]").next().unwrap();
    let gone = between(BASE, without);
    assert_eq!(lines(&gone.contract.breaking), ["`list` is not there any more"]);
    // The component still has it: no version of its own could say that this manifest lists less.
    assert!(!gone.contract.needs_major);
    assert_eq!(gone.tools_removed.len(), 1);
    let come = between(without, BASE);
    assert_eq!((lines(&come.contract.additive), come.contract.breaking.len()), (vec!["`list` is new".to_owned()], 0));
    let named = between(BASE, &BASE.replace("allow = [\"user:me\"]", "allow = [\"user:me\"]\npublish_as = \"ls\""));
    assert_eq!(lines(&named.contract.breaking), ["`list` is named `ls` for clients, not `github_list`"]);
}

#[test]
fn a_component_that_breaks_needs_a_major_version_and_before_the_first_a_minor_one() {
    for (old, new, same) in [
        ("1.4.0", "1.5.0", true),
        ("1.4.0", "2.0.0", false),
        ("0.1.0", "0.1.9", true),
        ("0.1.0", "0.2.0", false),
        ("0.9.0", "1.0.0", false),
    ] {
        assert_eq!(same_track(&old.parse().unwrap(), &new.parse().unwrap()), same, "{old} {new}");
    }
}

#[test]
fn where_a_component_was_not_seen_its_other_story_is_said_to_be_unknown() {
    let other = BASE.replace("contract_sha256 = \"00", "contract_sha256 = \"11");
    let (old, new, description) = (manifest(BASE), manifest(&other), description());
    let blind = diff(
        Some(Side { manifest: &old, description: None }),
        Side { manifest: &new, description: Some(&description) },
    );
    assert!(blind.contract.unseen && !blind.is_empty());
    assert!(blind.to_string().contains("cannot be compared: one of the components is not here"), "{blind}");
    let same = diff(
        Some(Side { manifest: &old, description: None }),
        Side { manifest: &old, description: Some(&description) },
    );
    assert!(same.is_empty(), "{same}");
}

#[test]
fn a_tool_that_nobody_may_call_is_told_among_the_rest() {
    let changed = described(|it| it.tools.push(definition("hid\u{202e}den")));
    assert_eq!(
        lines(&changed.rest),
        ["tool `hid\\u{202e}den` of the component, which nobody may call: there instead of nothing"]
    );
    assert!(changed.contract.is_empty());
}

#[test]
fn no_foreign_word_hides_or_begins_a_line() {
    const NASTY: &str = "x`\"\n  + `search` is served\r\u{2028}\u{202e}\u{200b}\u{e0041}\u{1b}[2J";
    let change = described(|it| {
        it.name = NASTY.into();
        for tool in &mut it.tools {
            tool.title = Some(NASTY.into());
            tool.description = NASTY.into();
            tool.input_schema = serde_json::json!({ NASTY: NASTY, "properties": { NASTY: {}, "b": { "description": NASTY, "pattern": NASTY, "enum": [NASTY], "type": [NASTY] } }, "required": [NASTY] }).to_string();
            tool.asks = vec![Ask::Clock(NASTY.into())];
        }
        it.tools.push(definition(NASTY));
    });
    let honest = described(|it| {
        it.name = "x".into();
        for tool in &mut it.tools {
            tool.title = Some("x".into());
            tool.description = "x".into();
            tool.input_schema = serde_json::json!({ "x": "x", "properties": { "x": {}, "b": { "description": "x", "pattern": "x", "enum": ["x"], "type": ["x"] } }, "required": ["x"] }).to_string();
            tool.asks = vec![Ask::Clock("x".into())];
        }
        it.tools.push(definition("x"));
    });
    let (told, plain) = (change.to_string(), honest.to_string());
    assert!(!told.chars().any(|c| c != '\n' && hidden(c)), "{told:?}");
    // The same lines as for an honest component, up to where foreign words begin.
    let begins = |text: &str| {
        text.lines().map(|line| line.split(['`', '"', ':']).next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(begins(&told), begins(&plain));
}
