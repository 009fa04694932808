use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn kill(target: &str, until: Option<i64>) -> Kill {
    Kill {
        target: target.parse().unwrap(),
        reason: "a test".into(),
        by: "user:me".into(),
        since: at(0),
        until: until.map(at),
    }
}

#[test]
fn a_target_reads_as_it_is_written() {
    for text in ["all", "writes", "plugin:github", "tool:github_create_issue", "caller:user:me", "caller:https://idp#x"]
    {
        let target: Target = text.parse().unwrap();
        assert_eq!(target.to_string(), text);
        let json = serde_json::to_string(&target).unwrap();
        assert_eq!((json.as_str(), serde_json::from_str::<Target>(&json).unwrap()), (&*format!("\"{text}\""), target));
    }
    let long = format!("caller:{}", "x".repeat(1025));
    for text in
        ["", "ALL", "all:", "plugin", "plugin:", "plugin:A B", "tool:a/b", "caller:", "caller:a b", "user:me", &long]
    {
        assert_eq!(text.parse::<Target>(), Err(InvalidTarget), "{text}");
    }
}

#[test]
fn a_kill_ends_at_its_moment_and_a_second_one_never_shortens_the_first() {
    assert!(kill("all", Some(10)).holds(at(9)) && !kill("all", Some(10)).holds(at(10)));
    for (kills, until) in [
        ([Some(10), Some(5)], Some(10)),
        ([Some(5), Some(10)], Some(10)),
        ([None, Some(10)], None),
        ([Some(10), None], None),
    ] {
        for target in ["all", "writes", "plugin:a", "tool:a", "caller:a"] {
            let all = Kills::new(kills.map(|until| kill(target, until)).into());
            let held: Vec<_> = all.iter().map(|kill| kill.until).collect();
            assert_eq!(held, [until.map(at)], "{target} {kills:?}");
        }
    }
}

#[test]
fn the_next_change_is_the_next_end() {
    let kills = Kills::new(vec![kill("all", None), kill("writes", Some(20)), kill("tool:a", Some(10))]);
    let ends: Vec<_> = [0, 9, 10, 19, 20].map(|now| kills.next_change(at(now)).map(Timestamp::as_second)).into();
    assert_eq!(ends, [Some(10), Some(10), Some(20), Some(20), None]);
}
