//! Plugins' own questions: the same plugin asks clients of every revision, what travels through a client is bound, sealed and good once, and each
//! leg is a call of its own on record.

use std::io::Write as _;

use serde_json::{Value, json};

use crate::support::{
    guests,
    home::{Home, KEY, Plugin, sha256},
    http::{Mcp, Response},
    serving::Stdio2026,
};

/// The key of `service:other`, in the same group as the tests' own.
const OTHER: &str = "wk_other_0123456789abcdef0123456789abcdef";
const ASKS: &str = "asks_ask";

fn tools(names: &[&str], asks: bool) -> String {
    let tool = |name: &&str| {
        format!("[tools.{name}]\neffect = \"read\"\nuses = []\nallow = [\"group:tests\", \"user:me\"]\nasks = {asks}\n")
    };
    names.iter().map(tool).collect()
}

fn home() -> Home {
    let home = Home::new();
    let wasm = guests::path("asks");
    let tools = tools(&["ask", "other", "order", "endless", "badly"], true);
    home.install(&Plugin { tools, ..Plugin::granted("asks", &wasm, &[], "") });
    let operator = std::fs::OpenOptions::new().append(true).open(home.path().join("wardkeep.toml"));
    let other = sha256(OTHER.as_bytes());
    writeln!(
        operator.unwrap(),
        "[callers.keys.other]\nsha256 = \"{other}\"\nprincipal = \"service:other\"\ngroups = [\"tests\"]"
    )
    .unwrap();
    home
}

/// A call of a client of revision 2026-07-28 that can show forms, or comes back from one.
fn call(mcp: &Mcp, tool: &str, arguments: Value, retry: Value) -> Response {
    let mut params = json!({ "name": tool, "arguments": arguments });
    for (key, value) in retry.as_object().unwrap() {
        params[key] = value.clone();
    }
    let meta = json!({ "io.modelcontextprotocol/clientCapabilities": { "elicitation": { "form": {} } } });
    mcp.request_with_meta("tools/call", params, meta)
}

fn ask(mcp: &Mcp) -> Value {
    let asked = call(mcp, ASKS, json!({ "about": "cake" }), json!({})).message()["result"].clone();
    assert_eq!(asked["resultType"], "input_required", "{asked}");
    asked
}

fn answer(asked: &Value, content: Value) -> Value {
    json!({
        "requestState": asked["requestState"],
        "inputResponses": { "flavour": { "action": "accept", "content": content } },
    })
}

fn lines(home: &Home, phase: &str) -> Vec<Value> {
    home.journal().into_iter().filter(|line| line["unmapped"]["phase"] == phase).collect()
}

fn last_refusal(home: &Home) -> (String, String) {
    let line = lines(home, "refusal").pop().expect("a refusal");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (text(&line["unmapped"]["rule"]), text(&line["unmapped"]["outcome"]))
}

#[test]
fn a_question_is_the_result_of_the_call_and_its_answer_another_call_with_a_link_to_the_first() {
    let home = home();
    let serving = home.serve();
    let mcp = serving.mcp();
    let asked = ask(&mcp);
    let request = &asked["inputRequests"]["flavour"];
    assert_eq!(request["method"], "elicitation/create");
    assert_eq!(request["params"]["message"], "plugin asks asks: Which cake?");
    assert_eq!(request["params"]["requestedSchema"]["properties"]["flavour"]["type"], "string");
    let state = asked["requestState"].as_str().unwrap();
    assert!(!state.contains("cake") && !state.contains("secret"), "the client cannot read it: {state}");

    let done = call(&mcp, ASKS, json!({ "about": "cake" }), answer(&asked, json!({ "flavour": "plum" })));
    let done = done.message()["result"].clone();
    assert_eq!(
        done["structuredContent"],
        json!({ "about": "cake", "flavour": "plum", "state": "secret cake" }),
        "{done}"
    );

    let (intents, outcomes) = (lines(&home, "intent"), lines(&home, "outcome"));
    assert_eq!((intents.len(), outcomes.len()), (2, 2), "{intents:?}");
    let id = |line: &Value| line["metadata"]["correlation_uid"].clone();
    assert_eq!(outcomes[0]["unmapped"]["outcome"], "input-required", "{}", outcomes[0]);
    assert_eq!(outcomes[1]["unmapped"]["outcome"], "ok", "{}", outcomes[1]);
    assert_eq!(intents[1]["unmapped"]["resumes"], id(&intents[0]), "{}", intents[1]);
    assert_ne!(id(&intents[1]), id(&intents[0]));
    assert_eq!(asked["_meta"]["dev.wardkeep/correlation-id"], id(&intents[0]));
}

