//! Whether a plugin is still approved at a given time: what can be worked out beforehand is, what depends on the time is asked.

use jiff::Timestamp;

use crate::{authorize::Rule, plugin::PluginTerms, revocation::Revocations, trust::Trust};

/// A plugin's approval under one trust and its revocations.
#[derive(Debug)]
pub(crate) struct Standing {
    trust_ends: Timestamp,
    manifest_ends: Timestamp,
    revoked: bool,
    needed: usize,
    /// When each person who has signed may approve; one entry a person.
    people: Vec<(Timestamp, Timestamp)>,
}

impl Standing {
    pub(super) fn of(plugin: &PluginTerms, trust: &Trust, revocations: &Revocations) -> Self {
        let people = trust.people(&plugin.signers, revocations);
        Self {
            trust_ends: trust.expires_at(),
            manifest_ends: plugin.manifest.expires_at(),
            revoked: revocations.revokes_component(&plugin.component()),
            needed: usize::try_from(trust.threshold(plugin.manifest.gravest())).unwrap_or(usize::MAX).max(1),
            people: people.into_iter().map(|person| person.window()).collect(),
        }
    }

    /// When its answer may become another by time alone.
    pub(super) fn moments(&self) -> impl Iterator<Item = Timestamp> {
        let people = self.people.iter().flat_map(|(from, until)| [*from, *until]);
        [self.trust_ends, self.manifest_ends].into_iter().chain(people)
    }

    /// Why the plugin is not served now.
    pub(crate) fn objection(&self, now: Timestamp) -> Option<Rule> {
        let signed = || self.people.iter().filter(|(from, until)| (*from..*until).contains(&now)).count();
        if self.trust_ends <= now {
            Some(Rule::TrustExpired)
        } else if self.revoked {
            Some(Rule::Revoked)
        } else if self.manifest_ends <= now {
            Some(Rule::Expired)
        } else if signed() < self.needed {
            Some(Rule::NotApproved)
        } else {
            None
        }
    }
}
