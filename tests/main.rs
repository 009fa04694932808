//! Wardkeep end to end: the real binary, real components, real clients. One file per promise.

mod clients;
mod durability;
mod http_edge;
mod one_home;
mod support;
mod walls;
