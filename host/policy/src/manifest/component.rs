//! The table `[component]`: which bytes are approved, and which story they tell.

use wardkeep_model::Digest;

use crate::document::Table;

/// The component that a manifest approves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Component {
    /// A plain file name in the manifest's own directory.
    pub file: String,
    /// Of the component's bytes.
    pub sha256: Digest,
    /// Of what the component says of itself.
    pub contract_sha256: Digest,
    /// What it may import from WASI.
    pub wasi: Wasi,
}

/// What a component may import from WASI without a grant of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wasi {
    /// Nothing.
    None,
    /// The usual interfaces, linked to stubs that do nothing.
    Inert,
}

impl Component {
    /// Reads the table; the digest of the component also goes where it is found even if the rest is faulty.
    pub(super) fn read(mut table: Table<'_>, found: &mut Option<Digest>) -> Option<Self> {
        let file = table.required("file", "file = \"plugin.wasm\"").and_then(|item| item.read_with(plain_name));
        let digest = "where HEX is what `wardkeep inspect` prints";
        let sha256 = table.required("sha256", &format!("sha256 = \"HEX\", {digest}"));
        let contract = table.required("contract_sha256", &format!("contract_sha256 = \"HEX\", {digest}"));
        let wasi = match table.optional("wasi") {
            None => Some(Wasi::None),
            Some(item) => item.choice(&[("none", Wasi::None), ("inert", Wasi::Inert)]),
        };
        let (sha256, contract) = (sha256.and_then(|item| item.read()), contract.and_then(|item| item.read()));
        drop(table);
        *found = sha256;
        Some(Self { file: file?, sha256: sha256?, contract_sha256: contract?, wasi: wasi? })
    }
}

/// Anything else could lead out of the manifest's directory.
fn plain_name(text: &str) -> Result<String, &'static str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let stem = text.strip_suffix(".wasm").unwrap_or_default();
    if stem.is_empty() || stem.starts_with(['.', '-']) || text.len() > 100 || !text.chars().all(plain) {
        return Err(
            "a component is a plain file name beside the manifest, of A-Z, a-z, 0-9, `.`, `-` and `_`, ending in .wasm",
        );
    }
    Ok(text.into())
}
