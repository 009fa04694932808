//! What is written by the threads of those who ask.

use std::{sync::Barrier, thread};

use super::*;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap()
}

#[tokio::test]
async fn a_read_is_with_the_kernel_when_it_is_acknowledged_and_on_the_device_soon_after() {
    let home = tempdir().unwrap();
    let (journal, device) =
        Device::open(Options { sync_within: Duration::from_millis(30), ..Options::new(home.path()) });
    let here = journal.here();
    let recorded = here.intent(intent(1, Effect::Read)).await.unwrap();
    assert_eq!((whole(home.path()).records, device.syncs.load(Ordering::SeqCst)), (1, 0));
    tokio::time::sleep(Duration::from_millis(150)).await;
    assert_eq!(device.syncs.load(Ordering::SeqCst), 1, "the journal's own thread syncs what others have written");
    here.outcome(recorded, closing(Outcome::Ok)).await.unwrap();
    assert_eq!((whole(home.path()).records, whole(home.path()).unfinished.len()), (2, 0));
}

#[tokio::test]
async fn what_has_to_be_synced_is_synced_before_it_is_acknowledged() {
    for (sync, effect) in [(Sync::Writes, Effect::Write), (Sync::Always, Effect::Read)] {
        let home = tempdir().unwrap();
        let (journal, device) = Device::open(Options { sync, ..Options::new(home.path()) });
        drop(journal.here().intent(intent(1, effect)).await.unwrap());
        assert!(device.syncs.load(Ordering::SeqCst) > 0, "{sync:?} {effect:?}");
    }
}

#[test]
fn many_threads_and_the_queue_write_one_chain() {
    const THREADS: u128 = 8;
    const EACH: u128 = 200;
    let home = tempdir().unwrap();
    let (journal, _) = open(home.path());
    let together = Barrier::new(THREADS as usize);
    thread::scope(|scope| {
        for number in 0..THREADS {
            let (journal, together) = (journal.clone(), &together);
            scope.spawn(move || {
                // every other one goes through the queue
                let journal = if number % 2 == 0 { journal.here() } else { journal };
                together.wait();
                runtime().block_on(async {
                    for call in 0..EACH {
                        let recorded = journal.intent(intent(number * EACH + call, Effect::Read)).await.unwrap();
                        journal.outcome(recorded, closing(Outcome::Ok)).await.unwrap();
                    }
                });
            });
        }
    });
    let whole = whole(home.path());
    assert_eq!((u128::from(whole.records), whole.unfinished.len()), (2 * THREADS * EACH, 0));
}

#[test]
fn a_thread_that_is_stuck_in_the_device_is_noticed_by_all_others() {
    let home = tempdir().unwrap();
    let options = Options { commit_timeout: Duration::from_millis(200), ..Options::new(home.path()) };
    let (journal, device) = Device::open(options);
    Device::set(&device.hangs);
    let stuck = journal.here();
    let stuck = thread::spawn(move || runtime().block_on(stuck.intent(intent(1, Effect::Read))).map(drop));
    runtime().block_on(async {
        // nobody else asks for anything: the journal's own thread finds it out
        let failure = tokio::time::timeout(Duration::from_secs(5), journal.failed()).await.unwrap();
        assert_eq!(failure, Failure::Hung);
        let why = NotRecorded::Failed(Failure::Hung);
        assert_eq!(journal.here().intent(intent(2, Effect::Read)).await.unwrap_err(), why);
        assert_eq!(journal.intent(intent(3, Effect::Write)).await.unwrap_err(), why);
        let begun = Instant::now();
        journal.shutdown().await;
        assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    });
    device.hangs.store(false, Ordering::SeqCst);
    assert_eq!(stuck.join().unwrap(), Err(NotRecorded::Failed(Failure::Hung)), "and it is told no as well");
}

#[tokio::test]
async fn after_a_failed_write_here_nothing_more_is_written_anywhere() {
    let home = tempdir().unwrap();
    let (journal, device) = Device::open(Options::new(home.path()));
    let here = journal.here();
    let recorded = here.intent(intent(1, Effect::Read)).await.unwrap();
    Device::set(&device.refuses_writes);
    let why = here.outcome(recorded, closing(Outcome::Ok)).await.unwrap_err();
    assert!(matches!(why, NotRecorded::Failed(Failure::Io { operation: Operation::Write, .. })), "{why}");
    device.refuses_writes.store(false, Ordering::SeqCst);
    assert_eq!(journal.intent(intent(2, Effect::Write)).await.unwrap_err(), why);
    assert_eq!(here.intent(intent(3, Effect::Read)).await.unwrap_err(), why);
}
