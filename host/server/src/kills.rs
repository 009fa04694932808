//! What is stopped, so that no crash forgets it: `state/kills.json` is written by commands, whether a host runs or not, and taken up by
//! whichever host owns the home. What the host stops by itself (brakes) is written by that host alone, to `state/brakes.json`.
//!
//! The journal mirrors the operator's kills. Whichever of both knows the later change holds, so that neither losing the file nor putting an
//! old copy of it back lifts a kill. A file that is there and cannot be read stops everything.

mod book;
mod keeper;
mod ledger;
mod store;

pub(crate) use book::{Book, Change, What};
pub(crate) use keeper::Keeper;
pub(crate) use ledger::Ledger;
pub(crate) use store::{Brakes, Store, StoreError};

use std::time::Duration;

use jiff::Timestamp;
use tokio::{task::spawn_blocking, time::timeout};
use wardkeep_policy::kill::{Kill, Kills, Stops, Target, UNREADABLE};

use crate::{
    home::{Home, Owner},
    screen::note,
};

/// A log that takes longer to read is not waited for.
const REMEMBER: Duration = Duration::from_secs(5);

/// Who sets a brake.
pub(crate) const BRAKE: &str = "wardkeep (brake)";

/// All that holds now, as the files have it: for commands that explain decisions. What cannot be read stops everything.
pub(crate) fn in_force(store: &Store, now: Timestamp) -> Kills {
    let read = store.read().and_then(|book| Ok((book, store.brakes()?)));
    match read {
        Ok((book, brakes)) => together(&book.unwrap_or_default(), &brakes, None, now),
        Err(error) => Kills::new(vec![everything(&error, now)]),
    }
}

/// What holds of all these, and when each target was stopped last.
pub(crate) fn together<'a>(
    book: &'a Book,
    brakes: &'a Brakes,
    more: impl IntoIterator<Item = &'a Kill>,
    now: Timestamp,
) -> Kills {
    let all = book.kills.iter().chain(&brakes.kills).chain(more);
    let mut stops: Stops = book.stops(now);
    stops.extend(brakes.stops.iter().map(|(target, at)| (target.clone(), at)));
    stops.extend(book::ends(brakes.kills.iter().filter(|kill| !kill.holds(now)).cloned()));
    stops.until(now);
    Kills::new(all.filter(|kill| kill.holds(now)).cloned().collect()).after(stops)
}

/// Where no host serves that would do it: writes the operator's file anew that was lost, or put back as it was before. Else a command would take for
/// lifted, and record as lifted, what the audit log knows to be stopped.
pub(crate) async fn restore(home: &Home) {
    let Ok(_lock) = Owner::of(home.path()) else { return };
    let store = Store::new(home.state());
    // one that is damaged is for the command to tell
    let Ok(book) = store.read() else { return };
    let (audit, change) = (home.audit(), book.map_or(0, |book| book.change));
    let replaying = spawn_blocking(move || audit.exists().then(|| wardkeep_audit::replay(&audit)).transpose());
    let known = match timeout(REMEMBER, replaying).await {
        Ok(Ok(Ok(known))) => known.map(|replay| Book::remembered(&replay)),
        Ok(Ok(Err(error))) => return note(format!("what is stopped was not compared with the audit log: {error}")),
        Ok(Err(_)) | Err(_) => {
            return note("what is stopped was not compared with the audit log: it takes too long to read");
        }
    };
    let Some(known) = known.filter(|known| known.change > change) else { return };
    let restored = store.change(|book| {
        if book.change < known.change {
            *book = known;
        }
    });
    match restored {
        Ok(()) => note(
            "state/kills.json was gone or older than the audit log: it was written anew from that, and lifts nothing",
        ),
        Err(error) => note(format!("state/kills.json could not be written anew: {error}")),
    }
}

/// The kill that stands in the place of kills that cannot be read.
fn everything(error: &StoreError, now: Timestamp) -> Kill {
    let error = error.to_string();
    // where it is quoted, no backtick stands as it is
    let reason = error.lines().next().unwrap_or_default().replace('`', "");
    Kill { target: Target::All, reason, by: UNREADABLE.to_owned(), since: now, until: None }
}
