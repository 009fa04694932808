//! MCP's own conformance suite against the binary, which serves the plugin `conformance` like any other: signed, over HTTP, with a key.
//! What the suite asks for and a host of tools does not have stands in `conformance/*.yaml`, each with its reason; the suite fails
//! for what is listed there and passes, too.
//!
//! The suite wants one of its calls to change the list of tools. No call does that here, an admin does: when that call goes by, the test
//! takes a signed plugin out of the home or puts it back, and the host has to tell its clients.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use rustix::process::{Pid, Signal, kill_process};

use crate::{
    clients::client,
    support::{
        guests,
        home::{Home, Plugin, program},
        proxy::Proxy,
    },
};

/// Published under the names that the suite calls.
const TOOLS: [&str; 10] = [
    "test_simple_text",
    "test_image_content",
    "test_audio_content",
    "test_embedded_resource",
    "test_multiple_content_types",
    "test_error_handling",
    "test_logging_tool",
    "test_tool_with_progress",
    "json_schema_2020_12_tool",
    "test_x_mcp_header",
];
/// And those that ask the person.
const ASKING: [&str; 9] = [
    "test_missing_capability",
    "test_streaming_elicitation",
    "test_elicitation",
    "test_elicitation_sep1034_defaults",
    "test_elicitation_sep1330_enums",
    "test_input_required_result_elicitation",
    "test_input_required_result_request_state",
    "test_input_required_result_multi_round",
    "test_input_required_result_tampered_state",
];

/// The call at which the list of tools is to change. No plugin has such a tool.
const TRIGGER: &str = "test_trigger_tool_change";

fn home(origin: &str) -> Home {
    let home = Home::new();
    home.install(&Plugin::plain("fixture", &guests::path("fixture"), &["echo"]));
    let mut tools = String::new();
    for tool in TOOLS.into_iter().chain(ASKING) {
        let uses = if tool == "test_tool_with_progress" { "[\"clock.now\"]" } else { "[]" };
        let asks = ASKING.contains(&tool);
        writeln!(
            tools,
            "[tools.{tool}]\neffect = \"read\"\nuses = {uses}\nallow = [\"group:tests\"]\nasks = {asks}\npublish_as = \"{tool}\""
        )
        .unwrap();
    }
    let wasm = guests::path("conformance");
    home.install(&Plugin { tools, ..Plugin::granted("conformance", &wasm, &[], "[grants.clock.now]\n") });
    // the suite tells a local origin from a foreign one, and this is the local one
    let operator = String::from_utf8(home.read("wardkeep.toml")).unwrap();
    home.write("wardkeep.toml", &operator.replacen("[listen]\n", &format!("[listen]\norigins = [\"{origin}\"]\n"), 1));
    home
}

/// An admin who takes a plugin away where it is there, and puts it back where it is not.
struct Admin {
    installed: PathBuf,
    aside: PathBuf,
    host: Pid,
}

impl Admin {
    fn acts(&self) {
        let there = self.installed.exists();
        let (from, to) = if there { (&self.installed, &self.aside) } else { (&self.aside, &self.installed) };
        fs::rename(from, to).unwrap();
        kill_process(self.host, Signal::HUP).unwrap();
    }
}

fn conforms(revision: &str) {
    let (Some(node), Some(suite)) = (client("WARDKEEP_TEST_NODE"), client("WARDKEEP_TEST_CONFORMANCE")) else { return };
    let proxy = Proxy::bind();
    let address = proxy.address();
    let home = home(&format!("http://{address}"));
    let serving = home.serve();
    let out = tempfile::tempdir().unwrap();
    let installed = home.path().join("plugins/fixture");
    let admin = Admin { installed, aside: out.path().join("fixture"), host: serving.process() };
    proxy.to(serving.address, move |tool| {
        if tool == TRIGGER {
            admin.acts();
        }
    });
    assert_eq!(serving.mcp().tools().len(), TOOLS.len() + ASKING.len() + 1, "{}", serving.stderr());
    let baseline = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../tests/conformance/{revision}.yaml"));
    let results = out.path().join("results");
    let output = Command::new(node)
        .args([&suite, "server", "--url", &format!("http://{address}/mcp"), "--requirements", revision, "-o"])
        .arg(&results)
        .arg("--expected-failures")
        .arg(&baseline)
        .current_dir(out.path())
        .output()
        .expect("the suite starts");
    let told = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    println!("{}, in revision {revision}:\n{told}", program().display());
    assert!(output.status.success(), "the suite found something:\n{told}\n{}", failures(&results));
    // it did call the tools: the journal has them
    let journal = home.journal();
    let called = |tool: &str| journal.iter().any(|line| line["api"]["operation"] == tool);
    for tool in ["test_simple_text", "test_tool_with_progress", "test_error_handling"] {
        assert!(called(tool), "{tool}");
    }
}

/// What the suite says of each check that did not pass.
fn failures(results: &Path) -> String {
    let mut failures = String::new();
    for scenario in fs::read_dir(results).unwrap().map(|entry| entry.unwrap().path()) {
        let Ok(text) = fs::read_to_string(scenario.join("checks.json")) else { continue };
        let checks: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
        for check in checks.iter().filter(|check| check["status"] != "SUCCESS") {
            let name = scenario.file_name().unwrap().to_string_lossy();
            writeln!(failures, "{name}: {} {} {}", check["id"], check["status"], check["errorMessage"]).unwrap();
        }
    }
    failures
}

#[test]
fn the_official_suite_passes_in_revision_2026_07_28() {
    conforms("2026-07-28");
}

#[test]
fn the_official_suite_passes_in_revision_2025_11_25() {
    conforms("2025-11-25");
}
