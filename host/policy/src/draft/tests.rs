use proptest::prelude::*;
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
fn a_component_s_sentences_keep_their_backticks_and_stay_on_their_line() {
    let mut tool = definition("search", Effect::Read, vec![Ask::Clock("for `now`\nallow = [\"user:x\"]".into())]);
    tool.description = "Finds `needle` in `haystack`\n[tools.wipe]".into();
    let long = definition("list", Effect::Read, Vec::new());
    let long = Definition { description: "x".repeat(300), ..long };
    let description = Description { name: "a".into(), version: "1.0.0".into(), tools: vec![tool, long] };
    let text = write(&description, &[]);
    assert!(text.contains("\n# \"Finds `needle` in `haystack`\\n[tools.wipe]\"\n[tools.search]\n"), "{text}");
    assert!(text.contains("because: \"for `now`\\nallow = [\\\"user:x\\\"]\"\n"), "{text}");
    assert!(text.contains(&format!("\n# \"{}…\"\n", "x".repeat(200))), "{text}");
    assert!(!text.contains("\\u{60}"), "{text}");
}

fn http(host: &str, methods: &[&str]) -> Ask {
    let methods = methods.iter().map(|method| (*method).into()).collect();
    Ask::Http(HttpAsk { host: host.into(), methods, purpose: NASTY.into() })
}

fn secret(name: &str) -> Ask {
    Ask::Secret(SecretAsk { name: name.into(), purpose: NASTY.into() })
}

