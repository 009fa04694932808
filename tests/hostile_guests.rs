//! Hostile guests, one attack each. Every one ends as it must, stands in the audit log with what it cost, and the next call of another
//! plugin is what it always was: the same answer, a memory that nobody has seen before, and to the unit the same fuel.

mod attacks;

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::support::{
    guests,
    home::{Home, Plugin},
    http::Mcp,
};
use attacks::Attack;

/// A well-behaved plugin, and what its call costs.
struct Canary {
    mcp: Mcp,
    fuel: u64,
}

impl Canary {
    fn install(home: &Home) {
        home.install(&Plugin::plain("fixture", &guests::path("fixture"), &["canary", "echo"]));
    }

    fn new(home: &Home, mcp: Mcp) -> Self {
        let mut canary = Self { mcp, fuel: 0 };
        canary.fuel = canary.sing(home, "the beginning");
        canary
    }

    fn sing(&self, home: &Home, after: &str) -> u64 {
        let answer = self.mcp.call("fixture_canary", json!({}));
        assert_eq!(answer["result"]["structuredContent"], json!({ "seen": 0 }), "after {after}: {answer}");
        let record = outcome(home, &answer);
        assert_eq!(record["unmapped"]["outcome"], "ok", "after {after}: {record}");
        assert_eq!(record["unmapped"]["notes"].as_array().map_or(0, Vec::len), 0, "after {after}: {record}");
        record["unmapped"]["cost"]["fuel"].as_u64().unwrap()
    }

    fn is_untouched(&self, home: &Home, after: &str) {
        assert_eq!(self.sing(home, after), self.fuel, "after {after}");
    }
}

/// The outcome of the call that this answer came of; its intent stands before it.
fn outcome(home: &Home, answer: &Value) -> Value {
    let id = &answer["result"]["_meta"]["dev.wardkeep/correlation-id"];
    assert!(id.is_string(), "no correlation id: {answer}");
    let mut of_call = home.journal();
    of_call.retain(|record| record["metadata"]["correlation_uid"] == *id);
    let phases: Vec<_> = of_call.iter().map(|record| record["unmapped"]["phase"].as_str().unwrap()).collect();
    assert_eq!(phases, ["intent", "outcome"], "{of_call:?}");
    of_call.remove(1)
}

fn install(home: &Home, attack: &Attack) {
    let file = home.path().join("attack.wasm");
    fs::write(&file, attack.guest.bytes()).unwrap();
    let [attacks, other] = attack.uses;
    let mut plugin = Plugin::granted(attack.name, &file, &[("t", attacks), ("u", other)], attack.grants);
    plugin.wasi = attack.wasi;
    plugin.limits = attack.limits;
    home.install(&plugin);
}

#[test]
fn every_attack_ends_alone_as_it_must_and_stands_in_the_log_with_its_cost() {
    let home = Home::new();
    Canary::install(&home);
    let attacks = attacks::all();
    attacks.iter().for_each(|attack| install(&home, attack));
    let serving = home.serve();
    let canary = Canary::new(&home, serving.mcp());
    let mut wrong = Vec::new();
    for Attack { name, outcome: expected, holds, .. } in &attacks {
        let answer = serving.mcp().call(&format!("{name}_t"), json!({}));
        let record = outcome(&home, &answer);
        let told = &record["unmapped"];
        let well = *expected == "ok";
        if told["outcome"] != **expected || !holds(told) || answer["result"]["isError"] != json!(!well) {
            wrong.push(format!("{name}: expected {expected}: {told} for {answer}"));
        }
        assert!(told["cost"]["elapsed_us"].as_u64() < Some(15_000_000), "{name} took too long: {told}");
        canary.is_untouched(&home, name);
    }
    assert!(wrong.is_empty(), "{}\n{}", wrong.len(), wrong.join("\n"));
}

