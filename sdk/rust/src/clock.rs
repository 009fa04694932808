//! What time it is: `wasi:clocks`. Needs `[grants.clock.…]`; without it the first question ends the call as denied.
//!
//! `std::time` has no clock in a component: `SystemTime::now()` and `Instant::now()` panic there.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::host;

/// The time of day.
#[must_use]
pub fn now() -> SystemTime {
    UNIX_EPOCH + host::wall_clock()
}

/// Time since some moment, for measuring how long something takes. Never goes back.
#[must_use]
pub fn monotonic() -> Duration {
    host::monotonic_clock()
}
