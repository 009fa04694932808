//! A lane: a few threads that run guests a slice at a time, one plugin after the other.
//!
//! A runtime's own queue would serve every guest alike, so that who has more of them gets more. Here each plugin stands in line
//! once, however many guests it has. And a runtime wakes a second thread to look for more whenever it wakes one: here what becomes ready
//! wakes one thread that waits, and nobody else.

use std::{
    collections::VecDeque,
    future::Future,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    thread,
};

use async_task::Runnable;
use tokio::{runtime::Handle, sync::oneshot};

use super::Lost;

/// How much less the slow lane's threads matter (`nice(2)`): they get a tenth of what others get, and all that nobody else wants.
#[cfg(target_os = "linux")]
pub(super) const NICE: i32 = 10;

/// A plugin's place in the lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Line(u64);

impl Line {
    /// A place of its own.
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// What stands in line, and who is woken for it.
#[derive(Default)]
pub(super) struct Lane {
    queue: Mutex<Queue>,
    ready: Condvar,
    alive: AtomicUsize,
}

/// One of those that have not come to their end.
struct Alive(Arc<Lane>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.alive.fetch_sub(1, Ordering::Relaxed);
    }
}

#[derive(Default)]
struct Queue {
    lines: VecDeque<(Line, VecDeque<Runnable>)>,
    closed: bool,
}

impl Lane {
    /// Starts the threads, each of which does `first` before anything else. What guests wait for, such as timers and file work, runs on
    /// `runtime`.
    pub(super) fn start(
        name: &str,
        workers: usize,
        runtime: &Handle,
        first: impl Fn() + Clone + Send + 'static,
    ) -> io::Result<Arc<Self>> {
        let lane = Arc::<Self>::default();
        for _ in 0..workers {
            let (lane, runtime, first) = (Arc::clone(&lane), runtime.clone(), first.clone());
            thread::Builder::new().name(name.to_owned()).spawn(move || {
                first();
                let _entered = runtime.enter();
                while let Some(slice) = lane.next() {
                    // Whoever waits for this guest finds that it is lost; the others of the lane run on.
                    let _ = catch_unwind(AssertUnwindSafe(|| slice.run()));
                }
            })?;
        }
        Ok(lane)
    }

    /// Puts a guest in line. What is given back waits for its end; dropping that does not end the guest.
    pub(super) fn run<F>(
        self: &Arc<Self>,
        line: Line,
        guest: F,
    ) -> impl Future<Output = Result<F::Output, Lost>> + Send + use<F>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let (told, end) = oneshot::channel();
        let guest = async move {
            // Nobody need be there any more.
            let _ = told.send(guest.await);
        };
        self.spawn(line, guest);
        async move { end.await.map_err(|_| Lost) }
    }

    /// Puts something in line that nobody waits for.
    pub(super) fn spawn(self: &Arc<Self>, line: Line, future: impl Future<Output = ()> + Send + 'static) {
        self.alive.fetch_add(1, Ordering::Relaxed);
        let (lane, alive) = (Arc::clone(self), Alive(Arc::clone(self)));
        let future = async move {
            let _alive = alive;
            future.await;
        };
        let (slice, task) = async_task::spawn(future, move |slice| lane.push(line, slice));
        task.detach();
        slice.schedule();
    }

    /// How many have not come to their end.
    pub(super) fn alive(&self) -> usize {
        self.alive.load(Ordering::Relaxed)
    }

    fn push(&self, line: Line, slice: Runnable) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.closed {
            // Dropped outside the lock: what it holds may wake others.
            drop(queue);
            return drop(slice);
        }
        match queue.lines.iter_mut().find(|(its, _)| *its == line) {
            Some((_, waiting)) => waiting.push_back(slice),
            None => queue.lines.push_back((line, VecDeque::from([slice]))),
        }
        drop(queue);
        self.ready.notify_one();
    }

    /// The next slice to run; `None` once the lane is closed.
    fn next(&self) -> Option<Runnable> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if queue.closed {
                return None;
            }
            if let Some((line, mut waiting)) = queue.lines.pop_front() {
                let slice = waiting.pop_front();
                if !waiting.is_empty() {
                    queue.lines.push_back((line, waiting));
                }
                if slice.is_some() {
                    return slice;
                }
            } else {
                queue = self.ready.wait(queue).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    /// Ends the threads after their slices of this moment, and what waits with them.
    pub(super) fn close(&self) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.closed = true;
        let lines = std::mem::take(&mut queue.lines);
        drop(queue);
        drop(lines);
        self.ready.notify_all();
    }
}

/// Lets other threads go first. One that may not is as it was: the lane still holds.
pub(super) fn step_back() {
    // Elsewhere the priority is the whole process's.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::nice(NICE);
}
