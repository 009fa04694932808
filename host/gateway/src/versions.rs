//! What the endpoint speaks and with which library, as `wardkeep --version` tells it. Nothing decides by it.

use rmcp::model::Implementation;

use crate::handler::REVISIONS;

/// The revisions of MCP that are served, newest first.
pub fn revisions() -> impl Iterator<Item = String> {
    REVISIONS.iter().rev().map(ToString::to_string)
}

/// The version of rmcp, from rmcp itself.
#[must_use]
pub fn rmcp_version() -> String {
    // Its default names its own crate, which is why the host's handler never shows it.
    Implementation::from_build_env().version
}
