//! The operator's log. It needs no grant, and nothing of it ever reaches the client.
//!
//! A call may write 100 lines of at most 4 KiB by default; a longer line is cut, further lines are dropped and counted.

use std::fmt::Display;

pub use crate::bindings::wardkeep::log::log::Level;
use crate::host;

/// For whoever debugs the plugin.
pub fn debug(message: impl Display) {
    host::log(Level::Debug, &message.to_string());
}

/// Worth knowing.
pub fn info(message: impl Display) {
    host::log(Level::Info, &message.to_string());
}

/// Something is odd and goes on.
pub fn warn(message: impl Display) {
    host::log(Level::Warn, &message.to_string());
}

/// Something failed.
pub fn error(message: impl Display) {
    host::log(Level::Error, &message.to_string());
}
