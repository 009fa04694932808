//! The threads that guests run on: a fast lane for calls that need little, a slow lane for those that turn out to need more.
//!
//! What leads to a guest and what follows it may run in the fast lane too: then the guest begins where its call is, and no other thread
//! has to be woken for it (decision 011).
//!
//! Every call begins in the fast lane unless its tool was slow lately. When it has used [`LITTLE`] of a processor's time it is
//! moved over, at a moment at which it lets others run anyway. The slow lane's threads have a lower priority in the operating
//! system, and serve the plugins in turns. Guests that loop can then hold up nothing but each other: what needs little never
//! waits behind them, and thirty loops of one plugin weigh no more than one call of another.

mod lane;

use std::{
    cell::Cell,
    future::{Future, poll_fn},
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use rustix::time::{ClockId, clock_gettime};
use tokio::runtime::{Builder, Handle, Runtime};
use wardkeep_capabilities::wait_here;

use lane::Lane;
pub(crate) use lane::Line;

/// A processor's time that a call may use in the fast lane. Most calls of most tools need a tenth of it.
const LITTLE: Duration = Duration::from_millis(2);
/// A tool that was slow begins in the slow lane until so many of its calls needed little.
const PROBATION: u32 = 8;

/// Threads for blocking work of the host's own on these lanes: checks and answers too large to be read in passing.
const OWN_BLOCKING: usize = 16;

thread_local! {
    /// Whose fast lane this thread is of; 0 if it is of none.
    static LANES: Cell<u64> = const { Cell::new(0) };
}

/// Both lanes.
pub(crate) struct Lanes {
    fast: Arc<Lane>,
    slow: Arc<Lane>,
    /// What guests wait for: timers, file work and connections.
    runtime: Option<Runtime>,
    number: u64,
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
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .max_blocking_threads(file_threads + OWN_BLOCKING)
            .thread_name("guest-waits")
            .enable_all()
            .build()?;
        let fast = Lane::start("guest", workers + 2, runtime.handle(), move |own| {
            LANES.set(number);
            // only here: in the slow lane a connection would be heard late by others that use it after
            wait_here(own);
        })?;
        let slow = Lane::start("guest-slow", workers, runtime.handle(), lane::step_back)?;
        Ok(Self { fast, slow, runtime: Some(runtime), number })
    }

    /// The runtime of what guests wait for.
    pub(crate) fn handle(&self) -> Option<&Handle> {
        self.runtime.as_ref().map(Runtime::handle)
    }

    /// What runs or waits in both lanes, and with what guests wait for.
    pub(crate) fn alive(&self) -> usize {
        let waits = self.handle().map_or(0, |runtime| runtime.metrics().num_alive_tasks());
        self.fast.alive() + self.slow.alive() + waits
    }

    /// Runs the path of a call in the fast lane, to its end.
    pub(crate) fn spawn(&self, line: Line, path: impl Future<Output = ()> + Send + 'static) {
        self.fast.spawn(line, path);
    }

    /// Runs a guest to its end, in the lane that is right for it. Dropping this does not end the guest.
    pub(crate) fn run<F>(&self, pace: Arc<Pace>, guest: F) -> impl Future<Output = Result<F::Output, Lost>> + use<'_, F>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        // before anything else: it is kilobytes, and whatever holds it would be moved with it
        let guest = Metered { guest: Box::pin(guest), spent: Duration::ZERO };
        async move {
            if pace.is_slow() {
                return self.slow.run(pace.line, to_the_end(pace, guest)).await;
            }
            let begun = Begun { guest: Some(guest), pace, slow: Arc::clone(&self.slow) };
            let ended = if LANES.get() == self.number {
                begun.in_the_fast_lane().await
            } else {
                let line = begun.pace.line;
                self.fast.run(line, begun.in_the_fast_lane()).await?
            };
            match ended {
                Ended::Here(output) => Ok(output),
                Ended::Elsewhere(moved) => moved.await,
                Ended::Lost => Err(Lost),
            }
        }
    }
}

impl Drop for Lanes {
    /// Dropping a runtime must not wait, and must not happen inside another: it is told to end in the background.
    fn drop(&mut self) {
        self.fast.close();
        self.slow.close();
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// A guest that has begun in the fast lane. It runs to its end whoever waits for it: one whose call is dropped goes on in the slow lane.
struct Begun<F>
where
    F: Future<Output: Send> + Send + 'static,
{
    guest: Option<Metered<F>>,
    pace: Arc<Pace>,
    slow: Arc<Lane>,
}

/// How a guest left the fast lane.
enum Ended<T, M> {
    Here(T),
    /// It has used too much, and is where this waits for.
    Elsewhere(M),
    Lost,
}

impl<F> Begun<F>
where
    F: Future<Output: Send> + Send + 'static,
{
    /// Runs it until it is done, or until it has used too much for this lane and is moved.
    async fn in_the_fast_lane(
        mut self,
    ) -> Ended<F::Output, impl Future<Output = Result<F::Output, Lost>> + Send + use<F>> {
        let done = poll_fn(|context| {
            let Some(guest) = &mut self.guest else { return Poll::Ready(None) };
            // a panic ends the guest, not the call: its end is still to be recorded
            match catch_unwind(AssertUnwindSafe(|| guest.poll(context))) {
                Ok(Poll::Ready(output)) => Poll::Ready(Some(Some(output))),
                Ok(Poll::Pending) if guest.spent > LITTLE => Poll::Ready(Some(None)),
                Ok(Poll::Pending) => Poll::Pending,
                Err(_) => Poll::Ready(None),
            }
        })
        .await;
        // from here on there is nothing left that would have to go on by itself
        let guest = self.guest.take();
        if let Some(guest) = &guest {
            self.pace.was(guest.spent);
        }
        match (done, guest) {
            (Some(Some(output)), _) => Ended::Here(output),
            (Some(None), Some(guest)) => {
                let pace = Arc::clone(&self.pace);
                Ended::Elsewhere(self.slow.run(pace.line, to_the_end(pace, guest)))
            }
            _ => Ended::Lost,
        }
    }
}

impl<F> Drop for Begun<F>
where
    F: Future<Output: Send> + Send + 'static,
{
    fn drop(&mut self) {
        if let Some(guest) = self.guest.take() {
            let pace = Arc::clone(&self.pace);
            drop(self.slow.run(pace.line, to_the_end(pace, guest)));
        }
    }
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