#[test]
fn a_dialogue_of_the_sdk_shows_forms_of_every_kind_of_field_and_goes_on_from_what_it_kept() {
    let home = home();
    let serving = home.serve();
    let order = |retry: Value| {
        call(&serving.mcp(), "asks_order", json!({ "about": "cake" }), retry).message()["result"].clone()
    };
    let said = |asked: &Value, id: &str, said: Value| {
        order(json!({ "requestState": asked["requestState"], "inputResponses": { id: said } }))
    };
    let asked = order(json!({}));
    let form = json!({
        "type": "object",
        "properties": {
            "name": { "type": "string", "description": "As on the card" },
            "pieces": { "type": "integer", "minimum": 0, "maximum": 255 },
            "weight": { "type": "number" },
            "gift": { "type": "boolean" },
            "size": { "type": "string", "enum": ["small", "large"] },
            "remark": { "type": "string", "description": "What the kitchen should know" },
        },
        "required": ["name", "pieces", "weight", "gift", "size"],
    });
    assert_eq!(asked["inputRequests"]["wish"]["params"]["requestedSchema"], form, "{asked}");

    let wish = json!({ "name": "Ada", "pieces": 3, "weight": 0.5, "gift": true, "size": "large" });
    // neither a choice that is none nor a number out of its bounds reaches the plugin
    for (key, wrong) in [("size", json!("huge")), ("pieces", json!(256))] {
        let mut wish = wish.clone();
        wish[key] = wrong;
        let again = said(&asked, "wish", json!({ "action": "accept", "content": wish }));
        assert_eq!(again["inputRequests"], asked["inputRequests"], "{again}");
    }
    let sure = said(&asked, "wish", json!({ "action": "accept", "content": wish }));
    assert_eq!(sure["inputRequests"]["sure"]["params"]["message"], "plugin asks asks: Sure?", "{sure}");
    let done = said(&sure, "sure", json!({ "action": "accept" }));
    let mut whole = wish;
    whole["remark"] = Value::Null;
    assert_eq!(done["structuredContent"], json!({ "about": "cake", "wish": whole, "sure": true }), "{done}");

    let declined = said(&order(json!({})), "wish", json!({ "action": "decline" }));
    let nothing = json!({ "about": "cake", "wish": null, "sure": false });
    assert_eq!(declined["structuredContent"], nothing, "{declined}");
}

