//! Wardkeep end to end.
