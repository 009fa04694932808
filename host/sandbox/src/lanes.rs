//! The threads that guests run on: a fast lane for calls that need little, a slow lane for those that turn out to need more.
//!
//! Every call begins in the fast lane unless its tool was slow lately. When it has used [`LITTLE`] of a processor's time it is
//! moved over, at a moment at which it lets others run anyway. The slow lane's threads have a lower priority in the operating
//! system, and serve the plugins in turns. Guests that loop can then hold up nothing but each other: what needs little never
//! waits behind them, and thirty loops of one plugin weigh no more than one call of another.

mod slow;

use std::{
    future::{Future, poll_fn},
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use rustix::time::{ClockId, clock_gettime};
use tokio::runtime::{Builder, Handle, Runtime};

pub(crate) use slow::Line;
use slow::SlowLane;

/// A processor's time that a call may use in the fast lane. Most calls of most tools need a tenth of it.
const LITTLE: Duration = Duration::from_millis(2);
/// A tool that was slow begins in the slow lane until so many of its calls needed little.
const PROBATION: u32 = 8;

/// Both lanes.
pub(crate) struct Lanes {
    fast: Option<Runtime>,
    slow: Arc<SlowLane>,
}

/// A guest that did not come to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the guest's task did not come to its end: it panicked, or the host is going down")]
pub(crate) struct Lost;

/// What the lanes know of one tool.
#[derive(Debug)]
pub(crate) struct Pace {
    probation: AtomicU32,
    line: Line,
}

impl Pace {
    /// For one tool of the plugin with this line.
    pub(crate) const fn new(line: Line) -> Self {
        Self { probation: AtomicU32::new(0), line }
    }

    /// For work that nobody waits for: it begins in the slow lane.
    pub(crate) fn unhurried() -> Self {
        Self { probation: AtomicU32::new(1), line: Line::new() }
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
        let fast = Builder::new_multi_thread()
            .worker_threads(workers + 2)
            .max_blocking_threads(file_threads + 2)
            .thread_name("guest")
            .enable_time()
            .build()?;
        let slow = SlowLane::start(workers, fast.handle())?;
        Ok(Self { fast: Some(fast), slow })
    }

    /// The runtime of the fast lane.
    pub(crate) fn handle(&self) -> Option<&Handle> {
        self.fast.as_ref().map(Runtime::handle)
    }

    /// Runs a guest to its end, in the lane that is right for it. Dropping this does not end the guest.
    pub(crate) async fn run<F>(&self, pace: Arc<Pace>, guest: F) -> Result<F::Output, Lost>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let guest = Metered { guest: Box::pin(guest), spent: Duration::ZERO };
        if pace.is_slow() {
            return self.slow.run(pace.line, to_the_end(pace, guest)).await;
        }
        let slow = Arc::clone(&self.slow);
        let running = self.handle().ok_or(Lost)?.spawn(async move {
            match in_the_fast_lane(&pace, guest).await {
                Ok(output) => Ok(output),
                Err(guest) => Err(slow.run(pace.line, to_the_end(pace, guest))),
            }
        });
        match running.await.map_err(|_| Lost)? {
            Ok(output) => Ok(output),
            Err(moved) => moved.await,
        }
    }
}

impl Drop for Lanes {
    /// Dropping a runtime must not wait, and must not happen inside another: it is told to end in the background.
    fn drop(&mut self) {
        self.slow.close();
        if let Some(fast) = self.fast.take() {
            fast.shutdown_background();
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

async fn to_the_end<F: Future>(pace: Arc<Pace>, mut guest: Metered<F>) -> F::Output {
    let output = poll_fn(|context| guest.poll(context)).await;
    pace.was(guest.spent);
    output
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
        polled
    }
}

fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests;
