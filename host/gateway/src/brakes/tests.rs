use wardkeep_policy::Denial;

use super::*;
use crate::StateFault;

fn terms(denials: u32) -> BrakeTerms {
    let most = |denials| Most { denials: number(denials), writes: number(2) };
    BrakeTerms { caller: most(denials), plugin: most(5 * denials), ..BrakeTerms::default() }
}

fn denied(rule: Rule) -> NoAnswer {
    NoAnswer::Denied(Denial { rule, detail: String::new() })
}

#[test]
fn a_caller_at_the_limit_goes_on_and_one_denial_more_stops_it() {
    let (brakes, mut tripped) = Brakes::new();
    for _ in 0..3 {
        brakes.refused(&terms(3), "user:me", &denied(Rule::NotAllowed));
        brakes.refused(&terms(3), "user:you", &denied(Rule::UnknownTool));
    }
    assert!(tripped.try_recv().is_err());
    brakes.refused(&terms(3), "user:me", &NoAnswer::State(StateFault::Used));
    let told = tripped.try_recv().unwrap();
    assert_eq!((told.target.to_string().as_str(), told.what, told.count), ("caller:user:me", Counted::Denials, 4));
    assert_eq!(told.to_string(), "4 denials within 300 s");
    assert!(tripped.try_recv().is_err(), "once, and nobody else");
}

#[test]
fn what_a_kill_refuses_what_is_throttled_and_what_is_merely_wrong_counts_for_nothing() {
    let (brakes, mut tripped) = Brakes::new();
    let throttled = || wardkeep_sandbox::NotAdmitted::Throttled { retry_after: Duration::from_secs(1) };
    for _ in 0..100 {
        brakes.refused(&terms(1), "user:me", &denied(Rule::Killed));
        brakes.refused(&terms(1), "user:me", &NoAnswer::NotAdmitted(throttled()));
        brakes.refused(&terms(1), "user:me", &NoAnswer::Answers("no".into()));
    }
    assert!(tripped.try_recv().is_err());
}

#[test]
fn brakes_that_are_off_stop_nobody() {
    let (brakes, mut tripped) = Brakes::new();
    let off = BrakeTerms { enabled: false, ..terms(1) };
    (0..100).for_each(|_| brakes.refused(&off, "user:me", &denied(Rule::NotAllowed)));
    assert!(tripped.try_recv().is_err());
}

#[test]
fn by_default_no_caller_alone_stops_a_plugin_for_the_others() {
    let BrakeTerms { enabled, caller, plugin, .. } = BrakeTerms::default();
    assert!(enabled);
    assert!(plugin.denials.get() >= 5 * caller.denials.get() && plugin.writes.get() >= 5 * caller.writes.get());
}

#[test]
fn a_caller_whose_name_is_no_target_is_not_put_where_kills_are_read_from() {
    let (brakes, mut tripped) = Brakes::new();
    (0..3).for_each(|_| brakes.refused(&terms(1), "user:a b", &denied(Rule::NotAllowed)));
    assert!(tripped.try_recv().is_err());
}
