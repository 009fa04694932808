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
        let rules = [Rule::TrustExpired, Rule::Revoked, Rule::Expired, Rule::NotApproved];
        rules.into_iter().find_map(|rule| self.refuses(rule, now))
    }

    /// The rule, if it is one of those above and holds now.
    pub(crate) fn refuses(&self, rule: Rule, now: Timestamp) -> Option<Rule> {
        let refuses = match rule {
            Rule::TrustExpired => self.trust_ends <= now,
            Rule::Revoked => self.revoked,
            Rule::Expired => self.manifest_ends <= now,
            Rule::NotApproved => self.approving(now) < self.needed,
            _ => false,
        };
        refuses.then_some(rule)
    }

    /// How many of those who have signed may approve now.
    pub(crate) fn approving(&self, now: Timestamp) -> usize {
        self.people.iter().filter(|(from, until)| (*from..*until).contains(&now)).count()
    }

    /// How many must.
    pub(crate) const fn needed(&self) -> usize {
        self.needed
    }

    /// When the trust ends.
    pub(crate) const fn trust_ends(&self) -> Timestamp {
        self.trust_ends
    }
}