#[test]
fn what_is_answered_altered_or_anothers_is_refused_on_record() {
    let home = home();
    let serving = home.serve();
    let mcp = serving.mcp();
    let cake = || json!({ "about": "cake" });
    let plum = || json!({ "flavour": "plum" });
    let refused = |response: Response, rule: &str| {
        let message = response.message();
        assert_eq!(message["error"]["code"], -32602, "{message}");
        assert_eq!(last_refusal(&home), (rule.to_owned(), "denied".to_owned()));
    };

    let asked = ask(&mcp);
    // another caller's, another tool's, other arguments': none of them uses it up
    let other = Mcp { key: OTHER.to_owned(), ..mcp.clone() };
    refused(call(&other, ASKS, cake(), answer(&asked, plum())), "state-of-another-call");
    // nor is another told what was asked, by not answering
    refused(call(&other, ASKS, cake(), json!({ "requestState": asked["requestState"] })), "state-of-another-call");
    refused(call(&mcp, "asks_other", cake(), answer(&asked, plum())), "state-of-another-call");
    refused(call(&mcp, ASKS, json!({ "about": "pie" }), answer(&asked, plum())), "state-of-another-call");
    // altered in its first, a middle and its last character
    let state = asked["requestState"].as_str().unwrap();
    for at in [0, state.len() / 2, state.len() - 2] {
        let mut bytes = state.as_bytes().to_vec();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        let altered = json!({ "requestState": String::from_utf8(bytes).unwrap() });
        refused(call(&mcp, ASKS, cake(), answer(&altered, plum())), "state-altered");
    }
    let done = call(&mcp, ASKS, cake(), answer(&asked, plum())).message();
    assert_eq!(done["result"]["structuredContent"]["flavour"], "plum", "{done}");
    refused(call(&mcp, ASKS, cake(), answer(&asked, plum())), "state-used");
    // a restart ends what was asked before it
    let asked = ask(&mcp);
    drop(serving);
    let serving = home.serve();
    refused(call(&serving.mcp(), ASKS, cake(), answer(&asked, plum())), "state-altered");
    assert_eq!(lines(&home, "intent").len(), 3, "nothing that was refused was run");
}

#[test]
fn an_answer_that_is_missing_or_does_not_fit_is_asked_for_again_and_uses_nothing_up() {
    let home = home();
    let serving = home.serve();
    let mcp = serving.mcp();
    let asked = ask(&mcp);
    let cake = || json!({ "about": "cake" });
    let again = |retry: Value| {
        let again = call(&mcp, ASKS, cake(), retry).message()["result"].clone();
        assert_eq!(again["inputRequests"], asked["inputRequests"], "{again}");
        assert_eq!(again["requestState"], asked["requestState"]);
        assert_eq!(last_refusal(&home), ("answers".to_owned(), "input-required".to_owned()));
    };
    again(json!({ "requestState": asked["requestState"] }));
    again(json!({ "requestState": asked["requestState"], "inputResponses": { "wrong": { "action": "accept" } } }));
    again(json!({ "requestState": asked["requestState"], "inputResponses": { "flavour": 5 } }));
    again(answer(&asked, json!({ "flavour": 5 })));
    again(answer(&asked, json!({})));
    let declined =
        json!({ "requestState": asked["requestState"], "inputResponses": { "flavour": { "action": "decline" } } });
    let done = call(&mcp, ASKS, cake(), declined).message();
    assert_eq!(done["result"]["structuredContent"]["flavour"], "declined", "{done}");
    assert_eq!(lines(&home, "intent").len(), 2);
}

#[test]
fn a_client_that_declares_no_elicitation_is_told_what_it_lacks() {
    let home = home();
    let serving = home.serve();
    let refused = serving.mcp().request("tools/call", json!({ "name": ASKS, "arguments": { "about": "cake" } }));
    assert_eq!(refused.status, 400);
    let error = refused.message()["error"].clone();
    assert_eq!(error["code"], -32021, "{error}");
    assert!(error["data"]["requiredCapabilities"]["elicitation"].is_object(), "{error}");
    assert_eq!(last_refusal(&home), ("no-elicitation".to_owned(), "denied".to_owned()));
}

#[test]
fn what_may_not_be_asked_is_withheld_with_its_reason_on_record() {
    let home = home();
    let serving = home.serve();
    for (how, class) in [
        ("nested", "question-form"),
        ("pattern", "question-form"),
        ("hidden", "question-form"),
        ("id", "question-id"),
        ("slash", "question-id"),
        ("twice", "question-id"),
        ("long", "question-message"),
        ("none", "too-many-questions"),
        ("many", "too-many-questions"),
        ("state", "state-too-large"),
    ] {
        let told = call(&serving.mcp(), "asks_badly", json!({ "how": how }), json!({})).message();
        assert_eq!(told["result"]["isError"], json!(true), "{how}: {told}");
        let outcome = lines(&home, "outcome").pop().unwrap();
        assert_eq!(outcome["unmapped"]["outcome"], "output-rejected", "{how}: {outcome}");
        assert_eq!(outcome["status_detail"], class, "{how}: {outcome}");
    }
    // words are cleaned, not refused
    let told = call(&serving.mcp(), "asks_badly", json!({ "how": "escape" }), json!({})).message();
    let message = &told["result"]["inputRequests"]["one"]["params"]["message"];
    assert_eq!(message, r"plugin asks asks: one\u{1b}[2J", "{told}");
}

