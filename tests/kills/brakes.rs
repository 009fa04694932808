//! A caller that goes too far is stopped by itself, for a time, and everybody can see it.

use std::{fs, io::Write as _};

use serde_json::{Value, json};

use super::{done, echo, events, home, is_unknown, wait_for};
use crate::support::home::Home;

fn braked_home(brakes: &str) -> Home {
    let home = home();
    let operator = fs::OpenOptions::new().append(true).open(home.path().join("wardkeep.toml"));
    writeln!(operator.unwrap(), "{brakes}").unwrap();
    home
}

#[test]
fn a_caller_that_is_denied_too_often_is_stopped_until_its_time_is_over_or_it_is_revived() {
    let home = braked_home("[brakes]\nhold = \"1h\"\ncaller = { denials = 5 }");
    let serving = home.serve();
    let forbidden = |times: usize| {
        (0..times).for_each(|_| assert!(is_unknown(&serving.mcp().call("fixture_forbidden", json!({})))));
    };
    forbidden(5);
    assert!(!is_unknown(&echo(&serving.mcp())), "at the limit it goes on");
    forbidden(1);
    wait_for("the brake", || is_unknown(&echo(&serving.mcp())));
    let kills = home.json(&["kills"]);
    let kill = &kills["kills"][0];
    assert_eq!(kill["target"], "caller:service:test", "{kills}");
    assert_eq!((&kill["by"], &kill["brake"]), (&json!("wardkeep (brake)"), &json!(true)), "{kills}");
    assert_eq!(kill["reason"], "6 denials within 300 s", "{kills}");
    assert!(serving.stderr().contains("brake: caller:service:test is stopped until "), "{}", serving.stderr());
    assert!(serving.stderr().contains("mend: `wardkeep revive caller:service:test`"), "{}", serving.stderr());
    wait_for("it is on record", || events(&home, "braked").len() == 1);
    let braked: &Value = &events(&home, "braked")[0];
    assert_eq!((&braked["target"], &braked["reason"]), (&kill["target"], &kill["reason"]), "{braked}");
    // what a brake refuses does not make it last longer, and it survives a crash
    (0..20).for_each(|_| assert!(is_unknown(&echo(&serving.mcp()))));
    assert_eq!(home.json(&["kills"])["kills"][0]["until"], kill["until"]);
    serving.kill_9();
    let again = home.serve();
    assert!(is_unknown(&echo(&again.mcp())), "{}", again.stderr());
    done(&home, &["revive", "caller:service:test", "--reason", "its loop is mended"]);
    assert!(!is_unknown(&echo(&again.mcp())));
    assert_eq!(home.json(&["kills"])["kills"], json!([]));
    assert_eq!(events(&home, "revived")[0]["reason"], "its loop is mended");
    // an old brake does not come back
    again.kill_9();
    let last = home.serve();
    assert!(!is_unknown(&echo(&last.mcp())));
    drop(last);
}

#[test]
fn a_brake_ends_by_itself_and_can_be_switched_off_while_the_host_serves() {
    let home = braked_home("[brakes]\nhold = \"1s\"\nwindow = \"10s\"\ncaller = { denials = 2 }");
    let serving = home.serve();
    let forbidden = |times: usize| {
        (0..times).for_each(|_| assert!(is_unknown(&serving.mcp().call("fixture_forbidden", json!({})))));
    };
    forbidden(3);
    wait_for("the brake", || events(&home, "braked").len() == 1);
    wait_for("its end", || !is_unknown(&echo(&serving.mcp())));
    wait_for("its end on record", || events(&home, "kill-ended").len() == 1);
    let text = String::from_utf8(home.read("wardkeep.toml")).unwrap();
    home.write("wardkeep.toml", &text.replace("[brakes]", "[brakes]\nenabled = false"));
    serving.hang_up();
    wait_for("it is read", || serving.stderr().contains("reloaded: "));
    forbidden(50);
    assert!(!is_unknown(&echo(&serving.mcp())));
    assert_eq!(events(&home, "braked").len(), 1);
}
