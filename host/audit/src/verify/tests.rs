use std::os::unix::fs::FileExt as _;

use jiff::Timestamp;
use tempfile::tempdir;
use wardkeep_model::{Effect, Outcome};

use super::*;
use crate::{
    Damaged, Fault,
    testing::{closing, id, intent, lines, write},
};

/// Where and what `verify` finds damaged.
fn damage(directory: &Path) -> (String, u64, Damage) {
    match verify(directory) {
        Err(ReadError::Damaged(Damaged { segment, line, damage })) => (segment, line, damage),
        other => panic!("{other:?}"),
    }
}

const FIRST: &str = "segment-00000001.jsonl";
const SECOND: &str = "segment-00000002.jsonl";

#[test]
fn a_whole_journal_passes_and_says_what_is_not_proven() {
    let home = tempdir().unwrap();
    let lines = lines(3);
    write(home.path(), 1, &lines[..4]);
    write(home.path(), 2, &lines[4..]);
    let verified = verify(home.path()).unwrap();
    assert_eq!((verified.records, verified.segments, verified.head), (7, 2, Digest::of(&lines[6])));
    assert_eq!((verified.unfinished.len(), &verified.incomplete), (0, &None));
    assert!(verified.to_string().contains("does not prove that no records were cut off the end"), "{verified}");
}

#[test]
fn an_empty_journal_passes() {
    let home = tempdir().unwrap();
    assert_eq!(verify(home.path()).unwrap().records, 0);
    write(home.path(), 1, &[]);
    assert_eq!(verify(home.path()).unwrap().head, crate::chain::GENESIS);
}

#[test]
fn flipping_any_byte_is_found_in_its_line() {
    let home = tempdir().unwrap();
    let lines = lines(2);
    let whole = lines.concat();
    write(home.path(), 1, &lines);
    let file = std::fs::OpenOptions::new().write(true).open(crate::testing::path(home.path(), 1)).unwrap();
    let mut line = 0;
    for at in 0..whole.len() {
        for flip in [1, 0x20, 0x80] {
            file.write_all_at(&[whole[at] ^ flip], at as u64).unwrap();
            match verify(home.path()) {
                Err(ReadError::Damaged(damaged)) => {
                    assert_eq!(damaged.line, line + 1, "byte {at} ^ {flip}: {damaged}");
                    assert!(
                        matches!(damaged.damage, Damage::NotARecord(_) | Damage::Changed { .. }),
                        "byte {at} ^ {flip}: {damaged}"
                    );
                }
                // Only the very last line feed: nobody can tell it from a crash, and the next start cuts the line and records it.
                Ok(Verified { incomplete: Some(torn), .. }) => {
                    assert_eq!((at, torn.line), (whole.len() - 1, lines.len() as u64));
                }
                other => panic!("byte {at} ^ {flip}: {other:?}"),
            }
        }
        file.write_all_at(&whole[at..=at], at as u64).unwrap();
        line += u64::from(whole[at] == b'\n');
    }
}

#[test]
fn moved_removed_added_and_doubled_lines_are_found_where_they_are() {
    let home = tempdir().unwrap();
    let whole = lines(2);
    type Edit = fn(&mut Vec<Vec<u8>>);
    let edits: [(&str, u64, Edit); 5] = [
        ("moved", 2, |lines| lines.swap(1, 3)),
        ("swapped neighbours", 3, |lines| lines.swap(2, 3)),
        ("removed", 2, |lines| drop(lines.remove(1))),
        ("removed at the beginning", 1, |lines| drop(lines.remove(0))),
        ("doubled", 4, |lines| lines.insert(3, lines[2].clone())),
    ];
    for (what, line, edit) in edits {
        let mut edited = whole.clone();
        edit(&mut edited);
        write(home.path(), 1, &edited);
        let (segment, found, damage) = damage(home.path());
        assert_eq!((segment.as_str(), found), (FIRST, line), "{what}");
        assert!(matches!(damage, Damage::Broken { .. }), "{what}: {damage}");
    }
}

#[test]
fn an_empty_line_between_records_is_found() {
    let home = tempdir().unwrap();
    let mut lines = lines(1);
    lines.insert(1, b"\n".to_vec());
    write(home.path(), 1, &lines);
    let (_, line, damage) = damage(home.path());
    assert!(matches!((line, &damage), (2, Damage::NotARecord(_))), "{damage}");
}

