//! The state that the journal mirrors, rebuilt from its events: what a home must still know when its state directory is lost.

use std::collections::{BTreeMap, BTreeSet};

use wardkeep_model::{Digest, PluginName};

use crate::{Event, Revoked};

/// What the journal remembers of the state.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Replay {
    /// The manifest last taken into service, by plugin: serial and digest. One entry for each name ever loaded since the last reset.
    pub plugins: BTreeMap<PluginName, Served>,
    /// Everything ever revoked.
    pub revoked: BTreeSet<Revoked>,
    /// The trust document last accepted: version and digest.
    pub trust: Option<(u64, Digest)>,
    /// What the last run serves, or served last: every plugin that it loaded and did not take out of service since.
    pub serving: BTreeMap<PluginName, Served>,
    /// Records in the journal; a home whose journal holds any was in use.
    pub records: u64,
}

/// A manifest that was taken into service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Served {
    /// Its serial.
    pub serial: u64,
    /// Its digest.
    pub manifest: Digest,
}

impl Replay {
    pub(crate) fn apply(&mut self, event: &Event) {
        match event {
            Event::Started { .. } | Event::Stopped { .. } => self.serving.clear(),
            Event::PluginLoaded { plugin, version, serial, manifest, .. } => {
                let served = Served { serial: *serial, manifest: *manifest };
                self.plugins.insert(plugin.clone(), served);
                // Without a version it is a mirror of the state's serial, written by a start that found it missing.
                if !version.is_empty() {
                    self.serving.insert(plugin.clone(), served);
                }
            }
            Event::PluginRemoved { plugin, .. } => {
                self.serving.remove(plugin);
            }
            Event::Revoked { target, .. } => {
                self.revoked.insert(target.clone());
            }
            Event::TrustAccepted { version, document } => self.trust = Some((*version, *document)),
            // A reset gives up serials, not revocations: lifting one needs the threshold of approvers.
            Event::StateReset { .. } => {
                self.plugins.clear();
                self.trust = None;
            }
            _ => {}
        }
    }
}
