//! The same calls judged by two: by buckets, and by a history that is looked through as a whole.
//!
//! The history knows one rule, which needs no bucket: in no stretch of time that ends now may more have been let in than a limit holds and
//! what it grants in that time.

use std::collections::BTreeSet;

use super::*;

const CALLERS: usize = 3;
const TOOLS: usize = 3;

#[derive(Debug, Clone)]
struct Terms {
    allowance: Allowance,
    tools: Vec<Rates>,
}

#[derive(Debug, Clone, Copy)]
struct Call {
    caller: usize,
    tool: usize,
    writes: bool,
    goes_on: bool,
    fuel: u64,
}

#[derive(Debug, Clone)]
enum Event {
    Wait(Duration),
    Call(Call),
    /// One of those that run ends, and has used so much.
    End {
        which: usize,
        used: u64,
    },
    /// One that runs is dropped.
    Lost {
        which: usize,
    },
}

#[derive(Default)]
struct History {
    now: u128,
    calls: Vec<(u128, Call)>,
    fuel: Vec<(u128, usize, u64)>,
    running: Vec<(Call, u64, Admitted)>,
}

/// Whether so much more fits, after what was taken at these times.
fn fits(taken: &[(u128, u128)], more: u128, most: u128, per: u128, now: u128) -> bool {
    (0..=taken.len()).all(|first| {
        let stretch = taken[first..].iter().map(|(_, weight)| weight).sum::<u128>() + more;
        let long = taken.get(first).map_or(0, |(begun, _)| now - begun);
        stretch * per <= most * per + most * long
    })
}

impl History {
    /// Every limit that a call at this time is over.
    fn over(&self, terms: &Terms, call: Call, now: u128) -> BTreeSet<&'static str> {
        let (allowance, rates) = (&terms.allowance, &terms.tools[call.tool]);
        let mut over = BTreeSet::new();
        let mut ask = |limit: Limit, fits: bool| _ = !fits && over.insert(limit.as_str());
        let holds = |rate: wardkeep_policy::Rate, counts: &dyn Fn(&Call) -> bool| {
            let taken: Vec<_> = self.calls.iter().filter(|(_, past)| counts(past)).map(|(at, _)| (*at, 1)).collect();
            fits(&taken, 1, rate.count.get().into(), rate.per.as_nanos(), now)
        };
        let mine = |past: &Call| past.caller == call.caller;
        let same = |past: &Call| past.tool == call.tool && !past.goes_on;
        ask(Limit::RateCaller, holds(allowance.rate, &mine));
        if !call.goes_on {
            let writes = |past: &Call| mine(past) && past.writes && !past.goes_on;
            ask(Limit::RateWrites, !call.writes || holds(allowance.writes, &writes));
            let own = |past: &Call| mine(past) && same(past);
            ask(Limit::RateCallerTool, rates.caller.is_none_or(|rate| holds(rate, &own)));
            ask(Limit::RateTool, rates.tool.is_none_or(|rate| holds(rate, &same)));
        }
        let running: Vec<_> = self.running.iter().filter(|(running, ..)| mine(running)).collect();
        ask(Limit::CallerConcurrency, running.len() < allowance.concurrency as usize);
        let used = self.fuel.iter().filter(|(_, of, _)| *of == call.caller);
        let used: Vec<_> = used.map(|(at, _, used)| (*at, u128::from(*used))).collect();
        let budget = u128::from(allowance.fuel_per_minute);
        let reserved = running.iter().map(|(_, reserved, _)| u128::from(*reserved)).sum::<u128>();
        ask(Limit::FuelBudget, fits(&used, budget.min(call.fuel.into()) + reserved, budget, 60_000_000_000, now));
        over
    }
}

fn rates() -> impl Strategy<Value = wardkeep_policy::Rate> {
    (1..6_u32, prop::sample::select(vec!["s", "min", "h"])).prop_map(|(count, unit)| rate(&format!("{count}/{unit}")))
}

