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
        let effort = tool.effort(&arguments);
        self.run(tool, effort, move |tool| tool.check(arguments)).await
    }

    /// A structured answer, given back as it is if it fits. Without a schema, everything does.
    pub(crate) async fn output(&self, tool: &Arc<Tool>, value: Value) -> Result<Value, Unfit> {
        let effort = tool.output().map_or(0, |schema| schema.effort(&value));
        let fits = move |tool: &Tool| tool.output().map_or(Ok(()), |schema| schema.check(&value)).map(|()| value);
        self.run(tool, effort, fits).await
    }

    async fn run<T, F>(&self, tool: &Arc<Tool>, effort: u64, check: F) -> Result<T, Unfit>
    where
        T: Send + 'static,
        F: FnOnce(&Tool) -> Result<T, Mismatch> + Send + 'static,
    {
        if effort <= TRIFLE {
            return check(tool).map_err(Unfit::Mismatch);
        }
        let (share, places) = (self.share(tool.published().as_str()), Arc::clone(&self.places));
        let turn = async {
            // the tool's own first: who waits for that takes no place from others
            Some((share.acquire_owned().await.ok()?, places.acquire_owned().await.ok()?))
        };
        let turn = tokio::time::timeout(self.patience, turn).await.ok().flatten().ok_or(Unfit::Busy)?;
        let tool = Arc::clone(tool);
        let checking = tokio::task::spawn_blocking(move || {
            // held to the real end, whoever waits for it
            let _turn = turn;
            check(&tool)
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
