//! Waiting for the process that owns a home: whoever waits may be stopped, and is told once whom for.

use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};
use wardkeep_gateway::{CancellationToken, Relay, RelayError};

use crate::{
    home::{Home, LockError},
    owner::socket,
    screen::note,
};

/// Before this nobody wonders.
const QUIET: Duration = Duration::from_secs(5);
/// Between two looks at a home whose owner neither answers nor is gone.
const PAUSE: Duration = Duration::from_millis(50);

/// One wait, which may take many attempts.
pub(crate) struct Waiting {
    since: Instant,
    told: bool,
    stop: CancellationToken,
}

impl Waiting {
    pub(crate) fn new(stop: CancellationToken) -> Self {
        Self { since: Instant::now(), told: false, stop }
    }

    /// How long it has been.
    pub(crate) fn elapsed(&self) -> Duration {
        self.since.elapsed()
    }

    /// Knocks at the owner's door. Nothing where it was stopped meanwhile.
    pub(crate) async fn knock(
        &mut self,
        home: &Home,
        taken: &LockError,
    ) -> anyhow::Result<Option<Result<Relay, RelayError>>> {
        let path = socket(home.path())?;
        Ok(self.telling(taken, Relay::connect(&path)).await)
    }

    /// Waits a little before the next attempt; false where it was stopped meanwhile.
    pub(crate) async fn pause(&mut self, taken: &LockError) -> bool {
        self.telling(taken, sleep(PAUSE)).await.is_some()
    }

    async fn telling<T>(&mut self, taken: &LockError, doing: impl Future<Output = T>) -> Option<T> {
        let mut doing = std::pin::pin!(doing);
        loop {
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return None,
                done = &mut doing => return Some(done),
                () = sleep_until(self.since + QUIET), if !self.told => {
                    self.told = true;
                    note(format!("{taken}, which does not answer; still waiting for it\n  mend: {}", mend(taken)));
                }
            }
        }
    }
}

/// What to do about an owner that does not answer.
pub(crate) fn mend(taken: &LockError) -> String {
    match taken {
        LockError::Taken { process: Some(id), .. } => {
            format!("it may still be starting; if it hangs, end it: kill -9 {id}")
        }
        _ => "it may still be starting; if it hangs, end it".to_owned(),
    }
}
