//! A plugin that serves, with what it was made of: kept, so that a reload makes nothing anew that has not changed.

use std::sync::Arc;

use wardkeep_policy::{Approved, Fault, Faults, PluginTerms, Revocations};
use wardkeep_sandbox::{Engine, Inspected, Plugin};

use crate::{screen::chain, state::State};

use super::{Terms, terms_of};

/// A plugin that is served. A clone is the same plugin.
#[derive(Clone)]
pub(crate) struct Served {
    pub(crate) terms: Arc<PluginTerms>,
    /// Fingerprints of the keys that signed.
    pub(crate) signed_by: Vec<String>,
    pub(super) plugin: Plugin,
    pub(super) inspected: Arc<Inspected>,
    approved: Approved,
    /// The ceilings that its tools' limits were made under.
    ceilings: wardkeep_model::Limits,
}

impl Served {
    pub(super) fn link(
        engine: &Engine,
        approved: Approved,
        inspected: Arc<Inspected>,
        terms: &Terms,
        revocations: &Revocations,
        fault: &impl Fn(String) -> Faults,
    ) -> Result<Self, Faults> {
        let plugin_terms = Arc::new(terms_of(approved.clone(), &inspected, terms, revocations)?);
        let plugin = engine.load(&inspected, &plugin_terms).map_err(|error| fault(chain(&error)))?;
        let signed_by = approved.signers().iter().map(|key| key.fingerprint().to_owned()).collect();
        let ceilings = terms.host.ceilings;
        Ok(Self { terms: plugin_terms, signed_by, plugin, inspected, approved, ceilings })
    }

    /// Is it what this manifest with these signatures would become. Everything else that bears on it is asked at each decision.
    pub(super) fn is_same(&self, approved: &Approved, terms: &Terms) -> bool {
        self.approved.digest() == approved.digest()
            && self.approved.signers() == approved.signers()
            && self.ceilings == terms.host.ceilings
    }

    /// The same plugin under the ceilings that hold now.
    pub(crate) fn under(&self, engine: &Engine, terms: &Terms, revocations: &Revocations) -> Result<Self, Faults> {
        if self.ceilings == terms.host.ceilings {
            return Ok(self.clone());
        }
        let fault = |message| Faults::from(Fault::of(self.terms.manifest().file(), message).at(None, "component.file"));
        Self::link(engine, self.approved.clone(), Arc::clone(&self.inspected), terms, revocations, &fault)
    }

    /// Is its manifest the one that the home took into service last.
    pub(super) fn is_known(&self, state: &State) -> bool {
        let known = state.plugins.get(self.terms.plugin());
        known.is_some_and(|known| known.manifest == self.terms.manifest().digest())
    }

    /// Did its host functions panic so often that it is not called any more.
    pub(crate) fn is_out_of_service(&self) -> bool {
        self.plugin.is_out_of_service()
    }
}
