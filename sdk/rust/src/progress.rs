//! How far a call is, for the client that made it. It needs no grant, and does nothing for a client that did not ask.
//!
//! ```
//! use wardkeep_sdk::progress;
//!
//! for (at, page) in ["one", "two", "three"].iter().enumerate() {
//!     progress::report(at as f64, Some(3.0), page);
//! }
//! ```

use std::fmt::Display;

use crate::host;

/// Says how far the call is: `done` of `total`, in any unit, and what is being done, for people. `done` has to grow from report to
/// report; one that does not is dropped. It never fails and never waits.
pub fn report(done: f64, total: Option<f64>, message: impl Display) {
    let message = message.to_string();
    host::progress(done, total, Some(message.as_str()).filter(|message| !message.is_empty()));
}
