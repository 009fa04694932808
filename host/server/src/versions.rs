//! What this build is made of and what it speaks: the answer to `--version`. Each number comes from the crate that knows it.

use std::sync::LazyLock;

use serde::Serialize;
use wardkeep_policy::Manifest;

/// Each field is a line for people and a key for scripts.
#[derive(Debug, Serialize)]
pub(crate) struct Versions {
    wardkeep: &'static str,
    wasmtime: &'static str,
    rmcp: String,
    /// The packages that plugins may be compiled against.
    wit: Vec<&'static str>,
    /// The `format` of manifests.
    manifest: u64,
    /// The revisions of MCP, newest first.
    mcp: Vec<String>,
}

impl Versions {
    pub(crate) fn of_this_build() -> Self {
        Self {
            wardkeep: env!("CARGO_PKG_VERSION"),
            wasmtime: wardkeep_sandbox::WASMTIME,
            rmcp: wardkeep_gateway::rmcp_version(),
            wit: wardkeep_sandbox::WIT_PACKAGES.to_vec(),
            manifest: Manifest::FORMAT,
            mcp: wardkeep_gateway::revisions().collect(),
        }
    }
}

/// What clap writes behind `wardkeep `.
pub(crate) fn long() -> &'static str {
    static LONG: LazyLock<String> = LazyLock::new(|| {
        let Versions { wardkeep, wasmtime, rmcp, wit, manifest, mcp } = Versions::of_this_build();
        format!(
            "{wardkeep}\nwasmtime {wasmtime}\nrmcp     {rmcp}\nwit      {}\nmanifest format {manifest}\nmcp      {}",
            wit.join(", "),
            mcp.join(", ")
        )
    });
    &LONG
}
