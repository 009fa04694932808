//! How a command of the operator gives its order: to the process that owns the home, or, where nobody does, as the home's owner for as
//! long as the command runs. Never waits longer than it was told to: whoever stops something must not hang with it.

use std::{path::Path, time::Duration};

use tokio::time::{Instant, sleep, timeout};
use wardkeep_gateway::{Done, Order, Relay, RelayError, Undone};

use crate::{
    home::{LockError, Owner},
    owner::socket,
    screen::note,
    waiting::mend,
};

/// Between two looks at an owner that is not to be reached yet.
const PAUSE: Duration = Duration::from_millis(50);

/// Who has the home.
#[derive(Debug)]
pub(crate) enum Reached {
    /// A process that owns it did what it was told.
    Done(Done),
    /// Nobody: it is this command's, for as long as it holds the lock. Nothing serves.
    Free(Owner),
    /// A process owns it, and did not say that it did what it was told. Why not.
    Unconfirmed(anyhow::Error),
}

/// The owner gets this long to write what it has only counted, for somebody who wants to read.
const COUNTS: Duration = Duration::from_secs(2);

/// Has the process that owns the home, if one does, write what it has only counted. The log can be read whatever comes of it.
pub(crate) async fn write_counts(home: &Path) {
    let Ok(path) = socket(home) else { return };
    let asking = async {
        match Relay::connect(&path).await {
            Ok(relay) => relay.order(Order::Counts, COUNTS).await.is_ok(),
            // Nobody serves, or not this user: what there is stands in the log.
            Err(error) => matches!(error, RelayError::Connect(_)),
        }
    };
    if timeout(COUNTS, asking).await != Ok(true) {
        note(
            "the host did not say in time that all is written: repeated refusals of the last 10 s are perhaps not counted here",
        );
    }
}

/// Gives the order, within this time.
pub(crate) async fn give(home: &Path, order: Order, within: Duration) -> Reached {
    let until = Instant::now() + within;
    loop {
        let taken = match Owner::of(home) {
            Ok(lock) => return Reached::Free(lock),
            Err(taken @ LockError::Taken { .. }) => taken,
            Err(failed) => return Reached::Unconfirmed(failed.into()),
        };
        let path = match socket(home) {
            Ok(path) => path,
            Err(error) => return Reached::Unconfirmed(error),
        };
        let left = || until.saturating_duration_since(Instant::now());
        let error = match timeout(left(), Relay::connect(&path)).await {
            Ok(Ok(relay)) => match relay.order(order.clone(), left()).await {
                Ok(done) => return Reached::Done(done),
                // It may have ended or just be starting: whoever owns the home next is asked the same.
                Err(error @ (Undone::Nobody | Undone::Lost)) => anyhow::anyhow!("{taken}: {error}"),
                // It answers, and says why not: there is nothing wrong with it.
                Err(Undone::Failed { what }) => return Reached::Unconfirmed(anyhow::Error::msg(what)),
                Err(error) => {
                    return Reached::Unconfirmed(anyhow::anyhow!("{taken}: {error}\n  mend: {}", mend(&taken)));
                }
            },
            Ok(Err(error @ RelayError::Version { .. })) => return Reached::Unconfirmed(error.into()),
            Ok(Err(error)) => anyhow::anyhow!("{taken}: {error}\n  mend: {}", mend(&taken)),
            Err(_) => anyhow::anyhow!("{taken}, which does not answer\n  mend: {}", mend(&taken)),
        };
        if left() <= PAUSE {
            return Reached::Unconfirmed(error);
        }
        sleep(PAUSE).await;
    }
}
