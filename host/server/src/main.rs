//! The `wardkeep` binary.

fn main() {}
