//! What a component says of itself is the same each time, bounded, and what the admin signed; or it is not served.

use serde_json::json;

use crate::support::{
    guests,
    home::{Home, Plugin},
};

#[test]
fn a_component_that_describes_itself_for_ever_is_no_plugin() {
    let endless = Home::new().refused(&["inspect", guests::path("describes_for_ever").to_str().unwrap()]);
    assert!(endless.contains("`describe` ended with limit(fuel)"), "{endless}");
}

/// Programs of many languages take a random number when they start: while they describe themselves it is a fixed one.
#[test]
fn a_component_that_asks_chance_what_to_say_says_the_same_each_time() {
    let home = Home::new();
    let inspect = || home.json(&["inspect", guests::path("describes_at_random").to_str().unwrap()]);
    let first = inspect();
    assert!(first["tools"][0]["description"].as_str().unwrap().starts_with("Adds "), "{first}");
    assert_eq!(first["contract_sha256"], inspect()["contract_sha256"]);
}

#[test]
fn every_description_begins_afresh_and_so_does_the_call_after_it() {
    let home = Home::new();
    let anew = guests::path("describes_each_time_anew");
    let inspected = home.json(&["inspect", anew.to_str().unwrap()]);
    assert_eq!(inspected["tools"][0]["description"], json!("Asked 0 times"), "{inspected}");
    home.install(&Plugin::plain("anew", &anew, &["count"]));
    let serving = home.serve();
    let answer = serving.mcp().call("anew_count", json!({}));
    assert_eq!(answer["result"]["structuredContent"], json!({ "described": 0 }), "{answer}");
}

#[test]
fn a_story_that_nobody_signed_is_not_served_although_the_component_is_approved() {
    let home = Home::new();
    home.install(&Plugin::plain("fixture", &guests::path("fixture"), &["echo"]));
    let manifest = String::from_utf8(home.read("plugins/fixture/manifest.toml")).unwrap();
    let signed = manifest.lines().find(|line| line.starts_with("contract_sha256")).unwrap().to_owned();
    home.write(
        "plugins/fixture/manifest.toml",
        &manifest.replace(&signed, &format!("contract_sha256 = \"{}\"", "0".repeat(64))),
    );
    home.sign("fixture");
    let refused = home.refused(&["check"]);
    assert!(refused.contains("component.contract_sha256"), "{refused}");
    let serving = home.serve();
    let answer = serving.mcp().call("fixture_echo", json!({}));
    assert_eq!(answer["error"]["code"], json!(-32602), "{answer}");
    let rejected = home.journal().into_iter().find(|r| r["unmapped"]["event"]["kind"] == json!("plugin-rejected"));
    assert!(rejected.expect("recorded").to_string().contains("tells another story"));
}
