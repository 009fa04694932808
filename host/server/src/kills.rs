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

use jiff::Timestamp;
use wardkeep_policy::kill::{Kill, Kills, Stops};

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
pub(crate) fn together(book: &Book, brakes: &Brakes, more: Option<&Kill>, now: Timestamp) -> Kills {
    let all = book.kills.iter().chain(&brakes.kills).chain(more);
    let mut stops: Stops = book.stops(now);
    stops.extend(brakes.stops.iter().map(|(target, at)| (target.clone(), at)));
    stops.extend(book::ends(brakes.kills.iter().filter(|kill| !kill.holds(now)).cloned()));
    stops.until(now);
    Kills::new(all.filter(|kill| kill.holds(now)).cloned().collect()).after(stops)
}

/// The kill that stands in the place of kills that cannot be read.
fn everything(error: &StoreError, now: Timestamp) -> Kill {
    let error = error.to_string();
    let reason = error.lines().next().unwrap_or_default().to_owned();
    Kill { target: wardkeep_policy::kill::Target::All, reason, by: "wardkeep".to_owned(), since: now, until: None }
}
