use wardkeep_model::{Digest, Effect};
use wardkeep_policy::kill::{Kill, Stops};

use super::*;

const LIMITS: ApprovalLimits = ApprovalLimits { deadline: Duration::from_secs(3_600), each: 2, all: 3 };

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn call(byte: u8) -> CorrelationId {
    CorrelationId::from_bytes([byte; 16])
}

fn id(byte: u8) -> ApprovalId {
    ApprovalId::from_bytes([byte; 8])
}

fn matter(principal: &str, arguments: &str) -> Matter {
    Matter {
        principal: principal.into(),
        actors: vec!["service:bot".into()],
        tool: "files_write".parse().unwrap(),
        plugin: "files".parse().unwrap(),
        version: "1.0.0".into(),
        contract: Digest::of(b"contract"),
        manifest: Digest::of(b"manifest"),
        arguments: Digest::of(arguments.as_bytes()),
    }
}

fn shown() -> Shown {
    Shown {
        effect: Effect::Write,
        side_effects: "writes".into(),
        resources: vec!["/path = a".into()],
        arguments: vec!["path: \"a\"".into()],
    }
}

fn by(second: i64) -> Decided {
    Decided { by: "alice".into(), reason: "because".into(), at: at(second) }
}

/// A book with one approval of `service:ci`, asked at 0 and decided so at 10.
fn book(decision: Option<Decision>) -> Book {
    let mut book = Book::default();
    book.ask(id(1), matter("service:ci", "a"), shown(), &call(1), &LIMITS, at(0)).unwrap();
    if let Some(decision) = decision {
        book.decide(&id(1), decision, by(10), &LIMITS).unwrap();
    }
    book
}

fn take(book: &mut Book, second: i64) -> Result<Confirmed, Unapproved> {
    book.take(&id(1), &matter("service:ci", "a"), &call(2), at(second))
}

#[test]
fn an_approval_is_found_with_its_name_and_without_and_used_once() {
    let mut book = book(Some(Decision::Approve));
    let own = matter("service:ci", "a");
    for name in [None, Some(id(1).to_string())] {
        assert_eq!(book.find(&own, name.as_deref(), at(20)).unwrap().unwrap().id, id(1));
    }
    let confirmed = take(&mut book, 20).unwrap();
    let expected = Confirmed {
        by: "alice".into(),
        how: Means::Operator,
        asked: call(1),
        approval: Some("apv-0101010101010101".into()),
    };
    assert_eq!(confirmed, expected);
    assert_eq!(take(&mut book, 20), Err(Unapproved::Used));
    assert_eq!(book.find(&own, Some(id(1).as_str()), at(21)), Err(Unapproved::Used));
    assert_eq!(book.find(&own, None, at(21)), Ok(None), "the same call again has to be asked for");
    assert!(book.approvals()[0].shown.arguments.is_empty(), "nobody needs to see them any more");
}

#[test]
fn an_approval_is_for_one_call_and_whatever_differs_is_another() {
    let mut book = book(Some(Decision::Approve));
    let own = matter("service:ci", "a");
    let others = [
        Matter { principal: "service:cd".into(), ..own.clone() },
        Matter { actors: Vec::new(), ..own.clone() },
        Matter { tool: "files_move".parse().unwrap(), ..own.clone() },
        Matter { plugin: "filed".parse().unwrap(), ..own.clone() },
        Matter { version: "1.0.1".into(), ..own.clone() },
        Matter { contract: Digest::of(b"x"), ..own.clone() },
        Matter { manifest: Digest::of(b"x"), ..own.clone() },
        Matter { arguments: Digest::of(b"x"), ..own },
    ];
    for other in others {
        assert_eq!(book.find(&other, Some(id(1).as_str()), at(20)), Err(Unapproved::Unknown), "{other:?}");
        assert_eq!(book.find(&other, None, at(20)), Ok(None), "{other:?}");
        assert_eq!(book.take(&id(1), &other, &call(2), at(20)), Err(Unapproved::Unknown), "{other:?}");
    }
    assert!(take(&mut book, 20).is_ok(), "nothing of that used it up");
}

