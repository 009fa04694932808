//! One call that waits for the operator's yes, has it, or had it.

use std::{fmt, str::FromStr};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use wardkeep_model::CorrelationId;
use wardkeep_policy::kill::{Kills, Target};

use super::{Matter, Shown};

/// Names an approval, to the caller who repeats the call and to the operator who decides. It proves nothing: whoever brings it must be the
/// caller who was given it, with the same call.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ApprovalId(String);

const PREFIX: &str = "apv-";
const DIGITS: usize = 16;
/// Why a kill takes an approval back.
const STOPPED: &str = "such calls were stopped";

/// Text that names no approval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an approval is named `apv-` and 16 lower-case hexadecimal digits")]
pub struct InvalidApprovalId;

impl ApprovalId {
    pub(crate) fn from_bytes(bytes: [u8; 8]) -> Self {
        Self(format!("{PREFIX}{:016x}", u64::from_be_bytes(bytes)))
    }

    /// As it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ApprovalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for ApprovalId {
    type Err = InvalidApprovalId;

    fn from_str(text: &str) -> Result<Self, InvalidApprovalId> {
        let digits = text.strip_prefix(PREFIX).ok_or(InvalidApprovalId)?;
        let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        let valid = digits.len() == DIGITS && digits.bytes().all(hex);
        if valid { Ok(Self(text.to_owned())) } else { Err(InvalidApprovalId) }
    }
}

impl TryFrom<String> for ApprovalId {
    type Error = InvalidApprovalId;

    fn try_from(text: String) -> Result<Self, InvalidApprovalId> {
        text.parse()
    }
}

impl From<ApprovalId> for String {
    fn from(id: ApprovalId) -> Self {
        id.0
    }
}

/// A call and where it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// Its name.
    pub id: ApprovalId,
    /// The call.
    pub matter: Matter,
    /// The same for people.
    pub shown: Shown,
    /// The call in which it was asked for.
    pub correlation: CorrelationId,
    /// When.
    pub asked: Timestamp,
    /// Until when it can be decided, or where it is approved, used.
    pub until: Timestamp,
    /// Where it stands.
    pub standing: Standing,
}

/// Where an approval stands. Nothing leads back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is", deny_unknown_fields)]
pub enum Standing {
    /// Nobody has decided yet.
    Pending,
    /// It may run, once.
    Approved(Decided),
    /// It may not.
    Denied(Decided),
    /// It was about to run: whether it did stands in the audit log under that call.
    Used {
        /// Who approved it.
        by: String,
        /// When it was used.
        at: Timestamp,
        /// The call that used it.
        call: CorrelationId,
    },
    /// Nobody decided in time, or it was not used in time.
    Expired,
    /// Such calls were stopped since it was asked for.
    Withdrawn(Decided),
}

/// Who decided, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decided {
    /// As the operating system knows them, or the host itself.
    pub by: String,
    /// In their words; the caller is told the reason of a denial.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

impl Approval {
    /// The journal holds the call that used it: whatever else is said of it, it is good for no other.
    pub fn used_before(&mut self, call: &CorrelationId, at: Timestamp) {
        let by = match &self.standing {
            Standing::Used { .. } => return,
            Standing::Approved(decided) => decided.by.clone(),
            _ => String::new(),
        };
        self.standing = Standing::Used { by, at, call: call.clone() };
    }
}

impl Approval {
    /// What has stopped such calls since it was asked for, if it is open: then it is good for nothing, whatever is kept of it. A moment decides and not
    /// what was done at that moment, so neither a crash nor a host that was not there lets it through.
    #[must_use]
    pub fn stopped_by<'k>(&self, kills: &'k Kills, now: Timestamp) -> Option<&'k Target> {
        let stopped = || kills.stopped_since(&self.matter.call(), self.asked, now);
        if self.standing.is_open() { stopped() } else { None }
    }

    /// Takes it back where such calls were stopped.
    pub fn withdraw(&mut self, kills: &Kills, now: Timestamp) -> Option<Target> {
        let target = self.stopped_by(kills, now)?.clone();
        // who stopped it, and why, stands in the record of the kill
        let (by, reason) = (format!("wardkeep (kill {target})"), STOPPED.to_owned());
        self.settle(Standing::Withdrawn(Decided { by, reason, at: now }));
        Some(target)
    }

    /// From now on nobody needs to see what the arguments were.
    pub(super) fn settle(&mut self, standing: Standing) {
        self.standing = standing;
        self.shown.arguments.clear();
    }
}

impl Standing {
    /// In a word.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved(_) => "approved",
            Self::Denied(_) => "denied",
            Self::Used { .. } => "used",
            Self::Expired => "expired",
            Self::Withdrawn(_) => "withdrawn",
        }
    }

    /// Whether somebody can still do something with it.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        matches!(self, Self::Pending | Self::Approved(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_approval_is_named_in_one_way_only() {
        let id = ApprovalId::from_bytes([0, 1, 2, 3, 4, 5, 6, 255]);
        assert_eq!(id.as_str(), "apv-00010203040506ff");
        assert_eq!(id.as_str().parse(), Ok(id));
        for text in
            ["", "apv-", "apv-00010203040506f", "apv-00010203040506FF", "00010203040506ff", "apv-00010203040506ff "]
        {
            assert_eq!(text.parse::<ApprovalId>(), Err(InvalidApprovalId), "{text}");
        }
    }
}
