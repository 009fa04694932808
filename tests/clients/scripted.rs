//! The clients that are libraries, each driven by a script beside this file: Python's, and both generations of TypeScript's.

use std::process::Command;

use serde_json::{Value, json};

use super::{TOOLS, client, confirmed, home, json_of, outcomes, protocols, stdio};
use crate::support::home::KEY;

#[derive(Debug, Clone, Copy)]
enum Client {
    Python,
    TypeScriptV1,
    TypeScriptV2,
}

const ALL: [&str; 3] = ["2025-06-18", "2025-11-25", "2026-07-28"];

impl Client {
    /// Everything that it speaks of what this host speaks.
    fn revisions(self) -> &'static [&'static str] {
        match self {
            Self::Python | Self::TypeScriptV2 => &ALL,
            Self::TypeScriptV1 => &ALL[..2],
        }
    }

    fn visit(self, revision: &str, target: &[String]) -> Option<Value> {
        let scripts = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/clients");
        let mut command = match self {
            Self::Python => Command::new(client("WARDKEEP_TEST_PYTHON")?),
            Self::TypeScriptV1 | Self::TypeScriptV2 => Command::new(client("WARDKEEP_TEST_NODE")?),
        };
        match self {
            Self::Python => command.arg(format!("{scripts}/python_client.py")),
            Self::TypeScriptV1 | Self::TypeScriptV2 => {
                let generation = if matches!(self, Self::TypeScriptV1) { "v1" } else { "v2" };
                command.arg(format!("{scripts}/typescript_client.mjs"));
                command.args([&client("WARDKEEP_TEST_TYPESCRIPT")?, generation])
            }
        };
        Some(json_of(command.arg(revision).args(target)))
    }
}

fn expect_all(got: &Value, what: &str, revision: &str) {
    // TypeScript's first does not say over stdio; the record does
    assert!(got["revision"].as_str().is_none_or(|said| said == revision), "{what}: {got}");
    assert_eq!(got["tools"], json!(TOOLS), "{what}: {got}");
    assert_eq!(got["isError"], json!(false), "{what}: {got}");
    assert!(got["text"].to_string().contains("grüße"), "{what}: {got}");
    assert_eq!(got["reported"], json!({ "reported": 3 }), "{what}: {got}");
    // TypeScript's forget what comes with the same read as the answer; `progress.rs` holds that all of it is sent
    let progress: Vec<_> = got["progress"].as_array().unwrap().iter().filter_map(Value::as_f64).collect();
    assert!(!progress.is_empty() && [1.0, 2.0, 3.0].starts_with(&progress), "{what}: {got}");
    assert_eq!(got["cancelled"], json!(true), "{what}: {got}");
    // asked last, over the connection on which a call was cancelled
    assert_eq!(got["asked"]["flavour"], "plum: plugin asks asks: Which cake?", "{what}: {got}");
    assert_eq!(got["kept"], json!(true), "{what}: {got}");
    assert_eq!(got["waits"]["isError"], json!(true), "{what}: {got}");
    assert!(got["waits"]["approval"].as_str().is_some_and(|id| id.starts_with("apv-")), "{what}: {got}");
}

/// One visit in each revision, over one way or the other, and what they leave in the record.
fn visits(client: Client, http: bool) {
    let home = home();
    let serving = http.then(|| home.serve());
    let target = match &serving {
        Some(serving) => vec!["http".to_owned(), serving.url(), KEY.to_owned()],
        None => [vec!["stdio".to_owned()], stdio(&home)].concat(),
    };
    let (mut ended, mut spoken) = (Vec::new(), Vec::new());
    for revision in client.revisions() {
        let Some(got) = client.visit(revision, &target) else { return };
        expect_all(&got, &format!("{client:?}"), revision);
        ended.extend(["ok", "ok", "cancelled", "input-required", "ok", "ok"]);
        spoken.extend([*revision; 6]);
    }
    assert_eq!(outcomes(&home), ended, "{client:?}");
    assert_eq!(protocols(&home), spoken, "{client:?}");
    assert_eq!(confirmed(&home), vec!["client"; client.revisions().len()], "{client:?}");
    assert_eq!(std::fs::read_to_string(home.tree().join("note.txt")).unwrap(), "kept");
}

#[test]
fn python_lists_calls_hears_progress_cancels_answers_and_confirms_over_http_in_every_revision() {
    visits(Client::Python, true);
}

#[test]
fn python_lists_calls_hears_progress_cancels_answers_and_confirms_over_stdio_in_every_revision() {
    visits(Client::Python, false);
}

#[test]
fn typescript_v1_lists_calls_hears_progress_cancels_answers_and_confirms_over_http_in_both_older_revisions() {
    visits(Client::TypeScriptV1, true);
}

#[test]
fn typescript_v1_lists_calls_hears_progress_cancels_answers_and_confirms_over_stdio_in_both_older_revisions() {
    visits(Client::TypeScriptV1, false);
}

#[test]
fn typescript_v2_lists_calls_hears_progress_cancels_answers_and_confirms_over_http_in_every_revision() {
    visits(Client::TypeScriptV2, true);
}

#[test]
fn typescript_v2_lists_calls_hears_progress_cancels_answers_and_confirms_over_stdio_in_every_revision() {
    visits(Client::TypeScriptV2, false);
}
