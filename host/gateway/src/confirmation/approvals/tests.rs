use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use wardkeep_audit::{Options, Phase};
use wardkeep_model::{Digest, Effect};

use wardkeep_policy::kill::Kill;

use super::*;
use crate::Standing;

/// What a disk would hold, and a disk that can be full.
#[derive(Clone, Default)]
struct Disk {
    kept: Arc<std::sync::Mutex<Vec<Approval>>>,
    full: Arc<AtomicBool>,
}

impl Keep for Disk {
    fn keep(&self, approvals: &[Approval]) -> io::Result<()> {
        if self.full.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        *self.kept.lock().unwrap() = approvals.to_vec();
        Ok(())
    }
}

struct Queue {
    approvals: Arc<Approvals>,
    disk: Disk,
    journal: Journal,
    directory: tempfile::TempDir,
}

impl Queue {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let journal = Journal::open(Options::new(directory.path().join("audit"))).unwrap().0;
        let disk = Disk::default();
        let approvals = Arc::new(Approvals::new(Vec::new(), Box::new(disk.clone()), journal.clone()));
        Self { approvals, disk, journal, directory }
    }

    /// As it is after the process was killed at this moment.
    fn again(&self) -> Approvals {
        let kept = self.disk.kept.lock().unwrap().clone();
        Approvals::new(kept, Box::new(self.disk.clone()), self.journal.clone())
    }

    /// Asks, and is told to wait.
    async fn asked(&self, arguments: &str) -> ApprovalId {
        let asked = self.approvals.ask(&matter(arguments), shown, None, &call(1), &ApprovalLimits::default()).await;
        match asked {
            Err(NotApproved::Unapproved(Unapproved::Waits { id, .. })) => id,
            other => panic!("{other:?}"),
        }
    }

    async fn approve(&self, id: &ApprovalId) -> Result<Approval, NotDecided> {
        self.approvals.decide(id, Decision::Approve, "alice", "", &ApprovalLimits::default()).await
    }

    fn events(&self) -> Vec<String> {
        let lines = wardkeep_audit::scan(&self.directory.path().join("audit")).unwrap();
        let lines = lines.map(|record| record.unwrap()).filter(|record| record.phase == Phase::Event);
        lines.map(|record| record.raw).collect()
    }
}

fn call(byte: u8) -> CorrelationId {
    CorrelationId::from_bytes([byte; 16])
}

fn matter(arguments: &str) -> Matter {
    Matter {
        principal: "service:ci".into(),
        actors: Vec::new(),
        tool: "files_write".parse().unwrap(),
        plugin: "files".parse().unwrap(),
        version: "1.0.0".into(),
        contract: Digest::of(b"contract"),
        manifest: Digest::of(b"manifest"),
        arguments: Digest::of(arguments.as_bytes()),
    }
}

fn shown() -> Shown {
    let arguments = vec!["text: \"very private\"".into()];
    Shown { effect: Effect::Write, side_effects: "writes".into(), resources: Vec::new(), arguments }
}