#[test]
fn a_plugin_that_asks_without_end_is_ended() {
    let home = home();
    let serving = home.serve();
    let mut told = call(&serving.mcp(), "asks_endless", json!({}), json!({})).message()["result"].clone();
    let mut rounds = 0;
    while told["resultType"] == "input_required" {
        rounds += 1;
        let retry = json!({ "requestState": told["requestState"], "inputResponses": { "more": { "action": "accept", "content": {} } } });
        told = call(&serving.mcp(), "asks_endless", json!({}), retry).message()["result"].clone();
    }
    assert_eq!((rounds, &told["isError"]), (8, &json!(true)), "{told}");
    assert_eq!(lines(&home, "outcome").pop().unwrap()["status_detail"], "too-many-rounds");
}

#[test]
fn a_manifest_that_does_not_say_so_lets_no_plugin_ask() {
    let home = Home::new();
    let wasm = guests::path("asks");
    home.install(&Plugin { tools: tools(&["ask"], false), ..Plugin::granted("asks", &wasm, &[], "") });
    let serving = home.serve();
    let told = call(&serving.mcp(), ASKS, json!({ "about": "cake" }), json!({})).message();
    assert_eq!(told["result"]["isError"], json!(true), "{told}");
    let outcome = lines(&home, "outcome").pop().unwrap();
    assert_eq!(outcome["status_detail"], "asks-not-granted", "{outcome}");
}

/// Opens a session of an older revision over standard input.
fn older(home: &Home, revision: &str, capabilities: Value) -> Stdio2026 {
    let mut client = home.stdio();
    client.send(&json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
        "protocolVersion": revision,
        "capabilities": capabilities,
        "clientInfo": { "name": "older", "version": "1" },
    }}));
    let opened = client.receive().expect("an answer");
    assert_eq!(opened["result"]["protocolVersion"], revision, "{opened}");
    client.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }));
    client
}

