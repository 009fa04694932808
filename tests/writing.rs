//! Writing: only by a tool that is signed for it, by a caller that may, and never without a record. A tool that reads changes nothing, whatever
//! its plugin holds.

use std::fs;

use serde_json::{Value, json};

use crate::{
    confirming::{self, PERSON},
    support::{
        guests,
        home::{Home, Plugin, sha256},
        serving::Serving,
    },
};

const GRANT: &str = "[grants.files.tree]\nroot = \"tree\"\naccess = \"write\"\n";

/// A home whose caller has these lines, as its operator wrote them.
fn home(caller: &str) -> Home {
    let home = Home::new();
    // two people have to sign what destroys, and here is one
    let trust = String::from_utf8(home.read("trust.toml")).unwrap();
    home.write("trust.toml", &format!("{trust}\n[thresholds]\ndestructive = 1\n"));
    let root = sha256(&home.read("trust.toml"));
    let group = "principal = \"service:test\"\ngroups = [\"tests\"]\n";
    let file = home.operator_file(&root, "");
    assert!(file.contains(group), "{file}");
    home.write("wardkeep.toml", &file.replace(group, &format!("{group}{caller}")));
    home
}

/// The same where no operator can be asked.
fn closed(caller: &str) -> Home {
    let home = home(caller);
    let file = String::from_utf8(home.read("wardkeep.toml")).unwrap();
    home.write("wardkeep.toml", &format!("{file}[confirmation]\napprovals = false\n"));
    home
}

const UNCONFIRMED: &str = "writes = true\nunconfirmed_writes = true\n";

/// The table of a tool that changes something.
fn changes(name: &str, effect: &str, more: &str) -> String {
    format!(
        "[tools.{name}]\neffect = \"{effect}\"\nside_effects = \"changes files\"\nuses = [\"files.tree\"]\n\
         allow = [\"group:tests\"]\n{more}"
    )
}

fn install(home: &Home, confirm: &str) {
    let component = guests::path("writes");
    let mut plugin = Plugin::granted("writes", &component, &[("scribble", "[\"files.tree\"]")], GRANT);
    plugin.tools.push_str(&changes("keep", "write", &format!("resources = [\"/path\"]\n{confirm}")));
    home.install(&plugin);
}

fn last(home: &Home, phase: &str) -> Value {
    home.journal().into_iter().rfind(|line| line["unmapped"]["phase"] == phase).expect("such a record")
}

fn keep(serving: &Serving) -> Value {
    serving.mcp().call("writes_keep", json!({ "root": "tree", "path": "a.txt", "text": "kept" }))
}

#[test]
fn a_reading_tool_changes_nothing_in_a_plugin_that_may_write() {
    let home = home(UNCONFIRMED);
    install(&home, "confirm = \"none\"\n");
    fs::write(home.tree().join("a.txt"), "as it was").unwrap();
    let serving = home.serve();
    let answer = serving.mcp().call("writes_scribble", json!({ "root": "tree", "path": "a.txt" }));
    let denied = vec!["denied"; 6];
    assert_eq!(answer["result"]["structuredContent"], json!({ "came_to": denied, "writable": false }), "{answer}");
    assert_eq!(fs::read_to_string(home.tree().join("a.txt")).unwrap(), "as it was");
    assert_eq!(fs::read_dir(home.tree()).unwrap().count(), 1);

    assert_eq!(keep(&serving)["result"]["isError"], json!(false), "its neighbour may");
    assert_eq!(fs::read_to_string(home.tree().join("a.txt")).unwrap(), "kept");
    serving.terminate();
    let noted = home.journal();
    let noted = noted.iter().find(|line| line["api"]["operation"] == "writes_scribble" && line["status_code"] == "ok");
    let notes = noted.expect("its outcome")["unmapped"]["notes"].clone();
    let told: Vec<_> = notes.as_array().unwrap().iter().map(|note| (&note["kind"], &note["detail"])).collect();
    assert_eq!(told[0], (&json!("denied"), &json!("files.write tree/a.txt.other")), "{notes}");
    let details = notes.to_string();
    assert!(["files.move", "files.mkdir", "files.remove"].iter().all(|it| details.contains(it)), "{notes}");
    let shown = String::from_utf8(home.run(&["audit", "tail"]).stdout).unwrap();
    assert!(shown.contains("denied files: files.write tree/a.txt"), "{shown}");
}

