//! The journal's own thread: writes what is queued and what falls due, and notices when whoever holds the writer is stuck in the device.

use std::{
    sync::{Arc, Mutex, TryLockError, atomic::Ordering},
    time::{Duration, Instant},
};

use tokio::{
    sync::mpsc,
    time::{sleep, sleep_until},
};

use super::{
    Failure, NotRecorded,
    queue::{Message, Shared},
    writer::Writer,
};

/// Records taken in one batch.
const BATCH: usize = 1024;
/// A writer that another holds is asked for so often, which is longer than a record takes, before this thread sleeps.
const ASKED: u32 = 50;
/// And then this often.
const AGAIN: Duration = Duration::from_millis(1);

/// The writer, or nothing once the journal is shut down. Held over writes, so only for as long as the device takes.
pub(super) type Held = Arc<Mutex<Option<Writer>>>;

pub(super) struct Thread {
    pub(super) writer: Held,
    pub(super) shared: Arc<Shared>,
    pub(super) commit_timeout: Duration,
}

impl Thread {
    /// Runs until it is told to shut down or every handle is gone.
    pub(super) async fn run(self, mut queue: mpsc::Receiver<Message>) {
        let mut batch = Vec::with_capacity(BATCH);
        let mut shutdown = Vec::new();
        let mut counts = Vec::new();
        while let Some(due) = self.hold(|writer| writer.due()).await {
            let taken = tokio::select! {
                taken = queue.recv_many(&mut batch, BATCH) => taken,
                () = due_at(due) => {
                    self.hold(Writer::tick).await;
                    continue;
                }
                // somebody else writes: from now on something is due
                () = self.shared.writing.notified() => continue,
            };
            if taken == 0 {
                break;
            }
            let requests = batch.drain(..).filter_map(|message| match message {
                Message::Record(request) => Some(request),
                Message::Counts(answer) => {
                    counts.push(answer);
                    None
                }
                Message::Shutdown(answer) => {
                    shutdown.push(answer);
                    None
                }
            });
            let requests: Vec<_> = requests.collect();
            self.hold(|writer| {
                writer.commit(requests);
                writer.tick();
            })
            .await;
            if !counts.is_empty() {
                let counted = self.hold(Writer::counted).await.unwrap_or(Err(NotRecorded::Closed));
                for answer in counts.drain(..) {
                    // Whoever asked may have given up.
                    let _ = answer.send(counted);
                }
            }
            if !shutdown.is_empty() {
                // What is queued already is still written; what comes later is refused.
                queue.close();
            }
        }
        self.hold(Writer::finish).await;
        // The lock is given up before anybody is told.
        if let Ok(mut writer) = self.writer.try_lock() {
            *writer = None;
        }
        for answer in shutdown {
            // Whoever asked may be gone.
            let _ = answer.send(());
        }
    }

    /// Does something with the writer as soon as nobody else holds it. Nothing once there is none, or if it is held for so long that its
    /// device must hang: then nobody waits for it any more.
    async fn hold<T>(&self, act: impl FnOnce(&mut Writer) -> T) -> Option<T> {
        let (asked, mut steps) = (Instant::now(), self.shared.steps.load(Ordering::Relaxed));
        let (mut times, mut since) = (0_u32, asked);
        loop {
            match self.writer.try_lock() {
                Ok(mut writer) => return writer.as_mut().map(act),
                Err(TryLockError::WouldBlock) => {}
                // A panic while it wrote: what was written is not known, so nothing is any more.
                Err(TryLockError::Poisoned(_)) => {
                    self.shared.fail(Failure::Broken);
                    return None;
                }
            }
            if self.shared.failure() == Some(Failure::Hung) {
                return None;
            }
            times = times.saturating_add(1);
            if times <= ASKED {
                std::thread::yield_now();
                continue;
            }
            let now = self.shared.steps.load(Ordering::Relaxed);
            if now != steps {
                (steps, since) = (now, Instant::now());
            } else if since.elapsed() >= self.commit_timeout {
                self.shared.fail(Failure::Hung);
                return None;
            }
            sleep(AGAIN).await;
        }
    }
}

async fn due_at(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due.into()).await,
        None => std::future::pending().await,
    }
}
