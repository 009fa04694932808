//! What happened: the journal of every call, its chain and its queries.
//!
//! A call is recorded twice: its [`Intent`] before the component starts, its [`Closing`] before the answer leaves. No committed
//! intent, no call; no committed outcome, no answer. The journal is append-only JSON lines in segments, each line one OCSF 1.8
//! API Activity event that carries the digest of the line before. `docs/audit.md` is the page for operators.
//!
//! This crate receives finished records: it knows no rules, and it has no field to put arguments, results or secrets into.

mod chain;
mod event;
mod journal;
mod line;
mod query;
mod record;
mod replay;
mod segment;
mod sink;
#[cfg(test)]
mod testing;
mod trust;
mod verify;

pub use chain::Damage;
pub use event::{Event, Revoked};
pub use journal::{
    Failure, Journal, NotRecorded, OpenError, Opened, Operation, Options, Recorded, Sync, Torn, Unfinished,
};
pub use line::Phase;
pub use query::{About, Follow, Query, Record, Scan, query, scan, tail};
pub use record::{
    ClaimedClient, Closing, Confirmed, Intent, MAX_HOSTS, MAX_NOTES, MAX_TOUCHED, Means, Origin, Refusal,
};
pub use replay::{Killing, Replay, Served};
pub use segment::{Damaged, ReadError};
pub use sink::{Change, Changed, Files, Sink};
pub use trust::{Fault, Untrusted};
pub use verify::{Verified, replay, verify};
