//! `returns`: what the manifest keeps from leaving leaves on no way that a guest has.

use serde_json::{Value, json};

use crate::support::{
    guests,
    home::{Home, Plugin},
    serving::Serving,
};

const EMAIL: &str = "ada@example.com";

fn home(returns: &str) -> Home {
    let home = Home::new();
    let component = guests::path("leaks");
    let mut plugin = Plugin::plain("leaks", &component, &["tell"]);
    plugin.tools.push_str(returns);
    home.install(&plugin);
    home
}

/// Everything that a client with progress is sent, as it came.
fn told(serving: &Serving, how: &str) -> String {
    let params = json!({ "name": "leaks_tell", "arguments": { "how": how } });
    let meta = json!({ "progressToken": "mine", "io.modelcontextprotocol/clientCapabilities": { "elicitation": { "form": {} } } });
    serving.mcp().request_with_meta("tools/call", params, meta).text()
}

fn outcomes(home: &Home) -> Vec<Value> {
    home.journal().into_iter().filter(|line| line["unmapped"]["phase"] == "outcome").collect()
}

#[test]
fn a_redacted_value_leaves_on_no_way_out() {
    let rules = [
        ("asks = true\nreturns = { redact = [\"/people/*/email\"] }\n", "\"email\":\"[redacted]\""),
        ("asks = true\nreturns = { fields = [\"/people/*/name\"] }\n", "{\"people\":[{\"name\":\"Ada\"}]}"),
        ("asks = true\nreturns = { content = \"metadata\" }\n", "\"structuredBytes\":"),
    ];
    for (returns, left) in rules {
        let home = home(returns);
        let serving = home.serve_with(&[("RUST_LOG", "trace")]);
        let list = serving.mcp().request("tools/list", json!({})).message();
        assert!(list["result"]["tools"][0].get("outputSchema").is_none(), "what is listed is true: {list}");
        let answer = told(&serving, "answer");
        assert!(answer.contains(left), "{returns}: {answer}");
        assert!(answer.contains("notifications/progress"), "how far it is, is told: {answer}");
        for how in ["answer", "failure", "partial", "ask"] {
            let told = told(&serving, how);
            assert!(!told.contains("ada@") && told.contains("result"), "{returns} {how}: {told}");
        }
        let log = serving.stderr();
        assert!(log.contains("that `returns` in the manifest keeps from the log") && !log.contains(EMAIL), "{log}");
        serving.terminate();
        let journal = home.journal();
        assert!(!journal.iter().any(|line| line.to_string().contains(EMAIL)));
        let ends: Vec<_> = outcomes(&home).iter().map(|line| line["status_code"].clone()).collect();
        assert_eq!(ends, ["ok", "ok", "tool-error", "partial", "output-rejected"], "{returns}");
        let notes = outcomes(&home)[0]["unmapped"]["notes"].to_string();
        assert!(notes.contains("altered") && notes.contains("text: left out"), "{notes}");
        assert!(notes.contains("touched: left out"), "{notes}");
        assert_eq!(outcomes(&home)[4]["status_detail"], "asks-hidden");
    }
}

#[test]
fn an_answer_that_nothing_is_kept_of_leaves_as_the_plugin_gave_it() {
    let home = home("");
    let serving = home.serve_with(&[("RUST_LOG", "info")]);
    let list = serving.mcp().request("tools/list", json!({})).message();
    assert!(list["result"]["tools"][0]["outputSchema"].is_object(), "{list}");
    let answer = told(&serving, "answer");
    for part in ["\"text\":\"Ada is ada@example.com\"", "\"email\":\"ada@example.com\"", "at ada@example.com"] {
        assert!(answer.contains(part), "{part}: {answer}");
    }
    assert!(told(&serving, "partial").contains(EMAIL) && serving.stderr().contains(EMAIL));
    serving.terminate();
    assert_eq!(outcomes(&home)[0]["unmapped"].get("notes"), None);
    assert!(outcomes(&home)[0].to_string().contains(EMAIL), "what it claims to have touched");
}

#[test]
fn what_is_longer_than_the_manifest_lets_out_is_cut_with_a_mark() {
    let home = home("returns = { max = \"10B\" }\n");
    let serving = home.serve();
    let result = serving.mcp().call("leaks_tell", json!({ "how": "answer" }))["result"].clone();
    let texts: Vec<_> = result["content"].as_array().unwrap().iter().map(|block| block["text"].clone()).collect();
    let structure = r#"{"people":[{"name":"Ada","email":"ada@example.com"}]}"#.len();
    assert_eq!(
        texts,
        [
            "Ada is ada".to_owned(),
            "[cut by the host: 10 of 22 bytes]".to_owned(),
            format!("[left out by the host: the structured part of {structure} bytes]")
        ]
    );
    assert_eq!(result.get("structuredContent"), None);
}
