//! The threads that guests run on: a fast lane for calls that need little, a slow lane for those that turn out to need more.
//!
//! Every call begins in the fast lane unless its tool was slow lately. When it has used [`LITTLE`] of a processor's time it is
//! moved over, at a moment at which it lets others run anyway. The slow lane's threads have a lower priority in the operating
//! system, and each plugin has a few turns at a time there, so that thirty loops of one plugin weigh no more than two of
//! another. Guests that loop can then hold up nothing but each other, and what needs little never waits behind them.

use std::{
    future::{Future, poll_fn},
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use rustix::time::{ClockId, clock_gettime};
use tokio::{
    runtime::{Builder, Handle, Runtime},
    sync::Semaphore,
    task::JoinError,
};

/// A processor's time that a call may use in the fast lane. Most calls of most tools need a tenth of it.
const LITTLE: Duration = Duration::from_millis(2);
/// A tool that was slow begins in the slow lane until so many of its calls needed little.
const PROBATION: u32 = 8;
/// How much less the slow lane's threads matter (`nice(2)`): a tenth of what others get, and all that nobody else wants.
#[cfg(target_os = "linux")]
const NICE: i32 = 10;

/// Both lanes.
pub(crate) struct Lanes {
    fast: Option<Runtime>,
    slow: Option<Runtime>,
    workers: usize,
}

/// What the lanes know of one tool. Its plugin's turns are shared by all its tools.
#[derive(Debug)]
pub(crate) struct Pace {
    probation: AtomicU32,
    turns: Arc<Semaphore>,
}

impl Pace {
    /// For one tool of a plugin with these turns.
    pub(crate) const fn new(turns: Arc<Semaphore>) -> Self {
        Self { probation: AtomicU32::new(0), turns }
    }

    fn is_slow(&self) -> bool {
        self.probation.load(Ordering::Relaxed) > 0
    }

    fn was(&self, spent: Duration) {
        if spent > LITTLE {
            self.probation.store(PROBATION, Ordering::Relaxed);
        } else {
            let less = |left: u32| left.checked_sub(1);
            let _ = self.probation.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        }
    }
}

impl Lanes {
    /// `workers` threads in the slow lane; the fast one has two more, so that slices of guests that are about to be moved leave
    /// some to others.
    pub(crate) fn new(workers: usize, file_threads: usize) -> io::Result<Self> {
        let lane = |name: &str, workers: usize| {
            let mut lane = Builder::new_multi_thread();
            lane.worker_threads(workers).max_blocking_threads(file_threads + 2).thread_name(name).enable_time();
            lane
        };
        let fast = lane("guest", workers + 2).build()?;
        let slow = lane("guest-slow", workers).on_thread_start(step_back).build()?;
        Ok(Self { fast: Some(fast), slow: Some(slow), workers })
    }

    /// A plugin's turns in the slow lane.
    pub(crate) fn turns(&self) -> Arc<Semaphore> {
        Arc::new(Semaphore::new(self.workers.max(1)))
    }

    /// The slow lane, for work that no caller waits for.
    pub(crate) fn slow(&self) -> Option<&Handle> {
        self.slow.as_ref().map(Runtime::handle)
    }

    /// Runs a guest to its end, in the lane that is right for it. Dropping this does not end the guest.
    ///
    /// `None` once the host goes down.
    pub(crate) async fn run<F>(&self, pace: Arc<Pace>, guest: F) -> Option<Result<F::Output, JoinError>>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let (fast, slow) = (self.fast.as_ref()?.handle(), self.slow.as_ref()?.handle().clone());
        let guest = Metered { guest: Box::pin(guest), spent: Duration::ZERO };
        if pace.is_slow() {
            return Some(slow.spawn(in_turn(pace, guest)).await);
        }
        let running = fast.spawn(async move {
            match in_the_fast_lane(&pace, guest).await {
                Ok(output) => Ok(output),
                Err(guest) => Err(slow.spawn(in_turn(pace, guest))),
            }
        });
        match running.await {
            Ok(Ok(output)) => Some(Ok(output)),
            Ok(Err(moved)) => Some(moved.await),
            Err(error) => Some(Err(error)),
        }
    }
}

impl Drop for Lanes {
    /// Dropping a runtime must not wait, and must not happen inside another: both are told to end in the background.
    fn drop(&mut self) {
        for lane in [&mut self.fast, &mut self.slow] {
            if let Some(lane) = lane.take() {
                lane.shutdown_background();
            }
        }
    }
}

/// Runs a guest until it is done, or until it has used too much for this lane and is given back.
async fn in_the_fast_lane<F: Future>(pace: &Pace, mut guest: Metered<F>) -> Result<F::Output, Metered<F>> {
    let done = poll_fn(|context| match guest.poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending if guest.spent > LITTLE => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
    })
    .await;
    pace.was(guest.spent);
    done.ok_or(guest)
}

/// Runs a guest to its end, a slice at a time, each in one of its plugin's turns. A turn is never held while the guest waits.
async fn in_turn<F: Future>(pace: Arc<Pace>, mut guest: Metered<F>) -> F::Output {
    let mut slice = async || {
        // The semaphore is never closed.
        let _turn = pace.turns.acquire().await;
        poll_fn(|context| Poll::Ready(guest.poll(context))).await
    };
    let output = loop {
        match slice().await {
            Poll::Ready(output) => break output,
            Poll::Pending => woken().await,
        }
    };
    pace.was(guest.spent);
    output
}

/// Waits for the next wake-up of this task, whoever asked for it.
async fn woken() {
    let mut waited = false;
    poll_fn(|_| if std::mem::replace(&mut waited, true) { Poll::Ready(()) } else { Poll::Pending }).await;
}

/// A guest and how much of a processor's time it has used.
struct Metered<F> {
    guest: Pin<Box<F>>,
    spent: Duration,
}

impl<F: Future> Metered<F> {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<F::Output> {
        // The thread's own time: on a machine that is busy with others, a call is not slow because it had to wait.
        let before = thread_time();
        let polled = self.guest.as_mut().poll(context);
        self.spent += thread_time().saturating_sub(before);
        Poll::Ready(ready!(polled))
    }
}

fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Lets other threads go first. One that may not is as it was: the lanes still hold.
fn step_back() {
    // Elsewhere the priority is the whole process's.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::nice(NICE);
}
