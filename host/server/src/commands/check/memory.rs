//! What a host has written for itself and reads at its start: state, log, approvals, kills and brakes. What is damaged there is found here
//! before a start refuses it, or serves less because of it. Reads only.

use wardkeep_policy::Fault;

use crate::{
    approvals,
    home::Home,
    journal,
    kills::{self, StoreError},
    screen::chain,
    state::{State, Store, recover},
};

use super::fault;

/// The state as the home has it, and what is wrong with the host's own files.
pub(super) fn memory(home: &Home) -> (Store, State, Vec<Fault>) {
    let (store, mut faults) = (Store::new(home.state()), Vec::new());
    let file = store.read().map_err(|error| faults.push(fault("state/state.json", &error.into())));
    let replay = journal::replay(home).map_err(|error| faults.push(fault("audit", &error)));
    // Where one of both is damaged, nobody can say whether they agree; plugins are judged by what there is.
    let state = match (file, replay) {
        (Ok(file), Ok(replay)) => match recover(file.clone(), &replay, home.keys().exists()) {
            Ok(recovered) => recovered.state,
            Err(error) => {
                faults.push(fault("state", &error.into()));
                file.unwrap_or_default()
            }
        },
        (Ok(file), Err(())) => file.unwrap_or_default(),
        (Err(()), Ok(replay)) => recover(None, &replay, true).map(|known| known.state).unwrap_or_default(),
        (Err(()), Err(())) => State::default(),
    };
    if let Err(error) = approvals::read(home) {
        let what = if error.is_damage() { "a start sets it aside" } else { "a start is refused" };
        faults.push(with("state/approvals.json", &error, what));
    }
    let kills = kills::Store::new(home.state());
    let mut stopped = |file: &str, error: &StoreError| {
        let what = if error.is_passing() { "it cannot be read now" } else { "everything is stopped" };
        faults.push(with(file, error, what));
    };
    if let Err(error) = kills.read() {
        stopped("state/kills.json", &error);
    }
    if let Err(error) = kills.brakes() {
        stopped("state/brakes.json", &error);
    }
    (store, state, faults)
}

/// The fault, and what comes of it.
fn with(file: &str, error: &(dyn std::error::Error + 'static), what: &str) -> Fault {
    let text = chain(error);
    let (message, mend) = text.split_once("\n  mend: ").unwrap_or((&text, ""));
    let fault = Fault::of(file, format!("{message}; {what}"));
    if mend.is_empty() { fault } else { fault.mend(mend) }
}

#[cfg(test)]
mod tests;
