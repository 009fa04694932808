//! What the journal does when its device fails, is full, hangs, or takes little at a time.

use std::io;

use super::*;

fn failed(operation: Operation, kind: io::ErrorKind) -> NotRecorded {
    NotRecorded::Failed(Failure::Io { operation, kind })
}

fn eio() -> io::ErrorKind {
    io::Error::from_raw_os_error(5).kind()
}

/// Whatever is asked of the journal, the answer is this.
async fn refuses_everything(journal: &Journal, why: NotRecorded) {
    assert_eq!(journal.intent(intent(77, Effect::Read)).await.unwrap_err(), why);
    assert_eq!(journal.event(Event::Stopped { reason: "x".to_owned() }).await, Err(why));
    assert_eq!(journal.refusal(refusal(Some(principal("user:me")), "t", "r")).await, Err(why));
    assert_eq!(NotRecorded::from(journal.failure().unwrap()), why);
}

#[tokio::test]
async fn after_a_failed_write_the_answer_is_withheld_and_nothing_more_is_written() {
    let home = tempdir().unwrap();
    let (journal, device) = Device::open(Options::new(home.path()));
    let recorded = journal.intent(intent(1, Effect::Read)).await.unwrap();
    Device::set(&device.refuses_writes);
    let why = failed(Operation::Write, eio());
    assert_eq!(journal.outcome(recorded, closing(Outcome::Ok)).await, Err(why));
    // The device is well again, the journal is not: a record after a gap would hide the gap.
    device.refuses_writes.store(false, Ordering::SeqCst);
    let writes = device.writes.load(Ordering::SeqCst);
    refuses_everything(&journal, why).await;
    journal.shutdown().await;
    assert_eq!((device.writes.load(Ordering::SeqCst), records(home.path()).len()), (writes, 1));
    let (journal, opened) = open(home.path());
    assert_eq!(opened.unfinished.len(), 1);
    drop(journal.intent(intent(2, Effect::Read)).await.unwrap());
}

#[tokio::test]
async fn a_failed_sync_closes_for_writes_at_once_and_for_reads_within_the_window() {
    for effect in [Effect::Write, Effect::Read] {
        let home = tempdir().unwrap();
        let options = Options { sync_within: Duration::from_millis(30), ..Options::new(home.path()) };
        let (journal, device) = Device::open(options);
        Device::set(&device.refuses_syncs);
        let why = failed(Operation::Sync, eio());
        let result = journal.intent(intent(1, effect)).await;
        if effect == Effect::Write {
            assert_eq!(result.unwrap_err(), why);
        } else {
            let recorded = result.unwrap();
            tokio::time::sleep(Duration::from_millis(150)).await;
            assert_eq!(journal.outcome(recorded, closing(Outcome::Ok)).await, Err(why));
        }
        refuses_everything(&journal, why).await;
    }
}

#[tokio::test]
async fn a_full_device_leaves_half_a_line_that_the_next_start_cuts_and_records() {
    let home = tempdir().unwrap();
    let (journal, device) = Device::open(Options::new(home.path()));
    let recorded = journal.intent(intent(1, Effect::Write)).await.unwrap();
    Device::set(&device.is_full);
    let why = failed(Operation::Write, io::ErrorKind::StorageFull);
    assert_eq!(journal.outcome(recorded, closing(Outcome::Ok)).await, Err(why));
    refuses_everything(&journal, why).await;
    journal.shutdown().await;
    let torn = whole(home.path()).incomplete.unwrap();
    assert_eq!((torn.segment.as_str(), torn.line), ("segment-00000001.jsonl", 2));
    let (_journal, opened) = open(home.path());
    assert_eq!((opened.torn, opened.unfinished.len()), (Some(torn), 1));
    let codes: Vec<_> = records(home.path()).into_iter().map(|record| record.code).collect();
    assert_eq!(codes, ["intent", "torn-tail", "unfinished"]);
    assert_eq!(whole(home.path()).incomplete, None);
}

