//! What a guest says reaches nobody as it is meant to hurt: terminals, readers, models and clients get text that shows what it holds, names
//! that are names, and the record tells what was changed or withheld.

use serde_json::{Value, json};

use crate::support::{
    guests,
    home::{Home, Plugin},
    serving::Serving,
};

fn home(tools: &[&str]) -> Home {
    let home = Home::new();
    let component = guests::path("says");
    home.install(&Plugin::plain("says", &component, tools));
    home
}

/// The answer, and the outcome record of its call.
fn said(home: &Home, serving: &Serving, tool: &str) -> (Value, Value) {
    let answer = serving.mcp().call(&format!("says_{tool}"), json!({}));
    let id = answer["result"]["_meta"]["dev.wardkeep/correlation-id"].clone();
    let journal = home.journal();
    let of_call =
        journal.iter().filter(|r| r["metadata"]["correlation_uid"] == id && r["unmapped"]["phase"] == "outcome");
    let [record] = of_call.collect::<Vec<_>>()[..] else { panic!("one outcome: {answer}") };
    (answer["result"].clone(), record.clone())
}

fn notes(record: &Value) -> Vec<String> {
    let notes = record["unmapped"]["notes"].as_array().cloned().unwrap_or_default();
    notes
        .iter()
        .map(|note| {
            format!("{} {} {}", note["kind"].as_str().unwrap(), note["detail"].as_str().unwrap(), note["count"])
        })
        .collect()
}

const ALTERED: [&str; 5] = ["text", "resource", "link", "structured", "failure"];
const REJECTED: [(&str, &str); 12] = [
    ("media_type", "media-type"),
    ("foreign_media", "media-type"),
    ("uri_of_script", "uri"),
    ("uri_with_user", "uri"),
    ("uri_of_lines", "uri"),
    ("name_of_lines", "name"),
    ("hidden_key", "structured-key"),
    ("twin_key", "structured-shape"),
    ("many_values", "structured-shape"),
    ("deep_values", "structured-shape"),
    ("many_blocks", "too-many-blocks"),
    ("huge_number", "structured-not-an-object"),
];

#[test]
fn text_that_drives_or_deceives_is_written_out_everywhere_and_noted() {
    let home = home(&ALTERED);
    let serving = home.serve();
    let hostile = "\u{1b}]0;owned\u{7}\u{202e}txet\u{e0041}ok\r\nfine\tgrüße 👩\u{200d}💻";
    let shown = "\\u{1b}]0;owned\\u{7}\\u{202e}txet\\u{e0041}ok\r\nfine\tgrüße 👩\u{200d}💻";
    for (tool, place, pointer) in [
        ("text", "text", "/content/0/text"),
        ("resource", "resource", "/content/0/resource/text"),
        ("link", "link", "/content/0/description"),
        ("structured", "structured", "/structuredContent/list/0/text"),
        ("failure", "failure", "/content/0/text"),
    ] {
        let (answer, record) = said(&home, &serving, tool);
        assert_eq!(answer.pointer(pointer).and_then(Value::as_str), Some(shown), "{tool}: {answer}");
        assert!(!answer.to_string().contains(hostile) && !answer.to_string().contains("\\u001b"), "{tool}: {answer}");
        let expected = [("control", 2), ("bidirectional", 1), ("tag", 1)];
        assert_eq!(
            notes(&record),
            expected.map(|(class, count)| format!("altered {place}: {class} {count}")),
            "{tool}"
        );
        assert_eq!(record["unmapped"]["outcome"], json!(if tool == "failure" { "tool-error" } else { "ok" }), "{tool}");
    }
    // the twin is made of what is sent
    let (answer, _) = said(&home, &serving, "structured");
    let twin: Value = serde_json::from_str(answer["content"][0]["text"].as_str().unwrap()).unwrap();
    assert_eq!(twin, answer["structuredContent"]);
}

#[test]
fn what_a_client_would_act_on_is_right_or_does_not_leave() {
    let home = home(&REJECTED.map(|(tool, _)| tool));
    let serving = home.serve();
    for (tool, class) in REJECTED {
        let (answer, record) = said(&home, &serving, tool);
        assert_eq!(answer["isError"], json!(true), "{tool}: {answer}");
        assert!(answer["structuredContent"].is_null(), "{tool}: {answer}");
        let content = answer["content"].as_array().unwrap();
        assert!(
            content.len() == 1 && content[0]["text"].as_str().unwrap().contains("correlation id"),
            "{tool}: {answer}"
        );
        assert_eq!(
            (&record["unmapped"]["outcome"], &record["status_detail"]),
            (&json!("output-rejected"), &json!(class)),
            "{tool}"
        );
        // it ran, and what it claims to have touched is on record
        assert_eq!(record["resources"][0]["uid"], json!("thing://one"), "{tool}: {record}");
        assert!(record["unmapped"]["cost"]["fuel"].as_u64().unwrap() > 0, "{tool}");
    }
}
