//! `wardkeep:progress`: how far a call is, for the client that made it.
//!
//! The guest never waits and never fills memory: a few reports wait for a client that is slow, and beyond them the newest takes
//! the place of the one before. Who reads them ([`Reports`]) sets the pace. A client that asked for no reports has no
//! [`Reporter`] in its call.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};
use wardkeep_model::Progress;

use crate::{CallState, bindings::progress, log::escaped};

/// Reports that one call may make.
const MOST: u32 = 1_000;
/// Bytes of a report's message.
const MESSAGE: usize = 512;
/// Reports that wait to be read, and that are read at once after a rest.
const BURST: usize = 16;
/// After a burst, one report each so often.
const EVERY: Duration = Duration::from_millis(50);

/// The end that reports are put in at. A clone is the same end: a call that asks questions has several legs, and one client.
#[derive(Debug, Clone)]
pub struct Reporter(Arc<End>);

#[derive(Debug)]
struct End(Arc<Shared>);

/// The end that they are read from, at a bounded pace.
#[derive(Debug)]
pub struct Reports {
    shared: Arc<Shared>,
    /// How many may be read at once, and when that was counted.
    free: usize,
    counted: Instant,
}

#[derive(Debug, Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    news: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    reports: VecDeque<Progress>,
    last: Option<f64>,
    over: bool,
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reporter {
    /// Both ends.
    #[must_use]
    pub fn new() -> (Self, Reports) {
        let shared = Arc::new(Shared::default());
        (Self(Arc::new(End(Arc::clone(&shared)))), Reports { shared, free: BURST, counted: Instant::now() })
    }

    /// Puts a report in. False if it took another's place, or does not grow and was dropped.
    pub fn put(&self, report: Progress) -> bool {
        let shared = &self.0.0;
        let mut waiting = shared.waiting();
        // MCP, Progress: "the progress value MUST increase with each notification"
        if waiting.last.is_some_and(|last| report.done <= last) {
            return false;
        }
        waiting.last = Some(report.done);
        let full = waiting.reports.len() >= BURST;
        if full {
            waiting.reports.pop_back();
        }
        waiting.reports.push_back(report);
        drop(waiting);
        shared.news.notify_one();
        !full
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.0.waiting().over = true;
        self.0.news.notify_one();
    }
}

impl Reports {
    /// The next report, not before its time; nothing once the call is over and all were read. May be dropped while it waits.
    pub async fn next(&mut self) -> Option<Progress> {
        loop {
            let found = {
                let waiting = self.shared.waiting();
                if waiting.reports.is_empty() && waiting.over {
                    return None;
                }
                !waiting.reports.is_empty()
            };
            if !found {
                // a report that comes before this wait has left a permit
                self.shared.news.notified().await;
                continue;
            }
            self.its_time().await;
            if let Some(report) = self.shared.waiting().reports.pop_front() {
                self.free = self.free.saturating_sub(1);
                return Some(report);
            }
        }
    }

    /// The reports that were not read, at once: a few, the newest among them. What comes after them is lost.
    #[must_use]
    pub fn rest(self) -> VecDeque<Progress> {
        std::mem::take(&mut self.shared.waiting().reports)
    }

    async fn its_time(&mut self) {
        if self.free == 0 {
            tokio::time::sleep_until(self.counted + EVERY).await;
        }
        let rested = self.counted.elapsed().as_millis() / EVERY.as_millis();
        if rested > 0 {
            self.free = self.free.saturating_add(usize::try_from(rested).unwrap_or(BURST)).min(BURST);
            self.counted = Instant::now();
        }
    }
}

/// One call's progress.
#[derive(Debug, Default)]
pub(crate) struct CallProgress {
    pub(crate) reporter: Option<Reporter>,
    made: u32,
    /// Only the numbers of a report go on.
    pub(crate) hides_words: bool,
    /// Reports that did not go on, or took another's place.
    pub(crate) dropped: u32,
}

impl CallProgress {
    #[cfg(test)]
    pub(crate) const fn to(reporter: Option<Reporter>) -> Self {
        Self { reporter, made: 0, hides_words: false, dropped: 0 }
    }

    fn report(&mut self, done: f64, total: Option<f64>, message: Option<String>) {
        let Some(reporter) = &self.reporter else { return };
        let finite = done.is_finite() && total.is_none_or(f64::is_finite);
        if self.made >= MOST || !finite {
            self.dropped = self.dropped.saturating_add(1);
            return;
        }
        self.made += 1;
        let message = message
            .filter(|message| !message.is_empty() && !self.hides_words)
            .map(|message| escaped(&message, MESSAGE));
        if !reporter.put(Progress { done, total, message }) {
            self.dropped = self.dropped.saturating_add(1);
        }
    }
}

impl progress::Host for CallState {
    async fn report(&mut self, done: f64, total: Option<f64>, message: Option<String>) -> wasmtime::Result<()> {
        let message = message.map(|message| self.without_secrets("progress", message));
        self.progress.report(done, total, message);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
