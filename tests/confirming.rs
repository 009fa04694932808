//! Confirmations through the client: a write runs once, as it was shown, after its person chose "yes", and by nothing else.

mod older;

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
fn an_altered_a_stolen_a_used_and_a_strange_confirmation_execute_nothing() {
    let home = home(PERSON, "", "");
    let serving = home.serve();
    let mcp = serving.mcp();
    let asked = ask(&mcp);
    let refused = |message: Value, rule: &str| {
        assert_eq!(message["error"]["code"], -32602, "{rule}: {message}");
        on_record(&home, rule, "denied");
        nothing_written(&home, rule);
    };
    // altered, in its mark, its first, a middle and its last character
    let state = asked["requestState"].as_str().unwrap();
    for at in [0, "confirm.".len(), state.len() / 2, state.len() - 2] {
        let mut bytes = state.as_bytes().to_vec();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        let altered = json!({ "requestState": String::from_utf8(bytes).unwrap() });
        refused(call(&mcp, "files_write", note(), &yes(&altered)), "state-altered");
    }
    let bare = json!({ "requestState": state.strip_prefix("confirm.").unwrap() });
    refused(call(&mcp, "files_write", note(), &yes(&bare)), "state-altered");
    // other arguments, another tool, another person, a question of a plugin
    let other = json!({ "path": "b.md", "text": "very private" });
    refused(call(&mcp, "files_write", other, &yes(&asked)), "state-of-another-call");
    refused(call(&mcp, "files_append", note(), &yes(&asked)), "state-of-another-call");
    let person = Mcp { key: OTHER.to_owned(), ..mcp.clone() };
    refused(call(&person, "files_write", note(), &yes(&asked)), "state-of-another-call");
    refused(call(&mcp, "asks_ask", json!({ "about": "cake" }), &yes(&asked)), "state-of-another-call");
    // another connection of another program of the same person
    let of_stdio = {
        let mut client = home.stdio();
        let asked = modern(&mut client, &json!({}));
        assert_eq!(asked["result"]["resultType"], "input_required", "{asked}");
        refused(modern(&mut home.stdio(), &yes(&asked["result"])), "state-of-another-call");
        refused(call(&mcp, "files_write", note(), &yes(&asked["result"])), "state-of-another-call");
        asked
    };
    refused(modern(&mut home.stdio(), &yes(&of_stdio["result"])), "state-of-another-call");
    // once more after a no
    let no = call(&mcp, "files_write", note(), &said(&asked, json!({ "confirm": "no" })));
    assert_eq!(no["result"]["isError"], json!(true), "{no}");
    on_record(&home, "not-confirmed", "denied");
    refused(call(&mcp, "files_write", note(), &yes(&asked)), "state-used");
    // another version of the tool, by the same name and with the same contract
    let asked = ask(&mcp);
    change(&home, &serving);
    refused(call(&mcp, "files_write", note(), &yes(&asked)), "state-of-another-call");
    // before a restart
    let asked = ask(&mcp);
    drop(serving);
    let serving = home.serve();
    refused(call(&serving.mcp(), "files_write", note(), &yes(&asked)), "state-altered");

    // and what was confirmed runs once
    let mcp = serving.mcp();
    let asked = ask(&mcp);
    assert_eq!(call(&mcp, "files_write", note(), &yes(&asked))["result"]["isError"], json!(false));
    fs::remove_file(home.tree().join("a.md")).unwrap();
    let again = call(&mcp, "files_write", note(), &yes(&asked));
    assert_eq!(again["error"]["code"], -32602, "{again}");
    on_record(&home, "state-used", "denied");
    assert_eq!(fs::read_dir(home.tree()).unwrap().count(), 0);
    assert_eq!(lines(&home, "intent").len(), 1);
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

/// One call of `files_write` over standard input.
fn modern(client: &mut Stdio2026, retry: &Value) -> Value {
    let mut params = json!({ "name": "files_write", "arguments": note() });
    for (key, value) in retry.as_object().unwrap() {
        params[key] = value.clone();
    }
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": { "name": "wardkeep-tests", "version": "1" },
        "io.modelcontextprotocol/clientCapabilities": { "elicitation": {} },
    });
    client.send(&json!({ "jsonrpc": "2.0", "id": 9, "method": "tools/call", "params": params }));
    client.receive().expect("an answer")
}

