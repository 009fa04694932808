//! Attacks on a confirmation: none of them executes anything.

use super::*;

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
fn of_many_who_bring_one_yes_at_once_one_executes() {
    let home = home(PERSON, "", "");
    let serving = home.serve();
    let mcp = serving.mcp();
    fs::write(home.tree().join("a.md"), "").unwrap();
    let asked = call(&mcp, "files_append", note(), &json!({}))["result"].clone();
    let yes = yes(&asked);
    let done = thread::scope(|scope| {
        let racing: Vec<_> = (0..32).map(|_| scope.spawn(|| call(&mcp, "files_append", note(), &yes))).collect();
        let told = racing.into_iter().map(|racer| racer.join().unwrap());
        told.filter(|told| told["result"]["isError"] == json!(false)).count()
    });
    assert_eq!(done, 1);
    assert_eq!(fs::read_to_string(home.tree().join("a.md")).unwrap(), "very private");
    assert_eq!(lines(&home, "intent").len(), 1);
}

#[test]
fn a_question_from_before_a_kill_is_answered_by_nobody_after_it() {
    let home = home(PERSON, "", "");
    let serving = home.serve();
    let mcp = serving.mcp();
    let asked = ask(&mcp);
    let other = json!({ "about": "cake" });
    let of_plugin = call(&mcp, "asks_ask", other.clone(), &json!({}))["result"].clone();
    assert_eq!(of_plugin["resultType"], "input_required", "{of_plugin}");
    for command in ["kill", "revive"] {
        assert!(home.run(&[command, "all"]).status.success());
    }
    let message = call(&mcp, "files_write", note(), &yes(&asked));
    assert_eq!(message["error"]["code"], -32602, "{message}");
    on_record(&home, "state-stopped", "denied");
    let back = json!({ "requestState": of_plugin["requestState"], "inputResponses": {} });
    let message = call(&mcp, "asks_ask", other, &back);
    assert_eq!(message["error"]["code"], -32602, "{message}");
    nothing_written(&home, "it was stopped");
    // and asked again it runs
    let asked = ask(&mcp);
    assert_eq!(call(&mcp, "files_write", note(), &yes(&asked))["result"]["isError"], json!(false));
}
