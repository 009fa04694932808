//! Wardkeep end to end: the real binary, real components, real clients. One file per promise.

mod bounds;
mod clients;
mod documents;
mod durability;
mod grants;
mod http_edge;
mod one_home;
mod support;
mod trust;
mod walls;
