//! The threads that connections are served on. Each has its own, from the first byte to the last: a runtime of several threads would wake a
//! second one for most requests, to look for more to do, and one more to pass on what the first was woken for.
//!
//! Nothing of a plugin's runs here.

use std::{io, thread};

use tokio::{
    runtime::{Builder, Handle},
    task::JoinSet,
};
use tokio_util::sync::{CancellationToken, DropGuard};

/// More would not be busy: what calls need most of is done elsewhere.
const MOST: usize = 8;
/// Each one's threads for messages that are too large to be looked through in passing.
const BLOCKING: usize = 32;

pub(super) struct Threads {
    each: Vec<Handle>,
    _end: DropGuard,
}

impl Threads {
    /// As many as there are processors.
    pub(super) fn start() -> io::Result<Self> {
        let ended = CancellationToken::new();
        let end = ended.clone().drop_guard();
        let count = thread::available_parallelism().map_or(2, usize::from).min(MOST);
        let mut each = Vec::with_capacity(count);
        for _ in 0..count {
            let runtime = Builder::new_current_thread().max_blocking_threads(BLOCKING).enable_all().build()?;
            each.push(runtime.handle().clone());
            let ended = ended.clone();
            thread::Builder::new().name("http".to_owned()).spawn(move || {
                runtime.block_on(ended.cancelled());
                runtime.shutdown_background();
            })?;
        }
        Ok(Self { each, _end: end })
    }

    /// Serves a connection on the thread that has the fewest.
    pub(super) fn spawn(&self, all: &mut JoinSet<()>, connection: impl Future<Output = ()> + Send + 'static) {
        if let Some(thread) = self.each.iter().min_by_key(|thread| thread.metrics().num_alive_tasks()) {
            all.spawn_on(connection, thread);
        }
    }
}
