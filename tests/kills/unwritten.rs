//! A disk that takes nothing more keeps nobody from stopping a call: the host that serves stops it at once, and writes it when it can.

use std::{fs, process::Command};

use serde_json::json;

use crate::support::home::program;

use super::{SECOND, done, echo, events, home, is_unknown, text, wait_for};

#[test]
fn what_nobody_can_write_is_in_force_while_the_host_lives_and_on_disk_as_soon_as_it_can_be() {
    let home = home();
    let (file, lock) = (home.path().join("state/kills.json"), home.path().join("state/kills.lock"));
    let serving = home.serve();
    let mcp = serving.mcp();
    done(&home, &["kill", "writes"]);
    done(&home, &["revive", "writes"]);
    // neither the command nor the host gets its turn
    fs::remove_file(&lock).unwrap();
    fs::create_dir(&lock).unwrap();
    let before = fs::read(&file).unwrap();
    let begun = std::time::Instant::now();
    let killed = home.run(&["kill", "all", "--reason", "a test", "--json"]);
    assert!(is_unknown(&echo(&mcp)), "{}", text(&killed));
    assert!(begun.elapsed() < 2 * SECOND, "{:?}", begun.elapsed());
    assert_eq!(killed.status.code(), Some(1), "{}", text(&killed));
    let said: serde_json::Value = serde_json::from_slice(&killed.stdout).unwrap();
    assert_eq!(
        (&said["confirmed"], &said["change"], &said["recorded"]),
        (&json!(true), &json!(null), &json!(true)),
        "{said}"
    );
    assert!(said["unwritten"].as_str().unwrap().contains("kills.lock"), "{said}");
    let warned = String::from_utf8_lossy(&killed.stderr);
    assert!(warned.contains("in force, NOT on disk: it ends with the host"), "{warned}");
    assert_eq!(fs::read(&file).unwrap(), before);
    assert_eq!(events(&home, "killed").last().unwrap()["change"], 0, "no number yet");
    let refused = home.refused(&["revive", "all"]);
    assert!(refused.contains("`all` is not killed") || refused.contains("kills.lock"), "{refused}");
    assert!(is_unknown(&echo(&mcp)), "and is not revived by an accident");
    // the disk is mended
    fs::remove_dir(&lock).unwrap();
    wait_for("it is written", || fs::read(&file).unwrap() != before);
    wait_for("it has its number in the log", || events(&home, "killed").last().unwrap()["change"] == 3);
    assert_eq!(home.json(&["kills"])["kills"][0]["target"], "all");
    serving.kill_9();
    let again = home.serve();
    assert!(is_unknown(&echo(&again.mcp())));
    done(&home, &["revive", "all"]);
    assert!(!is_unknown(&echo(&again.mcp())));
    assert_eq!(events(&home, "killed").len(), 3, "written once");
}

#[test]
fn what_only_the_command_cannot_write_is_written_by_the_host() {
    let home = home();
    // a full quota of its own, say
    let limited = |arguments: &str| {
        let script = format!("trap '' XFSZ; ulimit -f 0; exec \"$0\" {arguments}");
        let mut command = Command::new("sh");
        command.args(["-c", &script]).arg(program()).env("WARDKEEP_HOME", home.path());
        command.output().unwrap()
    };
    let lone = limited("kill all");
    assert_eq!(lone.status.code(), Some(1), "{}", text(&lone));
    assert!(text(&lone).contains("neither on disk nor confirmed: all"), "{}", text(&lone));
    let serving = home.serve();
    assert!(!is_unknown(&echo(&serving.mcp())));
    let killed = limited("kill all");
    assert_eq!(killed.status.code(), Some(0), "{}", text(&killed));
    assert!(text(&killed).contains("the host wrote it; this command could not"), "{}", text(&killed));
    assert!(is_unknown(&echo(&serving.mcp())));
    assert_eq!(home.json(&["kills"])["kills"][0]["target"], "all");
    assert_eq!(events(&home, "killed").len(), 1);
    // and one that asks for less
    let shorter = done(&home, &["kill", "all", "--for", "1s"]);
    assert!(shorter.contains("it was stopped for longer already: that end stays"), "{shorter}");
    assert_eq!(home.json(&["kills"])["kills"][0]["until"], json!(null));
}