fn is<T: std::fmt::Debug>(result: Result<T, NotApproved>) -> Unapproved {
    match result {
        Err(NotApproved::Unapproved(unapproved)) => unapproved,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_approval_is_used_once_also_after_the_process_was_killed() {
    let queue = Queue::new();
    let id = queue.asked("a").await;
    queue.approve(&id).await.unwrap();
    let again = queue.again();
    // approved before, and still so
    again.take(&id, &matter("a"), &call(2)).await.unwrap();
    assert_eq!(is(again.take(&id, &matter("a"), &call(3)).await), Unapproved::Used);
    assert_eq!(is(queue.again().take(&id, &matter("a"), &call(4)).await), Unapproved::Used);
    assert!(
        matches!(queue.again().get(&id).await.unwrap().standing, Standing::Used { call: used, .. } if used == call(2))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_a_thousand_who_use_one_approval_at_once_one_does() {
    let queue = Queue::new();
    let id = queue.asked("a").await;
    queue.approve(&id).await.unwrap();
    let mut racing = tokio::task::JoinSet::new();
    for _ in 0..1_000 {
        let (approvals, id) = (Arc::clone(&queue.approvals), id.clone());
        racing.spawn(async move { approvals.take(&id, &matter("a"), &call(2)).await.is_ok() });
    }
    let won = racing.join_all().await.into_iter().filter(|won| *won).count();
    assert_eq!(won, 1);
}

#[tokio::test]
async fn the_same_call_finds_its_own_and_asks_once() {
    let queue = Queue::new();
    let id = queue.asked("a").await;
    assert_eq!(queue.asked("a").await, id);
    let other = queue.asked("b").await;
    assert_ne!(other, id);
    queue.approve(&id).await.unwrap();
    let limits = ApprovalLimits::default();
    assert_eq!(queue.approvals.ask(&matter("a"), shown, None, &call(2), &limits).await.unwrap(), id);
    assert_eq!(
        is(queue.approvals.ask(&matter("b"), shown, Some(id.as_str()), &call(2), &limits).await),
        Unapproved::Unknown
    );
    assert_eq!(queue.approvals.list().await.len(), 2);
}

#[tokio::test]
async fn what_cannot_be_written_down_has_not_happened() {
    let queue = Queue::new();
    let id = queue.asked("a").await;
    queue.disk.full.store(true, Ordering::SeqCst);
    assert!(matches!(queue.approve(&id).await, Err(NotDecided::NotKept(NotKept::State(_)))));
    let limits = ApprovalLimits::default();
    let asked = queue.approvals.ask(&matter("b"), shown, None, &call(1), &limits).await;
    assert!(matches!(asked, Err(NotApproved::NotKept(NotKept::State(_)))), "{asked:?}");
    assert_eq!(queue.approvals.list().await.iter().map(|it| it.standing.word()).collect::<Vec<_>>(), ["pending"]);

    queue.disk.full.store(false, Ordering::SeqCst);
    queue.approve(&id).await.unwrap();
    queue.disk.full.store(true, Ordering::SeqCst);
    // nobody runs by a yes that a restart would find unused
    assert!(matches!(queue.approvals.take(&id, &matter("a"), &call(2)).await, Err(NotApproved::NotKept(_))));
    queue.disk.full.store(false, Ordering::SeqCst);
    queue.journal.shutdown().await;
    assert!(matches!(
        queue.approvals.ask(&matter("c"), shown, None, &call(1), &limits).await,
        Err(NotApproved::NotKept(NotKept::Journal(_)))
    ));
    assert_eq!(queue.disk.kept.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn what_is_decided_is_in_the_journal_with_who_and_why_and_without_arguments() {
    let queue = Queue::new();
    let (first, second) = (queue.asked("a").await, queue.asked("b").await);
    queue.approve(&first).await.unwrap();
    let limits = ApprovalLimits { deadline: Duration::from_millis(1), ..ApprovalLimits::default() };
    queue.approvals.decide(&second, Decision::Deny, "bob\n", "not\u{202e} now", &limits).await.unwrap();
    let late = queue.approvals.ask(&matter("c"), shown, None, &call(3), &limits).await;
    assert!(matches!(late, Err(NotApproved::Unapproved(Unapproved::Waits { .. }))));
    tokio::time::sleep(Duration::from_millis(5)).await;
    queue.approvals.list().await;
    let events = queue.events();
    let codes =
        ["approval-asked", "approval-asked", "approved", "approval-denied", "approval-asked", "approval-expired"];
    assert_eq!(events.len(), codes.len(), "{events:?}");
    for (event, code) in events.iter().zip(codes) {
        assert!(event.contains(code) && event.contains("service:ci") && !event.contains("very private"), "{event}");
    }
    assert!(events[3].contains(r"bob\\u{a}") && events[3].contains(r"not\\u{202e} now"), "{}", events[3]);
}

fn kills(target: &str) -> Arc<Kills> {
    let (target, since) = (target.parse().unwrap(), Timestamp::now());
    Arc::new(Kills::new(vec![Kill { target, reason: "because".into(), by: "alice".into(), since, until: None }]))
}

fn lifted(target: &str) -> Arc<Kills> {
    Arc::new(Kills::none().after([(target.parse().unwrap(), Timestamp::now())].into_iter().collect()))
}

#[tokio::test]
async fn a_kill_takes_back_what_is_open_and_stopped_and_nothing_else() {
    let queue = Queue::new();
    let (pending, approved, used) = (queue.asked("a").await, queue.asked("b").await, queue.asked("c").await);
    queue.approve(&approved).await.unwrap();
    queue.approve(&used).await.unwrap();
    queue.approvals.take(&used, &matter("c"), &call(2)).await.unwrap();
    let standing = async || {
        let all = queue.approvals.list().await;
        all.iter().map(|it| it.standing.word()).collect::<Vec<_>>()
    };
    for other in ["plugin:filed", "tool:files_move", "caller:service:cd"] {
        queue.approvals.stop(kills(other));
        assert_eq!(standing().await, ["pending", "approved", "used"], "{other}");
    }
    queue.approvals.stop(kills("tool:files_write"));
    assert_eq!(standing().await, ["withdrawn", "withdrawn", "used"]);
    queue.approvals.stop(Arc::default());
    for (id, arguments) in [(&pending, "a"), (&approved, "b")] {
        assert_eq!(is(queue.approvals.take(id, &matter(arguments), &call(3)).await), Unapproved::Withdrawn);
        assert_eq!(is(queue.again().take(id, &matter(arguments), &call(3)).await), Unapproved::Withdrawn, "on disk");
    }
    assert_ne!(queue.asked("a").await, pending, "the same call asks anew");
    let withdrawn: Vec<_> = queue.events().into_iter().filter(|event| event.contains("approval-withdrawn")).collect();
    assert_eq!(withdrawn.len(), 2, "{withdrawn:?}");
    assert!(withdrawn.iter().all(|event| event.contains("tool:files_write")), "{withdrawn:?}");
}

#[tokio::test]
async fn what_a_kill_has_stopped_runs_neither_before_it_was_taken_back_nor_where_that_could_not_be_written() {
    let queue = Queue::new();
    let id = queue.asked("a").await;
    queue.approve(&id).await.unwrap();
    queue.disk.full.store(true, Ordering::SeqCst);
    // killed and revived: nothing is stopped any more, and nothing was settled
    queue.approvals.stop(lifted("writes"));
    assert_eq!(is(queue.approvals.take(&id, &matter("a"), &call(2)).await), Unapproved::Withdrawn);
    assert_eq!(queue.disk.kept.lock().unwrap()[0].standing.word(), "approved");
    queue.disk.full.store(false, Ordering::SeqCst);
    // as it is after a crash at this moment, for a host that is told of the kill at its start
    let again = queue.again();
    again.stop(lifted("writes"));
    assert_eq!(is(again.take(&id, &matter("a"), &call(3)).await), Unapproved::Withdrawn);
    let limits = ApprovalLimits::default();
    let decided = again.decide(&id, Decision::Deny, "alice", "", &limits).await;
    assert!(decided.unwrap_err().to_string().contains("it is withdrawn"));
}
