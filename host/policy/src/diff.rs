//! What approving one manifest in place of another would change, in the order in which an admin must read it: what is added first,
//! then what is taken away, tools, the contract, limits, and the rest.
//!
//! Pure: two manifests and what their components say of themselves go in, a typed [`Difference`] comes out. The structs of a manifest
//! are taken apart field by field, so that a new key cannot be forgotten here: it does not compile.

mod authority;
mod contract;
mod limits;
mod rest;
mod schema;
mod told;

use std::collections::BTreeSet;

use semver::Version;
use serde::Serialize;
use wardkeep_model::{Description, ToolName};

use crate::manifest::Manifest;
use authority::Bounds;

pub use authority::{Authority, Request};
pub use contract::{Contract, ContractChange, What};
pub use limits::{Amount, Limit, LimitChange, amounts};
pub use rest::{Rest, RestKey};
pub use schema::{SchemaChange, SchemaWhat};
pub use told::{Section, Weight};

/// A manifest with what its component says of itself, where the component was seen.
#[derive(Debug, Clone, Copy)]
pub struct Side<'a> {
    /// The manifest.
    pub manifest: &'a Manifest,
    /// What the component says; it must be the one whose contract the manifest pins.
    pub description: Option<&'a Description>,
}

/// What would change.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// What can be done, or by whom, that could not be done before.
    pub added: Vec<Authority>,
    /// What could be done before and cannot be done any more.
    pub taken: Vec<Authority>,
    /// Tools that were not listed before.
    pub tools_added: Vec<ToolName>,
    /// Tools that are not listed any more.
    pub tools_removed: Vec<ToolName>,
    /// What clients see.
    pub contract: Contract,
    /// What a call may use.
    pub limits: Vec<LimitChange>,
    /// Everything else.
    pub rest: Vec<Rest>,
}

impl Difference {
    /// Whether nothing that a manifest or a component says differs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Self { added, taken, tools_added, tools_removed, contract, limits, rest } = self;
        let tools = tools_added.is_empty() && tools_removed.is_empty();
        added.is_empty() && taken.is_empty() && tools && contract.is_empty() && limits.is_empty() && rest.is_empty()
    }
}

/// Compares. Without an old side everything is new.
#[must_use]
pub fn diff(old: Option<Side<'_>>, new: Side<'_>) -> Difference {
    let bounds = Bounds::of(old.iter().chain([&new]).map(|side| side.manifest));
    let before = old.map(|side| authority::of(side.manifest, &bounds)).unwrap_or_default();
    let after = authority::of(new.manifest, &bounds);
    let listed = |side: Side<'_>| side.manifest.tools().keys().cloned().collect::<BTreeSet<ToolName>>();
    let (old_tools, new_tools) = (old.map(listed).unwrap_or_default(), listed(new));
    Difference {
        added: after.difference(&before).cloned().collect(),
        taken: before.difference(&after).cloned().collect(),
        tools_added: new_tools.difference(&old_tools).cloned().collect(),
        tools_removed: old_tools.difference(&new_tools).cloned().collect(),
        contract: old.map(|old| contract::of(old, new)).unwrap_or_default(),
        limits: limits::of(old.map(|side| side.manifest), new.manifest),
        rest: rest::of(old, new),
    }
}

/// Whether clients of the one version may be given the other without being asked (Semantic Versioning 2.0.0, items 4 and 8).
fn same_track(old: &Version, new: &Version) -> bool {
    old.major == new.major && (old.major > 0 || old.minor == new.minor)
}

#[cfg(test)]
mod tests;
