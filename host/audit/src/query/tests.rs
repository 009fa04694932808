use std::{fs::OpenOptions, io::Write as _};

use tempfile::tempdir;
use wardkeep_model::{Effect, LimitKind};

use super::*;
use crate::{
    Closing,
    chain::Chain,
    testing::{closing, id, intent, lines, path, principal, refusal, write},
};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + second).unwrap()
}

/// Three calls and a refusal: by me at 0 and 10, by ci at 20, a refusal at 30.
fn log(directory: &Path) {
    let mut chain = Chain::new();
    let mut bytes = Vec::new();
    let ends = [Outcome::Ok, Outcome::Limit(LimitKind::Fuel), Outcome::Ok];
    for (number, outcome) in (0..).zip(ends) {
        let mut call = intent(number, Effect::Read);
        if number == 2 {
            call.principal = principal("service:ci");
            call.principal.actors = vec!["oauth:corp/bot".to_owned(), "oauth:corp/boss".to_owned()];
            call.published = "notes_search".parse().unwrap();
            call.tool = "search".parse().unwrap();
            call.resources = vec![("/owner".to_owned(), "other".to_owned())];
        }
        let time = at(i64::try_from(number).unwrap() * 10);
        chain.seal(Line::intent(&call, time), &mut bytes).unwrap();
        let closing = Closing { touched: vec!["claimed".to_owned()], ..closing(outcome) };
        chain.seal(Line::outcome(&call, &closing.tidy(), time), &mut bytes).unwrap();
    }
    let denied = refusal(Some(principal("user:me")), "notes_search", "not-allowed");
    chain.seal(Line::refusal(&denied, at(30)), &mut bytes).unwrap();
    write(directory, 1, &[bytes]);
}

fn sequences(directory: &Path, query: &Query) -> Vec<u64> {
    super::query(directory, query).unwrap().into_iter().map(|record| record.sequence).collect()
}

#[test]
fn a_query_finds_by_user_tool_outcome_call_and_time() {
    let home = tempdir().unwrap();
    log(home.path());
    let all = Query::default();
    let text = |text: &str| Some(text.to_owned());
    let table = [
        (all.clone(), vec![1, 2, 3, 4, 5, 6, 7]),
        (Query { user: text("user:me"), ..all.clone() }, vec![1, 2, 3, 4, 7]),
        (Query { user: text("service:ci"), ..all.clone() }, vec![5, 6]),
        (Query { user: text("oauth:corp/boss"), ..all.clone() }, vec![5, 6]),
        (Query { user: text("oauth:corp/bo"), ..all.clone() }, vec![]),
        (Query { tool: text("notes_search"), ..all.clone() }, vec![5, 6, 7]),
        (Query { tool: text("search"), ..all.clone() }, vec![5, 6]),
        (Query { outcome: Some(Outcome::Ok), ..all.clone() }, vec![2, 6]),
        (Query { outcome: Some(Outcome::Limit(LimitKind::Fuel)), ..all.clone() }, vec![4]),
        (Query { outcome: Some(Outcome::Denied), ..all.clone() }, vec![7]),
        (Query { correlation: Some(id(1)), ..all.clone() }, vec![3, 4]),
        (Query { since: Some(at(10)), ..all.clone() }, vec![3, 4, 5, 6, 7]),
        (Query { since: Some(at(10)), user: text("user:me"), ..all.clone() }, vec![3, 4, 7]),
        (Query { resource: text("other"), ..all.clone() }, vec![5, 6]),
        (Query { resource: text("acm"), ..all.clone() }, vec![]),
        (Query { resource: text("claimed"), ..all.clone() }, vec![]),
        (Query { limit: Some(2), ..all.clone() }, vec![6, 7]),
        (Query { limit: Some(0), ..all.clone() }, vec![]),
        (Query { user: text("user"), ..all }, vec![]),
    ];
    for (query, expected) in table {
        assert_eq!(sequences(home.path(), &query), expected, "{query:?}");
    }
}

