use wardkeep_model::{Cost, Note};
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
fn a_caller_whose_name_is_no_target_is_not_put_where_kills_are_read_from() {
    let (brakes, mut tripped) = Brakes::new();
    (0..3).for_each(|_| brakes.refused(&terms(1), "user:a b", &denied(Rule::NotAllowed)));
    assert!(tripped.try_recv().is_err());
}

fn closing(outcome: Outcome, class: Option<&str>, denied: u32) -> Closing {
    let note = Note { kind: NoteKind::Denied, capability: "http".into(), detail: "x".into(), count: denied };
    let notes = if denied > 0 { vec![note] } else { vec![] };
    let class = class.map(str::to_owned);
    Closing { outcome, error_class: class, cost: Cost::default(), notes, touched: vec![], egress: vec![] }
}

fn told(tripped: &mut mpsc::Receiver<Tripped>) -> Vec<(String, u32)> {
    std::iter::from_fn(|| tripped.try_recv().ok()).map(|told| (told.target.to_string(), told.count)).collect()
}

#[test]
fn a_call_that_tries_what_it_may_not_counts_once_for_its_caller_and_once_for_its_plugin() {
    let (brakes, mut tripped) = Brakes::new();
    let plugin: PluginName = "fetch".parse().unwrap();
    let tried = closing(Outcome::Ok, None, 64);
    let reads = (&plugin, Effect::Read);
    (0..3).for_each(|_| brakes.ran(&terms(3), "user:me", reads, &tried));
    (0..100).for_each(|_| brakes.ran(&terms(3), "user:me", reads, &closing(Outcome::Trap, None, 0)));
    assert_eq!(told(&mut tripped), []);
    brakes.ran(&terms(3), "user:me", reads, &closing(Outcome::Denied, None, 0));
    assert_eq!(told(&mut tripped), [("caller:user:me".to_owned(), 4)], "and the plugin goes on for the others");
    for n in 0..13 {
        brakes.ran(&terms(3), &format!("user:{n}"), reads, &tried);
    }
    assert_eq!(told(&mut tripped), [("plugin:fetch".to_owned(), 16)], "what many make it try is its own doing");
    // and from then on it is counted anew, of everybody
    (0..3).for_each(|_| brakes.ran(&terms(3), "user:me", reads, &tried));
    for n in 20..33 {
        assert_eq!(told(&mut tripped), []);
        brakes.ran(&terms(3), &format!("user:{n}"), reads, &tried);
    }
    assert_eq!(told(&mut tripped), [("plugin:fetch".to_owned(), 16)]);
}

#[test]
fn no_caller_alone_stops_a_plugin_for_the_others_whatever_it_does_and_however_often_it_is_stopped() {
    let (brakes, mut tripped) = Brakes::new();
    let plugin: PluginName = "fetch".parse().unwrap();
    let terms = BrakeTerms::default();
    let writes = (&plugin, Effect::Write);
    let worst = [
        closing(Outcome::OutputRejected, Some("secret"), 64),
        closing(Outcome::OutputRejected, Some("secret-echoed"), 64),
        closing(Outcome::Denied, None, 0),
    ];
    for round in 0..20_000 {
        brakes.ran(&terms, "user:me", writes, &worst[round % 3]);
    }
    let stopped = told(&mut tripped);
    assert!(stopped.len() > 90 && stopped.iter().all(|(target, _)| target == "caller:user:me"), "{stopped:?}");
    // an operator who gives a plugin less than a caller has said so
    let narrow = BrakeTerms { plugin: Most { denials: number(100), ..terms.plugin }, ..terms };
    (0..3).for_each(|_| brakes.ran(&narrow, "user:you", (&plugin, Effect::Read), &worst[0]));
    assert_eq!(told(&mut tripped), [("plugin:fetch".to_owned(), 250)]);
}

#[test]
fn answers_that_held_a_secret_stop_their_plugin_soon_where_many_callers_get_them() {
    let (brakes, mut tripped) = Brakes::new();
    let plugin: PluginName = "leaks".parse().unwrap();
    let terms = BrakeTerms::default();
    let leaked = closing(Outcome::OutputRejected, Some("secret"), 0);
    for n in 0..20 {
        brakes.ran(&terms, &format!("user:{n}"), (&plugin, Effect::Read), &leaked);
    }
    assert_eq!(told(&mut tripped), [], "at the limit");
    brakes.ran(&terms, "user:0", (&plugin, Effect::Read), &leaked);
    assert_eq!(told(&mut tripped), [("plugin:leaks".to_owned(), 1_050)]);
    let broken = closing(Outcome::OutputRejected, Some("output-schema"), 0);
    (0..300).for_each(|_| brakes.ran(&terms, "user:you", (&plugin, Effect::Read), &broken));
    assert_eq!(told(&mut tripped), [], "a broken promise is no denial");
}

#[test]
fn a_secret_that_the_caller_said_itself_counts_for_the_caller_alone() {
    let (brakes, mut tripped) = Brakes::new();
    let plugin: PluginName = "fetch".parse().unwrap();
    let echoed = closing(Outcome::OutputRejected, Some("secret-echoed"), 0);
    for n in 0..1_500 {
        brakes.ran(&BrakeTerms::default(), &format!("user:{}", n / 200), (&plugin, Effect::Read), &echoed);
    }
    assert_eq!(told(&mut tripped), [], "each is at its own limit, and the plugin has none of it");
    brakes.ran(&BrakeTerms::default(), "user:0", (&plugin, Effect::Read), &echoed);
    assert_eq!(told(&mut tripped), [("caller:user:0".to_owned(), 201)]);
}

#[test]
fn writes_count_whatever_became_of_them_and_reads_do_not() {
    let (brakes, mut tripped) = Brakes::new();
    let plugin: PluginName = "files".parse().unwrap();
    let terms = terms(3);
    (0..100).for_each(|_| brakes.ran(&terms, "user:me", (&plugin, Effect::Read), &closing(Outcome::Ok, None, 0)));
    brakes.ran(&terms, "user:me", (&plugin, Effect::Write), &closing(Outcome::Ok, None, 0));
    brakes.ran(&terms, "user:me", (&plugin, Effect::Destructive), &closing(Outcome::ToolError, None, 0));
    assert_eq!(told(&mut tripped), [], "at the limit");
    brakes.ran(&terms, "user:me", (&plugin, Effect::Write), &closing(Outcome::Ok, None, 0));
    assert_eq!(told(&mut tripped), [("caller:user:me".to_owned(), 3)]);
    brakes.ran(&terms, "user:you", (&plugin, Effect::Write), &closing(Outcome::Ok, None, 0));
    assert_eq!(told(&mut tripped), [("plugin:files".to_owned(), 3)], "here the plugin may write as little as a caller");
}