#[test]
fn nothing_but_an_approved_one_in_its_time_can_be_used() {
    let mut pending = book(None);
    assert_eq!(take(&mut pending, 20), Err(Unapproved::Waits { id: id(1), until: at(3_600) }));
    assert_eq!(take(&mut pending, 3_600), Err(Unapproved::Expired));
    let mut denied = book(Some(Decision::Deny));
    assert_eq!(take(&mut denied, 20), Err(Unapproved::Denied { id: id(1), reason: "because".into() }));
    // an approval is good for as long as the decision could take
    assert!(take(&mut book(Some(Decision::Approve)), 3_609).is_ok());
    assert_eq!(take(&mut book(Some(Decision::Approve)), 3_610), Err(Unapproved::Expired));
    let mut swept = book(Some(Decision::Approve));
    assert_eq!(swept.sweep(at(3_610)).len(), 1);
    assert_eq!(take(&mut swept, 20), Err(Unapproved::Expired), "even if the clock goes back");
    assert_eq!(book(None).take(&id(9), &matter("service:ci", "a"), &call(2), at(20)), Err(Unapproved::Unknown));
}

#[test]
fn a_call_that_was_denied_is_told_so_for_a_while_and_may_then_be_asked_for_anew() {
    let book = book(Some(Decision::Deny));
    let denied = Err(Unapproved::Denied { id: id(1), reason: "because".into() });
    let own = matter("service:ci", "a");
    assert_eq!(book.find(&own, None, at(3_609)), denied);
    assert_eq!(book.find(&own, None, at(3_610)), Ok(None));
    assert_eq!(book.find(&own, Some(id(1).as_str()), at(3_610)), denied, "by its name for as long as it is known");
}

#[test]
fn a_decision_counts_once_and_in_time() {
    let decide = |book: &mut Book, decision, second| {
        book.decide(&id(1), decision, by(second), &LIMITS)
            .map(|it| it.standing.word())
            .map_err(|error| error.to_string())
    };
    let settled = |wanted, is| {
        let mend = "mend: wardkeep approvals list --all";
        Err(format!("`apv-0101010101010101` cannot be {wanted} any more: it is {is}\n  {mend}"))
    };
    assert_eq!(decide(&mut book(None), Decision::Approve, 3_599), Ok("approved"));
    assert_eq!(decide(&mut book(None), Decision::Approve, 3_600), settled("approved", "expired"));
    assert_eq!(decide(&mut book(Some(Decision::Approve)), Decision::Approve, 20), settled("approved", "approved"));
    assert_eq!(decide(&mut book(Some(Decision::Approve)), Decision::Deny, 20), Ok("denied"), "a yes can be taken back");
    assert_eq!(decide(&mut book(Some(Decision::Deny)), Decision::Approve, 20), settled("approved", "denied"));
    let mut used = book(Some(Decision::Approve));
    take(&mut used, 20).unwrap();
    for (decision, wanted) in [(Decision::Approve, "approved"), (Decision::Deny, "denied")] {
        assert_eq!(decide(&mut used, decision, 30), settled(wanted, "used"));
    }
    assert_eq!(
        used.decide(&id(9), Decision::Deny, by(30), &LIMITS).unwrap_err(),
        Undecided::Unknown(id(9)),
        "there is none"
    );
}

#[test]
fn so_many_of_one_caller_and_so_many_in_all_are_open_and_not_one_more() {
    let mut book = Book::default();
    let mut ask = |number: u8, principal: &str, second| {
        let asked = book.ask(id(number), matter(principal, "a"), shown(), &call(1), &LIMITS, at(second));
        asked.map(|_| ()).map_err(|error| error.to_string())
    };
    let full = Err(Unapproved::Full.to_string());
    assert_eq!(ask(1, "service:ci", 0), Ok(()));
    assert_eq!(ask(1, "service:cd", 0), full, "no two have one name");
    assert_eq!(ask(2, "service:ci", 0), Ok(()));
    assert_eq!(ask(3, "service:ci", 0), full, "two of one caller");
    assert_eq!(ask(4, "service:cd", 0), Ok(()));
    assert_eq!(ask(5, "service:ce", 0), full, "three in all");
    assert_eq!(ask(6, "service:ci", 3_600), Ok(()), "what is late is not open");
}

