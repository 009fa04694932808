//! Wardkeep end to end: the real binary, real components, real clients. One file per promise.

#![allow(unreachable_pub, missing_docs, reason = "one test binary: nothing here is anybody's interface")]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test that can't go on fails; clippy excuses functions marked as tests only, not what they share"
)]

mod approvals;
mod attackers;
mod bounds;
mod callers;
mod careless_admin;
mod clients;
mod code_cache;
mod confirming;
mod conformance;
mod deciding;
mod displays;
mod documents;
mod durability;
mod egress;
mod fairness;
mod fetch;
mod files;
mod github;
mod grants;
mod hostile_clients;
mod hostile_guests;
mod hostile_http;
mod hostile_output;
mod hostile_stdio;
mod http_edge;
mod installing;
mod kills;
mod limits;
mod one_home;
mod operations;
mod progress;
mod questions;
mod reloading;
mod returns;
mod revisions;
mod scripts;
mod secrets;
mod signing;
mod soak;
mod stopping;
mod stories;
mod support;
mod trust;
mod versions;
mod walls;
mod writing;
