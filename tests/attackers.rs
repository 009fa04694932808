//! Other people's attackers against a real host: `mcp-fuzzer` and `agent-security-harness`. docs/testing.md tells how to install them, and
//! what is made of what they say.

use std::{env, fs, path::PathBuf, process::Command};

use serde_json::{Value, json};

use crate::support::{
    guests,
    home::{Home, KEY, Plugin},
    serving::Serving,
};

/// Tests of the harness that fail for a reason that is not ours; docs/testing.md gives it.
const EXPLAINED: [&str; 0] = [];
/// What the fuzzer counts that is no finding here; docs/testing.md gives the reasons.
const NO_FINDINGS: [&str; 2] = ["accepted_malformed", "injection_reflection"];

fn home() -> Home {
    let home = Home::new();
    // brakes would stop the attackers' caller after two hundred of their thousands of attempts
    let operator = String::from_utf8(home.read("wardkeep.toml")).unwrap();
    home.write("wardkeep.toml", &format!("{operator}[brakes]\nenabled = false\n"));
    let (fixture, files) = (guests::path("fixture"), guests::files());
    home.install(&Plugin::plain("fixture", &fixture, &["echo", "slow", "contents", "fail", "canary", "log"]));
    let grants = "[grants.files.tree]\nroot = \"tree\"\naccess = \"read\"\n";
    let tools = ["list", "read", "search", "stat"].map(|tool| (tool, "[\"files.tree\"]"));
    home.install(&Plugin::granted("files", &files, &tools, grants));
    fs::write(home.tree().join("a.txt"), "hello").unwrap();
    home
}

fn attacker(name: &str) -> Command {
    let folder =
        env::var("WARDKEEP_TEST_ATTACKERS").expect("WARDKEEP_TEST_ATTACKERS is the folder of the attackers' programs");
    Command::new(PathBuf::from(folder).join(name))
}

/// The host is there, serves, and has the end of every call on record.
fn assert_unharmed(home: &Home, serving: Serving) {
    let answer = serving.mcp().call("fixture_echo", json!({ "text": "still here" }));
    assert_eq!(answer["result"]["isError"], json!(false), "{answer}");
    let (code, _) = serving.terminate();
    assert_eq!(code, Some(0));
    let phase = |phase: &str| home.journal().iter().filter(|r| r["unmapped"]["phase"] == json!(phase)).count();
    assert!(phase("intent") > 0);
    assert_eq!(phase("intent"), phase("outcome"));
    home.json(&["audit", "verify"]);
}

#[test]
#[ignore = "needs agent-security-harness: see docs/testing.md"]
fn the_harness_finds_nothing() {
    let home = home();
    let serving = home.serve();
    for revision in ["auto", "2026-07-28"] {
        let report = home.path().join(format!("harness-{revision}.json"));
        let output = attacker("agent-security")
            .args(["test", "mcp", "--transport", "http", "--url", &serving.url()])
            .args(["--header", &format!("Authorization:Bearer {KEY}"), "--protocol-version", revision, "--report"])
            .arg(&report)
            .output()
            .expect("the harness starts");
        let text = fs::read(&report).unwrap_or_else(|error| panic!("{error}: {output:?}"));
        let report: Value = serde_json::from_slice(&text).unwrap();
        let results = report["results"].as_array().expect("results");
        let evaluated = |result: &&Value| result["not_evaluated"] != json!(true);
        assert!(results.iter().filter(evaluated).count() >= 10, "{revision}: {report}");
        let failed = results.iter().filter(evaluated).filter(|result| result["passed"] == json!(false));
        let failed: Vec<_> =
            failed.filter(|result| !EXPLAINED.contains(&result["test_id"].as_str().unwrap())).collect();
        assert!(failed.is_empty(), "{revision}: {failed:#?}");
    }
    assert_unharmed(&home, serving);
}

#[test]
#[ignore = "needs mcp-fuzzer: see docs/testing.md"]
fn the_fuzzer_finds_nothing() {
    let home = home();
    let serving = home.serve();
    let auth = home.path().join("auth.json");
    let key = json!({ "providers": { "key": { "type": "api_key", "api_key": KEY, "header_name": "Authorization" } }, "tool_mapping": {} });
    fs::write(&auth, key.to_string()).unwrap();
    for mode in ["tools", "protocol"] {
        let reports = home.path().join(format!("fuzzer-{mode}"));
        let output = attacker("mcp-fuzzer")
            .args(["--mode", mode, "--phase", "both", "--protocol-phase", "aggressive", "--protocol", "streamablehttp"])
            .args(["--endpoint", &serving.url(), "--runs", "20", "--runs-per-type", "20", "--seed", "42"])
            .args(["--fail-if-no-tools", "--security-audit", "--security-audit-intrusive", "--no-network"])
            .arg("--auth-config")
            .arg(&auth)
            .arg("--output-dir")
            .arg(&reports)
            .arg("--fs-root")
            .arg(home.path().join("fuzzer-root"))
            .output()
            .expect("the fuzzer starts");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{mode}: {text}{}", String::from_utf8_lossy(&output.stderr));
        let report = fs::read(reports.join("findings.json")).unwrap();
        let report: Value = serde_json::from_slice(&report).unwrap();
        let findings = report["findings"].as_array().expect("findings");
        let real: Vec<_> =
            findings.iter().filter(|finding| !NO_FINDINGS.contains(&finding["category"].as_str().unwrap())).collect();
        assert!(real.is_empty(), "{mode}: {real:#?}");
        assert!(text.contains("0 crashes") || mode == "protocol", "{text}");
    }
    assert_unharmed(&home, serving);
}
