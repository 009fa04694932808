//! What the end-to-end tests stand on: a home, a running host, a raw HTTP client, the guests.

pub mod github;
pub mod guests;
pub mod home;
pub mod http;
pub mod issuer;
pub mod keep_alive;
pub mod names;
pub mod outside;
pub mod proxy;
pub mod serving;
pub mod terminal;
pub mod web;
// Guests of a few lines of WebAssembly, for what no compiler would make: shared with the tests of the sandbox.
#[path = "../host/sandbox/src/tests/guest.rs"]
pub mod wat;
// What issuers sign, and what enemies would: shared with the tests of the gateway.
#[path = "../host/gateway/src/identity/tests/bad.rs"]
pub mod bad;
#[path = "../host/gateway/src/identity/tests/signer.rs"]
pub mod signer;
