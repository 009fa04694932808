//! A host that serves takes up what changes in its home, whole and without failing a call that should not fail; what is taken away
//! ends at once.

mod listening;
pub mod load;

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::support::{
    guests,
    home::{Home, KEY, Plugin, day, sha256},
    http::{Mcp, send},
    serving::Serving,
};

/// Longer than the host takes to see a change and to compile a small component on a busy machine.
const SOON: Duration = Duration::from_secs(30);

fn wait(what: &str, mut reached: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !reached() {
        assert!(begun.elapsed() < SOON, "never: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

fn fixture<'a>(wasm: &'a std::path::Path, serial: u64, tools: &[&str]) -> Plugin<'a> {
    Plugin { serial, ..Plugin::plain("fixture", wasm, tools) }
}

fn home() -> Home {
    let home = Home::new();
    home.install(&fixture(&guests::path("fixture"), 1, &["echo"]));
    home
}

/// A home whose plugin waits: `waits_briefly` for so long as it is told, `waits_for_ever` until it is ended.
fn waiting() -> Home {
    let home = Home::new();
    put_waiting(&home, 1);
    home
}

fn put_waiting(home: &Home, serial: u64) {
    let wasm = guests::path("waits");
    let tools = [("for_ever", "[\"clock.now\"]"), ("briefly", "[\"clock.now\"]")];
    let mut plugin = Plugin::granted("waits", &wasm, &tools, "[grants.clock.now]\n");
    (plugin.serial, plugin.wasi, plugin.limits) = (serial, "inert", "deadline = \"60s\"\n");
    home.install(&plugin);
}

/// The events of this kind in the journal, oldest first.
fn events(home: &Home, code: &str) -> Vec<Value> {
    let journal = home.journal().into_iter();
    journal.filter(|r| r["metadata"]["event_code"] == json!(code)).map(|r| r["unmapped"]["event"].clone()).collect()
}

fn outcomes(home: &Home) -> Vec<Value> {
    home.journal().into_iter().filter(|r| r["unmapped"]["phase"] == json!("outcome")).collect()
}

fn ready(serving: &Serving) -> Value {
    send(serving.address, "GET", "/ready", &[], b"").unwrap().message()
}

/// A call that runs in a thread of its own; begun when this returns.
fn running(home: &Home, mcp: Mcp, tool: &'static str, arguments: Value) -> thread::JoinHandle<Value> {
    let intents = |home: &Home| home.journal().iter().filter(|r| r["unmapped"]["phase"] == json!("intent")).count();
    let before = intents(home);
    let call = thread::spawn(move || mcp.call(tool, arguments));
    wait("the call begins", || intents(home) > before);
    // on record is before it runs; what comes next is to find it running
    thread::sleep(Duration::from_millis(200));
    call
}

fn revoke(home: &Home, what: &str) {
    let text = format!("format = 1\nreason = \"stolen\"\n{what}\n");
    let signature =
        wardkeep_policy::sign(wardkeep_policy::REVOKE_NAMESPACE, text.as_bytes(), &home.approver.private).unwrap();
    fs::create_dir_all(home.path().join("revoked/one.toml.sigs")).unwrap();
    home.write("revoked/one.toml.sigs/tess.sig", &signature);
    home.write("revoked/one.toml", &text);
}

#[test]
fn what_is_added_replaced_and_removed_on_disk_is_taken_up_without_a_signal() {
    let home = home();
    let serving = home.serve();
    let mcp = serving.mcp();
    assert_eq!(mcp.tools(), ["fixture_echo"]);

    let senses = guests::path("fixture");
    home.install(&Plugin::plain("another", &senses, &["canary"]));
    wait("the newcomer serves", || mcp.tools() == ["another_canary", "fixture_echo"]);

    home.install(&fixture(&guests::path("fixture"), 2, &["echo", "canary"]));
    wait("the replacement serves", || mcp.tools() == ["another_canary", "fixture_canary", "fixture_echo"]);

    fs::remove_dir_all(home.path().join("plugins/another")).unwrap();
    wait("the removed one is gone", || mcp.tools() == ["fixture_canary", "fixture_echo"]);
    assert_eq!(mcp.call("another_canary", json!({}))["error"]["code"], json!(-32602));

    let told = serving.stderr();
    for line in [
        "reloaded: 1 added (another 1.0.0, serial 1)",
        "reloaded: 1 replaced (fixture 1.0.0, serial 2)",
        "reloaded: 1 stopped (another)",
    ] {
        assert!(told.contains(line), "{line}: {told}");
    }
    let loaded: Vec<_> =
        events(&home, "plugin-loaded").iter().map(|e| (e["plugin"].clone(), e["serial"].clone())).collect();
    assert_eq!(loaded, [(json!("fixture"), json!(1)), (json!("another"), json!(1)), (json!("fixture"), json!(2))]);
    let removed = events(&home, "plugin-removed");
    assert_eq!(removed.len(), 1);
    assert_eq!((&removed[0]["plugin"], &removed[0]["reason"]), (&json!("another"), &json!("removed")));
    // what a reload took up, a start knows: the older serial is refused
    serving.terminate();
    home.install(&fixture(&guests::path("fixture"), 1, &["echo"]));
    assert!(home.refused(&["check"]).contains("serial 1 is lower than 2"));
}

#[test]
fn a_signal_reloads_at_once_and_says_so_even_if_nothing_changed() {
    let home = home();
    let serving = home.serve();
    serving.hang_up();
    wait("it says so", || serving.stderr().contains("reloaded: no plugin changed"));
    assert_eq!(serving.mcp().tools(), ["fixture_echo"]);
    assert_eq!(events(&home, "plugin-loaded").len(), 1, "nothing was loaded anew");
    assert_eq!(serving.terminate().0, Some(0));
}

#[test]
fn a_bad_newcomer_is_recorded_once_and_shown_while_what_it_would_replace_goes_on() {
    let home = home();
    let serving = home.serve();
    let mcp = serving.mcp();
    // half of a replacement: another manifest under the old one's signature
    let manifest = String::from_utf8(home.read("plugins/fixture/manifest.toml")).unwrap();
    home.write("plugins/fixture/manifest.toml", &manifest.replace("serial = 1", "serial = 2"));
    wait("it is on record", || events(&home, "plugin-rejected").len() == 1);
    assert_eq!(mcp.call("fixture_echo", json!({ "n": 1 }))["result"]["structuredContent"], json!({ "n": 1 }));
    wait("it is counted", || ready(&serving)["rejected"] == json!(1));
    assert_eq!(
        ready(&serving),
        json!({ "ready": true, "recording": true, "plugins": 1, "tools": 1, "rejected": 1,
        "out_of_service": 0, "stopped": 0 })
    );
    let told = serving.stderr();
    assert!(told.contains("plugin `fixture` is refused; 1.0.0, serial 1, goes on serving"), "{told}");

    for n in 0..3 {
        let reloads = |serving: &Serving| {
            serving.stderr().matches("reloaded: no plugin changed; 1 refused (see `wardkeep check`)\n").count()
        };
        serving.hang_up();
        wait("another reload", || reloads(&serving) > n);
    }
    assert_eq!(events(&home, "plugin-rejected").len(), 1, "the same bytes are recorded once");

    let checked = home.refused(&["check"]);
    assert!(checked.contains("refused  fixture") && checked.contains("does not fit these bytes"), "{checked}");
    assert!(checked.contains("serves   fixture: the running host goes on with serial 1"), "{checked}");

    home.sign("fixture");
    wait("once it is whole it serves", || mcp.tools() == ["fixture_echo"] && events(&home, "plugin-loaded").len() == 2);
    wait("and is not counted", || ready(&serving)["rejected"] == json!(0));
}

#[test]
fn a_newcomer_that_publishes_a_name_in_use_is_out_whatever_its_own_name() {
    let home = home();
    let serving = home.serve();
    let wasm = guests::path("fixture");
    let mut early = Plugin::plain("early", &wasm, &["canary"]);
    early.tools.push_str("publish_as = \"fixture_echo\"\n");
    home.install(&early);
    wait("it is refused", || ready(&serving)["rejected"] == json!(1));
    wait("it is told", || serving.stderr().contains("plugin `early` is refused"));
    assert_eq!(serving.mcp().tools(), ["fixture_echo"]);
    let told = serving.mcp().call("fixture_echo", json!({}));
    assert_eq!(told["result"]["_meta"]["dev.wardkeep/plugin"], json!("fixture"), "{told}");
    serving.terminate();
    // a start comes to the same answer
    let serving = home.serve();
    let told = serving.mcp().call("fixture_echo", json!({}));
    assert_eq!(told["result"]["_meta"]["dev.wardkeep/plugin"], json!("fixture"), "{told}");
}

#[test]
fn a_running_call_ends_as_killed_when_its_plugin_is_removed() {
    let home = waiting();
    let serving = home.serve();
    let call = running(&home, serving.mcp(), "waits_for_ever", json!({}));
    fs::remove_dir_all(home.path().join("plugins/waits")).unwrap();
    let answer = call.join().unwrap();
    assert_eq!(answer["result"]["isError"], json!(true), "{answer}");
    let outcome = outcomes(&home).pop().unwrap();
    assert_eq!(outcome["unmapped"]["outcome"], json!("killed"), "{outcome}");
    wait("it is told", || serving.stderr().contains("reloaded: 1 stopped (waits); 1 running call was ended"));
}

#[test]
fn a_running_call_ends_as_killed_when_its_component_or_its_signer_is_revoked() {
    for key in [false, true] {
        let home = waiting();
        let serving = home.serve();
        let call = running(&home, serving.mcp(), "waits_for_ever", json!({}));
        let what = if key {
            format!("keys = [{}]", events(&home, "plugin-loaded")[0]["signed_by"][0])
        } else {
            format!("components = [\"{}\"]", sha256(&home.read("plugins/waits/waits.wasm")))
        };
        revoke(&home, &what);
        call.join().unwrap();
        let outcome = outcomes(&home).pop().unwrap();
        assert_eq!(outcome["unmapped"]["outcome"], json!("killed"), "{outcome}");
        assert_eq!(serving.mcp().tools(), Vec::<String>::new());
        wait("it is on record", || !events(&home, "plugin-removed").is_empty());
        let reason = if key { "not-approved" } else { "revoked" };
        assert_eq!(events(&home, "plugin-removed")[0]["reason"], json!(reason));
    }
}

#[test]
fn a_revocation_counts_at_once_although_the_operators_file_is_broken() {
    let home = waiting();
    let serving = home.serve();
    let call = running(&home, serving.mcp(), "waits_for_ever", json!({}));
    home.write("wardkeep.toml", "format = 1\nnonsense");
    revoke(&home, &format!("components = [\"{}\"]", sha256(&home.read("plugins/waits/waits.wasm"))));
    call.join().unwrap();
    assert_eq!(outcomes(&home).pop().unwrap()["unmapped"]["outcome"], json!("killed"));
    assert_eq!(ready(&serving)["plugins"], json!(0));
}

#[test]
fn a_running_call_ends_by_itself_under_its_own_manifest_when_its_plugin_is_replaced() {
    let home = waiting();
    let old = sha256(&home.read("plugins/waits/manifest.toml"));
    let serving = home.serve();
    let call = running(&home, serving.mcp(), "waits_briefly", json!({ "milliseconds": 8_000 }));
    put_waiting(&home, 2);
    serving.hang_up();
    wait("the new one serves", || events(&home, "plugin-loaded").len() == 2);
    assert!(outcomes(&home).is_empty(), "the call still runs");
    let answer = call.join().unwrap();
    assert_eq!(answer["result"]["structuredContent"], json!({ "waited": true }), "{answer}");
    let outcome = outcomes(&home).pop().unwrap();
    assert_eq!((&outcome["unmapped"]["outcome"], &outcome["unmapped"]["manifest"]), (&json!("ok"), &json!(old)));
    let next = serving.mcp().call("waits_briefly", json!({ "milliseconds": 1 }));
    let new = sha256(&home.read("plugins/waits/manifest.toml"));
    assert_eq!(next["result"]["_meta"]["dev.wardkeep/manifest-sha256"], json!(new));
}

#[test]
fn a_call_on_the_old_manifest_ends_when_the_old_component_is_revoked() {
    let home = waiting();
    let serving = home.serve();
    let old = home.read("plugins/waits/waits.wasm");
    let call = running(&home, serving.mcp(), "waits_for_ever", json!({}));
    // another component of the same story: a custom section at its end
    let inspected = home.json(&["inspect", guests::path("waits").to_str().unwrap()]);
    let wasm = guests::path("waits");
    let mut plugin = Plugin::granted("waits", &wasm, &[("briefly", "[\"clock.now\"]")], "[grants.clock.now]\n");
    (plugin.serial, plugin.wasi) = (2, "inert");
    let contract = inspected["contract_sha256"].as_str().unwrap();
    home.put(&plugin, &load::stamped(&old, 1), "1.0.0", contract, &day(200));
    wait("the new one serves", || events(&home, "plugin-loaded").len() == 2);
    assert!(outcomes(&home).is_empty(), "the call still runs");
    revoke(&home, &format!("components = [\"{}\"]", sha256(&old)));
    call.join().unwrap();
    assert_eq!(outcomes(&home).pop().unwrap()["unmapped"]["outcome"], json!("killed"));
    assert_eq!(serving.mcp().tools(), ["waits_briefly"]);
}

#[test]
fn a_key_that_is_revoked_or_made_counts_without_a_restart() {
    let home = home();
    let serving = home.serve();
    let mcp = serving.mcp();
    assert_eq!(mcp.tools(), ["fixture_echo"]);
    let made = home.json(&["keys", "new", "second", "--group", "tests"]);
    let second = Mcp { key: made["key"].as_str().unwrap().to_owned(), ..mcp.clone() };
    wait("the new key is known", || second.request("tools/list", json!({})).status == 200);
    assert_eq!(second.tools(), ["fixture_echo"]);
    home.json(&["keys", "revoke", "test"]);
    wait("the old key is not", || mcp.request("tools/list", json!({})).status == 401);
    assert_eq!(second.tools(), ["fixture_echo"]);
}

#[test]
fn a_broken_operators_file_or_trust_keeps_everything_as_it_is_and_says_so_once() {
    let home = home();
    let serving = home.serve();
    let good = String::from_utf8(home.read("wardkeep.toml")).unwrap();
    home.write("wardkeep.toml", &good.replace("[callers.keys.test]", "[callers.keys.test]\nnonsense = 1"));
    wait("it is on record", || events(&home, "reload-refused").len() == 1);
    assert_eq!(serving.mcp().tools(), ["fixture_echo"]);
    serving.hang_up();
    wait("a reload goes on", || serving.stderr().contains("reloaded: no plugin changed"));
    assert_eq!(events(&home, "reload-refused").len(), 1, "once");
    assert!(serving.stderr().contains("nonsense"), "{}", serving.stderr());
    // a plugin that is added meanwhile is judged by what holds
    home.install(&Plugin::plain("another", &guests::path("fixture"), &["canary"]));
    wait("the newcomer serves", || serving.mcp().tools() == ["another_canary", "fixture_echo"]);
    home.write("wardkeep.toml", &good);
    wait("it is mended", || serving.stderr().contains("in order again"));
    // a trust document that nobody pinned
    let trust = String::from_utf8(home.read("trust.toml")).unwrap();
    home.write("trust.toml", &trust.replace("version = 1", "version = 2"));
    wait("it is on record", || events(&home, "reload-refused").len() == 2);
    assert_eq!(serving.mcp().tools().len(), 2);
    assert_eq!(serving.mcp().call("fixture_echo", json!({}))["result"]["isError"], json!(false));
    // which keeps no key alive
    home.json(&["keys", "revoke", "test"]);
    wait("the key is refused", || serving.mcp().request("tools/list", json!({})).status == 401);
}

#[test]
fn what_a_caller_may_do_in_an_older_session_follows_the_operators_file() {
    let home = home();
    let serving = home.serve();
    let session = listening::Session::open(serving.address, KEY);
    assert!(session.post("tools/list", json!({})).text().contains("fixture_echo"));
    let config = String::from_utf8(home.read("wardkeep.toml")).unwrap();
    home.write("wardkeep.toml", &config.replace("groups = [\"tests\"]", "groups = []"));
    wait("nothing is shown", || !session.post("tools/list", json!({})).text().contains("fixture_echo"));
}

#[test]
fn what_needs_a_restart_is_said_and_the_rest_is_taken_up() {
    let home = home();
    let serving = home.serve();
    let config = String::from_utf8(home.read("wardkeep.toml")).unwrap();
    home.write(
        "wardkeep.toml",
        &format!("{}[audit]\nsync = \"always\"\n", config.replace("127.0.0.1:0", "127.0.0.1:1")),
    );
    wait("it is said", || {
        serving.stderr().contains("wardkeep.toml: listen, audit.sync changed: that takes effect after a restart")
    });
    assert_eq!(serving.mcp().tools(), ["fixture_echo"]);
}
