//! Confirmations through the client: a write runs once, as it was shown, after its person chose "yes", and by nothing else.

mod attacks;
mod older;
mod people;
mod rights;

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::support::{
    guests,
    home::{Home, KEY, Plugin, sha256},
    http::Mcp,
    serving::{Serving, Stdio2026},
};

/// The key of another person in the tests' group.
const OTHER: &str = "wk_other_0123456789abcdef0123456789abcdef";
pub const PERSON: &str = "writes = true\nhuman = true\n";
pub const CONFIRM: &str = "dev.wardkeep/confirm";

/// A home whose callers have these lines, with tools that change files and one that asks questions of its own.
pub fn home(caller: &str, confirm: &str, more: &str) -> Home {
    let home = Home::new();
    // two people have to sign what destroys, and here is one
    let trust = String::from_utf8(home.read("trust.toml")).unwrap();
    home.write("trust.toml", &format!("{trust}\n[thresholds]\ndestructive = 1\n"));
    let root = sha256(&home.read("trust.toml"));
    let other = sha256(OTHER.as_bytes());
    let keys = format!(
        "[callers.keys.other]\nsha256 = \"{other}\"\nprincipal = \"service:other\"\ngroups = [\"tests\"]\n{caller}{more}"
    );
    let mut file = home.operator_file(&root, &keys);
    for groups in ["groups = [\"tests\"]\n[roots]", "groups = [\"engineering\"]\n[callers"] {
        let (line, next) = groups.split_once('\n').unwrap();
        assert!(file.contains(groups), "{file}");
        file = file.replace(groups, &format!("{line}\n{caller}{next}"));
    }
    home.write("wardkeep.toml", &file);
    install(&home, 1, confirm);
    let asks = guests::path("asks");
    let tools = ["ask", "badly"].map(|name| {
        format!("[tools.{name}]\neffect = \"read\"\nuses = []\nallow = [\"group:tests\", \"user:me\"]\nasks = true\n")
    });
    home.install(&Plugin { tools: tools.concat(), ..Plugin::granted("asks", &asks, &[], "") });
    home
}

/// The plugin `files` with tools that change something, in this version of its manifest.
pub fn install(home: &Home, serial: u64, confirm: &str) {
    let component = guests::files_write();
    let tool = |name: &str, effect: &str, at: &str| {
        format!(
            "[tools.{name}]\neffect = \"{effect}\"\nside_effects = \"changes files below tree/\"\nuses = [\"files.tree\"]\n\
             allow = [\"group:tests\", \"user:me\"]\nresources = [\"{at}\"]\n{confirm}"
        )
    };
    let tools =
        [tool("write", "write", "/path"), tool("append", "write", "/path"), tool("remove", "destructive", "/paths/*")];
    let grants = "[grants.files.tree]\nroot = \"tree\"\naccess = \"write\"\n";
    home.install(&Plugin { serial, tools: tools.concat(), ..Plugin::granted("files", &component, &[], grants) });
}

/// A call of a client of revision 2026-07-28 that can show forms, or comes back from one.
pub fn call(mcp: &Mcp, tool: &str, arguments: Value, retry: &Value) -> Value {
    let mut params = json!({ "name": tool, "arguments": arguments });
    for (key, value) in retry.as_object().unwrap() {
        params[key] = value.clone();
    }
    let meta = json!({ "io.modelcontextprotocol/clientCapabilities": { "elicitation": { "form": {} } } });
    mcp.request_with_meta("tools/call", params, meta).message()
}

pub fn note() -> Value {
    json!({ "path": "a.md", "text": "very private" })
}

/// Calls, and is asked.
fn ask(mcp: &Mcp) -> Value {
    let asked = call(mcp, "files_write", note(), &json!({}))["result"].clone();
    assert_eq!(asked["resultType"], "input_required", "{asked}");
    asked
}

fn said(asked: &Value, content: Value) -> Value {
    json!({
        "requestState": asked["requestState"],
        "inputResponses": { CONFIRM: { "action": "accept", "content": content } },
    })
}

pub fn yes(asked: &Value) -> Value {
    said(asked, json!({ "confirm": "yes" }))
}

pub fn lines(home: &Home, phase: &str) -> Vec<Value> {
    home.journal().into_iter().filter(|line| line["unmapped"]["phase"] == phase).collect()
}

/// A refusal by this rule is on record; repetitions within ten seconds are counted, and told later.
pub fn on_record(home: &Home, rule: &str, outcome: &str) {
    let refusals = lines(home, "refusal");
    let by = |line: &&Value| line["unmapped"]["rule"] == rule && line["unmapped"]["outcome"] == outcome;
    assert!(refusals.iter().any(|line| by(&line)), "{rule} {outcome}: {refusals:?}");
}

