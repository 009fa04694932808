//! No grant, no import; and a tool holds its own grants only.

use std::fs;

use serde_json::json;

use crate::support::{
    guests,
    home::{Home, Plugin},
};

#[test]
fn imports_without_a_grant_are_refused_in_one_message_with_the_lines_that_would_grant_them() {
    let home = Home::new();
    let component = guests::path("senses");
    home.install(&Plugin::plain("senses", &component, &["time", "dice"]));
    let text = home.refused(&["check"]);
    for word in [
        "wasi:clocks/wall-clock",
        "wasi:clocks/monotonic-clock",
        "wasi:random/random",
        "[grants.clock.",
        "[grants.random.",
    ] {
        assert!(text.contains(word), "`{word}` is not in: {text}");
    }
}

#[test]
fn a_component_that_imports_the_writer_is_refused_while_nothing_may_be_written() {
    let home = Home::new();
    let component = guests::path("writes");
    let grants = "[grants.files.tree]\nroot = \"tree\"\naccess = \"read\"\n";
    let inspected = home.json(&["inspect", component.to_str().unwrap()]);
    let tool = inspected["tools"][0]["name"].as_str().unwrap().to_owned();
    home.install(&Plugin::granted("writes", &component, &[(&tool, "[\"files.tree\"]")], grants));
    let text = home.refused(&["check"]);
    assert!(text.contains("wardkeep:files/writer"), "{text}");
}

#[test]
fn a_tool_that_reaches_for_its_neighbours_root_is_told_no_and_the_record_says_so() {
    let home = Home::new();
    let place = |side: &str| home.tree().join(side).to_str().unwrap().to_owned();
    let (left, right) = (place("left"), place("right"));
    for (side, place) in [("left", &left), ("right", &right)] {
        fs::create_dir(place).unwrap();
        fs::write(format!("{place}/a.txt"), format!("of the {side}")).unwrap();
    }
    let root = crate::support::home::sha256(&home.read("trust.toml"));
    home.write("wardkeep.toml", &home.operator_file(&root, &format!("left = \"{left}\"\nright = \"{right}\"\n")));
    let grants = "[grants.files.left]\nroot = \"left\"\naccess = \"read\"\n[grants.files.right]\nroot = \"right\"\naccess = \"read\"\n";
    let tools = [("left", "[\"files.left\"]"), ("right", "[\"files.right\"]")];
    home.install(&Plugin::granted("neighbours", &guests::path("neighbours"), &tools, grants));
    let serving = home.serve();
    let call = |tool: &str, root: &str| serving.mcp().call(tool, json!({ "root": root, "path": "a.txt" }));

    let own = call("neighbours_left", "left");
    assert_eq!(own["result"]["structuredContent"], json!({ "text": "of the left", "granted": ["left"] }), "{own}");
    let reached = call("neighbours_left", "right");
    assert_eq!(reached["result"]["isError"], json!(true), "{reached}");
    assert!(!reached.to_string().contains("of the right"));

    serving.terminate();
    let noted = home.journal().iter().any(|r| {
        let notes = r["unmapped"]["notes"].to_string();
        notes.contains("\"denied\"") && notes.contains("right")
    });
    assert!(noted, "the attempt is on record: {:?}", home.journal().last());
}

#[test]
fn a_call_that_names_what_is_not_listed_never_reaches_the_guest_and_is_on_record() {
    let home = Home::new();
    let component = guests::path("fixture");
    let mut plugin = Plugin::plain("fixture", &component, &["echo"]);
    plugin.tools.push_str("only = { \"/text\" = [\"acme\", \"web-*\"] }\nresources = [\"/text\"]\n");
    home.install(&plugin);
    let serving = home.serve();
    let echo = |text: &str| serving.mcp().call("fixture_echo", json!({ "text": text }));
    for listed in ["acme", "web-1"] {
        assert_eq!(echo(listed)["result"]["isError"], json!(false), "{listed}");
    }
    for other in ["Acme", "web-a/b", "аcme", "", "acme\n"] {
        let refused = echo(other);
        assert_eq!(refused["result"]["isError"], json!(true), "{refused}");
        let told = refused["result"]["content"][0]["text"].as_str().unwrap();
        // nothing of the list, and nothing of the value
        assert_eq!(told, "these arguments name something that this tool may not touch");
    }
    serving.terminate();
    let journal = home.journal();
    let rule = |record: &&serde_json::Value| record["unmapped"]["rule"] == json!("resource-not-allowed");
    let refused: Vec<_> = journal.iter().filter(rule).collect();
    let counted: u64 = refused.iter().map(|record| record["unmapped"]["count"].as_u64().unwrap_or(1)).sum();
    assert!(counted >= 1 && !refused.is_empty(), "{journal:?}");
    let intents = journal.iter().filter(|record| record["unmapped"]["phase"] == json!("intent")).count();
    assert_eq!(intents, 2, "only the listed ones ran: {journal:?}");
    let recorded = journal.iter().filter(|record| record.to_string().contains("web-1")).count();
    assert!(recorded > 0, "what was named is on record");
    assert!(!journal.iter().any(|record| record.to_string().contains("web-a/b")), "what was refused is not");
}

#[test]
fn clock_and_random_are_told_to_the_tool_that_was_granted_them_and_frozen_for_its_neighbour() {
    let home = Home::new();
    let tools = [("time", "[\"clock.now\"]"), ("dice", "[\"random.any\"]")];
    let component = guests::path("senses");
    let mut senses = Plugin::granted("senses", &component, &tools, "[grants.clock.now]\n[grants.random.any]\n");
    senses.wasi = "inert";
    home.install(&senses);
    let serving = home.serve();
    let now = jiff::Timestamp::now().as_second();
    let time = serving.mcp().call("senses_time", json!({}));
    let told = time["result"]["structuredContent"]["seconds"].as_i64().unwrap_or_else(|| panic!("{time}"));
    assert!((now - 5..now + 60).contains(&told), "{told} is not now");
    let dice = || serving.mcp().call("senses_dice", json!({}))["result"]["structuredContent"].clone();
    assert_ne!(dice(), dice());
}
