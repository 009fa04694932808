//! Limits beside the simplest thing that could judge them: the whole history, looked through each time.

use std::thread;

use proptest::prelude::*;

use super::*;

mod memory;
mod oracle;

fn rate(text: &str) -> wardkeep_policy::Rate {
    text.parse().unwrap()
}

/// What these tests call; its rates are each test's own.
struct Called {
    plugin: PluginName,
    tool: ToolName,
    rates: Rates,
}

impl Called {
    fn new(tool: &str, caller: Option<&str>, all: Option<&str>) -> Self {
        let rates = Rates { caller: caller.map(rate), tool: all.map(rate) };
        Self { plugin: "plugin".parse().unwrap(), tool: tool.parse().unwrap(), rates }
    }

    fn wanted(&self) -> Wanted<'_> {
        Wanted { plugin: &self.plugin, tool: &self.tool, rates: self.rates, writes: false, fuel: 1, goes_on: false }
    }
}

fn each(allowance: Allowance) -> Allowances {
    Allowances { each: allowance, ..Allowances::default() }
}

fn admission() -> (Admission, Instant) {
    let now = Instant::now();
    (Admission::new(now), now)
}

#[test]
fn a_refusal_by_one_limit_takes_nothing_of_the_others() {
    let (admission, now) = admission();
    let allowances = each(Allowance { rate: rate("10/d"), ..Allowance::DEFAULT });
    let (narrow, wide) = (Called::new("narrow", None, Some("1/d")), Called::new("wide", Some("20/d"), Some("20/d")));
    let enter = |called: &Called| admission.enter("user:me", called.wanted(), &allowances, now).map(drop);
    assert_eq!(enter(&narrow), Ok(()));
    for _ in 0..100 {
        assert_eq!(enter(&narrow).unwrap_err().limit, Limit::RateTool);
    }
    // nine of the ten are left, although a hundred were refused
    for _ in 0..9 {
        assert_eq!(enter(&wide), Ok(()));
    }
    assert_eq!(enter(&wide).unwrap_err().limit, Limit::RateCaller);
    // and those that the caller's rate has refused took nothing of the tool's
    for caller in ["user:a", "user:b"] {
        for _ in 0..if caller == "user:a" { 10 } else { 1 } {
            admission.enter(caller, wide.wanted(), &allowances, now).map(drop).unwrap();
        }
    }
    assert_eq!(admission.enter("user:b", wide.wanted(), &allowances, now).unwrap_err().limit, Limit::RateTool);
}

#[test]
fn many_threads_at_once_let_in_exactly_what_the_limits_hold_and_refusals_take_nothing() {
    let (admission, now) = admission();
    let allowances = each(Allowance { rate: rate("300/d"), ..Allowance::DEFAULT });
    let (shared, other) = (Called::new("shared", Some("200/d"), Some("1000/d")), Called::new("other", None, None));
    let names: Vec<_> = (0..8).map(|number| format!("user:{number}")).collect();
    let (admission, shared, allowances, names) = (&admission, &shared, &allowances, &names);
    let let_in: Vec<Vec<usize>> = thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let enter = |name: &str| admission.enter(name, shared.wanted(), allowances, now).is_ok();
                scope.spawn(move || names.iter().map(|name| (0..100).filter(|_| enter(name)).count()).collect())
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let of = |caller: usize| let_in.iter().map(|counts| counts[caller]).sum::<usize>();
    assert_eq!((0..8).map(of).sum::<usize>(), 1_000, "the tool's, exactly");
    for (number, name) in names.iter().enumerate() {
        assert!(of(number) <= 200, "{}", of(number));
        let left = (0..400).filter(|_| admission.enter(name, other.wanted(), allowances, now).is_ok()).count();
        assert_eq!(left, 300 - of(number), "each caller has what was not let in");
    }
}

#[test]
fn writes_have_a_bucket_of_their_own_and_take_from_the_callers_too() {
    let (admission, now) = admission();
    let allowances = each(Allowance { rate: rate("5/d"), writes: rate("2/d"), ..Allowance::DEFAULT });
    let tool = Called::new("tool", None, None);
    let enter = |writes| {
        let wanted = Wanted { writes, ..tool.wanted() };
        admission.enter("user:me", wanted, &allowances, now).map(drop).map_err(|throttled| throttled.limit)
    };
    assert_eq!([enter(true), enter(true), enter(true)], [Ok(()), Ok(()), Err(Limit::RateWrites)]);
    assert_eq!([enter(false), enter(false), enter(false)], [Ok(()), Ok(()), Ok(())]);
    assert_eq!(enter(false), Err(Limit::RateCaller));
    // both are over; the one that takes longer is told
    assert_eq!(enter(true), Err(Limit::RateWrites));
}

