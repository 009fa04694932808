//! Wardkeep end to end: the real binary, real components, real clients. One file per promise.

mod support;
mod walls;