/// Calls, answers the one question, gives the question and the answer of the call.
fn asked_inside(client: &mut Stdio2026, said: &Value) -> (Value, Value) {
    let params = json!({ "name": ASKS, "arguments": { "about": "cake" } });
    client.send(&json!({ "jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params }));
    let question = client.receive().expect("a question");
    assert_eq!(question["method"], "elicitation/create", "{question}");
    client.send(&json!({ "jsonrpc": "2.0", "id": question["id"], "result": said }));
    let answer = client.receive().expect("an answer");
    assert_eq!(answer["id"], 7, "{answer}");
    (question, answer)
}

#[test]
fn older_clients_are_asked_inside_the_call_by_the_same_plugin() {
    for revision in ["2025-06-18", "2025-11-25"] {
        let home = home();
        let mut client = older(&home, revision, json!({ "elicitation": {} }));
        let (question, answer) =
            asked_inside(&mut client, &json!({ "action": "accept", "content": { "flavour": "plum" } }));
        assert_eq!(question["params"]["message"], "plugin asks asks: Which cake?");
        assert_eq!(answer["result"]["structuredContent"]["flavour"], "plum", "{revision}: {answer}");
        let (_, answer) = asked_inside(&mut client, &json!({ "action": "cancel" }));
        assert_eq!(answer["result"]["structuredContent"]["flavour"], "cancelled", "{revision}: {answer}");
        let (_, answer) = asked_inside(&mut client, &json!({ "action": "accept", "content": { "flavour": 5 } }));
        assert_eq!(answer["result"]["isError"], true, "{revision}: {answer}");
        assert!(answer["result"]["content"][0]["text"].as_str().unwrap().contains("does not fit the form"), "{answer}");
        drop(client);
        assert_eq!(last_refusal(&home), ("answers".to_owned(), "invalid-arguments".to_owned()));
        let outcomes: Vec<_> = lines(&home, "outcome")
            .iter()
            .map(|line| line["unmapped"]["outcome"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(outcomes, ["input-required", "ok", "input-required", "ok", "input-required"], "{revision}");
        let intents = lines(&home, "intent");
        assert_eq!(intents[1]["unmapped"]["resumes"], intents[0]["metadata"]["correlation_uid"]);
        assert_eq!(intents[0]["unmapped"]["protocol"], revision);
    }
}

#[test]
fn a_question_is_taken_back_when_its_call_ends() {
    let home = home();
    let taken_back = |mut client: Stdio2026| {
        let params = json!({ "name": ASKS, "arguments": { "about": "cake" } });
        client.send(&json!({ "jsonrpc": "2.0", "id": 6, "method": "tools/call", "params": params }));
        let question = client.receive().expect("a question");
        assert_eq!(question["method"], "elicitation/create", "{question}");
        let cancelled = json!({ "requestId": 6, "reason": "no longer wanted" });
        client.send(&json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": cancelled }));
        let told = client.receive().expect("word of it");
        assert_eq!(told["method"], "notifications/cancelled", "{told}");
        assert_eq!(told["params"]["requestId"], question["id"], "{told}");
        // and the session goes on
        asked_inside(&mut client, &json!({ "action": "accept", "content": { "flavour": "plum" } }));
    };
    taken_back(older(&home, "2025-11-25", json!({ "elicitation": {} })));
    let _owner = home.serve();
    taken_back(older(&home, "2025-06-18", json!({ "elicitation": {} })));
}

#[test]
fn a_relay_carries_questions_of_both_kinds() {
    let home = home();
    let serving = home.serve();
    let mut client = older(&home, "2025-11-25", json!({ "elicitation": {} }));
    let (_, told) = asked_inside(&mut client, &json!({ "action": "accept", "content": { "flavour": "plum" } }));
    assert_eq!(told["result"]["structuredContent"]["flavour"], "plum", "{told}");
    drop(client);

    let mut client = home.stdio();
    let mut modern = |retry: Value| {
        let mut params = json!({ "name": ASKS, "arguments": { "about": "cake" } });
        params["_meta"] = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": { "name": "wardkeep-tests", "version": "1" },
            "io.modelcontextprotocol/clientCapabilities": { "elicitation": {} },
        });
        for (key, value) in retry.as_object().unwrap() {
            params[key] = value.clone();
        }
        client.send(&json!({ "jsonrpc": "2.0", "id": 9, "method": "tools/call", "params": params }));
        client.receive().expect("an answer")["result"].clone()
    };
    let asked = modern(json!({}));
    assert_eq!(asked["resultType"], "input_required", "{asked}");
    let done = modern(answer(&asked, json!({ "flavour": "plum" })));
    assert_eq!(done["structuredContent"]["flavour"], "plum", "{done}");
    // what was asked of the relay's person is no other's
    let mcp = Mcp { address: serving.address, key: KEY.to_owned() };
    let stolen = call(&mcp, ASKS, json!({ "about": "cake" }), answer(&asked, json!({ "flavour": "plum" }))).message();
    assert_eq!(stolen["error"]["code"], -32602, "{stolen}");
}

#[test]
fn an_older_client_that_cannot_be_asked_gets_a_failure_that_says_so() {
    let home = home();
    let mut client = older(&home, "2025-06-18", json!({}));
    let params = json!({ "name": ASKS, "arguments": { "about": "cake" } });
    client.send(&json!({ "jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params }));
    let answer = client.receive().expect("an answer");
    assert_eq!(answer["result"]["isError"], true, "{answer}");
    assert!(answer["result"]["content"][0]["text"].as_str().unwrap().contains("declares no way to answer"), "{answer}");
}
