//! The state that the journal mirrors, rebuilt from its events: what a home must still know when its state directory is lost.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use wardkeep_model::{CorrelationId, Digest, PluginName};

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
    /// What was killed last and not revived since, nor ended on record, by target. Brakes are not among them.
    pub kills: BTreeMap<String, Killing>,
    /// When each target was killed, revived or came to its kill's end last, brakes too, of the last days, which is longer than anything is open that was
    /// agreed to before.
    pub stops: BTreeMap<String, Timestamp>,
    /// The last change of the kills that is on record.
    pub kill_change: u64,
    /// Approvals that calls were recorded with, and when: none of them is good for another, whatever the state says. Those of the last days, which is
    /// longer than any can be open.
    pub approvals_used: BTreeMap<String, (CorrelationId, Timestamp)>,
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

/// A kill that is on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Killing {
    /// Why.
    pub reason: String,
    /// Who did it.
    pub by: String,
    /// When it was recorded.
    pub since: Timestamp,
    /// Until when.
    pub until: Option<Timestamp>,
}

/// No approval is open for so long.
const OPEN: SignedDuration = SignedDuration::from_hours(15 * 24);

impl Replay {
    /// A call was about to run with this approval.
    pub(crate) fn used(&mut self, approval: &str, call: &CorrelationId, time: Timestamp) {
        self.approvals_used.retain(|_, (_, used)| time.duration_since(*used) < OPEN);
        self.approvals_used.insert(approval.to_owned(), (call.clone(), time));
    }

    /// This target was stopped at this moment still.
    fn stopped(&mut self, target: &str, time: Timestamp) {
        self.stops.retain(|_, stopped| time.duration_since(*stopped) < OPEN);
        self.stops.insert(target.to_owned(), time);
    }

    pub(crate) fn apply(&mut self, event: &Event, time: Timestamp) {
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
            // What the host stopped by itself is no change of the operator's, and is judged anew at every start.
            Event::Killed { change: 0, .. } | Event::Revived { change: 0, .. } => {}
            Event::Killed { change, target, by, reason, until } => {
                let killing = Killing { reason: reason.clone(), by: by.clone(), since: time, until: *until };
                self.kills.insert(target.clone(), killing);
                self.stopped(target, time);
                self.kill_change = self.kill_change.max(*change);
            }
            Event::Revived { change, target, .. } => {
                self.kills.remove(target);
                self.stopped(target, time);
                self.kill_change = self.kill_change.max(*change);
            }
            Event::KillEnded { target, brake: true } => self.stopped(target, time),
            Event::KillEnded { target, brake: false } => {
                // it may be recorded long after: by a host that was not there
                let until = self.kills.remove(target).and_then(|kill| kill.until);
                self.stopped(target, until.map_or(time, |until| until.min(time)));
            }
            _ => {}
        }
    }
}