fn terms() -> impl Strategy<Value = Terms> {
    let of_tool =
        (prop::option::of(rates()), prop::option::of(rates())).prop_map(|(caller, tool)| Rates { caller, tool });
    let allowance =
        (rates(), rates(), 1..200_u64, 1..5_u32).prop_map(|(rate, writes, fuel_per_minute, concurrency)| Allowance {
            rate,
            writes,
            fuel_per_minute,
            concurrency,
        });
    (allowance, prop::collection::vec(of_tool, TOOLS)).prop_map(|(allowance, tools)| Terms { allowance, tools })
}

fn event() -> impl Strategy<Value = Event> {
    let wait = prop_oneof![
        Just(0),
        Just(1),
        1..2_000_000_000_u64,
        Just(1_000_000_000),
        1_000_000_000..200_000_000_000_u64,
        Just(3_600_000_000_000),
    ];
    let call = (0..CALLERS, 0..TOOLS, any::<bool>(), prop::bool::weighted(0.2), 1..120_u64)
        .prop_map(|(caller, tool, writes, goes_on, fuel)| Event::Call(Call { caller, tool, writes, goes_on, fuel }));
    prop_oneof![
        2 => wait.prop_map(|nanoseconds| Event::Wait(Duration::from_nanos(nanoseconds))),
        5 => call,
        3 => (any::<usize>(), 0..150_u64).prop_map(|(which, used)| Event::End { which, used }),
        1 => any::<usize>().prop_map(|which| Event::Lost { which }),
    ]
}

/// A call that both have judged in the same way, or what they do not agree in.
fn judge(
    admission: &Admission,
    history: &mut History,
    terms: &Terms,
    (call, called): (Call, &Called),
    instant: Instant,
) -> Result<(), TestCaseError> {
    let now = history.now;
    let over = history.over(terms, call, now);
    let Call { caller, writes, goes_on, fuel, .. } = call;
    let wanted = Wanted { writes, goes_on, fuel, ..called.wanted() };
    match admission.enter(&format!("user:{caller}"), wanted, &each(terms.allowance), instant) {
        Ok(admitted) => {
            prop_assert!(over.is_empty(), "let in over {over:?}");
            history.calls.push((now, call));
            history.running.push((call, fuel.min(terms.allowance.fuel_per_minute), admitted));
        }
        Err(Throttled { limit, retry_after }) => {
            prop_assert!(over.contains(limit.as_str()), "{limit} refuses, over are {over:?}");
            if !matches!(limit, Limit::CallerConcurrency | Limit::FuelBudget) {
                let then = now + retry_after.as_nanos();
                prop_assert!(history.over(terms, call, then - 1).contains(limit.as_str()), "too late");
                let still = history.over(terms, call, then);
                prop_assert!(!still.iter().any(|limit| limit.starts_with("rate")), "too early: {still:?}");
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn buckets_judge_every_call_as_its_whole_history_does(
        terms in terms(),
        events in prop::collection::vec(event(), 1..120),
    ) {
        let begun = Instant::now();
        let admission = Admission::new(begun);
        let rates = terms.tools.iter().enumerate();
        let tools: Vec<_> =
            rates.map(|(n, rates)| Called { rates: *rates, ..Called::new(&format!("tool{n}"), None, None) }).collect();
        let mut history = History::default();
        for event in events {
            let instant = begun + Duration::from_nanos(u64::try_from(history.now).unwrap());
            let running = history.running.len();
            match event {
                Event::Wait(time) => history.now += time.as_nanos(),
                Event::End { which, used } if running > 0 => {
                    let (call, _, mut admitted) = history.running.swap_remove(which % running);
                    admitted.used(used, instant);
                    history.fuel.push((history.now, call.caller, used));
                }
                Event::Lost { which } if running > 0 => drop(history.running.swap_remove(which % running)),
                Event::End { .. } | Event::Lost { .. } => {}
                Event::Call(call) => judge(&admission, &mut history, &terms, (call, &tools[call.tool]), instant)?,
            }
        }
    }
}
