//! What could be read of a manifest that may be faulty: enough to ask every question of `approve` whose answer does not depend on the
//! faulty part, and never served.

use std::{collections::BTreeMap, sync::Arc};

use jiff::{Timestamp, civil::Date};
use wardkeep_model::{Digest, Effect, PluginName, SecretName};

use crate::{
    day,
    document::{Fault, Lines},
};

use super::{Grant, GrantKey, SecretTerms, ToolTerms};

/// The readable parts.
#[derive(Debug, Default)]
pub(crate) struct Sketch {
    pub(super) file: String,
    pub(super) lines: Lines,
    pub(crate) digest: Option<Digest>,
    pub(crate) name: Option<PluginName>,
    pub(crate) serial: Option<u64>,
    pub(crate) expires: Option<Date>,
    pub(crate) deployment: Option<String>,
    pub(crate) component: Option<Digest>,
    pub(crate) grants: BTreeMap<GrantKey, Grant>,
    pub(crate) secrets: BTreeMap<SecretName, Arc<SecretTerms>>,
    pub(super) effect: Option<Effect>,
}

impl Sketch {
    /// The gravest thing that is known to be in it.
    pub(crate) fn gravest(&self) -> Effect {
        gravest(&self.grants, self.effect)
    }

    /// The first instant at which it holds no more.
    pub(crate) fn expires_at(&self) -> Option<Timestamp> {
        self.expires.map(day::end)
    }

    /// A fault at one of its keys.
    pub(crate) fn fault(&self, key: &str, message: impl Into<String>) -> Fault {
        Fault::of(&self.file, message).at(self.lines.of_key(key), key)
    }
}

pub(super) fn gravest_tool<'t>(tools: impl Iterator<Item = &'t ToolTerms>) -> Option<Effect> {
    tools.map(|tool| tool.effect).max()
}

/// A signed exception that lets a reading tool send what looks like a write counts as a write.
pub(super) fn gravest(grants: &BTreeMap<GrantKey, Grant>, tools: Option<Effect>) -> Effect {
    let exception = grants.values().any(|grant| matches!(grant, Grant::Http(grant) if grant.read_only));
    let floor = if exception { Effect::Write } else { Effect::Read };
    tools.map_or(floor, |effect| effect.max(floor))
}
