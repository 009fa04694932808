//! A lane: a few threads that run guests a slice at a time, one plugin after the other.
//!
//! A runtime's own queue would serve every guest alike, so that who has more of them gets more. Here each plugin stands in line
//! once, however many guests it has. And a runtime wakes a second thread to look for more whenever it wakes one: here what becomes ready
//! wakes one thread that waits, and nobody else.
//!
//! A thread that waits looks after connections of its own meanwhile: what arrives on one wakes that thread, and no other has to pass it on.

use std::{
    cell::Cell,
    collections::VecDeque,
    future::{Future, poll_fn},
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    task::{Poll, Waker},
    thread,
};

use async_task::{Runnable, ScheduleInfo, WithInfo};
use tokio::{
    runtime::{Builder, Handle, Runtime},
    sync::oneshot,
};

use super::Lost;

/// How much less the slow lane's threads matter (`nice(2)`): they get a tenth of what others get, and all that nobody else wants.
#[cfg(target_os = "linux")]
pub(super) const NICE: i32 = 10;

/// A thread that never waits looks after its connections once in so many slices.
const SLICES: u32 = 8;

thread_local! {
    /// Which of all lanes' threads this is; 0 if it is none.
    static THREAD: Cell<u64> = const { Cell::new(0) };
}

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
    alive: AtomicUsize,
}

/// One of a lane's threads.
struct Thread {
    number: u64,
    /// Of its connections. Nothing runs there, and no time passes: it is what the thread waits in.
    own: Runtime,
    /// Slices since it last looked after them.
    slices: u32,
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
    /// Threads that wait, with what wakes them. The one that came last is woken first: it is the warmest.
    idle: Vec<(u64, Waker)>,
    closed: bool,
}

impl Queue {
    fn push(&mut self, line: Line, slice: Runnable) {
        match self.lines.iter_mut().find(|(its, _)| *its == line) {
            Some((_, waiting)) => waiting.push_back(slice),
            None => self.lines.push_back((line, VecDeque::from([slice]))),
        }
    }

    /// The next slice, if the lane goes on: one plugin after the other.
    fn pop(&mut self) -> Option<Runnable> {
        let (line, mut waiting) = self.lines.pop_front()?;
        let slice = waiting.pop_front();
        if !waiting.is_empty() {
            self.lines.push_back((line, waiting));
        }
        slice
    }

    /// Who is to be woken for one slice more: this thread itself, if it waits and what it waits for has brought the slice.
    fn waker(&mut self) -> Option<Waker> {
        let here = THREAD.get();
        let own = self.idle.iter().position(|(thread, _)| *thread == here);
        own.map(|at| self.idle.swap_remove(at)).or_else(|| self.idle.pop()).map(|(_, waker)| waker)
    }
}

impl Lane {
    /// Starts the threads, each of which does `first` before anything else, with the handle of what it waits in. What guests wait for besides,
    /// such as timers and file work, runs on `runtime`.
    pub(super) fn start(
        name: &str,
        workers: usize,
        runtime: &Handle,
        first: impl Fn(&Handle) + Clone + Send + 'static,
    ) -> io::Result<Arc<Self>> {
        let lane = Arc::<Self>::default();
        for _ in 0..workers {
            let (lane, runtime, first) = (Arc::clone(&lane), runtime.clone(), first.clone());
            let mut own = Thread::new()?;
            thread::Builder::new().name(name.to_owned()).spawn(move || {
                THREAD.set(own.number);
                first(own.own.handle());
                let _entered = runtime.enter();
                while let Some(slice) = own.next(&lane) {
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
        let schedule = WithInfo(move |slice, info: ScheduleInfo| lane.push(line, slice, info.woken_while_running));
        let (slice, task) = async_task::spawn(future, schedule);
        task.detach();
        slice.schedule();
    }

    /// How many have not come to their end.
    pub(super) fn alive(&self) -> usize {
        self.alive.load(Ordering::Relaxed)
    }

    fn push(&self, line: Line, slice: Runnable, by_its_own_thread: bool) {
        let mut queue = self.lock();
        if queue.closed {
            // Dropped outside the lock: what it holds may wake others.
            drop(queue);
            return drop(slice);
        }
        // The thread that has just run it comes back for the next: for what is alone in line nobody else has to be woken.
        let woken = if by_its_own_thread && queue.lines.is_empty() { None } else { queue.waker() };
        queue.push(line, slice);
        drop(queue);
        if let Some(waker) = woken {
            waker.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the threads after their slices of this moment, and what waits with them.
    pub(super) fn close(&self) {
        let mut queue = self.lock();
        queue.closed = true;
        let (lines, idle) = (std::mem::take(&mut queue.lines), std::mem::take(&mut queue.idle));
        drop(queue);
        drop(lines);
        idle.into_iter().for_each(|(_, waker)| waker.wake());
    }
}

impl Thread {
    fn new() -> io::Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let own = Builder::new_current_thread().enable_io().build()?;
        Ok(Self { number: NEXT.fetch_add(1, Ordering::Relaxed), own, slices: 0 })
    }

    /// The next slice to run; `None` once the lane is closed.
    fn next(&mut self, lane: &Lane) -> Option<Runnable> {
        self.slices += 1;
        if self.slices < SLICES {
            let mut queue = lane.lock();
            if !queue.closed
                && let Some(slice) = queue.pop()
            {
                return Some(slice);
            }
        }
        // Guests that never wait must not keep what others wait for from being heard.
        let mut look = self.slices >= SLICES;
        self.slices = 0;
        self.own.block_on(async {
            if std::mem::take(&mut look) {
                tokio::task::yield_now().await;
            }
            poll_fn(|context| {
                let mut queue = lane.lock();
                queue.idle.retain(|(thread, _)| *thread != self.number);
                if queue.closed {
                    return Poll::Ready(None);
                }
                if let Some(slice) = queue.pop() {
                    return Poll::Ready(Some(slice));
                }
                queue.idle.push((self.number, context.waker().clone()));
                Poll::Pending
            })
            .await
        })
    }
}

/// Lets other threads go first. One that may not is as it was: the lane still holds.
pub(super) fn step_back(_: &Handle) {
    // Elsewhere the priority is the whole process's.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::nice(NICE);
}
