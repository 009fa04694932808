//! One home, one owner: others relay to it, and take over when it ends.

use serde_json::json;

use crate::support::{
    guests,
    home::{Home, Plugin},
};

fn home() -> Home {
    let home = Home::new();
    home.install(&Plugin::plain("fixture", &guests::path("fixture"), &["echo"]));
    home
}

#[test]
fn two_stdio_clients_share_a_home_and_the_first_may_leave() {
    let home = home();
    let mut first = home.stdio();
    assert!(first.call("fixture_echo", json!({ "text": "one" })).to_string().contains("one"));
    let mut second = home.stdio();
    assert!(second.call("fixture_echo", json!({ "text": "two" })).to_string().contains("two"));

    first.hang_up();
    let failed = (0..10)
        .map(|n| second.call("fixture_echo", json!({ "text": format!("after {n}") })))
        .filter(|answer| !answer.to_string().contains("after"))
        .count();
    assert!(failed <= 1, "{failed} calls failed while the second took over");
    second.hang_up();

    let verified = home.json(&["audit", "verify"]);
    let calls = home.journal().iter().filter(|r| r.to_string().contains("\"outcome\":\"ok\"")).count();
    assert_eq!(calls, 12 - failed, "{verified}");
}

#[test]
fn an_owner_that_is_killed_leaves_a_home_that_the_next_one_takes() {
    let home = home();
    let serving = home.serve();
    let mut relay = home.stdio();
    assert!(relay.call("fixture_echo", json!({ "text": "one" })).to_string().contains("one"));
    serving.kill_9();
    let answers: Vec<_> = (0..5).map(|_| relay.call("fixture_echo", json!({ "text": "still" }))).collect();
    let good = answers.iter().filter(|answer| answer.to_string().contains("still")).count();
    assert!(good >= 4, "{answers:?}");
    relay.hang_up();
    home.json(&["audit", "verify"]);
}

#[test]
fn a_single_call_relays_to_the_process_that_serves() {
    let home = home();
    let serving = home.serve();
    let output = home.run(&["call", "fixture_echo", "{\"text\":\"from a command\"}"]);
    assert!(String::from_utf8_lossy(&output.stdout).contains("from a command"), "{output:?}");
    let (code, _) = serving.terminate();
    assert_eq!(code, Some(0));
    home.json(&["audit", "verify"]);
}
