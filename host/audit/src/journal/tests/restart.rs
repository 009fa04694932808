//! What is there after a crash, and what the next start makes of it.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Command, Stdio},
};

use super::*;
use crate::{
    Damaged, ReadError, Revoked, Served,
    testing::{lines, write},
};

/// Set for the process that is to be killed: where it writes.
const VICTIM: &str = "WARDKEEP_AUDIT_VICTIM";

/// Not a test: what the killed process does. It writes as fast as it can and says on its standard output what was acknowledged.
#[test]
fn victim() {
    let Ok(directory) = std::env::var(VICTIM) else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let options = Options { segment_bytes: 200_000, ..Options::new(directory) };
    let (journal, _) = Journal::open(options).unwrap();
    runtime.block_on(async {
        let calls = (0..16_u128).map(|lane| {
            let journal = journal.clone();
            tokio::spawn(async move {
                for number in 0.. {
                    let call = lane << 64 | number;
                    let effect = if lane % 4 == 0 { Effect::Write } else { Effect::Read };
                    let recorded = journal.intent(intent(call, effect)).await.unwrap();
                    say("intent", call);
                    journal.outcome(recorded, closing(Outcome::Ok)).await.unwrap();
                    say("outcome", call);
                }
            })
        });
        for call in calls.collect::<Vec<_>>() {
            call.await.unwrap();
        }
    });
}

fn say(phase: &str, call: u128) {
    // One write a line: a line that is there was said after its record was acknowledged.
    let line = format!("\nsaid {phase} {}\n", id(call));
    std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
}

#[test]
fn kill_9_loses_nothing_that_was_acknowledged() {
    for round in 0..4_u64 {
        let home = tempdir().unwrap();
        let mut victim = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "journal::tests::restart::victim", "--nocapture", "--test-threads=1"])
            .env(VICTIM, home.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = Vec::new();
        let mut kill_after = 500 + round * 777;
        for line in BufReader::new(victim.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            let Some(line) = line.strip_prefix("said ") else { continue };
            // What was cut off by the kill itself was not said.
            if let Some((phase, call)) = line.split_once(' ')
                && call.len() == 32
            {
                said.push((phase.to_owned(), call.to_owned()));
            }
            kill_after -= 1;
            if kill_after == 0 {
                victim.kill().unwrap();
            }
            kill_after = kill_after.max(1);
            if said.len() > 200_000 {
                break;
            }
        }
        victim.wait().unwrap();
        let verified = whole(home.path());
        let found: std::collections::HashSet<_> = records(home.path())
            .into_iter()
            .map(|record| (record.phase.as_str().to_owned(), record.correlation.unwrap().to_string()))
            .collect();
        assert!(said.len() as u64 >= 500, "{}", said.len());
        for acknowledged in &said {
            assert!(found.contains(acknowledged), "round {round}: {acknowledged:?} is not in the log");
        }
        let (_journal, opened) = open(home.path());
        assert_eq!(opened.unfinished.len(), verified.unfinished.len());
        assert_eq!(whole(home.path()).unfinished.len(), 0);
    }
}

#[test]
fn a_tail_torn_at_any_byte_of_the_last_line_is_cut_and_recorded() {
    let whole_log = lines(1);
    let last = whole_log[2].len();
    for kept in 0..=last {
        let home = tempdir().unwrap();
        let mut log = whole_log.clone();
        log[2].truncate(kept);
        write(home.path(), 1, &log);
        let (journal, opened) = open(home.path());
        drop(journal);
        let cut = (kept > 0 && kept < last).then(|| Torn {
            segment: "segment-00000001.jsonl".to_owned(),
            line: 3,
            bytes: kept as u64,
            digest: Digest::of(&log[2]),
        });
        assert_eq!(opened.torn, cut, "{kept}");
        // The outcome was cut, so that its call is unfinished.
        assert_eq!(opened.unfinished.len(), usize::from(kept < last), "{kept}");
        let found = records(home.path());
        let event = found.iter().find_map(|record| match &record.event {
            Some(Event::TornTail { segment, line, bytes, digest }) => {
                Some(Torn { segment: segment.clone(), line: *line, bytes: *bytes, digest: *digest })
            }
            _ => None,
        });
        assert_eq!(event, cut, "{kept}");
        let verified = whole(home.path());
        assert_eq!((verified.unfinished.len(), verified.incomplete), (0, None), "{kept}");
    }
}