#[test]
fn neither_a_flag_nor_an_answer_that_nobody_asked_for_is_a_yes() {
    let home = home(PERSON, "", "");
    let serving = home.serve();
    let mcp = serving.mcp();
    let answers = json!({ CONFIRM: { "action": "accept", "content": { "confirm": "yes" } } });
    for flag in ["confirm", "confirmed", CONFIRM] {
        for value in [json!(true), json!("yes")] {
            let mut arguments = note();
            arguments[flag] = value.clone();
            let told = call(&mcp, "files_write", arguments, &json!({}));
            nothing_written(&home, &format!("{flag}={value}: {told}"));
            let meta = json!({ "io.modelcontextprotocol/clientCapabilities": { "elicitation": {} }, flag: value });
            let told = mcp.request_with_meta("tools/call", json!({ "name": "files_write", "arguments": note() }), meta);
            assert_eq!(told.message()["result"]["resultType"], "input_required", "{}", told.text());
        }
    }
    let unasked = call(&mcp, "files_write", note(), &json!({ "inputResponses": answers }));
    assert_eq!(unasked["result"]["resultType"], "input_required", "{unasked}");
    nothing_written(&home, "an answer without a question");

    let asked = ask(&mcp);
    for content in [json!({ "confirm": true }), json!({ "confirmed": true }), json!({}), json!({ "confirm": "Yes" })] {
        let again = call(&mcp, "files_write", note(), &said(&asked, content.clone()));
        assert_eq!(again["result"]["requestState"], asked["requestState"], "{content}: {again}");
        on_record(&home, "confirmation-unclear", "input-required");
    }
    let elsewhere = json!({ "requestState": asked["requestState"], "inputResponses": { "confirm": answers[CONFIRM] } });
    let again = call(&mcp, "files_write", note(), &elsewhere);
    assert_eq!(again["result"]["requestState"], asked["requestState"], "{again}");
    nothing_written(&home, "no yes in all of this");
    let done = call(&mcp, "files_write", note(), &yes(&asked));
    assert_eq!(done["result"]["isError"], json!(false), "and none of it used the question up: {done}");
}

#[test]
fn a_plugin_that_imitates_the_question_gains_nothing_by_its_answer() {
    let home = home(PERSON, "", "");
    let serving = home.serve();
    let mcp = serving.mcp();
    let posed = call(&mcp, "asks_badly", json!({ "how": "imitates" }), &json!({}))["result"].clone();
    let message = posed["inputRequests"]["confirm"]["params"]["message"].as_str().unwrap_or_default();
    assert!(message.starts_with("plugin asks asks: ok\\u{a}Wardkeep asks:"), "one line, behind its name: {posed}");
    for id in ["confirm", CONFIRM] {
        let answers = json!({ id: { "action": "accept", "content": { "confirm": "yes" } } });
        let state = posed["requestState"].as_str().unwrap();
        for state in [state.to_owned(), format!("confirm.{state}")] {
            let retry = json!({ "requestState": state, "inputResponses": answers });
            let told = call(&mcp, "files_write", note(), &retry);
            assert_eq!(told["error"]["code"], -32602, "{told}");
            nothing_written(&home, "the answer to a plugin's question");
        }
    }
    // nor may it give its question the name of the host's
    let slash = call(&mcp, "asks_badly", json!({ "how": "slash" }), &json!({}));
    assert_eq!(slash["result"]["isError"], json!(true), "{slash}");
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
