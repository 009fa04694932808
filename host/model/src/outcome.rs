//! How a call ended, and whose doing it was.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Which bound ended a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "each is the bound of that name in `Limits`")]
pub enum LimitKind {
    Fuel,
    Memory,
    Deadline,
    Output,
    HostCalls,
    /// The guest's stack.
    Stack,
}

/// How a call ended. A denial is an answer, not an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "documented as a table in docs/audit.md")]
pub enum Outcome {
    Ok,
    InputRequired,
    Partial,
    Denied,
    Throttled,
    Unauthenticated,
    InvalidArguments,
    ToolError,
    Trap,
    Limit(LimitKind),
    Cancelled,
    Killed,
    OutputRejected,
    HostError,
}

/// Whose doing it was that a call did not end well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "plain words")]
pub enum Blame {
    Caller,
    Plugin,
    Host,
}

const NAMES: [(Outcome, &str); 19] = [
    (Outcome::Ok, "ok"),
    (Outcome::InputRequired, "input-required"),
    (Outcome::Partial, "partial"),
    (Outcome::Denied, "denied"),
    (Outcome::Throttled, "throttled"),
    (Outcome::Unauthenticated, "unauthenticated"),
    (Outcome::InvalidArguments, "invalid-arguments"),
    (Outcome::ToolError, "tool-error"),
    (Outcome::Trap, "trap"),
    (Outcome::Limit(LimitKind::Fuel), "limit(fuel)"),
    (Outcome::Limit(LimitKind::Memory), "limit(memory)"),
    (Outcome::Limit(LimitKind::Deadline), "limit(deadline)"),
    (Outcome::Limit(LimitKind::Output), "limit(output)"),
    (Outcome::Limit(LimitKind::HostCalls), "limit(host-calls)"),
    (Outcome::Limit(LimitKind::Stack), "limit(stack)"),
    (Outcome::Cancelled, "cancelled"),
    (Outcome::Killed, "killed"),
    (Outcome::OutputRejected, "output-rejected"),
    (Outcome::HostError, "host-error"),
];

impl Outcome {
    /// As records and `audit query --outcome` spell it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        NAMES.iter().find(|(outcome, _)| *outcome == self).map_or("host-error", |(_, name)| name)
    }

    /// The outcome of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        NAMES.iter().find(|(_, known)| *known == name).map(|(outcome, _)| *outcome)
    }

    /// Every outcome's name, for error texts and completions.
    pub fn names() -> impl Iterator<Item = &'static str> {
        NAMES.iter().map(|(_, name)| *name)
    }

    /// Whose doing it was; nobody's where all went well.
    #[must_use]
    pub const fn blame(self) -> Option<Blame> {
        match self {
            Self::Ok | Self::InputRequired | Self::Partial => None,
            Self::Denied | Self::Throttled | Self::Unauthenticated | Self::InvalidArguments | Self::Cancelled => {
                Some(Blame::Caller)
            }
            Self::ToolError | Self::Trap | Self::Limit(_) | Self::OutputRejected => Some(Blame::Plugin),
            Self::Killed | Self::HostError => Some(Blame::Host),
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Outcome {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Outcome {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::parse(&name).ok_or_else(|| serde::de::Error::custom(format!("unknown outcome `{name}`")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_reads_what_it_writes() {
        for (outcome, name) in NAMES {
            assert_eq!(outcome.as_str(), name);
            assert_eq!(Outcome::parse(name), Some(outcome));
        }
    }
}
