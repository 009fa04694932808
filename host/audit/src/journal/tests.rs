//! What a journal writes, and when it says so.

mod changed;
mod devices;
mod here;
mod measure;
mod restart;

use std::{os::unix::fs::PermissionsExt as _, path::Path};

use tempfile::tempdir;
use wardkeep_model::{Egress, LimitKind, Note, NoteKind};

use super::*;
use crate::{
    ClaimedClient, Phase, Query, Record, Verified, query, scan,
    testing::{Device, closing, id, intent, open, path, principal, refusal},
    verify,
};

fn records(directory: &Path) -> Vec<Record> {
    scan(directory).unwrap().map(Result::unwrap).collect()
}

fn whole(directory: &Path) -> Verified {
    verify(directory).unwrap()
}

#[tokio::test]
async fn a_call_is_two_lines_that_name_the_same_call() {
    let home = tempdir().unwrap();
    let (journal, opened) = open(home.path());
    assert_eq!((opened.torn, opened.unfinished.len(), opened.replay), (None, 0, Replay::default()));
    let recorded = journal.intent(intent(1, Effect::Read)).await.unwrap();
    assert_eq!(recorded.correlation(), &id(1));
    assert_eq!(whole(home.path()).unfinished.len(), 1);
    journal.outcome(recorded, closing(Outcome::Limit(LimitKind::Fuel))).await.unwrap();
    let records = records(home.path());
    assert_eq!(records.iter().map(|r| r.phase).collect::<Vec<_>>(), [Phase::Intent, Phase::Outcome]);
    assert!(records.iter().all(|r| r.correlation == Some(id(1)) && r.user.as_deref() == Some("user:me")));
    assert_eq!(records[1].outcome, Some(Outcome::Limit(LimitKind::Fuel)));
    assert_eq!((whole(home.path()).records, whole(home.path()).unfinished.len()), (2, 0));
}

#[tokio::test]
async fn a_line_is_an_ocsf_api_activity_event() {
    let home = tempdir().unwrap();
    let (journal, _) = open(home.path());
    let recorded = journal.intent(intent(1, Effect::Destructive)).await.unwrap();
    let mut end = closing(Outcome::ToolError);
    end.error_class = Some("not-found".to_owned());
    end.touched = vec!["acme/web#1".to_owned()];
    end.egress = vec![Egress { host: "api.example.com".to_owned(), requests: 3, bytes_out: 10, bytes_in: 4_096 }];
    end.notes =
        vec![Note { kind: NoteKind::Denied, capability: "files".to_owned(), detail: "open `x`".to_owned(), count: 2 }];
    journal.outcome(recorded, end).await.unwrap();
    let line: serde_json::Value = serde_json::from_str(&records(home.path())[1].raw).unwrap();
    for (pointer, expected) in [
        ("/class_uid", serde_json::json!(6003)),
        ("/category_uid", 6.into()),
        ("/activity_id", 4.into()),
        ("/type_uid", 600_304.into()),
        ("/severity_id", 2.into()),
        ("/status_id", 2.into()),
        ("/status_code", "tool-error".into()),
        ("/status_detail", "not-found".into()),
        ("/duration", 2.into()),
        ("/metadata/version", "1.8.0".into()),
        ("/metadata/product/name", "Wardkeep".into()),
        ("/metadata/event_code", "outcome".into()),
        ("/metadata/correlation_uid", id(1).as_str().into()),
        ("/metadata/sequence", 2.into()),
        ("/metadata/profiles/0", "trace".into()),
        ("/actor/user/name", "user:me".into()),
        ("/actor/user/groups/0/name", "engineering".into()),
        ("/actor/app_name", "Inspector".into()),
        ("/api/operation", "files_read".into()),
        ("/api/service/name", "files".into()),
        ("/api/service/version", "1.0.0".into()),
        ("/api/request/uid", "7".into()),
        ("/src_endpoint/name", "stdio".into()),
        ("/trace/uid", "0af7651916cd43dd8448eb211c80319c".into()),
        ("/resources/0/uid", "acme".into()),
        ("/resources/0/type", "named by the manifest: /owner".into()),
        ("/resources/1/uid", "acme/web#1".into()),
        ("/resources/1/type", "claimed by the plugin".into()),
        ("/unmapped/egress/0/host", "api.example.com".into()),
        ("/unmapped/egress/0/requests", 3.into()),
        ("/unmapped/egress/0/bytes_out", 10.into()),
        ("/unmapped/egress/0/bytes_in", 4_096.into()),
        ("/unmapped/effect", "destructive".into()),
        ("/unmapped/serial", 3.into()),
        ("/unmapped/blame", "plugin".into()),
        ("/unmapped/cost/fuel", 1234.into()),
        ("/unmapped/notes/0/count", 2.into()),
    ] {
        assert_eq!(line.pointer(pointer), Some(&expected), "{pointer}");
    }
    assert!(line["time"].as_i64().unwrap() > 1_700_000_000_000, "milliseconds");
}

