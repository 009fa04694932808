//! One request's caller: who it is, and what it claims of itself.

use std::{
    collections::BTreeMap,
    fmt,
    net::IpAddr,
    sync::atomic::{AtomicU64, Ordering},
};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use wardkeep_audit::Origin;
use wardkeep_model::Principal;

use crate::identity::{ApiKey, Credential, Identity};

/// Who asks, and through what. The principal is proven; what the origin says of the client is a claim and never authority.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The authenticated caller.
    pub principal: Principal,
    /// What proved it. Whoever has waited is asked for again by it: rights may have been taken away meanwhile.
    pub(crate) credential: Credential,
    /// Where the request came from.
    pub origin: Origin,
    /// The connection that it came over, if that lasts longer than the request: what the person is asked there is answered there.
    pub connection: Option<Connection>,
}

impl Caller {
    /// Whoever this process itself calls for.
    #[must_use]
    pub const fn local(principal: Principal, origin: Origin) -> Self {
        Self { principal, credential: Credential::Stdio, origin, connection: None }
    }

    pub(crate) fn new(identity: Identity, origin: Origin, connection: Option<Connection>) -> Self {
        let Identity { principal, credential } = identity;
        Self { principal, credential, origin, connection }
    }

    /// Whether the key that it came with, if it came with one, is among these.
    pub(crate) fn has_key(&self, keys: &[ApiKey]) -> bool {
        let Credential::Key(key) = self.credential else { return true };
        keys.iter().any(|known| known.sha256 == key)
    }
}

/// Tells one lasting connection from all others of this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection(u64);

impl Connection {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// The address that a connection came from.
#[derive(Clone, Copy)]
pub(crate) struct Peer(pub IpAddr);

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One call as the client put it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolCall {
    /// The published name.
    pub tool: String,
    /// The arguments, not checked yet.
    pub arguments: Map<String, Value>,
    /// What it was asked before, if it comes again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// The approval that it was told to come back with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<String>,
}

/// A client of revision 2026-07-28 that comes back from its person.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Retry {
    /// What it was given with the questions.
    pub state: Option<String>,
    /// By the questions' ids; nothing of them is checked yet.
    pub answers: BTreeMap<String, Value>,
}

/// The trace id of a `traceparent`: 32 lower-case hexadecimal digits, not all zero (W3C Trace Context, section 3.2.2.3).
pub(crate) fn trace_id(traceparent: &str) -> Option<String> {
    let id = traceparent.split('-').nth(1)?;
    let hex = id.len() == 32 && id.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    (hex && id.bytes().any(|b| b != b'0')).then(|| id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::trace_id;

    #[test]
    fn only_a_well_formed_trace_id_is_taken() {
        let id = "4bf92f3577b34da6a3ce929d0e0e4736";
        assert_eq!(trace_id(&format!("00-{id}-00f067aa0ba902b7-01")).as_deref(), Some(id));
        for bad in
            ["", "00", "00-xyz-1-1", &format!("00-{}-1-1", "0".repeat(32)), &format!("00-{}-1-1", "A".repeat(32))]
        {
            assert_eq!(trace_id(bad), None, "{bad}");
        }
    }
}