#[test]
fn a_write_is_served_where_manifest_and_operator_let_it_go_unconfirmed_and_is_on_record_before_it_runs() {
    let home = home(UNCONFIRMED);
    install(&home, "confirm = \"none\"\n");
    let serving = home.serve();
    assert_eq!(serving.mcp().tools(), ["writes_keep", "writes_scribble"]);
    let answer = keep(&serving);
    assert_eq!(answer["result"]["isError"], json!(false), "{answer}");
    let written = fs::metadata(home.tree().join("a.txt")).unwrap().modified().unwrap();
    serving.kill_9();
    let (intent, outcome) = (last(&home, "intent"), last(&home, "outcome"));
    assert_eq!(intent["metadata"]["correlation_uid"], outcome["metadata"]["correlation_uid"]);
    for line in [&intent, &outcome] {
        assert_eq!((&line["activity_name"], &line["unmapped"]["effect"]), (&json!("Update"), &json!("write")));
        assert_eq!(line["resources"], json!([{ "uid": "a.txt", "type": "named by the manifest: /path" }]));
        assert!(!line.to_string().contains("kept"), "no contents");
    }
    let written = written.duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
    // file systems stamp a change with the time of the last tick
    assert!(u128::from(intent["time"].as_u64().unwrap()) <= written + 10, "{intent}");
    let found = home.json(&["audit", "query", "--resource", "a.txt", "-n", "1"]);
    assert_eq!(found["status_code"], "ok");
    let shown = String::from_utf8(home.run(&["audit", "tail"]).stdout).unwrap();
    assert!(shown.contains("/path=a.txt"), "{shown}");
}

#[test]
fn a_write_is_not_served_without_all_three_words_where_nobody_can_be_asked() {
    let unconfirmed = "confirm = \"none\"\n";
    for (caller, confirm) in [
        ("", unconfirmed),
        ("writes = true\n", unconfirmed),
        ("unconfirmed_writes = true\n", unconfirmed),
        (UNCONFIRMED, ""),
        (UNCONFIRMED, "confirm = \"client\"\n"),
        (UNCONFIRMED, "confirm = \"operator\"\n"),
        (UNCONFIRMED, "confirm = \"none\"\nstage = \"off\"\n"),
    ] {
        let home = closed(caller);
        install(&home, confirm);
        let serving = home.serve();
        assert_eq!(serving.mcp().tools(), ["writes_scribble"], "{caller:?} {confirm:?}");
        let answer = keep(&serving);
        assert_eq!(answer["error"]["message"], "unknown tool `writes_keep`", "{answer}");
        assert_eq!(fs::read_dir(home.tree()).unwrap().count(), 0, "{caller:?} {confirm:?}");
        serving.terminate();
        assert_eq!(last(&home, "refusal")["status_code"], "denied");
    }
    let home = closed(UNCONFIRMED);
    let component = guests::path("writes");
    let mut plugin = Plugin::granted("writes", &component, &[("scribble", "[\"files.tree\"]")], GRANT);
    plugin.tools.push_str(&changes("keep", "destructive", "confirm = \"client\"\n"));
    home.install(&plugin);
    let serving = home.serve();
    assert_eq!(serving.mcp().tools(), ["writes_scribble"]);
    assert!(keep(&serving)["error"]["message"].is_string());
    assert_eq!(fs::read_dir(home.tree()).unwrap().count(), 0);
}