#[tokio::test]
async fn a_device_that_hangs_holds_nobody_longer_than_the_limit() {
    let home = tempdir().unwrap();
    let options = Options { commit_timeout: Duration::from_millis(200), ..Options::new(home.path()) };
    let (journal, device) = Device::open(options);
    let open = journal.intent(intent(1, Effect::Read)).await.unwrap();
    Device::set(&device.hangs);
    let begun = Instant::now();
    let why = NotRecorded::Failed(Failure::Hung);
    let (first, second) =
        tokio::join!(journal.intent(intent(2, Effect::Read)), journal.intent(intent(3, Effect::Write)));
    assert_eq!((first.unwrap_err(), second.unwrap_err()), (why, why));
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    // The next ones do not wait at all.
    let begun = Instant::now();
    refuses_everything(&journal, why).await;
    assert!(begun.elapsed() < Duration::from_millis(150), "{:?}", begun.elapsed());
    // When the device wakes up, what nobody waited for may stand in the log, but nothing is added to it and nobody is told yes.
    device.hangs.store(false, Ordering::SeqCst);
    assert_eq!(journal.outcome(open, closing(Outcome::Ok)).await, Err(why));
    journal.shutdown().await;
    let verified = whole(home.path());
    assert!((1..=3).contains(&verified.records), "{}", verified.records);
    let (_journal, opened) = self::open(home.path());
    assert_eq!(opened.unfinished.len() as u64, verified.records);
}

#[tokio::test]
async fn nobody_is_told_yes_once_another_caller_has_given_the_device_up() {
    let home = tempdir().unwrap();
    let (journal, device) = Device::open(Options::new(home.path()));
    Device::set(&device.hangs);
    let asked = journal.clone();
    let waiting = tokio::spawn(async move { asked.intent(intent(1, Effect::Read)).await.map(drop) });
    while device.writes.load(Ordering::SeqCst) == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    journal.shared.fail(Failure::Hung);
    device.hangs.store(false, Ordering::SeqCst);
    assert_eq!(waiting.await.unwrap(), Err(NotRecorded::Failed(Failure::Hung)));
}

#[tokio::test]
async fn a_shutdown_does_not_wait_for_a_device_that_hangs() {
    let home = tempdir().unwrap();
    let options = Options { commit_timeout: Duration::from_millis(100), ..Options::new(home.path()) };
    let (journal, device) = Device::open(options);
    Device::set(&device.hangs);
    let _ = journal.intent(intent(2, Effect::Read)).await;
    let begun = Instant::now();
    journal.shutdown().await;
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    assert_eq!(journal.failure(), Some(Failure::Hung));
    device.hangs.store(false, Ordering::SeqCst);
}

#[tokio::test]
async fn a_segment_that_cannot_be_made_closes_and_loses_nothing_that_was_acknowledged() {
    let home = tempdir().unwrap();
    let (journal, device) = Device::open(Options { segment_bytes: 2_500, ..Options::new(home.path()) });
    Device::set(&device.refuses_segments);
    let mut acknowledged = Vec::new();
    let why = loop {
        let number = acknowledged.len() as u128;
        match journal.intent(intent(number, Effect::Read)).await {
            Ok(recorded) => acknowledged.push(recorded),
            Err(why) => break why,
        }
    };
    assert_eq!(why, failed(Operation::Rotate, io::ErrorKind::StorageFull));
    refuses_everything(&journal, why).await;
    assert!(!acknowledged.is_empty());
    assert_eq!(whole(home.path()).records, acknowledged.len() as u64);
}

#[tokio::test]
async fn a_device_that_takes_seven_bytes_at_a_time_gets_them_all() {
    let home = tempdir().unwrap();
    let (journal, device) = Device::open(Options::new(home.path()));
    device.takes.store(7, Ordering::SeqCst);
    let recorded = journal.intent(intent(1, Effect::Write)).await.unwrap();
    journal.outcome(recorded, closing(Outcome::Ok)).await.unwrap();
    assert_eq!((whole(home.path()).records, whole(home.path()).incomplete), (2, None));
    assert!(device.writes.load(Ordering::SeqCst) > 100);
}

#[tokio::test]
async fn more_than_the_writer_can_take_is_refused_as_busy_and_the_journal_works_on() {
    let home = tempdir().unwrap();
    let options = Options { commit_timeout: Duration::from_millis(300), ..Options::new(home.path()) };
    let (journal, device) = Device::open(options);
    // Slow, not stuck: a write and its sync take longer than the limit, each of them does not.
    device.slow.store(200, Ordering::SeqCst);
    assert_eq!(journal.intent(intent(1, Effect::Write)).await.unwrap_err(), NotRecorded::Busy);
    assert_eq!(journal.failure(), None);
    device.slow.store(0, Ordering::SeqCst);
    drop(journal.intent(intent(2, Effect::Write)).await.unwrap());
    journal.shutdown().await;
    // The first stands in the log too: it was written after nobody waited for it any more, and closed as abandoned.
    assert_eq!((whole(home.path()).records, whole(home.path()).unfinished.len()), (4, 0));
}