#[tokio::test]
async fn what_others_wrote_is_capped_and_escaped() {
    let home = tempdir().unwrap();
    let (journal, _) = open(home.path());
    let mut call = intent(1, Effect::Read);
    call.origin.client = Some(ClaimedClient { name: "\u{202e}x".repeat(100), version: "v".repeat(65) });
    call.origin.request_id = Some("9".repeat(65));
    call.resources = vec![("/p".repeat(200), "i\u{202e}".repeat(129)); 17];
    let recorded = journal.intent(call).await.unwrap();
    let mut end = closing(Outcome::Ok);
    end.touched = vec!["t".repeat(257); 17];
    let note = Note { kind: NoteKind::Exhausted, capability: "c".repeat(65), detail: "d".repeat(257), count: 1 };
    end.notes = vec![note; 18];
    end.egress = vec![Egress { host: "h".repeat(262), requests: 1, bytes_out: 1, bytes_in: 1 }; 18];
    journal.outcome(recorded, end).await.unwrap();
    let records = records(home.path());
    let line: serde_json::Value = serde_json::from_str(&records[1].raw).unwrap();
    let length = |pointer: &str| line.pointer(pointer).and_then(|value| value.as_str()).unwrap().len();
    assert!(records[0].raw.contains(r"\\u{202e}x") && !records[0].raw.contains('\u{202e}'), "{}", records[0].raw);
    assert!((120..=128).contains(&length("/actor/app_name")));
    assert_eq!((length("/unmapped/client/version"), length("/api/request/uid")), (64, 64));
    assert_eq!((line["resources"].as_array().unwrap().len(), length("/resources/31/uid")), (32, 256));
    assert!((240..=256).contains(&length("/resources/15/uid")) && !records[1].raw.contains('\u{202e}'));
    assert_eq!((line["unmapped"]["egress"].as_array().unwrap().len(), length("/unmapped/egress/16/host")), (17, 261));
    assert_eq!((line["unmapped"]["notes"].as_array().unwrap().len(), length("/unmapped/notes/15/detail")), (16, 256));
    assert_eq!((&line["unmapped"]["resources_dropped"], &line["unmapped"]["notes_dropped"]), (&1.into(), &2.into()));
}

#[tokio::test]
async fn what_others_wrote_is_kept_whole_up_to_its_cap() {
    let home = tempdir().unwrap();
    let (journal, _) = open(home.path());
    let mut call = intent(1, Effect::Read);
    call.origin.client = Some(ClaimedClient { name: "n".repeat(128), version: "v".repeat(64) });
    call.origin.request_id = Some("9".repeat(64));
    let recorded = journal.intent(call).await.unwrap();
    let mut end = closing(Outcome::Ok);
    end.touched = vec!["t".repeat(256); 16];
    journal.outcome(recorded, end).await.unwrap();
    let line: serde_json::Value = serde_json::from_str(&records(home.path())[1].raw).unwrap();
    let text = |pointer: &str| line.pointer(pointer).and_then(|value| value.as_str()).unwrap().to_owned();
    assert_eq!(text("/actor/app_name"), "n".repeat(128));
    assert_eq!((text("/unmapped/client/version"), text("/api/request/uid")), ("v".repeat(64), "9".repeat(64)));
    assert_eq!((line["resources"].as_array().unwrap().len(), text("/resources/16/uid")), (17, "t".repeat(256)));
    assert_eq!(line["unmapped"].get("resources_dropped"), None);

    let mut beyond = intent(2, Effect::Read);
    beyond.origin.client = Some(ClaimedClient { name: "n".repeat(129), version: String::new() });
    drop(journal.intent(beyond).await.unwrap());
    let record = &records(home.path())[2];
    assert!(record.raw.contains(&format!("\"{}…\"", "n".repeat(125))), "{}", record.raw);
}