/// The tables that plugins/files/README.md shows.
fn shown() -> String {
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../plugins/files/README.md")).unwrap();
    let table = page.split("```").find(|block| block.contains("[grants.files.drafts]")).expect("the tables");
    let table = table.trim_start_matches("toml").replace("root = \"drafts\"", "root = \"tree\"");
    table.replace("group:engineering", "group:tests")
}

#[test]
fn the_plugin_files_writes_by_the_manifest_that_its_page_shows_once_its_person_said_yes() {
    let component = guests::files_write();
    let home = home(PERSON);
    let mut plugin = Plugin::granted("files", &component, &[], "");
    plugin.tools = shown();
    home.install(&plugin);
    let serving = home.serve();
    let mcp = serving.mcp();
    assert_eq!(
        mcp.tools(),
        ["files_append", "files_make_directory", "files_move", "files_read", "files_remove", "files_write"]
    );
    let call = |tool: &str, arguments: Value| {
        let before = home.journal().len();
        let asked = confirming::call(&mcp, tool, arguments.clone(), &json!({}))["result"].clone();
        assert!(!home.journal()[before..].iter().any(|line| line["unmapped"]["phase"] == "intent"), "{asked}");
        confirming::call(&mcp, tool, arguments, &confirming::yes(&asked))["result"].clone()
    };
    let done = |tool: &str, arguments: Value| {
        let result = call(tool, arguments);
        assert_eq!(result["isError"], json!(false), "{result}");
        result["structuredContent"].clone()
    };
    assert_eq!(done("files_make_directory", json!({ "path": "new" }))["made"], json!(["new"]));
    assert_eq!(done("files_write", json!({ "path": "new/a.md", "text": "# A\n" }))["bytes"], 4);
    done("files_append", json!({ "path": "new/a.md", "text": "more\n" }));
    done("files_move", json!({ "from": "new/a.md", "to": "new/b.md" }));
    let read = mcp.call("files_read", json!({ "path": "new/b.md" }));
    assert_eq!(read["result"]["structuredContent"]["content"], "# A\nmore\n", "nobody is asked: {read}");
    let again = call("files_write", json!({ "path": "new/b.md", "text": "x" }));
    assert_eq!(
        (&again["isError"], &again["_meta"]["dev.wardkeep/failure"]),
        (&json!(true), &json!("invalid-arguments"))
    );
    // nobody is asked about what may not be done in any case
    let not_listed = confirming::call(&mcp, "files_write", json!({ "path": "new/c.sh", "text": "x" }), &json!({}));
    assert_eq!(not_listed["result"]["isError"], json!(true), "{not_listed}");
    assert_eq!(fs::read_to_string(home.tree().join("new/b.md")).unwrap(), "# A\nmore\n");
    done("files_remove", json!({ "paths": ["new/b.md"] }));
    assert_eq!(fs::read_dir(home.tree().join("new")).unwrap().count(), 0);
    serving.terminate();
    let moved = home
        .journal()
        .into_iter()
        .find(|line| line["api"]["operation"] == "files_move" && line["unmapped"]["phase"] == "intent");
    let moved = moved.unwrap();
    let ids: Vec<_> = moved["resources"].as_array().unwrap().iter().map(|it| it["uid"].clone()).collect();
    assert_eq!(ids, ["new/a.md", "new/b.md"]);
    assert_eq!(moved["unmapped"]["confirmed"]["how"], "client", "{moved}");
}

#[test]
fn a_component_that_could_write_is_refused_where_none_of_its_tools_may() {
    let home = Home::new();
    let grants = "[grants.files.tree]\nroot = \"tree\"\naccess = \"read\"\n";
    let component = guests::files_write();
    home.install(&Plugin::granted("files", &component, &[("read", "[\"files.tree\"]")], grants));
    let text = home.refused(&["check"]);
    assert!(text.contains("wardkeep:files/writer"), "{text}");
    let imports = home.json(&["inspect", guests::files().to_str().unwrap()])["imports"].to_string();
    assert!(imports.contains("files/reader") && !imports.contains("files/writer"), "{imports}");
}