/// Places in an answer for a text or a blob, and how the call ends when it is too long.
const FIELDS: [&str; 26] = [
    "text",
    "image",
    "image-type",
    "audio",
    "audio-type",
    "resource-uri",
    "resource-type",
    "resource-text",
    "resource-blob",
    "link-uri",
    "link-name",
    "link-description",
    "link-type",
    "structured",
    "touched",
    "question-id",
    "question",
    "question-schema",
    "state",
    "invalid-arguments",
    "not-found",
    "denied",
    "rate-limited",
    "upstream",
    "partial",
    "internal",
];

#[test]
fn too_much_in_any_place_of_an_answer_does_not_leave_whole_or_as_a_million_nothings() {
    let home = Home::new();
    Canary::install(&home);
    let component = guests::path("sprawls");
    let mut sprawls = Plugin::plain("sprawls", &component, &["sprawl"]);
    sprawls.limits = "fuel = 2_000_000_000\nmemory = \"64MiB\"\ndeadline = \"30s\"\noutput = \"64KiB\"\n";
    home.install(&sprawls);
    let mut whole = Plugin::plain("whole", &component, &["sprawl"]);
    whole.limits = "fuel = 2_000_000_000\nmemory = \"256MiB\"\ndeadline = \"30s\"\n";
    home.install(&whole);
    let serving = home.serve();
    let canary = Canary::new(&home, serving.mcp());
    let sprawl = |plugin: &str, field: &str, bytes: u64, count: u64| {
        let what = format!("{count} {field} of {bytes}");
        let tool = format!("{plugin}_sprawl");
        let answer = serving.mcp().call(&tool, json!({ "field": field, "bytes": bytes, "count": count }));
        let record = outcome(&home, &answer);
        assert!(answer.to_string().len() < 200_000 && record.to_string().len() < 20_000, "{what}");
        canary.is_untouched(&home, &what);
        (record["unmapped"]["outcome"].as_str().unwrap().to_owned(), record["unmapped"]["cost"].clone(), answer)
    };
    for field in FIELDS {
        // what an envelope counts besides is less than 200
        let (ended, cost, answer) = sprawl("sprawls", field, (64 << 10) + 1, 1);
        assert_eq!(ended, "limit(output)", "{field}: {answer}");
        assert!(cost["output"].as_u64() > Some(64 << 10), "{field}: {cost}");
        let (ended, cost, answer) = sprawl("sprawls", field, (64 << 10) - 200, 1);
        assert_ne!(ended, "limit(output)", "{field}: {cost}");
        assert!(!answer["result"].is_null(), "{field}: {answer}");
    }
    for (field, bytes, count) in [
        ("text", 0, 20_000),
        ("link-name", 0, 20_000),
        ("touched", 0, 100_000),
        ("done", 0, 100_000),
        ("not-done", 0, 100_000),
    ] {
        let (ended, cost, answer) = sprawl("sprawls", field, bytes, count);
        assert_eq!(ended, "limit(output)", "{field}: {answer}");
        assert!(cost["output"].as_u64().is_none_or(|bytes| bytes == 0 || bytes > 64 << 10), "{field}: {cost}");
    }
    // 100 MB, with memory enough to make them
    let (ended, cost, _) = sprawl("whole", "text", 100_000_000, 1);
    assert_eq!(ended, "limit(output)");
    assert!(cost["memory_peak"].as_u64() > Some(100_000_000), "{cost}");
    // small, and deeper than any reader follows
    for levels in [200, 10_000] {
        let (ended, ..) = sprawl("sprawls", "structured-depth", levels, 1);
        assert_eq!(ended, "output-rejected", "{levels} levels");
    }
}

