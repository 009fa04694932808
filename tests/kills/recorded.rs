//! What became of each kill stands in the log, and neither a lost file, an old copy nor a damaged one lifts a kill.

use std::{fs, thread, time::Duration};

use serde_json::json;

use super::{done, echo, events, home, is_unknown, wait_for};

#[test]
fn a_kill_with_a_time_limit_ends_by_itself_and_its_end_is_on_record() {
    let home = home();
    let serving = home.serve();
    done(&home, &["kill", "all", "--for", "1500ms", "--reason", "a moment"]);
    assert!(is_unknown(&echo(&serving.mcp())));
    wait_for("its end", || events(&home, "kill-ended").len() == 1);
    assert!(!is_unknown(&echo(&serving.mcp())));
    assert_eq!(events(&home, "kill-ended")[0]["target"], "all");
    assert_eq!(home.json(&["kills"])["kills"], json!([]));
    // and while nobody serves
    serving.terminate();
    done(&home, &["kill", "writes", "--for", "1s"]);
    thread::sleep(Duration::from_millis(1_100));
    let again = home.serve();
    assert!(!again.stderr().contains("stopped: "), "{}", again.stderr());
    wait_for("its end", || events(&home, "kill-ended").len() == 2);
    again.terminate();
    let quiet = home.serve();
    thread::sleep(Duration::from_millis(700));
    assert_eq!(events(&home, "kill-ended").len(), 2, "told once");
    drop(quiet);
}

#[test]
fn neither_a_lost_file_nor_an_old_copy_lifts_a_kill() {
    let home = home();
    let file = home.path().join("state/kills.json");
    let serving = home.serve();
    done(&home, &["kill", "plugin:fixture"]);
    let first = fs::read(&file).unwrap();
    done(&home, &["kill", "all"]);
    done(&home, &["revive", "plugin:fixture"]);
    // while it serves
    fs::remove_file(&file).unwrap();
    wait_for("it is written anew", || file.exists());
    assert!(is_unknown(&echo(&serving.mcp())));
    assert_eq!(home.json(&["kills"])["kills"][0]["target"], "all");
    serving.kill_9();
    // and while it does not: lost, and as it was before
    for old in [None, Some(&first)] {
        match old {
            None => fs::remove_file(&file).unwrap(),
            Some(old) => fs::write(&file, old).unwrap(),
        }
        let again = home.serve();
        assert!(again.stderr().contains("stopped: all"), "{}", again.stderr());
        assert!(is_unknown(&echo(&again.mcp())));
        let kills = home.json(&["kills"]);
        assert_eq!((&kills["change"], &kills["kills"][0]["target"]), (&json!(3), &json!("all")), "{kills}");
        again.kill_9();
    }
    let again = home.serve();
    done(&home, &["revive", "all"]);
    assert!(!is_unknown(&echo(&again.mcp())));
    assert_eq!((events(&home, "killed").len(), events(&home, "revived").len()), (2, 2));
}

#[test]
fn a_damaged_file_stops_everything_and_the_mend_that_it_names_mends_it() {
    let home = home();
    let file = home.path().join("state/kills.json");
    let serving = home.serve();
    done(&home, &["kill", "writes"]);
    assert!(!is_unknown(&echo(&serving.mcp())));
    fs::write(&file, "{}").unwrap();
    wait_for("everything stops", || is_unknown(&echo(&serving.mcp())));
    wait_for("it is said", || serving.stderr().contains("everything is stopped"));
    assert!(serving.stderr().contains("mend: move it away"), "{}", serving.stderr());
    for command in [&["kills"][..], &["kill", "all"], &["revive", "writes"]] {
        let refused = home.refused(command);
        assert!(refused.contains("kills.json` is damaged") && refused.contains("mend: move it away"), "{refused}");
    }
    let killed = events(&home, "killed");
    assert_eq!(
        (&killed[1]["target"], &killed[1]["by"]),
        (&json!("all"), &json!("wardkeep (unreadable)")),
        "{killed:?}"
    );
    let why = home.run(&["why", "service:test", "fixture_echo"]);
    let told = String::from_utf8_lossy(&why.stdout);
    assert!(!told.contains("wardkeep revive") && told.contains("`wardkeep kills` tells what to do"), "{told}");
    assert!(!told.contains("\\u{60}"), "{told}");
    // also for a host that starts with it
    serving.terminate();
    let serving = home.serve();
    assert!(is_unknown(&echo(&serving.mcp())), "{}", serving.stderr());
    fs::rename(&file, home.path().join("kills.json.damaged")).unwrap();
    wait_for("it goes on", || !is_unknown(&echo(&serving.mcp())));
    assert_eq!(home.json(&["kills"])["kills"][0]["target"], "writes", "what was killed stays so");
    let revived = events(&home, "revived");
    assert_eq!(revived.last().unwrap()["by"], "wardkeep", "{revived:?}");
    home.json(&["audit", "verify"]);
}

#[test]
fn kills_of_many_commands_at_once_are_all_kept_and_all_recorded() {
    let home = home();
    let serving = home.serve();
    thread::scope(|scope| {
        for n in 0..8 {
            let home = &home;
            scope.spawn(move || done(home, &["kill", &format!("caller:user:{n}")]));
        }
    });
    assert_eq!(home.json(&["kills"])["kills"].as_array().unwrap().len(), 8);
    wait_for("all on record", || events(&home, "killed").len() == 8);
    drop(serving);
}

#[test]
fn where_nobody_serves_a_lost_file_is_what_the_log_knows_and_no_command_lifts_what_was_in_it() {
    let home = home();
    let file = home.path().join("state/kills.json");
    let serving = home.serve();
    done(&home, &["kill", "plugin:fixture"]);
    let old = fs::read(&file).unwrap();
    done(&home, &["kill", "tool:fixture_echo"]);
    serving.terminate();
    fs::remove_file(&file).unwrap();
    let told = home.run(&["kills"]);
    let said = super::text(&told);
    assert!(said.contains("plugin:fixture") && said.contains("tool:fixture_echo"), "{said}");
    assert!(said.contains("written anew from that") && said.contains("it is revived"), "{said}");
    let targets = || -> Vec<_> {
        let kills = home.json(&["kills"])["kills"].as_array().unwrap().clone();
        let mut targets: Vec<_> = kills.iter().map(|kill| kill["target"].as_str().unwrap().to_owned()).collect();
        targets.sort();
        targets
    };
    // lost, and as it was before: a kill and a revive know of all
    fs::remove_file(&file).unwrap();
    done(&home, &["kill", "writes"]);
    assert_eq!(targets(), ["plugin:fixture", "tool:fixture_echo", "writes"]);
    fs::write(&file, &old).unwrap();
    done(&home, &["revive", "tool:fixture_echo"]);
    assert_eq!(targets(), ["plugin:fixture", "writes"]);
    assert_eq!((events(&home, "killed").len(), events(&home, "revived").len()), (3, 1));
    let again = home.serve();
    assert!(again.stderr().contains("stopped: plugin:fixture, writes"), "{}", again.stderr());
    assert_eq!(targets(), ["plugin:fixture", "writes"]);
}
