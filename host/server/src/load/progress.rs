//! A word on standard error for each plugin that takes its time, and none for those that do not.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{task::AbortHandle, time::Instant};

use crate::screen::{escaped, note};

/// Before this nobody wonders what is going on.
const QUIET: Duration = Duration::from_secs(2);
/// A plugin that is ready within this is not worth a word, however long the others took.
const SHORT: Duration = Duration::from_secs(1);

/// The loading of one fleet.
pub(super) struct Progress {
    all: usize,
    begun: AtomicUsize,
    since: Instant,
}

/// One plugin that is being compiled. Dropped when it is done.
pub(super) struct Begun(AbortHandle);

impl Progress {
    pub(super) fn of(all: usize) -> Arc<Self> {
        Arc::new(Self { all, begun: AtomicUsize::new(0), since: Instant::now() })
    }

    /// Tells of this plugin once, if it takes long.
    pub(super) fn begin(&self, plugin: &str, bytes: usize) -> Begun {
        let number = self.begun.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        let text = format!("compiling {number} of {}: {} ({}) …", self.all, escaped(plugin), megabytes(bytes));
        let when = (self.since + QUIET).max(Instant::now() + SHORT);
        let telling = tokio::spawn(async move {
            tokio::time::sleep_until(when).await;
            note(text);
        });
        Begun(telling.abort_handle())
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn megabytes(bytes: usize) -> String {
    let tenths = bytes.saturating_add(50_000) / 100_000;
    format!("{}.{} MB", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_told_in_megabytes() {
        assert_eq!([40_000, 60_000, 4_649_999, 18_655_481].map(megabytes), ["0.0 MB", "0.1 MB", "4.6 MB", "18.7 MB"]);
    }
}
