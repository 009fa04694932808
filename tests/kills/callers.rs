//! Who is meant by the name of a caller, and what becomes of the calls of a key that is taken back.

use super::*;

#[test]
fn the_name_of_a_key_stops_its_caller_and_a_name_that_nobody_can_have_stops_nothing() {
    let home = home();
    let operator = std::fs::OpenOptions::new().append(true).open(home.path().join("wardkeep.toml"));
    let key = crate::support::home::sha256(b"wk_bob");
    writeln!(
        operator.unwrap(),
        "[callers.keys.bob]\nsha256 = \"{key}\"\nprincipal = \"service:robert\"\ngroups = [\"tests\"]"
    )
    .unwrap();
    let serving = home.serve();
    let bob = Mcp { address: serving.address, key: "wk_bob".to_owned() };
    assert!(!is_unknown(&echo(&bob)));
    let said = done(&home, &["kill", "caller:bob"]);
    assert!(said.contains("`bob` is the key of `service:robert`: that caller is meant"), "{said}");
    assert!(said.contains("killed caller:service:robert") && is_unknown(&echo(&bob)), "{said}");
    done(&home, &["revive", "caller:bob"]);
    assert!(!is_unknown(&echo(&bob)));

    for name in ["nobody", "group:tests", "service:", "Bob", "https://idp#x"] {
        let refused = home.refused(&["kill", &format!("caller:{name}")]);
        assert!(refused.contains("can be no caller, so nothing was stopped: no key is named so"), "{refused}");
        assert!(refused.contains("mend: a name as the audit log has it"), "{refused}");
    }
    assert_eq!(home.json(&["kills"])["kills"], json!([]));
    for name in ["service:bob", "service:Robert", "user:alice", "oauth:corp/alice", "foreign:https://a#b"] {
        let target = format!("caller:{name}");
        let said = done(&home, &["kill", &target]);
        assert!(said.contains(&format!("brings a caller `{name}`")), "{said}");
        assert!(said.contains("known are: service:robert, service:test, user:me"), "{said}");
        done(&home, &["revive", &target]);
    }
    for name in ["service:robert", "user:me"] {
        let target = format!("caller:{name}");
        let said = done(&home, &["kill", &target]);
        assert!(!said.contains("brings a caller"), "{said}");
        done(&home, &["revive", &target]);
    }
    // a document that cannot be read holds up nothing that can stop somebody
    home.write("wardkeep.toml", "format = = 1");
    done(&home, &["kill", "caller:service:robert"]);
    assert!(is_unknown(&echo(&bob)));
    let refused = home.refused(&["kill", "caller:bob"]);
    assert!(refused.contains("wardkeep.toml, which names keys, cannot be read"), "{refused}");
}

#[test]
fn the_running_calls_of_a_key_that_is_taken_back_end_and_the_log_says_why() {
    let home = home();
    let component = guests::path("hostile");
    home.install(&Plugin { limits: LIMITS, ..Plugin::plain("hostile", &component, &["loop"]) });
    let serving = home.serve();
    let mcp = serving.mcp();
    let call = thread::spawn(move || mcp.call("hostile_loop", json!({})));
    wait_for("it runs", || lines(&home, "intent").len() == 1);
    let typed = Instant::now();
    assert_eq!(home.json(&["keys", "revoke", "test"])["ended"], 1);
    let answer = call.join().unwrap();
    assert!(typed.elapsed() < Duration::from_secs(10), "{:?}", typed.elapsed());
    assert_eq!(answer["result"]["isError"], json!(true), "{answer}");
    let journal = home.journal();
    let outcome = journal.iter().find(|line| line["unmapped"]["phase"] == "outcome").expect("an outcome");
    assert_eq!((&outcome["unmapped"]["outcome"], &outcome["status_detail"]), (&json!("killed"), &json!("key-revoked")));
}

#[test]
fn where_there_is_no_home_the_first_question_is_whether_it_is_the_right_one() {
    let home = home();
    let absent = home.path().join("absent");
    for command in [&["kills"][..], &["kill", "all"]] {
        let mut asked = std::process::Command::new(crate::support::home::program());
        let output = asked.arg("--home").arg(&absent).args(command).output().expect("the program");
        let said = text(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("mend: is that the one you mean (`--home DIR`, or `WARDKEEP_HOME`)?"), "{said}");
    }
}