#[tokio::test]
async fn the_worst_line_stays_below_what_readers_take() {
    let home = tempdir().unwrap();
    let (journal, _) = open(home.path());
    // Each of these characters takes two bytes in JSON for one of the cap.
    let worst = |bytes: usize| "\"".repeat(bytes);
    let mut call = intent(1, Effect::Read);
    call.principal = principal(&worst(500));
    call.principal.groups = vec![worst(500); 100];
    call.rule = worst(500);
    call.version = worst(500);
    call.origin.client = Some(ClaimedClient { name: worst(500), version: worst(500) });
    call.origin.protocol = Some(worst(500));
    call.resources = vec![(worst(500), worst(500)); 100];
    let recorded = journal.intent(call).await.unwrap();
    let mut end = closing(Outcome::Ok);
    end.error_class = Some(worst(500));
    end.touched = vec![worst(500); 100];
    end.egress = vec![Egress { host: worst(500), requests: u32::MAX, bytes_out: u64::MAX, bytes_in: u64::MAX }; 100];
    let note = Note { kind: NoteKind::Exhausted, capability: worst(500), detail: worst(500), count: u32::MAX };
    end.notes = vec![note; 100];
    journal.outcome(recorded, end).await.unwrap();
    assert_eq!(whole(home.path()).records, 2);
    let longest = records(home.path()).iter().map(|record| record.raw.len()).max().unwrap();
    assert!(longest < crate::chain::MAX_LINE / 2, "{longest}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_writes_at_once_share_their_syncs() {
    let home = tempdir().unwrap();
    let (journal, device) = Device::open(Options::new(home.path()));
    let calls: Vec<_> = (0..400)
        .map(|number| {
            let journal = journal.clone();
            tokio::spawn(async move {
                let recorded = journal.intent(intent(number, Effect::Write)).await.unwrap();
                journal.outcome(recorded, closing(Outcome::Ok)).await.unwrap();
            })
        })
        .collect();
    for call in calls {
        call.await.unwrap();
    }
    let syncs = device.syncs.load(Ordering::SeqCst);
    assert!((2..400).contains(&syncs), "{syncs} syncs for 800 records");
    assert_eq!((whole(home.path()).records, whole(home.path()).unfinished.len()), (800, 0));
}

#[tokio::test]
async fn a_write_waits_for_the_device_and_a_read_is_synced_a_moment_later() {
    let home = tempdir().unwrap();
    let options = Options { sync_within: Duration::from_millis(60), ..Options::new(home.path()) };
    let (journal, device) = Device::open(options);
    let syncs = || device.syncs.load(Ordering::SeqCst);
    let read = journal.intent(intent(1, Effect::Read)).await.unwrap();
    assert_eq!((syncs(), records(home.path()).len()), (0, 1), "acknowledged once the kernel has it");
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(syncs(), 1, "synced within the window, and once");
    let write = journal.intent(intent(2, Effect::Write)).await.unwrap();
    assert_eq!(syncs(), 2);
    journal.outcome(write, closing(Outcome::Ok)).await.unwrap();
    assert_eq!(syncs(), 3);
    journal.outcome(read, closing(Outcome::Ok)).await.unwrap();
    assert_eq!(syncs(), 3);
    journal.event(Event::Stopped { reason: "test".to_owned() }).await.unwrap();
    assert_eq!(syncs(), 4);
}

#[tokio::test]
async fn always_means_that_reads_and_refusals_wait_for_the_device_too() {
    let home = tempdir().unwrap();
    let (journal, device) = Device::open(Options { sync: Sync::Always, ..Options::new(home.path()) });
    let recorded = journal.intent(intent(1, Effect::Read)).await.unwrap();
    journal.outcome(recorded, closing(Outcome::Ok)).await.unwrap();
    journal.refusal(refusal(Some(principal("user:me")), "t", "r")).await.unwrap();
    assert_eq!(device.syncs.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_second_call_of_the_same_id_is_refused_while_the_first_runs() {
    let home = tempdir().unwrap();
    let (journal, _) = open(home.path());
    let recorded = journal.intent(intent(1, Effect::Read)).await.unwrap();
    assert_eq!(journal.intent(intent(1, Effect::Read)).await.unwrap_err(), NotRecorded::Duplicate);
    journal.outcome(recorded, closing(Outcome::Ok)).await.unwrap();
    let again = journal.intent(intent(1, Effect::Read)).await.unwrap();
    journal.outcome(again, closing(Outcome::Ok)).await.unwrap();
    assert_eq!((whole(home.path()).records, whole(home.path()).unfinished.len()), (4, 0));
}

#[tokio::test]
async fn a_proof_that_is_dropped_leaves_an_abandoned_call() {
    let home = tempdir().unwrap();
    let (journal, _) = open(home.path());
    drop(journal.intent(intent(1, Effect::Read)).await.unwrap());
    journal.shutdown().await;
    let last = records(home.path()).pop().unwrap();
    assert_eq!((last.outcome, last.error_class.as_deref()), (Some(Outcome::HostError), Some("abandoned")));
    assert_eq!(whole(home.path()).unfinished.len(), 0);
}

#[tokio::test]
async fn a_caller_that_goes_away_while_it_waits_leaves_no_open_call() {
    let home = tempdir().unwrap();
    let (journal, device) = Device::open(Options::new(home.path()));
    Device::set(&device.hangs);
    let asked = journal.clone();
    let waiting = tokio::spawn(async move { drop(asked.intent(intent(1, Effect::Read)).await) });
    while device.writes.load(Ordering::SeqCst) == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    waiting.abort();
    assert!(waiting.await.unwrap_err().is_cancelled());
    device.hangs.store(false, Ordering::SeqCst);
    journal.shutdown().await;
    assert_eq!((journal.failure(), whole(home.path()).records, whole(home.path()).unfinished.len()), (None, 2, 0));
}

#[tokio::test]
async fn refusals_alike_are_one_line_and_a_count() {
    let home = tempdir().unwrap();
    let options = Options { refusal_window: Duration::from_millis(150), ..Options::new(home.path()) };
    let (journal, _) = Journal::open(options).unwrap();
    for _ in 0..50 {
        journal.refusal(refusal(Some(principal("user:me")), "files_write", "not-allowed")).await.unwrap();
    }
    assert_eq!(records(home.path()).len(), 1);
    tokio::time::sleep(Duration::from_millis(400)).await;
    for _ in 0..5 {
        journal.refusal(refusal(Some(principal("user:me")), "files_write", "not-allowed")).await.unwrap();
    }
    journal.shutdown().await;
    let found = records(home.path());
    let counts: Vec<_> = found.iter().map(|r| (r.phase, r.count)).collect();
    let line = |count| (Phase::Refusal, count);
    // A first, its count, a first after the quiet window, and what was counted when the journal was closed.
    assert_eq!(counts, [line(None), line(Some(49)), line(None), line(Some(4))]);
    let denied = Query { outcome: Some(Outcome::Denied), user: Some("user:me".to_owned()), ..Query::default() };
    assert_eq!(query(home.path(), &denied).unwrap().len(), 4);
    assert_eq!(found[1].rule.as_deref(), Some("not-allowed"));
}

#[tokio::test]
async fn a_refusal_that_is_counted_is_found_by_the_id_that_is_told_of_it() {
    let home = tempdir().unwrap();
    let (journal, _) = open(home.path());
    let mut told = Vec::new();
    for number in 0..7 {
        let denied = Refusal { correlation: id(number), ..refusal(Some(principal("user:me")), "t", "rate-caller") };
        told.push(journal.refusal(denied).await.unwrap());
    }
    journal.write_counts().await.unwrap();
    for correlation in told {
        let found = query(home.path(), &Query { correlation: Some(correlation), ..Query::default() }).unwrap();
        assert_eq!(found.iter().map(|record| record.count.unwrap_or(1)).sum::<u64>(), 7);
    }
}

#[tokio::test]
async fn counts_are_written_as_soon_as_somebody_asks_and_say_from_when_to_when_they_count() {
    let home = tempdir().unwrap();
    let (journal, _) = open(home.path());
    let refused = || journal.refusal(refusal(Some(principal("user:me")), "t", "r"));
    let began = Timestamp::now();
    for _ in 0..5 {
        refused().await.unwrap();
    }
    let ended = Timestamp::now();
    tokio::time::sleep(Duration::from_millis(20)).await;
    let other = journal.intent(intent(1, Effect::Read)).await.unwrap();
    journal.write_counts().await.unwrap();
    journal.write_counts().await.unwrap();
    refused().await.unwrap();
    journal.write_counts().await.unwrap();
    journal.outcome(other, closing(Outcome::Ok)).await.unwrap();
    let found = records(home.path());
    assert_eq!(found.iter().map(|record| record.count).collect::<Vec<_>>(), [None, None, Some(4), Some(1), None]);
    assert!(found.is_sorted_by_key(|record| record.time), "the log is in order of time");
    let (from, to) = found[2].counted.unwrap();
    let millis = Timestamp::as_millisecond;
    assert!(millis(began) <= millis(from) && from <= to && to <= ended && ended < found[2].time, "{found:?}");
    journal.shutdown().await;
    assert_eq!(journal.write_counts().await, Err(NotRecorded::Closed));
}

#[tokio::test]
async fn a_flood_of_unauthenticated_requests_writes_few_lines() {
    let home = tempdir().unwrap();
    let (journal, _) = open(home.path());
    for number in 0..5_000_u32 {
        let mut unknown = refusal(None, &format!("t{number}"), "no-credentials");
        unknown.origin.peer = Some(format!("203.0.113.{}", number % 250));
        journal.refusal(unknown).await.unwrap();
    }
    journal.shutdown().await;
    let found = records(home.path());
    assert!(found.len() <= 18, "{}", found.len());
    assert_eq!(found.iter().map(|r| r.count.unwrap_or(1)).sum::<u64>(), 5_000);
    assert!(found.iter().all(|r| r.user.is_none() && r.outcome == Some(Outcome::Unauthenticated)));
}

#[tokio::test]
async fn a_segment_is_filled_to_its_limit_and_not_one_byte_beyond() {
    let home = tempdir().unwrap();
    let event = || Event::Stopped { reason: "test".to_owned() };
    let (journal, _) = open(home.path());
    journal.event(event()).await.unwrap();
    journal.event(event()).await.unwrap();
    journal.shutdown().await;
    let two = std::fs::metadata(path(home.path(), 1)).unwrap().len();
    for (limit, segments) in [(two, 1), (two - 1, 2), (1, 2)] {
        let home = tempdir().unwrap();
        let (journal, _) = Journal::open(Options { segment_bytes: limit, ..Options::new(home.path()) }).unwrap();
        journal.event(event()).await.unwrap();
        journal.event(event()).await.unwrap();
        let verified = whole(home.path());
        assert_eq!((verified.records, verified.segments), (2, segments), "{limit}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_that_spans_segments_is_one_chain() {
    let home = tempdir().unwrap();
    let (journal, _) = Journal::open(Options { segment_bytes: 5_000, ..Options::new(home.path()) }).unwrap();
    let calls: Vec<_> = (0..100)
        .map(|number| {
            let journal = journal.clone();
            tokio::spawn(async move {
                let recorded = journal.intent(intent(number, Effect::Write)).await.unwrap();
                journal.outcome(recorded, closing(Outcome::Ok)).await.unwrap();
            })
        })
        .collect();
    for call in calls {
        call.await.unwrap();
    }
    let verified = whole(home.path());
    assert_eq!((verified.records, verified.unfinished.len()), (200, 0));
    assert!(verified.segments > 30, "{}", verified.segments);
    for number in 1..=verified.segments {
        assert!(std::fs::metadata(path(home.path(), number)).unwrap().len() <= 5_000);
    }
}

#[tokio::test]
async fn only_the_owner_may_read_the_log() {
    let home = tempdir().unwrap();
    let directory = home.path().join("audit");
    let (journal, _) = open(&directory);
    journal.event(Event::Started { version: "1".to_owned() }).await.unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&directory), mode(&path(&directory, 1))), (0o700, 0o600));
}

#[tokio::test]
async fn a_closed_journal_refuses_and_gives_up_its_directory() {
    let home = tempdir().unwrap();
    let (journal, _) = open(home.path());
    let recorded = journal.intent(intent(1, Effect::Read)).await.unwrap();
    journal.shutdown().await;
    assert_eq!(journal.intent(intent(2, Effect::Read)).await.unwrap_err(), NotRecorded::Closed);
    assert_eq!(journal.outcome(recorded, closing(Outcome::Ok)).await, Err(NotRecorded::Closed));
    journal.shutdown().await;
    assert_eq!(journal.failure(), None);
    let (_, opened) = open(home.path());
    assert_eq!(opened.unfinished.len(), 1);
}
