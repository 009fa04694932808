//! How many calls run at once, of a tool, of a plugin and in all. A call whose tool is busy waits a moment for its turn; what finds
//! no place then is told when to come again.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};
use wardkeep_model::{Limits, ToolName};

use crate::{
    Plugin,
    room::{Place, Room},
};

/// What a caller is told who finds no place: about one call's time.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// A call waits this long for a place of its tool: a burst of short calls is served, one after the other, and not refused.
const PATIENCE: Duration = Duration::from_secs(1);
/// Calls of one tool that wait. They hold their arguments meanwhile.
const WAITING: u32 = 128;

/// The places of one tool.
#[derive(Debug)]
pub(crate) struct Places {
    free: Arc<Semaphore>,
    waiting: AtomicU32,
}

impl Places {
    pub(crate) fn new(calls: u32) -> Self {
        Self { free: Arc::new(Semaphore::new(calls as usize)), waiting: AtomicU32::new(0) }
    }

    /// One of them, in the order in which calls asked.
    async fn take(&self) -> Option<OwnedSemaphorePermit> {
        if let Ok(place) = Arc::clone(&self.free).try_acquire_owned() {
            return Some(place);
        }
        let _waiting = Waiting::begin(&self.waiting)?;
        timeout(PATIENCE, Arc::clone(&self.free).acquire_owned()).await.ok()?.ok()
    }
}

/// One of those that wait, as long as it lives.
struct Waiting<'a>(&'a AtomicU32);

impl<'a> Waiting<'a> {
    fn begin(waiting: &'a AtomicU32) -> Option<Self> {
        let one_more = |waiting| (waiting < WAITING).then_some(waiting + 1);
        waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).ok().map(|_| Self(waiting))
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A place for one call of one tool. Given back when it is dropped; a call that runs holds it to its real end.
#[derive(Debug)]
pub struct Ticket {
    pub(crate) plugin: Plugin,
    pub(crate) tool: ToolName,
    _of_tool: OwnedSemaphorePermit,
    _of_all: Place,
}

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAdmitted {
    /// All places are taken.
    #[error("too many calls at once; try again in {} s", retry_after.as_secs())]
    Throttled {
        /// When it is worth asking again.
        retry_after: Duration,
    },
    /// The plugin is not called any more until the next load: host functions panicked in its calls.
    #[error("the plugin is out of service")]
    OutOfService,
}

/// Takes a place of the tool and one of all, or none.
pub(crate) async fn admit(
    room: &Room,
    plugin: &Plugin,
    tool: &ToolName,
    limits: &Limits,
) -> Result<Ticket, NotAdmitted> {
    let full = NotAdmitted::Throttled { retry_after: RETRY_AFTER };
    let own = plugin.0.tools.get(tool).ok_or(NotAdmitted::OutOfService)?;
    if plugin.is_out_of_service() {
        return Err(NotAdmitted::OutOfService);
    }
    let of_tool = own.places.take().await.ok_or(full)?;
    // It may have been put out of service by those that ran meanwhile.
    if plugin.is_out_of_service() {
        return Err(NotAdmitted::OutOfService);
    }
    let of_all = room.take(plugin.name(), limits.memory).ok_or(full)?;
    Ok(Ticket { plugin: plugin.clone(), tool: tool.clone(), _of_tool: of_tool, _of_all: of_all })
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[tokio::test]
    async fn who_finds_all_places_taken_gets_the_next_that_is_given_back() {
        let places = Arc::new(Places::new(1));
        let first = places.take().await;
        let second = tokio::spawn({
            let places = Arc::clone(&places);
            async move { places.take().await.is_some() }
        });
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(!second.is_finished());
        drop(first);
        assert!(second.await.unwrap());
        assert_eq!(places.waiting.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn nobody_waits_longer_than_a_moment_and_no_more_than_a_few_wait() {
        let places = Arc::new(Places::new(1));
        let _first = places.take().await;
        let waiting: Vec<_> = (0..WAITING)
            .map(|_| {
                let places = Arc::clone(&places);
                tokio::spawn(async move { places.take().await.is_some() })
            })
            .collect();
        while places.waiting.load(Ordering::Relaxed) < WAITING {
            tokio::task::yield_now().await;
        }
        assert!(Waiting::begin(&places.waiting).is_none(), "one too many");
        let asked = Instant::now();
        assert!(places.take().await.is_none());
        assert!(asked.elapsed() < PATIENCE, "and is refused at once");
        for one in waiting {
            assert!(!one.await.unwrap());
        }
        assert!(asked.elapsed() < 10 * PATIENCE, "{:?}", asked.elapsed());
        assert_eq!(places.waiting.load(Ordering::Relaxed), 0);
    }
}
