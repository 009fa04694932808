//! How far a call is, as its plugin says.

use serde::{Deserialize, Serialize};

/// One report. Both numbers are finite, `done` is larger than in the report before, and the message is tidy and short: what
/// makes one sees to that.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// In any unit.
    pub done: f64,
    /// What `done` will be in the end, if that is known.
    pub total: Option<f64>,
    /// For people.
    pub message: Option<String>,
}