#[test]
fn a_torn_tail_of_zeros_is_cut_too() {
    let home = tempdir().unwrap();
    let mut log = lines(1);
    log.push(vec![0; 4096]);
    write(home.path(), 1, &log);
    let (_journal, opened) = open(home.path());
    assert_eq!(opened.torn.map(|torn| (torn.line, torn.bytes)), Some((4, 4096)));
}

#[test]
fn any_other_damage_refuses_to_open_and_changes_nothing() {
    let home = tempdir().unwrap();
    let mut log = lines(2);
    log[1][300] ^= 1;
    log[4].truncate(30);
    write(home.path(), 1, &log);
    let before = std::fs::read(path(home.path(), 1)).unwrap();
    let error = Journal::open(Options::new(home.path())).unwrap_err();
    match &error {
        OpenError::Read(ReadError::Damaged(Damaged { segment, line, .. })) => {
            assert_eq!((segment.as_str(), *line), ("segment-00000001.jsonl", 2));
        }
        other => panic!("{other}"),
    }
    assert!(
        error.to_string().starts_with("the audit journal cannot be continued: segment-00000001.jsonl:2: "),
        "{error}"
    );
    let mend = "\n  mend: restore this segment from a copy; to begin anew move the directory away and run \
                `wardkeep state reset --reason TEXT`";
    assert!(error.to_string().ends_with(mend), "{error}");
    assert_eq!(std::fs::read(path(home.path(), 1)).unwrap(), before);
}

#[tokio::test]
async fn an_unfinished_call_is_found_once() {
    let home = tempdir().unwrap();
    let (journal, _) = open(home.path());
    let recorded = journal.intent(intent(4, Effect::Write)).await.unwrap();
    journal.shutdown().await;
    drop(recorded);
    let found = Unfinished { correlation: id(4), tool: "files_read".to_owned(), user: "user:me".to_owned() };
    let (journal, opened) = open(home.path());
    assert_eq!(opened.unfinished, [found]);
    journal.shutdown().await;
    let by_id = Query { correlation: Some(id(4)), user: Some("user:me".to_owned()), ..Query::default() };
    let codes: Vec<_> = query(home.path(), &by_id).unwrap().into_iter().map(|record| record.code).collect();
    assert_eq!(codes, ["intent", "unfinished"]);
    let (_journal, opened) = open(home.path());
    assert_eq!(opened.unfinished, []);
}

#[tokio::test]
async fn a_crash_between_the_steps_of_a_rotation_is_continued() {
    let home = tempdir().unwrap();
    let log = lines(1);
    write(home.path(), 1, &log);
    write(home.path(), 2, &[]);
    let (journal, opened) = open(home.path());
    assert_eq!((opened.torn, opened.unfinished.len(), opened.replay.records), (None, 0, 3));
    journal.event(Event::Started { version: "1".to_owned() }).await.unwrap();
    let verified = whole(home.path());
    assert_eq!((verified.records, verified.segments), (4, 2));
    assert_eq!(records(home.path())[3].segment, "segment-00000002.jsonl");
}