/// Puts the next version of the manifest in force, which says the same.
pub fn change(home: &Home, serving: &Serving) {
    let digest = || {
        let listed = serving.mcp().request("tools/list", json!({})).message();
        let tools = listed["result"]["tools"].as_array().unwrap();
        let tool = tools.iter().find(|tool| tool["name"] == "files_write").expect("it is served");
        let digest = tool["_meta"]["dev.wardkeep/manifest-sha256"].clone();
        assert!(digest.is_string(), "{tool}");
        digest
    };
    let before = digest();
    install(home, 2, "");
    serving.hang_up();
    let begun = Instant::now();
    while digest() == before {
        assert!(begun.elapsed().as_secs() < 30, "it is never reloaded");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Nothing was written, and nothing was recorded as about to.
pub fn nothing_written(home: &Home, why: &str) {
    assert_eq!(fs::read_dir(home.tree()).unwrap().count(), 0, "{why}");
    let writes: Vec<_> =
        lines(home, "intent").into_iter().filter(|line| line["unmapped"]["effect"] != "read").collect();
    assert!(writes.is_empty(), "{why}: {writes:?}");
}

#[test]
fn a_write_runs_once_its_person_chose_yes_and_the_record_says_who_did() {
    let home = home(PERSON, "", "");
    let serving = home.serve();
    let mcp = serving.mcp();
    assert!(mcp.tools().contains(&"files_write".to_owned()), "a tool that waits for a yes is listed");
    let asked = ask(&mcp);
    let request = &asked["inputRequests"][CONFIRM];
    assert_eq!(request["method"], "elicitation/create");
    let message = request["params"]["message"].as_str().unwrap();
    for words in [
        "Wardkeep asks: may files_write run? It is a write tool of files ",
        "What it changes: changes files below tree/\n",
        "It names:\n- /path = a.md\n",
        "- path: \"a.md\"\n- text: \"very private\"\n",
    ] {
        assert!(message.contains(words), "{words:?}: {message}");
    }
    let field = &request["params"]["requestedSchema"]["properties"]["confirm"];
    assert_eq!(field["enum"], json!(["no", "yes"]), "a choice, and no box to tick: {request}");
    on_record(&home, "awaits-confirmation", "input-required");
    nothing_written(&home, "it is only asked");

    let done = call(&mcp, "files_write", note(), &yes(&asked));
    assert_eq!(done["result"]["isError"], json!(false), "{done}");
    assert_eq!(fs::read_to_string(home.tree().join("a.md")).unwrap(), "very private");
    serving.terminate();
    let id = &asked["_meta"]["dev.wardkeep/correlation-id"];
    for phase in ["intent", "outcome"] {
        let line = lines(&home, phase).pop().unwrap();
        let confirmed = json!({ "by": "service:test", "how": "client", "asked": id });
        assert_eq!(line["unmapped"]["confirmed"], confirmed, "{line}");
    }
    assert!(!json!(home.journal()).to_string().contains("very private"));
    let shown = String::from_utf8(home.run(&["audit", "tail"]).stdout).unwrap();
    assert!(shown.contains("confirmed by service:test (through the client)"), "{shown}");
}

#[test]
fn a_destructive_tool_runs_by_a_yes_and_never_without() {
    let home = home(PERSON, "", "");
    let serving = home.serve();
    let mcp = serving.mcp();
    fs::write(home.tree().join("old.md"), "old").unwrap();
    let paths = || json!({ "paths": ["old.md"] });
    let asked = call(&mcp, "files_remove", paths(), &json!({}))["result"].clone();
    let message = asked["inputRequests"][CONFIRM]["params"]["message"].as_str().unwrap_or_default();
    assert!(message.contains("It is a destructive tool of files"), "{asked}");
    assert!(home.tree().join("old.md").exists());
    let done = call(&mcp, "files_remove", paths(), &yes(&asked));
    assert_eq!(done["result"]["isError"], json!(false), "{done}");
    assert!(!home.tree().join("old.md").exists());
    assert_eq!(lines(&home, "intent").pop().unwrap()["unmapped"]["confirmed"]["how"], "client");
}

#[test]
fn one_yes_carries_a_call_through_the_questions_of_its_plugin_and_no_answer_to_those_is_one() {
    let home = home(PERSON, "", "");
    let asks = guests::path("asks");
    let tools = "[tools.ask]\neffect = \"write\"\nside_effects = \"bakes\"\nuses = []\nallow = [\"group:tests\"]\nasks = true\n";
    home.install(&Plugin { serial: 2, tools: tools.to_owned(), ..Plugin::granted("asks", &asks, &[], "") });
    let serving = home.serve();
    let mcp = serving.mcp();
    let cake = |retry: &Value| call(&mcp, "asks_ask", json!({ "about": "cake" }), retry)["result"].clone();
    let plum = |asked: &Value| {
        let answers = json!({ "flavour": { "action": "accept", "content": { "flavour": "plum" } } });
        json!({ "requestState": asked["requestState"], "inputResponses": answers })
    };
    // what its plugin would ask is no question yet, and nothing was run
    let asked = cake(&plum(&json!({})));
    assert!(asked["inputRequests"][CONFIRM].is_object(), "{asked}");
    assert_eq!(lines(&home, "intent").len(), 0);
    let posed = cake(&yes(&asked));
    assert_eq!(posed["inputRequests"]["flavour"]["params"]["message"], "plugin asks asks: Which cake?", "{posed}");
    let done = cake(&plum(&posed));
    assert_eq!(done["structuredContent"]["flavour"], "plum", "{done}");
    let intents = lines(&home, "intent");
    assert_eq!(intents.len(), 2);
    for intent in &intents {
        assert_eq!(intent["unmapped"]["confirmed"]["asked"], asked["_meta"]["dev.wardkeep/correlation-id"], "{intent}");
    }
    // neither of the two states is good again
    for retry in [yes(&asked), plum(&posed)] {
        assert_eq!(call(&mcp, "asks_ask", json!({ "about": "cake" }), &retry)["error"]["code"], -32602);
    }
    assert_eq!(lines(&home, "intent").len(), 2);
}
