//! What there is to know of the secrets of the plugins that are served: where they come from, how old they are, who uses them. Reads each value to
//! see whether it could be used, and lets go of it at once: nothing in here can show one.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use serde::Serialize;
use wardkeep_model::{PluginName, SecretName, ToolName};
use wardkeep_policy::{
    Fault, Manifest, SecretTerms,
    manifest::{Credential, Grant, GrantKey},
};
use wardkeep_sandbox::{SecretSources as _, SourceError, examine_secret};

use crate::config::Sources;

const DAY: u64 = 86_400;

/// One secret of one plugin, without its value.
#[derive(Debug, Serialize)]
pub(crate) struct Surveyed {
    pub(crate) plugin: PluginName,
    pub(crate) secret: SecretName,
    pub(crate) source: String,
    /// What is made of the value.
    pub(crate) kind: &'static str,
    pub(crate) goes_into: String,
    /// Whether a call could use it now; if not, why not.
    pub(crate) usable: bool,
    pub(crate) problem: Option<String>,
    #[serde(skip)]
    mend: Option<String>,
    pub(crate) changed: Option<Timestamp>,
    pub(crate) age_seconds: Option<u64>,
    pub(crate) due: Option<Timestamp>,
    pub(crate) overdue: bool,
    pub(crate) rotated_by: Option<String>,
    pub(crate) every_seconds: Option<u64>,
    pub(crate) if_it_fails: Option<String>,
    pub(crate) used_by: Vec<Use>,
}

/// A tool that may use it, and the grants through which it does.
#[derive(Debug, Serialize)]
pub(crate) struct Use {
    pub(crate) tool: ToolName,
    pub(crate) grants: Vec<String>,
}

/// The secrets of this manifest, in the order of their names.
pub(crate) fn survey(manifest: &Manifest, sources: &Sources, now: Timestamp) -> Vec<Surveyed> {
    manifest.secrets().values().map(|terms| one(manifest, terms, sources, now)).collect()
}

fn one(manifest: &Manifest, terms: &Arc<SecretTerms>, sources: &Sources, now: Timestamp) -> Surveyed {
    let read = sources.read(&terms.source);
    let changed = read.as_ref().ok().and_then(|reading| reading.changed);
    let changed = changed.and_then(|changed| Timestamp::try_from(changed).ok());
    let error = read.and_then(|reading| examine_secret(terms, &reading)).err();
    let due = changed.zip(terms.every).and_then(|(changed, every)| changed.checked_add(every).ok());
    Surveyed {
        plugin: manifest.name().clone(),
        secret: terms.name.clone(),
        source: terms.source.to_string(),
        kind: match &terms.credential {
            Credential::Static => "value",
            Credential::OAuthClient { .. } => "OAuth client",
            Credential::GithubApp { .. } => "GitHub App",
        },
        goes_into: terms.inject.to_string(),
        usable: error.is_none(),
        mend: error.as_ref().map(|error| sources.mend(&terms.source, error)),
        problem: error.map(|error| told(sources, terms, &error)),
        changed,
        age_seconds: changed.and_then(|changed| u64::try_from(now.as_second() - changed.as_second()).ok()),
        due,
        overdue: due.is_some_and(|due| due < now),
        rotated_by: terms.rotated_by.clone(),
        every_seconds: terms.every.map(|every| every.as_secs()),
        if_it_fails: terms.if_it_fails.clone(),
        used_by: uses(manifest, &terms.name),
    }
}

fn told(sources: &Sources, terms: &SecretTerms, error: &SourceError) -> String {
    let text = error.to_string();
    // What the rules of ownership advise is said by the mend.
    let text = text.split("\n  mend: ").next().unwrap_or_default();
    format!("`{}`: {text}", sources.place(&terms.source))
}

fn uses(manifest: &Manifest, secret: &SecretName) -> Vec<Use> {
    let carries = |key: &&GrantKey| match manifest.grants().get(key) {
        Some(Grant::Http(http)) => http.secret.as_ref() == Some(secret),
        _ => false,
    };
    let tools = manifest.tools().values().map(|tool| Use {
        tool: tool.name.clone(),
        grants: tool.uses.iter().filter(carries).map(ToString::to_string).collect(),
    });
    tools.filter(|used| !used.grants.is_empty()).collect()
}

impl Surveyed {
    /// What whoever runs the host should hear of it.
    pub(crate) fn warnings(&self, manifest: &Manifest) -> Vec<Fault> {
        let mut warnings = Vec::new();
        if let Some(problem) = &self.problem {
            let meanwhile = self.if_it_fails.as_deref().unwrap_or("calls that need it fail");
            let fault = manifest.fault(&format!("secrets.{}.source", self.secret), format!("{problem}; {meanwhile}"));
            warnings.push(match &self.mend {
                Some(mend) => fault.mend(mend.as_str()),
                None => fault,
            });
        }
        if self.overdue
            && let (Some(age), Some(every)) = (self.age_seconds, self.every_seconds)
        {
            let message = format!("overdue: it is {} old and is to be changed every {}", period(age), period(every));
            let by = self.rotated_by.as_deref().unwrap_or(manifest.owner());
            let fault = manifest.fault(&format!("secrets.{}.every", self.secret), message);
            warnings.push(fault.mend(format!("{by}: put a new value in its place; no restart is needed")));
        }
        warnings
    }
}

/// A span of time in words, in the largest unit that says something.
pub(crate) fn period(seconds: u64) -> String {
    let units = [("d", DAY), ("h", 3_600), ("m", 60), ("s", 1)];
    let (unit, length) = units.into_iter().find(|(_, length)| seconds >= *length).unwrap_or(("s", 1));
    format!("{}{unit}", Duration::from_secs(seconds).as_secs() / length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_is_told_in_its_largest_unit() {
        for (seconds, told) in [(0, "0s"), (59, "59s"), (60, "1m"), (3_599, "59m"), (86_399, "23h"), (30 * DAY, "30d")]
        {
            assert_eq!(period(seconds), told);
        }
    }
}