#[test]
fn what_is_settled_is_forgotten_after_a_day_and_sooner_where_there_is_too_much_of_it() {
    let mut denied = book(Some(Decision::Deny));
    let day = 24 * 3_600 + 3_610;
    assert!(denied.sweep(at(day - 1)).is_empty());
    assert_eq!(denied.approvals().len(), 1);
    denied.sweep(at(day));
    assert!(denied.approvals().is_empty());

    let one = book(Some(Decision::Deny)).approvals()[0].clone();
    let pending = book(None).approvals()[0].clone();
    let mut many = Book::new([vec![pending.clone()], vec![one; MOST_SETTLED + 5], vec![pending]].concat());
    many.sweep(at(20));
    assert_eq!(many.approvals().len(), MOST_SETTLED + 2);
    assert_eq!(many.approvals().iter().filter(|it| it.standing == Standing::Pending).count(), 2);
}

fn lifted(target: &str, second: i64) -> Arc<Kills> {
    Arc::new(Kills::none().after([(target.parse().unwrap(), at(second))].into_iter().collect::<Stops>()))
}

fn killed(target: &str, until: Option<i64>) -> Arc<Kills> {
    let target = target.parse().unwrap();
    let kill = Kill { target, reason: "r".into(), by: "me".into(), since: at(5), until: until.map(at) };
    Arc::new(Kills::new(vec![kill]))
}

/// Nothing has been settled, and nothing kept: what is asked is only when.
#[test]
fn what_was_asked_for_before_the_end_of_a_kill_counts_no_more_and_the_same_call_is_asked_for_anew() {
    let own = matter("service:ci", "a");
    for kills in [
        killed("all", None),
        killed("writes", Some(8)),
        lifted("plugin:files", 15),
        lifted("tool:files_write", 0),
        lifted("caller:service:ci", 30),
        lifted("caller:service:bot", 30),
    ] {
        for decision in [None, Some(Decision::Approve)] {
            let mut book = book(decision);
            book.stop(Arc::clone(&kills));
            assert_eq!(book.find(&own, Some(id(1).as_str()), at(40)), Err(Unapproved::Withdrawn), "{kills:?}");
            assert_eq!(take(&mut book, 40), Err(Unapproved::Withdrawn), "{kills:?}");
            let refused = book.decide(&id(1), Decision::Approve, by(40), &LIMITS).unwrap_err().to_string();
            assert!(refused.contains("cannot be approved any more: it is withdrawn"), "{refused}");
            assert_eq!(book.find(&own, None, at(40)), Ok(None), "{kills:?}");
            if kills.iter().next().is_none() {
                // and is no reason to be refused
                let one = ApprovalLimits { each: 1, all: 1, ..LIMITS };
                book.ask(id(2), own.clone(), shown(), &call(1), &one, at(40)).unwrap();
                book.decide(&id(2), Decision::Approve, by(41), &LIMITS).unwrap();
                assert_eq!(book.find(&own, None, at(42)).unwrap().unwrap().id, id(2));
            }
            let settled = book.sweep(at(43));
            assert_eq!(settled.len(), 1, "{kills:?}");
            assert!(settled[0].1.is_some() && settled[0].0.standing.word() == "withdrawn", "{settled:?}");
            assert_eq!(book.find(&own, Some(id(1).as_str()), at(44)), Err(Unapproved::Withdrawn), "{kills:?}");
        }
    }
    for kills in [
        lifted("all", -1),
        lifted("plugin:other", 15),
        lifted("caller:service:cd", 15),
        killed("plugin:other", None),
        Arc::default(),
    ] {
        let mut book = book(Some(Decision::Approve));
        book.stop(Arc::clone(&kills));
        assert!(take(&mut book, 40).is_ok(), "{kills:?}");
    }
}

#[test]
fn a_kill_changes_nothing_of_what_is_settled() {
    let mut denied = book(Some(Decision::Deny));
    denied.stop(lifted("all", 20));
    assert!(denied.sweep(at(30)).is_empty());
    let told = denied.find(&matter("service:ci", "a"), None, at(30));
    assert_eq!(told, Err(Unapproved::Denied { id: id(1), reason: "because".into() }), "it was an operator's no");
}
