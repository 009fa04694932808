//! The Inspector's command lines, both of them: `--cli`, which makes one request, and `mcpdo`, which keeps a connection and answers questions.
//!
//! They cannot be told a revision, only an era; the older one is 2025-11-25. They show no progress, and cancel a call by going away only.
//! What `wardkeep client-config` prints is tried with them: they read the same files as the clients that it is for.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{TOOLS, client, confirmed, home, json_of, lines, outcomes, protocols, stdio};
use crate::support::{
    home::{Home, KEY},
    serving::{Serving, wait},
};

const ERAS: [(&str, &str); 2] = [("legacy", "2025-11-25"), ("modern", "2026-07-28")];

fn cli(method: &[&str]) -> Option<Command> {
    let mut command = Command::new(client("WARDKEEP_TEST_NODE")?);
    command.args([&client("WARDKEEP_TEST_INSPECTOR")?, "--cli"]).args(method).args(["--quiet", "--format", "json"]);
    Some(command)
}

fn over_http(serving: &Serving) -> Vec<String> {
    let header = format!("Authorization: Bearer {KEY}");
    ["--server-url", &serving.url(), "--transport", "http", "--header", &header].map(str::to_owned).to_vec()
}

fn over_stdio(home: &Home) -> Vec<String> {
    [stdio(home), vec!["--transport".to_owned(), "stdio".to_owned()]].concat()
}

