//! What a message says of its client, read apart from rmcp: for the record of a call that is refused before rmcp sees it. A claim, never
//! authority.

use serde::Deserialize;
use wardkeep_audit::{ClaimedClient, Origin};

use crate::caller::trace_id;

#[derive(Default, Deserialize)]
#[serde(default)]
struct Message {
    params: Params,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Params {
    /// Of `initialize`, in the older revisions.
    #[serde(rename = "clientInfo")]
    client: Option<Claimed>,
    #[serde(rename = "_meta")]
    meta: Meta,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Meta {
    #[serde(rename = "io.modelcontextprotocol/clientInfo")]
    client: Option<Claimed>,
    #[serde(rename = "io.modelcontextprotocol/protocolVersion")]
    protocol: Option<String>,
    traceparent: Option<String>,
}

#[derive(Deserialize)]
struct Claimed {
    name: String,
    #[serde(default)]
    version: String,
}

/// As much of an origin as the message tells. What cannot be read is not told.
pub(super) fn origin(message: &[u8]) -> Origin {
    let Message { params } = serde_json::from_slice(message).unwrap_or_default();
    let client = params.meta.client.or(params.client);
    Origin {
        transport: "http",
        client: client.map(|Claimed { name, version }| ClaimedClient { name, version }),
        protocol: params.meta.protocol,
        trace_id: params.meta.traceparent.as_deref().and_then(trace_id),
        ..Origin::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_says_who_it_is_in_each_era_and_nonsense_says_nothing() {
        let client = |name: &str| Some(ClaimedClient { name: name.into(), version: "1".into() });
        let modern =
            br#"{"params":{"name":"t","_meta":{"traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "io.modelcontextprotocol/clientInfo":{"name":"new","version":"1","icons":[]},
            "io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}"#;
        let origin = super::origin(modern);
        assert_eq!((origin.client, origin.protocol.as_deref()), (client("new"), Some("2026-07-28")));
        assert!(origin.trace_id.is_some());
        let older = br#"{"params":{"clientInfo":{"name":"old","version":"1"}}}"#;
        assert_eq!(super::origin(older).client, client("old"));
        for nonsense in [&b"{}"[..], b"[]", b"{", br#"{"params":7}"#, br#"{"params":{"clientInfo":7}}"#] {
            assert_eq!(super::origin(nonsense), Origin { transport: "http", ..Origin::default() });
        }
    }
}
