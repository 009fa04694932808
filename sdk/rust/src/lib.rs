//! The Rust SDK for Wardkeep plugins.
