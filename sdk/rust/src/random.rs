//! Random numbers fit for keys: `wasi:random`. Needs `[grants.random.…]`; without it the first question ends the call as denied.

use crate::host;

/// So many random bytes; at most 64 KiB at once.
#[must_use]
pub fn bytes(count: u32) -> Vec<u8> {
    host::random_bytes(count)
}

/// A random number.
#[must_use]
pub fn number() -> u64 {
    host::random_number()
}