#[test]
fn a_call_that_asks_its_person_counts_once_for_the_tool_and_each_time_for_the_caller() {
    let (admission, now) = admission();
    let allowances = each(Allowance { rate: rate("4/d"), writes: rate("1/d"), ..Allowance::DEFAULT });
    let tool = Called::new("tool", Some("1/d"), Some("1/d"));
    let enter = |goes_on| {
        let wanted = Wanted { writes: true, goes_on, ..tool.wanted() };
        admission.enter("user:me", wanted, &allowances, now).map(drop).map_err(|throttled| throttled.limit)
    };
    assert_eq!([enter(false), enter(true), enter(true), enter(true)], [Ok(()); 4]);
    assert_eq!(enter(true), Err(Limit::RateCaller));
}

#[test]
fn fuel_is_reserved_whole_and_what_was_not_used_is_given_back() {
    let (admission, now) = admission();
    let allowances = each(Allowance { fuel_per_minute: 100, ..Allowance::DEFAULT });
    let tool = Called::new("tool", None, None);
    let enter = |fuel, now| admission.enter("user:me", Wanted { fuel, ..tool.wanted() }, &allowances, now);
    let mut first = enter(60, now).unwrap();
    let second = enter(40, now).unwrap();
    let refused = enter(1, now).unwrap_err();
    assert_eq!(
        (refused.limit, refused.retry_after),
        (Limit::FuelBudget, Duration::from_secs(1)),
        "calls are in the way"
    );
    // an hour of waiting uses nothing and gives nothing back
    assert_eq!(enter(1, now + Duration::from_secs(3_600)).unwrap_err().limit, Limit::FuelBudget);
    let now = now + Duration::from_secs(3_600);
    drop(second);
    first.used(10, now);
    drop(first);
    assert!(enter(91, now).is_err(), "ten are used");
    let most = enter(90, now).unwrap();
    drop(most);
    // 100 a minute are five in three seconds
    assert_eq!(enter(95, now).unwrap_err().retry_after, Duration::from_secs(3));
    assert!(enter(95, now + Duration::from_secs(3)).is_ok());
}

#[test]
fn a_call_that_no_budget_holds_runs_alone_and_is_paid_for_afterwards() {
    let (admission, now) = admission();
    let allowances = each(Allowance { fuel_per_minute: 100, ..Allowance::DEFAULT });
    let tool = Called::new("tool", None, None);
    let enter = |fuel, now| admission.enter("user:me", Wanted { fuel, ..tool.wanted() }, &allowances, now);
    let mut large = enter(1_000, now).unwrap();
    assert!(enter(1, now).is_err());
    large.used(1_000, now);
    drop(large);
    assert_eq!(enter(1, now).unwrap_err().retry_after, Duration::from_millis(540_600), "nine minutes and one unit");
    assert!(enter(100, now + Duration::from_secs(599)).is_err());
    assert!(enter(100, now + Duration::from_secs(600)).is_ok());
}

#[test]
fn a_caller_has_so_many_calls_at_once_and_not_one_more() {
    let (admission, now) = admission();
    let allowances = each(Allowance { concurrency: 3, ..Allowance::DEFAULT });
    let tool = Called::new("tool", None, None);
    let enter = |name| admission.enter(name, tool.wanted(), &allowances, now);
    let mut running: Vec<_> = (0..3).map(|_| enter("user:me").unwrap()).collect();
    assert_eq!(enter("user:me").unwrap_err().limit, Limit::CallerConcurrency);
    let _other = enter("user:you").unwrap();
    running.pop();
    running.push(enter("user:me").unwrap());
    assert!(enter("user:me").is_err());
}

#[test]
fn who_floods_the_host_is_turned_away_before_who_does_not() {
    let (admission, now) = admission();
    let allowances = Allowances { calls: 100, ..Allowances::default() };
    let arrive = |name: &str| admission.arrive(name, &allowances, now);
    let most = |name: &str| std::iter::from_fn(|| arrive(name).ok()).collect::<Vec<_>>();
    let flood = most("user:flood");
    assert_eq!(flood.len(), 50, "one alone has half");
    assert_eq!(arrive("user:flood").unwrap_err().limit, Limit::Overload);
    let second = most("user:second");
    assert_eq!(second.len(), 25, "half of what was left");
    // and whoever has nothing under way gets in to the last place
    let quiet: Vec<_> = (0..25).map(|number| arrive(&format!("user:{number}")).unwrap()).collect();
    assert_eq!(arrive("user:late").unwrap_err().limit, Limit::Overload);
    drop((flood, second));
    assert_eq!(most("user:flood").len(), 37);
    drop(quiet);
    assert_eq!(admission.arrived.load(Ordering::Relaxed), 0, "nothing is kept of who is gone");
}

