//! What the journal does when others remove or change the log while it is being written.

use std::{fs, fs::OpenOptions, io::Write as _, path::PathBuf};

use super::*;
use crate::{Change, Changed};

type Tamper = fn(&Path);
type Is = fn(Change) -> bool;

fn segment(directory: &Path) -> PathBuf {
    path(directory, 1)
}

fn append(directory: &Path) {
    OpenOptions::new().append(true).open(segment(directory)).unwrap().write_all(b"x").unwrap();
}

/// What is done to the log, and whether this is the word for it.
const TAMPERED: [(&str, Tamper, Is); 8] = [
    ("unlinked", |log| fs::remove_file(segment(log)).unwrap(), |found| found == Change::Removed),
    ("removed with its directory", |log| fs::remove_dir_all(log).unwrap(), |found| found == Change::Removed),
    ("moved away", |log| fs::rename(segment(log), log.join("old")).unwrap(), |found| found == Change::Removed),
    (
        "its directory moved away and another made",
        |log| {
            fs::rename(log, log.with_extension("old")).unwrap();
            fs::create_dir(log).unwrap();
        },
        |found| found == Change::Removed,
    ),
    (
        "truncated",
        |log| OpenOptions::new().write(true).open(segment(log)).unwrap().set_len(0).unwrap(),
        |found| matches!(found, Change::Length { written, found } if found < written),
    ),
    (
        "replaced by an equal file",
        |log| {
            fs::copy(segment(log), log.join("new")).unwrap();
            fs::rename(log.join("new"), segment(log)).unwrap();
        },
        |found| found == Change::Replaced,
    ),
    (
        "replaced by a link to itself",
        |log| {
            fs::rename(segment(log), log.join("old")).unwrap();
            std::os::unix::fs::symlink(log.join("old"), segment(log)).unwrap();
        },
        |found| found == Change::Replaced,
    ),
    ("appended to", append, |found| matches!(found, Change::Length { written, found } if found == written + 1)),
];

fn log(within: Duration) -> (tempfile::TempDir, PathBuf, Journal) {
    let home = tempdir().unwrap();
    let log = home.path().join("audit");
    let (journal, _) = Journal::open(Options { sync_within: within, ..Options::new(&log) }).unwrap();
    (home, log, journal)
}

/// Asserts that this is why the journal failed, and that it takes nothing more.
async fn refuses(journal: &Journal, what: &str, is: Is) {
    let Some(failure) = journal.failure() else { panic!("{what}: it works on") };
    match failure {
        Failure::Changed(Changed { segment: 1, change }) if is(change) => {}
        other => panic!("{what}: {other}"),
    }
    for effect in [Effect::Read, Effect::Write] {
        assert_eq!(journal.intent(intent(77, effect)).await.unwrap_err(), failure.into(), "{what}");
    }
    let event = Event::Stopped { reason: "x".to_owned() };
    assert_eq!(journal.event(event).await, Err(failure.into()), "{what}");
}

#[tokio::test]
async fn after_a_pause_the_first_record_finds_that_the_log_was_lost() {
    for (what, tamper, is) in TAMPERED {
        for effect in [Effect::Write, Effect::Read] {
            let (_home, log, journal) = log(Duration::from_millis(10));
            let running = journal.intent(intent(1, Effect::Write)).await.unwrap();
            tamper(&log);
            let refused = journal.intent(intent(2, effect)).await.unwrap_err();
            assert!(matches!(refused, NotRecorded::Failed(Failure::Changed(_))), "{what}: {refused}");
            refuses(&journal, what, is).await;
            let withheld = journal.outcome(running, closing(Outcome::Ok)).await.unwrap_err();
            assert!(matches!(withheld, NotRecorded::Failed(Failure::Changed(_))), "{what}: {withheld}");
        }
    }
}

#[tokio::test]
async fn between_two_syncs_a_write_finds_it_at_once() {
    for (what, tamper, is) in TAMPERED {
        let (_home, log, journal) = log(Duration::from_secs(60));
        let _running = journal.intent(intent(1, Effect::Read)).await.unwrap();
        tamper(&log);
        journal.intent(intent(2, Effect::Write)).await.unwrap_err();
        refuses(&journal, what, is).await;
    }
}

#[tokio::test]
async fn between_two_syncs_reads_are_acknowledged_until_the_next_one() {
    for (what, tamper, is) in TAMPERED {
        let (_home, log, journal) = log(Duration::from_millis(100));
        let _running = journal.intent(intent(1, Effect::Read)).await.unwrap();
        tamper(&log);
        tokio::time::sleep(Duration::from_millis(300)).await;
        refuses(&journal, what, is).await;
    }
}

#[tokio::test]
async fn a_segment_is_looked_at_before_the_next_one_is_begun() {
    let home = tempdir().unwrap();
    let options = Options { segment_bytes: 1, sync_within: Duration::from_secs(60), ..Options::new(home.path()) };
    let (journal, _) = Journal::open(options).unwrap();
    let _running = journal.intent(intent(1, Effect::Read)).await.unwrap();
    fs::remove_file(segment(home.path())).unwrap();
    journal.intent(intent(2, Effect::Read)).await.unwrap_err();
    refuses(&journal, "unlinked", |found| found == Change::Removed).await;
    assert!(!path(home.path(), 2).exists());
}

#[tokio::test]
async fn a_log_that_grows_while_it_is_opened_is_not_continued() {
    let home = tempdir().unwrap();
    let log = home.path().to_owned();
    let tampered = Journal::open_with(Options::new(home.path()), |files| {
        append(&log);
        Box::new(files)
    });
    match tampered {
        Err(OpenError::Changed { changed, .. }) => {
            assert_eq!(changed, Changed { segment: 1, change: Change::Length { written: 0, found: 1 } });
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_failure_says_what_happened_and_what_to_do() {
    let failure = Failure::Changed(Changed { segment: 3, change: Change::Length { written: 9, found: 0 } });
    assert_eq!(
        failure.to_string(),
        "the audit journal was changed by others: `segment-00000003.jsonl` holds 0 bytes where 9 were written; \
         stop the host, restore the directory from a copy, start the host"
    );
}