#[test]
fn segments_that_are_missing_swapped_or_cut_short_are_found() {
    let home = tempdir().unwrap();
    let whole = lines(3);
    write(home.path(), 2, &whole[4..]);
    assert!(matches!(damage(home.path()), (segment, 0, Damage::MissingSegment) if segment == FIRST));

    write(home.path(), 1, &whole[4..]);
    write(home.path(), 2, &whole[..4]);
    assert!(matches!(damage(home.path()), (segment, 1, Damage::Broken { .. }) if segment == FIRST));

    write(home.path(), 1, &whole[..3]);
    write(home.path(), 2, &whole[4..]);
    assert!(matches!(damage(home.path()), (segment, 1, Damage::Broken { .. }) if segment == SECOND));

    let mut torn = whole[..4].to_vec();
    torn[3].truncate(20);
    write(home.path(), 1, &torn);
    assert!(matches!(damage(home.path()), (segment, 4, Damage::Incomplete) if segment == FIRST));
}

#[test]
fn an_outcome_without_intent_and_a_second_intent_are_found_even_in_a_whole_chain() {
    let home = tempdir().unwrap();
    let call = intent(5, Effect::Read);
    let tidy = closing(Outcome::Ok).tidy();
    let log = |parts: &[Phase]| {
        let mut chain = Chain::new();
        let mut bytes = Vec::new();
        for phase in parts {
            let line = match phase {
                Phase::Intent => Line::intent(&call, Timestamp::UNIX_EPOCH),
                _ => Line::outcome(&call, &tidy, Timestamp::UNIX_EPOCH),
            };
            chain.seal(line, &mut bytes).unwrap();
        }
        write(home.path(), 1, &[bytes]);
    };
    log(&[Phase::Intent, Phase::Outcome, Phase::Outcome]);
    assert!(
        matches!(damage(home.path()), (_, 3, Damage::OutcomeWithoutIntent { correlation }) if correlation == id(5))
    );
    log(&[Phase::Intent, Phase::Intent]);
    assert!(matches!(damage(home.path()), (_, 2, Damage::SecondIntent { correlation }) if correlation == id(5)));
    log(&[Phase::Intent, Phase::Outcome, Phase::Intent]);
    let unfinished = verify(home.path()).unwrap().unfinished;
    assert_eq!(
        unfinished,
        [Unfinished { correlation: id(5), tool: "files_read".to_owned(), user: "user:me".to_owned() }]
    );
}

#[test]
fn a_line_that_no_journal_writes_is_refused_before_it_fills_the_memory() {
    let home = tempdir().unwrap();
    write(home.path(), 1, &[vec![b'x'; 1 << 20]]);
    assert!(matches!(damage(home.path()), (_, 1, Damage::TooLong)));
}

#[test]
fn a_fifo_in_the_place_of_a_segment_is_refused_and_not_waited_for() {
    let home = tempdir().unwrap();
    let path = crate::testing::path(home.path(), 1);
    rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0).unwrap();
    match verify(home.path()) {
        Err(ReadError::Untrusted(untrusted)) => assert_eq!((untrusted.path, untrusted.fault), (path, Fault::NotAFile)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_cut_tail_passes_and_that_is_said() {
    let home = tempdir().unwrap();
    let lines = lines(2);
    write(home.path(), 1, &lines[..3]);
    let verified = verify(home.path()).unwrap();
    assert_eq!(verified.records, 3);
    assert!(verified.to_string().contains("compare the head with one that you kept elsewhere"), "{verified}");
}

#[test]
fn the_script_in_the_docs_comes_to_the_same_head() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/audit.md")).unwrap();
    let script = page.split("```python\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let home = tempdir().unwrap();
    let audit = home.path().join("audit");
    std::fs::create_dir(&audit).unwrap();
    let mut lines = lines(3);
    write(&audit, 1, &lines[..4]);
    write(&audit, 2, &lines[4..6]);
    let run = || std::process::Command::new("python3").args(["-c", script]).current_dir(home.path()).output();
    let output = match run() {
        Ok(output) => output,
        Err(error) => {
            assert!(std::env::var_os("CI").is_none(), "python3 is needed under CI: {error}");
            // not `eprintln!`: the test runner swallows that where a test passes, and nobody would know
            let text = format!("SKIPPED: no python3 here ({error})\n");
            std::io::Write::write_all(&mut std::io::stderr(), text.as_bytes()).unwrap();
            return;
        }
    };
    let verified = verify(&audit).unwrap();
    let expected = format!("6 records, 1 without outcome, head {}\n", verified.head);
    assert_eq!(String::from_utf8_lossy(&output.stdout), expected, "{}", String::from_utf8_lossy(&output.stderr));
    lines[2][40] ^= 1;
    write(&audit, 1, &lines[..4]);
    assert!(!run().unwrap().status.success());
}