const ECHO: [&str; 6] =
    ["--method", "tools/call", "--tool-name", "fixture_echo", "--tool-args-json", r#"{"text":"hi"}"#];

#[test]
fn the_inspector_lists_strictly_and_calls_over_http_and_stdio_in_both_eras() {
    let home = home();
    let serving = home.serve();
    // the process of `serve` owns the home, so the other one relays
    for target in [over_http(&serving), over_stdio(&home)] {
        for (era, _) in ERAS {
            let target = [&target[..], &["--protocol-era".to_owned(), era.to_owned()]].concat();
            let Some(mut list) = cli(&["--method", "tools/list", "--strict"]) else { return };
            let list = json_of(list.args(&target));
            let list = list.get("result").unwrap_or(&list).clone();
            let names: Vec<_> = list["tools"].as_array().unwrap().iter().map(|tool| tool["name"].clone()).collect();
            assert_eq!(json!(names), json!(TOOLS), "{era}: {list}");
            assert_eq!(list["tools"][1]["annotations"]["readOnlyHint"], json!(true), "{era}: {list}");
            let called = json_of(cli(&ECHO).unwrap().args(&target));
            assert!(called.to_string().contains("hi"), "{era}: {called}");
        }
    }
    assert_eq!(protocols(&home), ["2025-11-25", "2026-07-28", "2025-11-25", "2026-07-28"]);
    assert_eq!(outcomes(&home), ["ok"; 4]);
}

#[test]
fn an_inspector_that_cannot_answer_is_told_of_the_approval_and_its_same_call_runs_once_that_is_given() {
    let home = home();
    let serving = home.serve();
    let note = r#"{"root":"tree","path":"note.txt","text":"kept"}"#;
    for (era, _) in ERAS {
        let keep = || {
            let mut call = cli(&["--method", "tools/call", "--tool-name", "writes_keep", "--tool-args-json", note])?;
            Some(call.args(over_http(&serving)).args(["--protocol-era", era]).output().expect("the client starts"))
        };
        let Some(waits) = keep() else { return };
        let text = String::from_utf8_lossy(&waits.stdout).into_owned();
        let (_, after) = text.split_once("apv-").expect(&text);
        let id = format!("apv-{}", after.chars().take(16).collect::<String>());
        assert!(!home.tree().join("note.txt").exists(), "{era}: {text}");
        home.json(&["approvals", "approve", &id]);
        let kept = keep().unwrap();
        assert!(kept.status.success(), "{era}: {kept:?}");
        std::fs::remove_file(home.tree().join("note.txt")).expect("it was written");
    }
    assert_eq!(confirmed(&home), ["operator"; 2]);
}

/// Begins a call without end, and goes away when it has begun.
fn begins_and_goes_away(home: &Home, target: &[String]) -> Option<()> {
    let before = lines(home, "intent").len();
    let call = ["--method", "tools/call", "--tool-name", "waits_for_ever"];
    let mut inspector: Child = cli(&call)?.args(target).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let begun = Instant::now();
    while lines(home, "intent").len() == before {
        assert!(begun.elapsed() < Duration::from_secs(30), "it never called");
        assert_eq!(inspector.try_wait().unwrap(), None, "it ended by itself");
        thread::sleep(Duration::from_millis(20));
    }
    let process = rustix::process::Pid::from_child(&inspector);
    rustix::process::kill_process(process, rustix::process::Signal::TERM).unwrap();
    wait(&mut inspector, Duration::from_secs(20)).expect("SIGTERM ends it");
    Some(())
}

#[test]
fn an_inspector_that_goes_away_cancels_its_call_where_the_revision_says_so() {
    let home = home();
    let serving = home.serve();
    // in a session over HTTP, a connection that breaks cancels nothing (MCP 2025-11-25, Streamable HTTP, Sending Messages)
    for (target, era) in [(over_http(&serving), "modern"), (over_stdio(&home), "legacy"), (over_stdio(&home), "modern")]
    {
        let target = [target, vec!["--protocol-era".to_owned(), era.to_owned()]].concat();
        if begins_and_goes_away(&home, &target).is_none() {
            return;
        }
    }
    assert_eq!(outcomes(&home), ["cancelled"; 3]);
    assert_eq!(protocols(&home), ["2026-07-28", "2025-11-25", "2026-07-28"]);
}

/// `mcpdo` with a daemon of its own, which ends with this value.
struct Mcpdo {
    state: tempfile::TempDir,
    node: String,
    program: String,
}

impl Mcpdo {
    fn new() -> Option<Self> {
        let (node, inspector) = (client("WARDKEEP_TEST_NODE")?, client("WARDKEEP_TEST_INSPECTOR")?);
        let program = Path::new(&inspector).join("../../../mcpdo/build/mcp-bin.js");
        let program = program.to_str().unwrap().to_owned();
        Some(Self { state: tempfile::Builder::new().prefix("wk-").tempdir().unwrap(), node, program })
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.node);
        command.args([&self.program, "--format", "json"]).args(arguments).stdin(Stdio::null());
        let state = self.state.path();
        command.env("HOME", state).env("MCP_INSPECTOR_DAEMON_DIR", state.join("daemon"));
        command.env("MCP_INSPECTOR_DAEMON_TOKEN", "of-the-tests").env("MCP_INSPECTOR_SECRET_STORE", "memory");
        command
    }

    fn run(&self, arguments: &[&str]) -> Value {
        json_of(&mut self.command(arguments))
    }

    /// Connects to what a file says, and does all that it can.
    fn visit(&self, file: &Path, era: &str) {
        let config = file.to_str().unwrap();
        let connected = self.run(&["--config", config, "connect", "wardkeep", "--era", era]);
        assert_eq!(connected["protocolEra"], era, "{connected}");
        let wardkeep = |arguments: &[&str]| self.run(&[&["--connection", "wardkeep"], arguments].concat());
        let list = wardkeep(&["tools/list"]);
        let names: Vec<_> = list["tools"].as_array().unwrap().iter().map(|tool| tool["name"].clone()).collect();
        assert_eq!(json!(names), json!(TOOLS), "{era}: {list}");
        let echoed = wardkeep(&["tools/call", "fixture_echo", r#"{"text":"hi"}"#]);
        assert_eq!(echoed["structuredContent"]["text"], "hi", "{era}: {echoed}");
        let asked = wardkeep(&["tools/call", "asks_ask", r#"{"about":"cake"}"#]);
        assert_eq!(asked["elicitationPending"]["message"], "plugin asks asks: Which cake?", "{era}: {asked}");
        let question = asked["elicitationPending"]["elicitationId"].as_str().unwrap();
        let answered = wardkeep(&["elicitation/respond", question, r#"{"flavour":"plum"}"#]);
        assert_eq!(answered["structuredContent"]["flavour"], "plum", "{era}: {answered}");
        let note = r#"{"root":"tree","path":"note.txt","text":"kept"}"#;
        let asked = wardkeep(&["tools/call", "writes_keep", note]);
        let message = asked["elicitationPending"]["message"].as_str().unwrap_or_default();
        assert!(message.starts_with("Wardkeep asks: may writes_keep run?"), "{era}: {asked}");
        let question = asked["elicitationPending"]["elicitationId"].as_str().unwrap();
        let kept = wardkeep(&["elicitation/respond", question, r#"{"confirm":"yes"}"#]);
        assert_ne!(kept["isError"], json!(true), "{era}: {kept}");
        self.run(&["disconnect", "wardkeep"]);
    }
}

impl Drop for Mcpdo {
    fn drop(&mut self) {
        let _ = self.command(&["daemon", "stop"]).output();
    }
}

/// What `client-config` prints, as the client for which it is would read it, and in the one form that the Inspector reads.
fn read_by_client(home: &Home, name: &str, serving: Option<&Serving>) -> Value {
    let http: &[&str] = if serving.is_some() { &["--http"] } else { &[] };
    let printed = home.json(&[&["client-config", name], http].concat());
    assert!(!printed.to_string().contains(KEY), "{printed}");
    let mut text = printed.to_string();
    if let Some(serving) = serving {
        // the tests' home has no port of its own
        assert!(text.contains("http://127.0.0.1:0/mcp"), "{text}");
        text = text.replace("http://127.0.0.1:0/mcp", &serving.url());
        let place = match name {
            "claude" => "${WARDKEEP_KEY}",
            "cursor" => "${env:WARDKEEP_KEY}",
            _ => "${input:wardkeep-key}",
        };
        assert!(text.contains(place), "{text}");
        text = text.replace(place, KEY);
    }
    let document: Value = serde_json::from_str(&text).unwrap();
    let mut server = document[if name == "vscode" { "servers" } else { "mcpServers" }]["wardkeep"].clone();
    if serving.is_some() {
        // Cursor takes it for HTTP where there is a URL
        server["type"] = json!("http");
    }
    json!({ "mcpServers": { "wardkeep": server } })
}

#[test]
fn what_client_config_says_lets_mcpdo_list_call_and_answer_over_http_and_stdio_in_both_eras() {
    for http in [true, false] {
        let home = home();
        let serving = http.then(|| home.serve());
        let Some(mcpdo) = Mcpdo::new() else { return };
        let file = mcpdo.state.path().join("servers.json");
        for (era, _) in ERAS {
            std::fs::write(&file, read_by_client(&home, "claude", serving.as_ref()).to_string()).unwrap();
            mcpdo.visit(&file, era);
        }
        drop(mcpdo);
        assert_eq!(outcomes(&home), ["ok", "input-required", "ok", "ok"].repeat(2), "http: {http}");
        assert_eq!(protocols(&home), [["2025-11-25"; 4], ["2026-07-28"; 4]].concat());
        assert_eq!(confirmed(&home), ["client"; 2]);
        assert_eq!(std::fs::read_to_string(home.tree().join("note.txt")).unwrap(), "kept");
    }
}

#[test]
fn what_client_config_says_for_each_client_reaches_a_host_that_the_inspector_can_call() {
    let home = home();
    let serving = home.serve();
    let folder = tempfile::tempdir().unwrap();
    for name in ["claude", "cursor", "vscode"] {
        for serving in [None, Some(&serving)] {
            let file = folder.path().join("servers.json");
            std::fs::write(&file, read_by_client(&home, name, serving).to_string()).unwrap();
            let Some(mut call) = cli(&ECHO) else { return };
            let called = json_of(call.arg("--config").arg(&file).args(["--server", "wardkeep"]));
            assert!(called.to_string().contains("hi"), "{name}: {called}");
        }
    }
    assert_eq!(outcomes(&home), ["ok"; 6]);
    // three through a relay of `serve --stdio`, three with the key
    let principals: Vec<_> = lines(&home, "intent").iter().map(|line| line["actor"]["user"]["name"].clone()).collect();
    assert_eq!(
        json!(principals),
        json!(["user:me", "service:test", "user:me", "service:test", "user:me", "service:test"])
    );
}