#[tokio::test]
async fn two_journals_of_one_directory_are_impossible() {
    let home = tempdir().unwrap();
    let (_journal, _) = open(home.path());
    match Journal::open(Options::new(home.path())) {
        Err(error @ OpenError::Locked { .. }) => {
            let shown = home.path().display();
            let text = format!(
                "the audit journal `{shown}` is being written by another wardkeep process\n  mend: stop that one; `fuser {shown}` finds it"
            );
            assert_eq!(error.to_string(), text);
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn lost_state_is_rebuilt_from_events() {
    let home = tempdir().unwrap();
    let (journal, _) = open(home.path());
    let loaded = |name: &str, serial: u64| Event::PluginLoaded {
        plugin: name.parse().unwrap(),
        version: "1.0.0".to_owned(),
        serial,
        manifest: Digest::of(&[u8::try_from(serial).unwrap()]),
        component: Digest::of(b"component"),
        signed_by: vec!["SHA256:abc".to_owned()],
    };
    let key = Revoked::Key("SHA256:stolen".to_owned());
    let component = Revoked::Component(Digest::of(b"bad"));
    let revoked = |target: &Revoked| Event::Revoked { target: target.clone(), document: Digest::of(b"revocation") };
    let trust = |version| Event::TrustAccepted { version, document: Digest::of(b"trust") };
    let rejected = Event::PluginRejected { plugin: "../x".to_owned(), reason: "unsigned".to_owned(), manifest: None };
    for event in [loaded("files", 1), revoked(&key), trust(1), loaded("files", 3), loaded("notes", 9), rejected] {
        journal.event(event).await.unwrap();
    }
    journal.shutdown().await;
    let (journal, opened) = open(home.path());
    let served = |serial: u64| Served { serial, manifest: Digest::of(&[u8::try_from(serial).unwrap()]) };
    let replay = opened.replay;
    let plugins = [("files".parse().unwrap(), served(3)), ("notes".parse().unwrap(), served(9))];
    assert_eq!((replay.plugins, replay.records), (plugins.into(), 6));
    assert_eq!((replay.revoked, replay.trust), ([key.clone()].into(), Some((1, Digest::of(b"trust")))));

    let reset = Event::StateReset { by: "user:me".to_owned(), reason: "disk lost".to_owned() };
    for event in [reset, revoked(&component), loaded("files", 2)] {
        journal.event(event).await.unwrap();
    }
    journal.shutdown().await;
    let (_journal, opened) = open(home.path());
    let replay = opened.replay;
    assert_eq!(crate::replay(home.path()).unwrap(), replay, "the same without a lock, while a journal writes");
    assert_eq!(replay.plugins, [("files".parse().unwrap(), served(2))].into());
    assert_eq!((replay.revoked, replay.trust), ([key, component].into(), None));
}

#[tokio::test]
async fn when_a_target_was_stopped_last_is_remembered_also_of_kills_that_are_over() {
    let home = tempdir().unwrap();
    let (journal, _) = open(home.path());
    let (by, reason) = ("me".to_owned(), "r".to_owned());
    let until = Timestamp::from_second(1_800_000_000).unwrap();
    let killed = |change, target: &str, until| Event::Killed {
        change,
        target: target.to_owned(),
        by: by.clone(),
        reason: reason.clone(),
        until,
    };
    let ended = |target: &str, brake| Event::KillEnded { target: target.to_owned(), brake };
    for event in [
        killed(1, "all", None),
        Event::Revived { change: 2, target: "all".to_owned(), by: by.clone(), reason: reason.clone() },
        killed(3, "writes", Some(until)),
        // recorded by a host that came later
        ended("writes", false),
        ended("plugin:x", true),
        // a file that could not be read
        killed(0, "caller:user:me", None),
    ] {
        journal.event(event).await.unwrap();
    }
    journal.shutdown().await;
    let replay = open(home.path()).1.replay;
    assert!(replay.kills.is_empty());
    assert_eq!(replay.stops.keys().collect::<Vec<_>>(), ["all", "plugin:x", "writes"]);
    let (all, writes) = (replay.stops["all"], replay.stops["writes"]);
    assert!(Timestamp::now().duration_since(all).as_secs() < 60, "{all}");
    assert_eq!(writes, until.min(writes), "and not when it was recorded");
}
