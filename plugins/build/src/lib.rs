//! Builds components from Rust guests with whatever compiler this machine can have.
