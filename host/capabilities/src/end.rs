//! The second kind of failure: a host function that does not answer the guest but ends its call.

use wardkeep_model::{LimitKind, Outcome};

use crate::Stop;

/// Ends the call that is running. It reaches the sandbox through wasmtime as an error to downcast, and becomes the outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EndCall {
    /// The call's token said stop while the guest ran or waited.
    #[error("the call was ended: {0}")]
    Stopped(Stop),
    /// The running tool holds no grant for this, and the function has no error to answer with.
    #[error("`{0}` is not granted to the tool that is running")]
    Denied(&'static str),
    /// A bound was reached in a function that has no error to answer with.
    #[error("a limit was reached in a function that has no error to answer with: {0}")]
    Limit(&'static str),
    /// The guest called `wasi:cli/exit`.
    #[error("the guest ended itself with `wasi:cli/exit`")]
    Exited,
    /// A capability was called from `describe`, which runs with nothing granted.
    #[error("`describe` called a capability; it runs with nothing granted")]
    Describing,
}

impl EndCall {
    /// How a call ends for which this was the reason.
    #[must_use]
    pub const fn outcome(self) -> Outcome {
        match self {
            Self::Stopped(stop) => stop.outcome(),
            Self::Denied(_) => Outcome::Denied,
            Self::Limit(_) => Outcome::Limit(LimitKind::HostCalls),
            Self::Exited | Self::Describing => Outcome::Trap,
        }
    }
}