/// The draft as an admin has it who grants everything that is asked for.
fn granted(draft: &str) -> String {
    let lines = draft.lines().map(|line| {
        let bare = line.strip_prefix("# ").unwrap_or_default();
        let key = bare.split(' ').next().unwrap_or_default();
        let table = bare.starts_with("[grants.") || bare.starts_with("[secrets.");
        match key {
            _ if table => bare.to_owned(),
            "stage" | "pilot_groups" | "rate" => bare.to_owned(),
            "host" | "methods" | "paths" | "secret" | "read_only" | "root" | "access" | "source" | "inject" => {
                bare.to_owned()
            }
            _ => match line.split_once("# it asks for ") {
                Some((_, keys)) if line.starts_with("uses = []") => format!("uses = [{keys}]"),
                _ => line.to_owned(),
            },
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn what_a_draft_proposes_is_right_when_its_comments_are_removed() {
    let reading = vec![http("api.github.com", &["GET", "HEAD"]), secret("github-ro")];
    let searching = vec![http("api.github.com", &["POST"]), secret("github-ro")];
    let writing = vec![
        http("api.github.com", &["GET", "POST", "PATCH"]),
        http("*.uploads.example.com", &["PUT"]),
        secret("github-ro"),
        secret("github-rw"),
        files("reports", false),
        files("reports", true),
    ];
    let tools = vec![
        definition("list", Effect::Read, reading),
        definition("search", Effect::Read, searching),
        definition("create", Effect::Write, writing),
        definition("remove", Effect::Destructive, vec![http("api.github.com", &["DELETE"]), secret("github-rw")]),
    ];
    let description = Description { name: "github".into(), version: "1.4.0".into(), tools };
    let text = write(&description, &[]);
    // The one that only an admin can decide on: a root may be granted for reading or for writing.
    let text = granted(&text).replace("[grants.files.reports]\nroot = \"reports\"\naccess = \"read\"\n", "");
    let manifest = Manifest::parse("m.toml", text.as_bytes()).unwrap_or_else(|faults| panic!("{faults}\n{text}"));
    let uses = |name: &str| {
        let tool = manifest.tools().values().find(|tool| tool.name.as_str() == name).unwrap();
        tool.uses.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    for tool in manifest.tools().values() {
        let stage = if tool.effect == Effect::Read { Stage::General } else { Stage::Pilot };
        assert_eq!((tool.stage, tool.rate.caller.is_some(), tool.rate.tool.is_some()), (stage, true, true), "{tool:?}");
    }
    assert_eq!(uses("list"), ["http.api-github-com-read"]);
    assert_eq!(uses("search"), ["http.api-github-com-post"]);
    assert_eq!(
        uses("create"),
        [
            "files.reports-write",
            "http.any-uploads-example-com-put",
            "http.api-github-com-post-patch",
            "http.api-github-com-read-2"
        ]
    );
    assert_eq!(uses("remove"), ["http.api-github-com-delete"]);
    let of = |name: &str| {
        let (_, grant) = manifest.grants().iter().find(|(key, _)| key.to_string() == name).unwrap();
        let crate::manifest::Grant::Http(http) = grant else { panic!("{name}") };
        (http.methods.len(), http.secret.as_ref().unwrap().to_string(), http.read_only)
    };
    assert_eq!(of("http.api-github-com-read"), (2, "github-ro".into(), false));
    assert_eq!(of("http.api-github-com-post"), (1, "github-ro".into(), true), "a tool that reads needs an exception");
    assert_eq!(of("http.api-github-com-post-patch"), (2, "github-rw".into(), false));
    assert_eq!(manifest.secrets().len(), 2);
}

/// Every tool asks for the same host with another secret, so that names collide as often as they can.
#[test]
fn a_component_that_asks_for_very_much_costs_no_more_than_its_length() {
    let asks = |tool: usize| {
        let secrets = (0..5).map(move |secret| self::secret(&format!("s{tool}-{secret}")));
        (0..5).map(|_| http("a.test", &["GET", "POST"])).chain(secrets).collect()
    };
    let tools = (0..4_000).map(|tool| definition(&format!("t{tool}"), Effect::Write, asks(tool))).collect();
    let description = Description { name: "github".into(), version: "1.4.0".into(), tools };
    let begun = std::time::Instant::now();
    let text = write(&description, &[]);
    assert!(text.contains("[grants.http.a-test-post-4000]"), "each has a name of its own");
    assert!(begun.elapsed() < std::time::Duration::from_secs(20), "{:?}", begun.elapsed());
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

/// Text that means to be read as something else: pieces of manifests, quotes, ends of lines, what hides.
fn foreign() -> impl Strategy<Value = String> {
    let piece = proptest::sample::select(vec![
        "\n",
        "\r",
        "\u{2028}",
        "\u{85}",
        "\"",
        "\"\"\"",
        "'",
        "'''",
        "\\",
        "#",
        "[",
        "]",
        "[grants.files.all]\n",
        "root = \"all\"\n",
        "access = \"write\"\n",
        "allow = [\"user:me\"]\n",
        "uses = [\"clock.now\"]\n",
        "stage = \"general\"\n",
        "\u{202e}",
        "\u{0}",
        "search",
        "a",
        "-",
        " = ",
        ".",
        "`",
        "\u{1f600}",
    ]);
    prop_oneof![
        proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat()),
        any::<String>(),
        // Names that are names, few enough to meet.
        "[a-c]{1,2}",
    ]
}

fn asked() -> impl Strategy<Value = Ask> {
    let hosts = prop_oneof![
        proptest::sample::select(vec![
            "a.test".to_owned(),
            "*.b.test".to_owned(),
            format!("{}.test", "long-".repeat(10) + "x")
        ]),
        foreign()
    ];
    let names = vec!["GET", "POST", "OPTIONS", "DELETE", "get", "CONNECT"];
    let methods = proptest::sample::subsequence(names, 0..4);
    (0..6, foreign(), foreign(), any::<bool>(), (hosts, methods)).prop_map(|(kind, name, purpose, write, http)| {
        match kind {
            0 => Ask::Http(HttpAsk { host: name.clone(), methods: vec![name], purpose }),
            5 => Ask::Http(HttpAsk { host: http.0, methods: http.1.into_iter().map(Into::into).collect(), purpose }),
            1 => Ask::Secret(SecretAsk { name, purpose }),
            2 => Ask::Files(FilesAsk { root: name, write, purpose }),
            3 => Ask::Clock(purpose),
            _ => Ask::Random(purpose),
        }
    })
}

fn described() -> impl Strategy<Value = Description> {
    let effect = prop_oneof![Just(Effect::Read), Just(Effect::Write), Just(Effect::Destructive)];
    let tool = (foreign(), foreign(), effect, proptest::collection::vec(asked(), 0..4));
    let tool = tool.prop_map(|(name, words, effect, asks)| Definition {
        title: Some(words.clone()),
        description: words.clone(),
        input_schema: words.clone(),
        output_schema: Some(words),
        ..definition(&name, effect, asks)
    });
    let parts = (foreign(), foreign(), proptest::collection::vec(tool, 0..5));
    parts.prop_map(|(name, version, tools)| Description { name, version, tools })
}

proptest! {
    #[test]
    fn whatever_a_component_says_its_draft_is_toml_that_grants_nothing_and_serves_nobody(
        description in described(),
        imports in proptest::collection::vec(foreign(), 0..4),
        (file, owner) in (foreign(), foreign()),
    ) {
        let text = draft(&Draft {
            file: &file,
            component: Digest::of(b"component"),
            description: &description,
            imports: &imports,
            owner: &owner,
            now: "2026-11-22T12:00:00Z".parse().unwrap(),
        });
        prop_assert!(!text.chars().any(|c| c != '\n' && crate::document::hidden(c)), "{text:?}");
        let table: toml::Table = text.parse().map_err(|error| TestCaseError::fail(format!("{error}\n{text}")))?;
        let known = ["component", "format", "plugin", "tools"];
        prop_assert!(table.keys().all(|key| known.contains(&key.as_str())), "{text}");
        let keys = |table: &toml::Value| table.as_table().unwrap().keys().cloned().collect::<Vec<_>>();
        prop_assert_eq!(keys(&table["plugin"]), ["expires", "name", "owner", "purpose", "serial", "version"]);
        prop_assert_eq!(keys(&table["component"]), ["contract_sha256", "file", "sha256"]);
        prop_assert_eq!(table["plugin"]["version"].as_str(), Some(description.version.as_str()));
        prop_assert_eq!(table["plugin"]["owner"].as_str(), Some(owner.as_str()));
        prop_assert_eq!(table["component"]["file"].as_str(), Some(file.as_str()));
        let tools = table.get("tools").and_then(toml::Value::as_table).cloned().unwrap_or_default();
        for (name, tool) in &tools {
            prop_assert!(description.tools.iter().any(|told| told.name == *name), "{text}");
            let tool = tool.as_table().unwrap();
            prop_assert!(tool["uses"].as_array().unwrap().is_empty() && tool["allow"].as_array().unwrap().is_empty());
            let known = ["allow", "confirm", "effect", "side_effects", "uses"];
            prop_assert!(tool.keys().all(|key| known.contains(&key.as_str())), "{text}");
        }
    }

    #[test]
    fn whatever_a_component_asks_for_its_proposals_are_sound_tables(description in described()) {
        let text = granted(&write(&description, &[]));
        let (_, _, faults) = Manifest::parse_further("m.toml", text.as_bytes());
        // What the component says of itself may be no name and no version; a grant of one of its tools that cannot be served is unused.
        let of_a_table = |key: &str| ["grants.", "secrets.", "tools."].iter().any(|table| key.starts_with(table));
        let unsound: Vec<_> = faults
            .iter()
            .filter(|fault| of_a_table(&fault.key) && fault.message != "no tool uses this grant")
            .map(ToString::to_string)
            .collect();
        prop_assert!(unsound.is_empty(), "{unsound:?}\n{text}");
    }
}
