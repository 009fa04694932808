//! One function maps every way in which a guest can end to an outcome.

use serde::{Deserialize, Serialize};
use wardkeep_capabilities::{EndCall, shown};
use wardkeep_model::{LimitKind, Outcome};
use wasmtime::{PoolConcurrencyLimitError, Trap};

use crate::instance::Guest;

/// Bytes of the operator's text.
const DETAIL: usize = 1_024;
/// Part of wasmtime's text for it: the error has no type to tell it by. A test holds it to the version in use.
const HOSTCALL_FUEL: &str = "fuel allocated for hostcalls has been exhausted";

/// A call that did not come to an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stopped {
    /// How it ended.
    pub outcome: Outcome,
    /// For the operator only. May hold words of the guest, escaped.
    pub detail: String,
}

impl Stopped {
    pub(crate) fn new(outcome: Outcome, detail: &str) -> Self {
        Self { outcome, detail: shown(detail, DETAIL) }
    }
}

/// Why the guest of this store ended with this error.
pub(crate) fn why(error: &wasmtime::Error, guest: &Guest) -> Stopped {
    let text = format!("{error:#}");
    let outcome = if let Some(end) = error.downcast_ref::<EndCall>() {
        end.outcome()
    } else if error.is::<PoolConcurrencyLimitError>() {
        Outcome::HostError
    } else if let Some(trap) = error.downcast_ref::<Trap>() {
        match trap {
            Trap::OutOfFuel => Outcome::Limit(LimitKind::Fuel),
            Trap::StackOverflow => Outcome::Limit(LimitKind::Stack),
            Trap::Interrupt => guest.call.token().state().map_or(Outcome::Limit(LimitKind::Deadline), |s| s.outcome()),
            _ => after_refusal(guest),
        }
    } else if text.contains(HOSTCALL_FUEL) {
        Outcome::Limit(LimitKind::Output)
    } else {
        after_refusal(guest)
    };
    Stopped::new(outcome, &text)
}

/// A guest that was refused memory aborts: what shows is its own trap, the cause is the bound.
fn after_refusal(guest: &Guest) -> Outcome {
    if guest.limiter.refused() { Outcome::Limit(LimitKind::Memory) } else { Outcome::Trap }
}