#[test]
fn who_has_no_call_left_is_turned_away_at_the_door_and_takes_no_place() {
    let (admission, now) = admission();
    let allowances = each(Allowance { rate: rate("2/d"), ..Allowance::DEFAULT });
    let tool = Called::new("tool", None, None);
    for _ in 0..2 {
        let _arrived = admission.arrive("user:me", &allowances, now).unwrap();
        drop(admission.enter("user:me", tool.wanted(), &allowances, now).unwrap());
    }
    let refused = admission.arrive("user:me", &allowances, now).unwrap_err();
    assert_eq!((refused.limit, refused.retry_after), (Limit::RateCaller, Duration::from_secs(43_200)));
    assert_eq!(admission.arrived.load(Ordering::Relaxed), 0);
    // to look takes nothing
    assert!((0..10).all(|_| admission.arrive("user:you", &allowances, now).is_ok()));
    assert!(admission.arrive("user:me", &allowances, now + refused.retry_after).is_ok());
}

#[test]
fn who_is_set_apart_has_other_limits_and_nobody_else_has_them() {
    let (admission, now) = admission();
    let apart = Allowance { rate: rate("1/d"), ..Allowance::DEFAULT };
    let allowances = Allowances { apart: [("service:ci".to_owned(), apart)].into(), ..Allowances::default() };
    let tool = Called::new("tool", None, None);
    let enter = |name| admission.enter(name, tool.wanted(), &allowances, now).is_ok();
    assert_eq!(
        [enter("service:ci"), enter("service:ci"), enter("service:c"), enter("service:c")],
        [true, false, true, true]
    );
}

#[test]
fn a_tool_that_is_published_anew_has_the_bucket_that_it_had() {
    let (admission, now) = admission();
    let allowances = Allowances::default();
    let narrow = Called::new("tool", Some("3/d"), Some("5/d"));
    for _ in 0..3 {
        drop(admission.enter("user:me", narrow.wanted(), &allowances, now).unwrap());
    }
    // a new manifest says something else of the same tool
    let wider = Called::new("tool", Some("4/d"), Some("6/d"));
    let enter = |called: &Called, name| admission.enter(name, called.wanted(), &allowances, now).map(drop);
    assert_eq!(enter(&wider, "user:me"), Ok(()));
    assert_eq!(enter(&wider, "user:me").unwrap_err().limit, Limit::RateCallerTool);
    assert_eq!([enter(&wider, "user:you"), enter(&wider, "user:you")], [Ok(()), Ok(())]);
    assert_eq!(enter(&wider, "user:you").unwrap_err().limit, Limit::RateTool);
}

#[test]
fn a_call_that_is_refused_for_other_reasons_fills_its_callers_rate_and_nothing_else() {
    let (admission, now) = admission();
    let allowances = each(Allowance { rate: rate("3/d"), writes: rate("1/d"), ..Allowance::DEFAULT });
    let tool = Called::new("tool", Some("1/d"), Some("2/d"));
    assert!(!admission.is_exhausted("user:me", &allowances, now));
    admission.refused("user:me", &allowances, now);
    admission.refused("user:me", &allowances, now);
    let wanted = Wanted { writes: true, ..tool.wanted() };
    assert!(admission.enter("user:me", wanted, &allowances, now).is_ok(), "the third of three, the first of this tool");
    assert!(admission.is_exhausted("user:me", &allowances, now));
    let refused = admission.arrive("user:me", &allowances, now).unwrap_err();
    assert_eq!((refused.limit, refused.retry_after), (Limit::RateCaller, Duration::from_secs(28_800)));
    // the tool has another left for somebody who may call it
    assert!(admission.enter("user:you", wanted, &allowances, now).is_ok());
    // such as came at once before the first of them was counted are paid for too
    admission.refused("user:me", &allowances, now);
    assert!(admission.arrive("user:me", &allowances, now + refused.retry_after).is_err());
    assert!(admission.arrive("user:me", &allowances, now + 2 * refused.retry_after).is_ok());
}