#[test]
fn a_record_tells_what_people_ask_for_and_keeps_the_line() {
    let home = tempdir().unwrap();
    log(home.path());
    let record = scan(home.path()).unwrap().nth(3).unwrap().unwrap();
    assert_eq!((record.segment.as_str(), record.line, record.sequence), ("segment-00000001.jsonl", 4, 4));
    assert_eq!((record.phase, record.code.as_str(), record.time), (Phase::Outcome, "outcome", at(10)));
    assert_eq!((record.user.as_deref(), record.tool.as_deref()), (Some("user:me"), Some("files_read")));
    assert_eq!((record.plugin.as_deref(), record.rule.as_deref()), (Some("files"), Some("allow")));
    let about = |id: &str, place: Option<&str>| About { id: id.to_owned(), place: place.map(str::to_owned) };
    assert_eq!(record.resources, [about("acme", Some("/owner")), about("claimed", None)]);
    assert_eq!((record.fuel, record.elapsed_us), (Some(1234), Some(2500)));
    assert!(record.raw.starts_with(r#"{"category_uid":6,"#) && record.raw.ends_with(r#""}}"#), "{}", record.raw);
}

#[test]
fn tail_gives_the_last_records_from_as_many_segments_as_it_needs() {
    let home = tempdir().unwrap();
    let lines = lines(3);
    write(home.path(), 1, &lines[..3]);
    write(home.path(), 2, &lines[3..5]);
    write(home.path(), 3, &lines[5..]);
    for records in 0..9 {
        let (last, _) = tail(home.path(), records).unwrap();
        let last: Vec<u64> = last.into_iter().map(|record| record.sequence).collect();
        let from = 8 - (records as u64).min(7);
        assert_eq!(last, (from..8).collect::<Vec<_>>(), "{records}");
    }
}

#[test]
fn following_waits_for_half_a_line_and_goes_over_into_the_next_segment() {
    let home = tempdir().unwrap();
    let lines = lines(2);
    write(home.path(), 1, &lines[..1]);
    let (last, mut follow) = tail(home.path(), 10).unwrap();
    assert_eq!((last.len(), follow.next().unwrap()), (1, None));
    let mut file = OpenOptions::new().append(true).open(path(home.path(), 1)).unwrap();
    let (half, rest) = lines[1].split_at(100);
    file.write_all(half).unwrap();
    assert_eq!(follow.next().unwrap(), None);
    assert_eq!(follow.next().unwrap(), None);
    file.write_all(rest).unwrap();
    file.write_all(&lines[2]).unwrap();
    write(home.path(), 2, &[]);
    let got = |follow: &mut Follow| follow.next().unwrap().map(|record| (record.sequence, record.segment, record.line));
    assert_eq!(got(&mut follow), Some((2, segment::name(1), 2)));
    assert_eq!(got(&mut follow), Some((3, segment::name(1), 3)));
    assert_eq!(got(&mut follow), None);
    write(home.path(), 2, &lines[3..4]);
    assert_eq!(got(&mut follow), Some((4, segment::name(2), 1)));
    assert_eq!(got(&mut follow), None);
}

#[test]
fn following_a_home_without_a_log_waits_for_the_first_record() {
    let home = tempdir().unwrap();
    let (last, mut follow) = tail(home.path(), 10).unwrap();
    assert!(last.is_empty() && follow.next().unwrap().is_none());
    write(home.path(), 1, &lines(0));
    assert_eq!(follow.next().unwrap().map(|record| record.code), Some("started".to_owned()));
}

#[test]
fn half_a_line_in_a_closed_segment_is_damage() {
    let home = tempdir().unwrap();
    let lines = lines(1);
    write(home.path(), 1, &[lines[0].clone(), lines[1][..50].to_vec()]);
    write(home.path(), 2, &lines[2..]);
    let mut scan = scan(home.path()).unwrap();
    let error = scan.nth(1).unwrap().unwrap_err();
    assert!(scan.next().is_none(), "an error is told once, or whoever skips errors reads for ever");
    match error {
        ReadError::Damaged(damaged) => {
            assert!(matches!((damaged.line, &damaged.damage), (2, Damage::Incomplete)), "{damaged}");
        }
        other => panic!("{other}"),
    }
}