#[test]
fn a_plugin_that_loops_at_its_start_is_refused_alone_and_its_neighbours_are_served() {
    let home = Home::new();
    Canary::install(&home);
    // what it says of itself was found out with other bytes: these never get that far
    let harmless = home.path().join("harmless.wasm");
    fs::write(&harmless, crate::support::wat::Guest::default().bytes()).unwrap();
    home.install(&Plugin::plain("sleeper", &harmless, &["t"]));
    let loops = crate::support::wat::Guest {
        fields: "(func $s (loop $l (br $l))) (start $s)".to_owned(),
        ..Default::default()
    };
    let bytes = loops.bytes();
    let digest = crate::support::home::sha256(&bytes);
    let manifest = String::from_utf8(home.read("plugins/sleeper/manifest.toml")).unwrap();
    let old = crate::support::home::sha256(&fs::read(&harmless).unwrap());
    fs::write(home.path().join("plugins/sleeper/sleeper.wasm"), &bytes).unwrap();
    home.write("plugins/sleeper/manifest.toml", &manifest.replace(&old, &digest));
    home.sign("sleeper");
    let refused = home.refused(&["check"]);
    assert!(refused.contains("`describe` ended with limit(fuel)"), "{refused}");
    let serving = home.serve();
    let canary = Canary::new(&home, serving.mcp());
    assert_eq!(serving.mcp().tools(), ["fixture_canary", "fixture_echo"]);
    canary.is_untouched(&home, "a plugin that does not start");
    let told = home
        .journal()
        .iter()
        .any(|r| r.to_string().contains("plugin-rejected") && r.to_string().contains("limit(fuel)"));
    assert!(told, "{:?}", home.journal());
}

#[test]
fn a_forged_answer_on_standard_output_is_a_log_line_and_no_message() {
    let home = Home::new();
    Canary::install(&home);
    let component = guests::path("forges");
    let mut forges = Plugin::plain("forges", &component, &["forge", "flood", "look"]);
    forges.wasi = "inert";
    forges.tools = forges.tools.replace("group:tests", "group:engineering");
    home.install(&forges);
    // the first request has the id of the forged answer
    let mut client = home.stdio();
    let forged = client.call("forges_forge", json!({}));
    assert_eq!(forged["result"]["structuredContent"], json!({ "written": true }), "{forged}");
    assert!(!forged.to_string().contains("forged"), "{forged}");
    let flooded = client.call("forges_flood", json!({}));
    assert_eq!(flooded["result"]["structuredContent"], json!({ "written": true }), "{flooded}");
    let record = outcome(&home, &flooded);
    assert_eq!(record["unmapped"]["cost"]["log_lines_dropped"], json!(100_000 - 100), "{record}");
    let looked = client.call("forges_look", json!({}));
    assert_eq!(looked["result"]["structuredContent"], json!({ "environment": 0, "arguments": 0, "stdin": 0 }));
    assert!(client.hang_up() < Duration::from_secs(10));
}

#[test]
fn a_log_that_nobody_reads_stops_no_call() {
    let home = Home::new();
    Canary::install(&home);
    let component = guests::path("hostile");
    let mut hostile = Plugin::plain("hostile", &component, &["flood_log"]);
    hostile.limits = "fuel = 2_000_000_000\ndeadline = \"20s\"\nlog_lines = 1_000\nlog_bytes = \"16KiB\"\n";
    home.install(&hostile);
    let serving = home.serve_unread();
    let canary = Canary::new(&home, serving.mcp());
    // 16 MB each, into a pipe that holds 64 KiB
    for _ in 0..4 {
        let answer = serving.mcp().call("hostile_flood_log", json!({}));
        let record = outcome(&home, &answer);
        assert_eq!(record["unmapped"]["outcome"], "ok", "{record}");
        assert_eq!(record["unmapped"]["cost"]["log_lines_dropped"], json!(99_000), "{record}");
        canary.is_untouched(&home, "a flood of the log");
    }
    // nor does it stop what is taken away while nobody reads what the host says of that: the second waits for no word on the first
    for (plugin, tool) in [("hostile", "hostile_flood_log"), ("fixture", "fixture_canary")] {
        fs::remove_dir_all(home.path().join("plugins").join(plugin)).unwrap();
        let begun = Instant::now();
        while serving.mcp().call(tool, json!({ "unknown": true }))["error"]["code"] != json!(-32602) {
            assert!(begun.elapsed() < Duration::from_secs(15), "`{plugin}` was removed and serves on");
            thread::sleep(Duration::from_millis(100));
        }
    }
    assert_eq!(serving.terminate().0, Some(0));
}
