//! What an admin signed, byte for byte, or nothing: each way of breaking it is refused with its reason and its mend, and the plugin
//! beside it serves on.

use std::{fs, os::unix::fs::PermissionsExt as _};

use serde_json::json;

use crate::support::{
    guests,
    home::{Home, Plugin, day, program},
};

/// Two plugins: `hostile` with its one good tool, which nothing must disturb, and `fixture`, which the test breaks.
fn home() -> Home {
    let home = Home::new();
    home.install(&Plugin::plain("hostile", &guests::path("hostile"), &["keeps_its_schema"]));
    home.install(&Plugin::plain("fixture", &guests::path("fixture"), &["echo"]));
    home
}

/// The broken plugin is refused with all these words, by `check` and by `serve`, and `hostile` is served.
fn refused_alone(home: &Home, words: &[&str]) {
    let text = home.refused(&["check"]);
    for word in words {
        assert!(text.contains(word), "`{word}` is not in: {text}");
    }
    let serving = home.serve();
    assert_eq!(serving.mcp().tools(), ["hostile_keeps_its_schema"]);
    assert_eq!(serving.mcp().call("hostile_keeps_its_schema", json!({}))["result"]["isError"], json!(false));
    serving.terminate();
    let rejected =
        home.journal().iter().any(|r| r.to_string().contains("plugin-rejected") && r.to_string().contains("fixture"));
    assert!(rejected, "the rejection is on record");
}

fn flip(home: &Home, file: &str, at: usize) {
    let mut bytes = home.read(file);
    let index = at % bytes.len();
    bytes[index] ^= 1;
    fs::write(home.path().join(file), bytes).unwrap();
}

#[test]
fn a_flipped_byte_of_a_manifest_is_refused() {
    let home = home();
    // inside a comment-free value: still TOML, so that it is the signature that refuses
    let text = String::from_utf8(home.read("plugins/fixture/manifest.toml")).unwrap();
    home.write("plugins/fixture/manifest.toml", &text.replace("to be tested", "to be tasted"));
    refused_alone(&home, &["plugins/fixture/manifest.toml.sigs/tess.sig", "does not fit these bytes", "wardkeep sign"]);
}

#[test]
fn a_flipped_byte_of_a_signature_is_refused() {
    let home = home();
    flip(&home, "plugins/fixture/manifest.toml.sigs/tess.sig", 150);
    refused_alone(&home, &["tess.sig"]);
}

#[test]
fn a_flipped_byte_of_a_component_is_refused() {
    let home = home();
    flip(&home, "plugins/fixture/fixture.wasm", 5_000);
    refused_alone(&home, &["component.sha256", "another component than the approved one"]);
}

#[test]
fn a_signature_by_a_stranger_is_refused() {
    let mut home = home();
    let approver = std::mem::replace(&mut home.approver, crate::support::home::Approver::new("mallory", 66));
    home.sign("fixture");
    home.approver = approver;
    refused_alone(&home, &["plugins/fixture/manifest.toml"]);
}

#[test]
fn a_manifest_beyond_its_expiry_is_refused() {
    let home = home();
    let text = String::from_utf8(home.read("plugins/fixture/manifest.toml")).unwrap();
    home.write("plugins/fixture/manifest.toml", &text.replace(&day(200), &day(-1)));
    home.sign("fixture");
    refused_alone(&home, &["expire"]);
}

#[test]
fn a_lower_serial_and_a_reused_one_are_refused() {
    let home = home();
    let text = String::from_utf8(home.read("plugins/fixture/manifest.toml")).unwrap();
    home.write("plugins/fixture/manifest.toml", &text.replace("serial = 1", "serial = 5"));
    home.sign("fixture");
    home.serve().terminate();

    home.write("plugins/fixture/manifest.toml", &text.replace("serial = 1", "serial = 4"));
    home.sign("fixture");
    refused_alone(&home, &["serial", "5"]);

    let reused = text.replace("serial = 1", "serial = 5").replace("to be tested", "with other words");
    home.write("plugins/fixture/manifest.toml", &reused);
    home.sign("fixture");
    refused_alone(&home, &["serial", "5"]);
}

/// Everything in a folder of the home is lost.
fn empty(home: &Home, folder: &str) {
    for entry in fs::read_dir(home.path().join(folder)).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
    }
}

#[test]
fn a_lost_state_is_rebuilt_from_the_journal_so_that_rollback_stays_refused() {
    let home = home();
    let text = String::from_utf8(home.read("plugins/fixture/manifest.toml")).unwrap();
    home.write("plugins/fixture/manifest.toml", &text.replace("serial = 1", "serial = 5"));
    home.sign("fixture");
    home.serve().terminate();
    empty(&home, "state");
    home.write("plugins/fixture/manifest.toml", &text);
    home.sign("fixture");
    refused_alone(&home, &["serial", "5"]);
}

#[test]
fn a_home_that_lost_state_and_journal_refuses_until_a_reset_with_a_reason() {
    let home = home();
    home.serve().terminate();
    empty(&home, "state");
    empty(&home, "audit");
    let text = home.refused(&["serve"]);
    assert!(text.contains("wardkeep state reset --reason"), "{text}");
    let output = home.run(&["state", "reset", "--reason", "the disk was replaced"]);
    assert!(output.status.success(), "{output:?}");
    home.serve().terminate();
    assert!(home.journal().iter().any(|r| r.to_string().contains("the disk was replaced")));
}

#[test]
fn a_swapped_trust_file_is_refused_whole() {
    let home = home();
    let mallory = crate::support::home::Approver::new("mallory", 66);
    home.write(
        "trust.toml",
        &format!(
            "format = 1\nversion = 2\nexpires = {}\n\n[approvers.mallory]\nkeys = [{:?}]\n",
            day(300),
            mallory.public.trim()
        ),
    );
    for command in [&["check"][..], &["serve"]] {
        let text = home.refused(command);
        assert!(text.contains("root_sha256") && text.contains("trust.toml"), "{text}");
    }
}

#[test]
fn a_home_below_a_directory_that_others_may_write_to_is_refused_with_its_mend() {
    let outer = tempfile::tempdir().unwrap();
    let shared = outer.path().join("shared");
    fs::create_dir(&shared).unwrap();
    fs::set_permissions(&shared, fs::Permissions::from_mode(0o777)).unwrap();
    let home = home();
    let moved = shared.join("home");
    fs::rename(home.path(), &moved).unwrap();
    let output =
        std::process::Command::new(program()).args(["--home", moved.to_str().unwrap(), "check"]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains(shared.to_str().unwrap()) && text.contains("chmod"), "{text}");
    fs::rename(&moved, home.path()).unwrap();
}

#[test]
fn with_no_configuration_every_call_is_refused() {
    let home = home();
    let root = crate::support::home::sha256(&home.read("trust.toml"));
    home.write(
        "wardkeep.toml",
        &format!("format = 1\n[trust]\nroot_sha256 = \"{root}\"\n[listen]\nhttp = \"127.0.0.1:0\"\n"),
    );
    let serving = home.serve();
    let response = serving.mcp().request("tools/list", json!({}));
    assert_eq!(response.status, 401);
    let text = home.refused(&["call", "fixture_echo", "{}"]);
    assert!(text.contains("callers.stdio"), "{text}");
    let text = home.refused(&["serve", "--stdio"]);
    assert!(text.contains("callers.stdio"), "{text}");
}
