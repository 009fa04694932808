//! Who is remembered, who is forgotten, and what that takes.

use std::{env, fs, process::Command};

use super::*;

const MEASURES: &str = "WARDKEEP_TEST_MEASURES";

/// Resident memory of this process in KiB.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// In a process of its own, where no other test takes memory meanwhile.
#[test]
fn a_hundred_thousand_callers_take_little_memory_and_make_room_for_others() {
    let test = "admission::tests::memory::a_hundred_thousand_callers_take_little_memory_and_make_room_for_others";
    if env::var_os(MEASURES).is_none() {
        let mut alone = Command::new(env::current_exe().unwrap());
        let alone = alone.args([test, "--exact", "--nocapture"]).env(MEASURES, "1").output().unwrap();
        let said = String::from_utf8_lossy(&alone.stdout);
        assert!(alone.status.success() && said.contains("1 passed"), "{alone:?}");
        return;
    }
    let (admission, now) = admission();
    let allowances = each(Allowance { rate: rate("10/d"), ..Allowance::DEFAULT });
    let tools = [Called::new("one", Some("10/d"), None), Called::new("two", Some("10/d"), None)];
    let before = resident();
    for number in 0..100_000 {
        let name = format!("user:somebody-with-a-name-of-usual-length-{number}@example.com");
        for called in &tools {
            let _arrived = admission.arrive(&name, &allowances, now).unwrap();
            admission.enter(&name, called.wanted(), &allowances, now).unwrap().used(1, now);
        }
    }
    assert_eq!(admission.callers.count(), (100_000, 200_000));
    let taken = (resident() - before) / 1_024;
    println!("100,000 callers with two tools each: {taken} MiB");
    assert!((10..=64).contains(&taken), "{taken} MiB");
    // two days later they are as if they had never called; others come in their place
    let later = now + Duration::from_secs(2 * 86_400);
    for number in 0..100_000 {
        let name = format!("user:somebody-else-with-a-name-of-usual-length-{number}@example.com");
        drop(admission.enter(&name, tools[0].wanted(), &allowances, later).unwrap());
    }
    assert_eq!(admission.callers.count(), (100_000, 100_000));
}

#[test]
fn no_crowd_makes_the_host_forget_who_has_used_up_a_limit() {
    let (admission, now) = admission();
    let slow = Allowance { rate: rate("2/d"), ..Allowance::DEFAULT };
    let allowances = Allowances { apart: [("user:slow".to_owned(), slow)].into(), ..Allowances::default() };
    let tool = Called::new("tool", None, None);
    let enter = |name: &str, now| admission.enter(name, tool.wanted(), &allowances, now).map(drop);
    for _ in 0..2 {
        enter("user:slow", now).unwrap();
    }
    for number in 0..50_000_u64 {
        enter(&format!("user:{number}"), now + Duration::from_millis(number)).unwrap();
    }
    let (known, _) = admission.callers.count();
    assert!(known < 20_000, "those who use little are forgotten: {known}");
    let later = now + Duration::from_secs(50);
    assert_eq!(enter("user:slow", later).unwrap_err().limit, Limit::RateCaller);
}

#[test]
fn where_all_remembered_callers_count_who_comes_new_waits_and_nobody_is_forgotten() {
    let now = Instant::now();
    let admission = Admission { callers: Callers::of(6_400, 1_000), ..Admission::new(now) };
    let allowances = each(Allowance { rate: rate("2/h"), ..Allowance::DEFAULT });
    let tool = Called::new("tool", None, None);
    let enter = |name: &str, now| admission.enter(name, tool.wanted(), &allowances, now).map(drop);
    let name = |number| format!("user:{number}");
    let (known, new): (Vec<_>, Vec<_>) = (0..10_000).map(name).partition(|name| enter(name, now).is_ok());
    assert!((5_000..=6_400).contains(&known.len()), "{}", known.len());
    for name in &new {
        assert_eq!(enter(name, now).unwrap_err().limit, Limit::Overload);
    }
    for name in &known {
        assert_eq!(enter(name, now), Ok(()));
        assert_eq!(enter(name, now).unwrap_err().limit, Limit::RateCaller);
    }
    // an hour later nothing is counted of them
    let later = now + Duration::from_secs(3_600);
    assert_eq!(new.iter().take(3_000).filter(|name| enter(name, later).is_ok()).count(), 3_000);
}

#[test]
fn buckets_of_callers_and_tools_are_bounded_too_and_make_room_when_they_are_empty() {
    let now = Instant::now();
    let admission = Admission { callers: Callers::of(6_400, 1_000), ..Admission::new(now) };
    let allowances = Allowances::default();
    let tools: Vec<_> = (0..100).map(|n| Called::new(&format!("tool{n}"), Some("60/h"), None)).collect();
    let enter = |caller: usize, tool: usize, now| {
        let wanted = tools[tool].wanted();
        admission.enter(&format!("user:{caller}"), wanted, &allowances, now).map(drop).map_err(|over| over.limit)
    };
    for n in 0..1_000 {
        assert_eq!(enter(n / 100, n % 100, now), Ok(()));
    }
    assert_eq!(enter(11, 0, now), Err(Limit::Overload));
    let minute = now + Duration::from_secs(60);
    assert_eq!(enter(11, 0, minute), Ok(()));
    assert_eq!(admission.callers.count().1, 1);
}
