//! Real clients, over stdio and HTTP, in each revision that they speak. A client that is missing is skipped aloud, and is a
//! failure under CI, where `.ci/run` installs it.

use std::{env, io::Write as _, process::Command};

use serde_json::{Value, json};

use crate::support::{
    guests,
    home::{Home, KEY, Plugin},
};

fn home() -> Home {
    let home = Home::new();
    home.install(&Plugin::plain("fixture", &guests::path("fixture"), &["echo"]));
    home
}

/// The value of an environment variable that names a client.
pub fn client(variable: &str) -> Option<String> {
    match env::var(variable) {
        Ok(path) => Some(path),
        Err(_) if env::var_os("CI").is_some_and(|ci| !ci.is_empty()) => {
            panic!("{variable} is not set; under CI every client must be there (see .ci/run)")
        }
        Err(_) => {
            // not `eprintln!`: the test runner swallows that where a test passes, and nobody would know
            let text = format!(
                "SKIPPED: {variable} is not set; `.ci/run --install-clients` installs the clients and prints it\n"
            );
            std::io::stderr().write_all(text.as_bytes()).expect("standard error takes it");
            None
        }
    }
}

fn json_of(command: &mut Command) -> Value {
    let output = command.output().expect("the client starts");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_str(text.trim()).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn python(revision: &str, target: &[&str]) -> Option<Value> {
    let python = client("WARDKEEP_TEST_PYTHON")?;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/clients/python_client.py");
    let arguments = json!({ "text": "grüße" }).to_string();
    Some(json_of(Command::new(python).args([script, revision, "fixture_echo", &arguments]).args(target)))
}

fn inspector(era: &str, method: &[&str], target: &[&str]) -> Option<Value> {
    let (node, cli) = (client("WARDKEEP_TEST_NODE")?, client("WARDKEEP_TEST_INSPECTOR")?);
    let mut command = Command::new(node);
    command
        .args([&cli, "--cli"])
        .args(target)
        .args(["--protocol-era", era, "--quiet", "--format", "json"])
        .args(method);
    Some(json_of(&mut command))
}

fn expect_echo(got: &Value) {
    assert_eq!(got["tools"], json!(["fixture_echo"]), "{got}");
    assert_eq!(got["isError"], json!(false), "{got}");
    assert!(got["text"].to_string().contains("grüße"), "{got}");
}

fn outcomes(home: &Home) -> usize {
    home.journal().iter().filter(|record| record.to_string().contains("\"outcome\":\"ok\"")).count()
}

#[test]
fn the_python_client_lists_and_calls_over_http_in_both_revisions() {
    let home = home();
    let serving = home.serve();
    for (revision, spoken) in [("legacy", "2025-11-25"), ("2026-07-28", "2026-07-28")] {
        let Some(got) = python(revision, &["http", &serving.url(), KEY]) else { return };
        expect_echo(&got);
        assert_eq!(got["revision"], json!(spoken));
    }
    assert_eq!(outcomes(&home), 2);
}

#[test]
fn the_python_client_lists_and_calls_over_stdio_in_both_revisions() {
    let home = home();
    let path = home.path().to_str().unwrap();
    for (revision, spoken) in [("legacy", "2025-11-25"), ("2026-07-28", "2026-07-28")] {
        let target = ["stdio", env!("CARGO_BIN_EXE_wardkeep"), "--home", path, "serve", "--stdio"];
        let Some(got) = python(revision, &target) else { return };
        expect_echo(&got);
        assert_eq!(got["revision"], json!(spoken));
    }
    assert_eq!(outcomes(&home), 2);
}

#[test]
fn the_inspector_lists_strictly_and_calls_over_http_and_stdio_in_both_eras() {
    let home = home();
    let serving = home.serve();
    let url = serving.url();
    let bearer = format!("Authorization: Bearer {KEY}");
    let http = ["--server-url", &url, "--transport", "http", "--header", &bearer];
    let path = home.path().to_str().unwrap();
    // the process of `serve` owns the home, so this one relays
    let stdio = [env!("CARGO_BIN_EXE_wardkeep"), "--home", path, "serve", "--stdio", "--transport", "stdio"];
    for target in [&http[..], &stdio[..]] {
        for era in ["legacy", "modern"] {
            let Some(list) = inspector(era, &["--method", "tools/list", "--strict"], target) else { return };
            let list = list.get("result").unwrap_or(&list).clone();
            assert_eq!(list["tools"][0]["name"], json!("fixture_echo"), "{era}: {list}");
            assert_eq!(list["tools"][0]["annotations"]["readOnlyHint"], json!(true), "{era}: {list}");
            let call =
                ["--method", "tools/call", "--tool-name", "fixture_echo", "--tool-args-json", "{\"text\":\"hi\"}"];
            let Some(called) = inspector(era, &call, target) else { return };
            assert!(called.to_string().contains("hi"), "{era}: {called}");
        }
    }
    assert_eq!(outcomes(&home), 4);
}

/// Both TypeScript clients: what they speak, a call, its progress, an answered question.
fn typescript(generation: &str, revision: &str, target: &[&str]) -> Option<Value> {
    let (node, modules) = (client("WARDKEEP_TEST_NODE")?, client("WARDKEEP_TEST_TYPESCRIPT")?);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/clients/typescript_client.mjs");
    Some(json_of(Command::new(node).args([script, &modules, generation, revision]).args(target)))
}

const TYPESCRIPT: [(&str, &str); 4] =
    [("v1", "2025-11-25"), ("v2", "2025-06-18"), ("v2", "2025-11-25"), ("v2", "2026-07-28")];

fn home_with_questions() -> Home {
    let home = home();
    home.install(&Plugin::plain("reports", &guests::path("reports"), &["report"]));
    let wasm = guests::path("asks");
    let tools =
        "[tools.ask]\neffect = \"read\"\nallow = [\"group:tests\", \"user:me\"]\nuses = []\nasks = true\n".to_owned();
    home.install(&Plugin { tools, ..Plugin::granted("asks", &wasm, &[], "") });
    home
}

fn expect_all(got: &Value, generation: &str, revision: &str) {
    assert_eq!(got["tools"], json!(["asks_ask", "fixture_echo", "reports_report"]), "{got}");
    assert_eq!(got["isError"], json!(false), "{got}");
    assert!(got["text"].to_string().contains("grüße"), "{got}");
    assert_eq!(got["reported"], json!({ "reported": 3 }), "{got}");
    // these clients forget what comes with the same read as the answer; `progress.rs` holds that all of it is sent
    let progress = got["progress"].as_array().unwrap();
    assert!(!progress.is_empty() && [1, 2, 3].map(Value::from).starts_with(progress), "{generation} {revision}: {got}");
    assert_eq!(got["asked"]["flavour"], "plum: plugin asks asks: Which cake?", "{generation} {revision}: {got}");
}

fn protocols(home: &Home) -> Vec<String> {
    let journal = home.journal();
    let calls = journal.iter().filter(|line| line["unmapped"]["phase"] == "intent");
    calls.map(|line| line["unmapped"]["protocol"].as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn the_typescript_clients_call_are_told_progress_and_answer_questions_over_http() {
    let home = home_with_questions();
    let serving = home.serve();
    let mut spoken = Vec::new();
    for (generation, revision) in TYPESCRIPT {
        let Some(got) = typescript(generation, revision, &["http", &serving.url(), KEY]) else { return };
        expect_all(&got, generation, revision);
        // two calls, and two legs of the one that asks
        spoken.extend([revision; 4]);
    }
    assert_eq!(protocols(&home), spoken);
}

#[test]
fn the_typescript_clients_call_are_told_progress_and_answer_questions_over_stdio() {
    let home = home_with_questions();
    let path = home.path().to_str().unwrap();
    let mut spoken = Vec::new();
    for (generation, revision) in TYPESCRIPT {
        let target = ["stdio", env!("CARGO_BIN_EXE_wardkeep"), "--home", path, "serve", "--stdio"];
        let Some(got) = typescript(generation, revision, &target) else { return };
        expect_all(&got, generation, revision);
        spoken.extend([revision; 4]);
    }
    assert_eq!(protocols(&home), spoken);
}

/// What a client is given to paste starts the host, as the Inspector sees it.
#[test]
fn what_client_config_says_starts_a_host_that_the_inspector_can_call() {
    let home = home();
    for (name, key) in [("claude", "mcpServers"), ("cursor", "mcpServers"), ("vscode", "servers")] {
        let config = home.json(&["client-config", name]);
        let server = &config[key]["wardkeep"];
        let arguments: Vec<_> = server["args"].as_array().unwrap().iter().map(|a| a.as_str().unwrap()).collect();
        let target = [&[server["command"].as_str().unwrap()], &arguments[..], &["--transport", "stdio"]].concat();
        let call = ["--method", "tools/call", "--tool-name", "fixture_echo", "--tool-args-json", "{\"text\":\"hi\"}"];
        let Some(called) = inspector("modern", &call, &target) else { return };
        assert!(called.to_string().contains("hi"), "{name}: {called}");
        let http = home.json(&["client-config", name, "--http"]);
        assert_eq!(http[key]["wardkeep"]["url"], "http://127.0.0.1:0/mcp", "{http}");
        assert!(!http.to_string().contains(KEY), "{http}");
    }
    assert_eq!(outcomes(&home), 3);
}
