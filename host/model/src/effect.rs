//! What the worst run of a tool can do.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The class of a tool, from the mildest to the gravest: the order matters, a manifest may be stricter than the component.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// Changes nothing that anybody else can see.
    Read,
    /// Changes or adds something that can be put back.
    Write,
    /// Changes something that cannot be put back.
    Destructive,
}

impl Effect {
    /// As manifests and records spell it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Destructive => "destructive",
        }
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
