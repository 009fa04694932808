use super::*;
use crate::testing::{id, principal, refusal};

const WINDOW: Duration = Duration::from_secs(10);

fn time(second: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + second).unwrap()
}

/// Admits and says whether it was a first.
fn first(coalescer: &mut Coalescer, refusal: Refusal, now: Instant) -> bool {
    matches!(coalescer.admit(refusal, now, time(0)), Admitted::First(_))
}

#[test]
fn the_first_is_written_and_the_rest_of_the_window_is_counted_exactly() {
    let start = Instant::now();
    let mut coalescer = Coalescer::new(WINDOW);
    let denied = || refusal(Some(principal("user:me")), "files_read", "not-allowed");
    assert!(matches!(coalescer.admit(denied(), start, time(0)), Admitted::First(_)));
    for second in 1..=7 {
        let again = Refusal { correlation: id(u128::try_from(second).unwrap()), ..denied() };
        let Admitted::Counted(found_by) = coalescer.admit(again, start, time(second)) else { panic!("{second}") };
        assert_eq!(found_by, denied().correlation, "by the id of the line that they are counted with");
    }
    assert_eq!(coalescer.next_due(), Some(start + WINDOW));
    assert_eq!(coalescer.over(start + WINDOW - Duration::from_millis(1)).len(), 0);
    let counted = coalescer.over(start + WINDOW);
    assert_eq!(counted.len(), 1);
    assert_eq!((counted[0].count, counted[0].from, counted[0].to), (7, time(1), time(7)));
}

#[test]
fn a_refusal_that_goes_on_is_counted_in_every_window_and_one_after_a_quiet_window_is_a_first_again() {
    let start = Instant::now();
    let mut coalescer = Coalescer::new(WINDOW);
    let denied = || refusal(Some(principal("user:me")), "files_read", "not-allowed");
    assert!(first(&mut coalescer, denied(), start));
    assert!(!first(&mut coalescer, denied(), start));
    assert_eq!(coalescer.over(start + WINDOW)[0].count, 1);
    assert!(!first(&mut coalescer, denied(), start + WINDOW));
    assert_eq!(coalescer.over(start + WINDOW * 2)[0].count, 1);
    assert_eq!(coalescer.over(start + WINDOW * 3).len(), 0);
    assert!(coalescer.entries.is_empty() && coalescer.by_principal.is_empty() && coalescer.next_due().is_none());
    assert!(first(&mut coalescer, denied(), start + WINDOW * 3));
}

#[test]
fn what_was_counted_can_be_had_before_the_window_is_over_and_makes_no_refusal_a_first() {
    let start = Instant::now();
    let mut coalescer = Coalescer::new(WINDOW);
    let denied = || refusal(Some(principal("user:me")), "files_read", "not-allowed");
    assert!(first(&mut coalescer, denied(), start));
    assert!(first(&mut coalescer, refusal(Some(principal("user:b")), "t", "r"), start));
    for _ in 0..3 {
        assert_eq!(coalescer.so_far(start).len(), 0, "nothing is counted yet");
        assert!(!first(&mut coalescer, denied(), start));
        assert_eq!(coalescer.so_far(start).iter().map(|counted| counted.count).collect::<Vec<_>>(), [1]);
    }
    assert!(!first(&mut coalescer, refusal(Some(principal("user:b")), "t", "r"), start), "nobody is forgotten by it");
    assert_eq!(coalescer.over(start + WINDOW).len(), 1, "and nothing is counted twice");
}

#[test]
fn another_principal_rule_or_tool_is_a_first_of_its_own() {
    let now = Instant::now();
    let mut coalescer = Coalescer::new(WINDOW);
    for (who, tool, rule) in [("user:a", "t", "r"), ("user:b", "t", "r"), ("user:a", "u", "r"), ("user:a", "t", "s")] {
        assert!(first(&mut coalescer, refusal(Some(principal(who)), tool, rule), now), "{who} {tool} {rule}");
    }
}

#[test]
fn a_principal_that_invents_tool_names_is_counted_by_rule_and_no_refusal_is_lost() {
    let now = Instant::now();
    let mut coalescer = Coalescer::new(WINDOW);
    let firsts = (0..10_000)
        .filter(|n| first(&mut coalescer, refusal(Some(principal("user:a")), &format!("t{n}"), "unknown-tool"), now))
        .count();
    assert_eq!(firsts, PER_PRINCIPAL + 1);
    assert_eq!(coalescer.entries.len(), PER_PRINCIPAL + 1);
    let counted = coalescer.over(now + WINDOW);
    assert_eq!(counted.iter().map(|c| c.count).sum::<u64>(), 10_000 - firsts as u64);
    assert_eq!((counted.len(), counted[0].like.tool.as_deref()), (1, None));
    // Another principal keeps its own budget.
    assert!(first(&mut coalescer, refusal(Some(principal("user:b")), "t", "unknown-tool"), now));
}

#[test]
fn unauthenticated_callers_have_a_budget_that_addresses_and_rules_cannot_widen() {
    let now = Instant::now();
    let mut coalescer = Coalescer::new(WINDOW);
    let mut firsts = 0;
    for n in 0..5_000 {
        let mut unknown = refusal(None, &format!("tool{n}"), &format!("rule{}", n % 50));
        unknown.origin.peer = Some(format!("203.0.113.{}", n % 250));
        firsts += usize::from(first(&mut coalescer, unknown, now));
    }
    assert_eq!(firsts, UNAUTHENTICATED + 1);
    let counted = coalescer.over(now + WINDOW);
    assert_eq!(counted.iter().map(|c| c.count).sum::<u64>(), 5_000 - firsts as u64);
    assert!(counted.iter().all(|c| c.like.tool.is_none()), "a claimed tool name of nobody is not kept");
    // An authenticated principal is not touched by it.
    assert!(first(&mut coalescer, refusal(Some(principal("user:me")), "files_read", "not-allowed"), now));
}

#[test]
fn memory_is_bounded_whoever_calls() {
    let now = Instant::now();
    let mut coalescer = Coalescer::new(WINDOW);
    for n in 0..20_000 {
        first(&mut coalescer, refusal(Some(principal(&format!("user:{n}"))), "t", "r"), now);
    }
    assert_eq!(coalescer.entries.len(), IN_ALL + 1);
    assert_eq!(coalescer.over(now + WINDOW).iter().map(|c| c.count).sum::<u64>(), 20_000 - (IN_ALL as u64 + 1));
}
