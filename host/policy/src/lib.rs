//! Everything that decides and nothing that does: manifests, signatures, trust, schemas, authorize. Bytes and the time come in,
//! decisions go out; nothing here reads a file, a clock or a random number.
//!
//! The way of a plugin: [`approve`] asks of a manifest's bytes everything that can be asked without its component,
//! [`Approved::with_component`] asks the rest, a [`Snapshot`] gathers the plugins that passed. The way of a call: [`Snapshot::find`],
//! [`Tool::check`], [`authorize`], which makes the only [`Permit`].

pub mod diff;
pub mod document;
pub mod kill;
pub mod manifest;

mod approval;
mod authorize;
mod case;
mod component;
mod day;
mod decision;
mod draft;
mod explanation;
mod grants;
mod imports;
mod json;
mod key;
mod notices;
mod plugin;
mod pointer;
mod proposal;
mod reason;
mod resources;
mod revocation;
mod schema;
mod signature;
mod snapshot;
mod trust;

pub use approval::{Approved, Candidate, HostTerms, MOST_SIGNATURES, approve};
pub use authorize::{Denial, Permit, Rule, authorize};
pub use case::{Case, Confirmation, Confirming};
pub use component::Evidence;
pub use document::{Fault, Faults};
pub use draft::{Draft, draft};
pub use explanation::{Explanation, Ruling, Verdict, explain};
pub use grants::Grants;
pub use json::{InvalidJson, parse_json};
pub use key::{Algorithm, InvalidKey, PublicKey};
pub use manifest::{
    Access, Confirm, FilesGrant, HttpGrant, HttpRule, Keep, Manifest, Rate, Rates, Returns, SecretTerms, SourceKind,
    Wasi,
};
pub use plugin::{PluginTerms, Tool};
pub use pointer::{InvalidPointer, Pointer};
pub use revocation::{Remembered, Revocation, Revocations};
pub use schema::{Arguments, LARGEST_SCHEMA, Mismatch, Schema, SchemaFault};
pub use signature::{
    KeyPair, LARGEST_SIGNATURE, MANIFEST_NAMESPACE, REVOKE_NAMESPACE, SignFault, SignatureFault, SignedBy,
    TRUST_NAMESPACE, generate_key, sign, verify_signature,
};
pub use snapshot::Snapshot;
pub use trust::{Approver, InitialTrust, Trust, check_rotation};
