//! Why a call has to come later.

use std::{fmt, time::Duration};

/// Which limit a call was over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Limit {
    /// The caller's calls, whatever they are for: `limits.rate` of the operator's file.
    RateCaller,
    /// The calls of all callers to this tool: `rate.tool` of its manifest.
    RateTool,
    /// The caller's calls to this tool: `rate.caller` of its manifest.
    RateCallerTool,
    /// The caller's calls that change something: `limits.writes`.
    RateWrites,
    /// The caller's fuel: `limits.fuel_per_minute`.
    FuelBudget,
    /// The caller's calls at once: `limits.concurrency`.
    CallerConcurrency,
    /// The calls of all callers at once: `limits.calls`, or more callers than are remembered.
    Overload,
    /// The caller's answers to questions that are remembered, so that none counts twice.
    Answers,
}

impl Limit {
    /// As records spell it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RateCaller => "rate-caller",
            Self::RateTool => "rate-tool",
            Self::RateCallerTool => "rate-caller-tool",
            Self::RateWrites => "rate-writes",
            Self::FuelBudget => "fuel-budget",
            Self::CallerConcurrency => "caller-concurrency",
            Self::Overload => "overload",
            Self::Answers => "answers-remembered",
        }
    }

    /// What the caller is told. Of numbers nothing: they are the operator's and the approvers'.
    pub(crate) const fn told(self) -> &'static str {
        match self {
            Self::RateCaller => "too many calls",
            Self::RateTool => "too many calls to this tool",
            Self::RateCallerTool => "too many calls of yours to this tool",
            Self::RateWrites => "too many calls that change something",
            Self::FuelBudget => "too much computation",
            Self::CallerConcurrency => "too many calls at once",
            Self::Overload => "the host is busy",
            Self::Answers => "too many questions answered",
        }
    }

    /// Where it is set.
    const fn place(self) -> &'static str {
        match self {
            Self::RateCaller => "`limits.rate` in wardkeep.toml",
            Self::RateTool => "`rate.tool` in the tool's manifest",
            Self::RateCallerTool => "`rate.caller` in the tool's manifest",
            Self::RateWrites => "`limits.writes` in wardkeep.toml",
            Self::FuelBudget => "`limits.fuel_per_minute` in wardkeep.toml",
            Self::CallerConcurrency => "`limits.concurrency` in wardkeep.toml",
            Self::Overload => "`limits.calls` in wardkeep.toml",
            Self::Answers => "no file sets it; a caller answers as many in five minutes as stay free",
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A call that was not let in, and used up nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{limit}: {}", limit.place())]
pub struct Throttled {
    /// Over which limit it was; of several the one that takes longest.
    pub limit: Limit,
    /// When it is worth asking again.
    pub retry_after: Duration,
}
