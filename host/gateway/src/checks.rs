//! Where values are checked against plugins' schemas. A schema is a plugin's and burns the host's own processor: what is more than a
//! trifle runs away from the threads that serve, few at a time, and one tool never has all the places.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use serde_json::{Map, Value};
use tokio::sync::Semaphore;
use wardkeep_policy::{Arguments, Mismatch, Tool};
use wardkeep_sandbox::NotAdmitted;

use crate::NoAnswer;

/// Up to this effort, half a millisecond, a check is done at once: it would take longer to move it.
const TRIFLE: u64 = 1_000_000;
/// So long a check waits for a place.
const PATIENCE: Duration = Duration::from_secs(5);
/// What a caller is told whose check found no place.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The places for checks that cost something.
pub(crate) struct Checks {
    places: Arc<Semaphore>,
    most_each: usize,
    /// Of the tools that are being checked now.
    shares: Mutex<HashMap<String, Weak<Semaphore>>>,
    patience: Duration,
}

/// Why a value was not found to fit.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unfit {
    Mismatch(Mismatch),
    /// There was no place in time.
    Busy,
}

impl From<Unfit> for NoAnswer {
    fn from(unfit: Unfit) -> Self {
        match unfit {
            Unfit::Mismatch(mismatch) => Self::Arguments(mismatch),
            Unfit::Busy => Self::NotAdmitted(NotAdmitted::Throttled { retry_after: RETRY_AFTER }),
        }
    }
}

impl Checks {
    pub(crate) fn new() -> Self {
        Self::with_places(std::thread::available_parallelism().map_or(2, usize::from).max(2))
    }

    fn with_places(places: usize) -> Self {
        let most_each = places.div_ceil(2);
        Self { places: Arc::new(Semaphore::new(places)), most_each, shares: Mutex::default(), patience: PATIENCE }
    }

    pub(crate) async fn arguments(&self, tool: &Arc<Tool>, arguments: Map<String, Value>) -> Result<Arguments, Unfit> {
        let (effort, checked) = (tool.effort(&arguments), Arc::clone(tool));
        self.run(tool.published().as_str(), effort, move || checked.check(arguments)).await
    }

    /// A structured answer, given back as it is if it fits. Without a schema, everything does.
    pub(crate) async fn output(&self, tool: &Arc<Tool>, value: Value) -> Result<Value, Unfit> {
        let (effort, checked) = (tool.output().map_or(0, |schema| schema.effort(&value)), Arc::clone(tool));
        let fits = move || checked.output().map_or(Ok(()), |schema| schema.check(&value)).map(|()| value);
        self.run(tool.published().as_str(), effort, fits).await
    }

    async fn run<T, F>(&self, tool: &str, effort: u64, check: F) -> Result<T, Unfit>
    where
        T: Send + 'static,
        F: FnOnce() -> Result<T, Mismatch> + Send + 'static,
    {
        if effort <= TRIFLE {
            return check().map_err(Unfit::Mismatch);
        }
        let (share, places) = (self.share(tool), Arc::clone(&self.places));
        let turn = async {
            // the tool's own first: who waits for that takes no place from others
            Some((share.acquire_owned().await.ok()?, places.acquire_owned().await.ok()?))
        };
        let turn = tokio::time::timeout(self.patience, turn).await.ok().flatten().ok_or(Unfit::Busy)?;
        let checking = tokio::task::spawn_blocking(move || {
            // held to the real end, whoever waits for it
            let _turn = turn;
            check()
        });
        checking.await.map_err(|_| Unfit::Busy)?.map_err(Unfit::Mismatch)
    }

    fn share(&self, tool: &str) -> Arc<Semaphore> {
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(share) = shares.get(tool).and_then(Weak::upgrade) {
            return share;
        }
        shares.retain(|_, share| share.strong_count() > 0);
        let share = Arc::new(Semaphore::new(self.most_each));
        shares.insert(tool.to_owned(), Arc::downgrade(&share));
        share
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    const DEAR: u64 = TRIFLE + 1;

    #[tokio::test(flavor = "multi_thread")]
    async fn one_tool_s_checks_leave_places_for_another_s_and_wait_only_so_long() {
        let mut checks = Checks::with_places(4);
        checks.patience = Duration::from_millis(200);
        let checks = Arc::new(checks);
        let (begun, count) = mpsc::channel();
        let mut holding = Vec::new();
        let mut held = Vec::new();
        for _ in 0..4 {
            let (hold, until) = mpsc::channel::<()>();
            let (checks, begun) = (Arc::clone(&checks), begun.clone());
            holding.push(hold);
            held.push(tokio::spawn(async move {
                let check = move || {
                    begun.send(()).unwrap();
                    let _ = until.recv();
                    Ok(())
                };
                checks.run("slow", DEAR, check).await
            }));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(count.try_iter().count(), 2, "half of the places");
        assert_eq!(checks.run("other", DEAR, || Ok(7)).await, Ok(7));
        assert_eq!(checks.run("slow", TRIFLE, || Ok(7)).await, Ok(7), "a trifle is done at once");
        assert_eq!(checks.run("slow", DEAR, || Ok(7)).await, Err(Unfit::Busy));
        drop(holding);
        let mut ended = Vec::new();
        for held in held {
            ended.push(held.await.unwrap());
        }
        assert_eq!(ended.iter().filter(|ended| **ended == Ok(())).count(), 2, "the two that waited gave up: {ended:?}");
        assert_eq!(checks.run("slow", DEAR, || Ok(7)).await, Ok(7));
        checks.run("another", DEAR, || Ok(())).await.unwrap();
        assert_eq!(checks.shares.lock().unwrap().len(), 1, "shares that nobody uses are forgotten");
    }

    #[tokio::test]
    async fn a_check_that_panics_ends_alone() {
        let checks = Checks::with_places(2);
        let panics = || -> Result<(), Mismatch> { panic!("a check") };
        assert_eq!(checks.run("tool", DEAR, panics).await, Err(Unfit::Busy));
        assert_eq!(checks.run("tool", DEAR, || Ok(7)).await, Ok(7));
    }
}
