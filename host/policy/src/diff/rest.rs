//! What changes neither what can be done nor what clients see: who answers for it, until when, which bytes.

use std::{collections::BTreeMap, time::Duration};

use serde::Serialize;
use wardkeep_model::{Definition, SecretName, ToolName};

use crate::{
    document::basic_string,
    manifest::{Manifest, SecretTerms, ToolTerms},
};

use super::Side;

/// What differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rest {
    /// Of what.
    #[serde(flatten)]
    pub key: RestKey,
    /// Before, as it would be written in TOML; absent if it was not there.
    pub old: Option<String>,
    /// After.
    pub new: Option<String>,
}

/// A key of a manifest, or a word of a component.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "key", rename_all = "kebab-case")]
#[allow(missing_docs, reason = "each is the key of that name")]
pub enum RestKey {
    Version,
    Serial,
    Expires,
    Owner,
    Purpose,
    OutOfScope,
    Component,
    ContractDigest,
    File,
    /// The names that the manifest chose for its grants.
    GrantNames,
    /// The component's own name for itself.
    OwnName,
    Systems {
        tool: ToolName,
    },
    SideEffects {
        tool: ToolName,
    },
    /// Where the arguments name what the audit log keeps.
    Resources {
        tool: ToolName,
    },
    RotatedBy {
        secret: SecretName,
    },
    Every {
        secret: SecretName,
    },
    IfItFails {
        secret: SecretName,
    },
    /// A tool of the component that the manifest does not list, before or after: nobody can call it.
    Unlisted {
        tool: String,
    },
}

pub(super) fn of(old: Option<Side<'_>>, new: Side<'_>) -> Vec<Rest> {
    let mut rest = Vec::new();
    let mut add = |key: RestKey, old: Option<String>, new: Option<String>| {
        if old != new {
            rest.push(Rest { key, old, new });
        }
    };
    for (key, value) in keys() {
        add(key, old.and_then(|side| value(side.manifest)), value(new.manifest));
    }
    for (name, terms) in new.manifest.tools() {
        let before = old.and_then(|side| side.manifest.tools().get(name));
        let systems = |systems: &[String]| (!systems.is_empty()).then(|| list(systems));
        let (old, new) = (before.and_then(|terms| systems(&terms.systems)), systems(&terms.systems));
        add(RestKey::Systems { tool: name.clone() }, old, new);
        let (old, new) = (before.and_then(|terms| terms.side_effects.as_deref()), terms.side_effects.as_deref());
        add(RestKey::SideEffects { tool: name.clone() }, old.map(basic_string), new.map(basic_string));
        let resources = |terms: &ToolTerms| {
            let places: Vec<String> = terms.resources.iter().map(ToString::to_string).collect();
            (!places.is_empty()).then(|| list(&places))
        };
        add(RestKey::Resources { tool: name.clone() }, before.and_then(resources), resources(terms));
    }
    for (name, terms) in new.manifest.secrets() {
        let before = old.and_then(|side| side.manifest.secrets().get(name));
        let mut words = |key, of: fn(&SecretTerms) -> Option<String>| {
            add(key, before.and_then(|terms| of(terms)), of(terms));
        };
        // All else of a secret is told as what it lets happen.
        words(RestKey::RotatedBy { secret: name.clone() }, |it| it.rotated_by.as_deref().map(basic_string));
        words(RestKey::Every { secret: name.clone() }, |it| it.every.map(days));
        words(RestKey::IfItFails { secret: name.clone() }, |it| it.if_it_fails.as_deref().map(basic_string));
    }
    let own_name = |side: Side<'_>| side.description.map(|description| basic_string(&description.name));
    // Where one of the components was not seen nobody can tell.
    if let Some(old) = old
        && let (Some(before), Some(after)) = (own_name(old), own_name(new))
    {
        add(RestKey::OwnName, Some(before), Some(after));
        unlisted(old, new, &mut add);
    }
    rest
}

type Value = fn(&Manifest) -> Option<String>;

fn keys() -> [(RestKey, Value); 10] {
    [
        (RestKey::Version, |it| Some(it.version().to_string())),
        (RestKey::Serial, |it| Some(it.serial().to_string())),
        (RestKey::Expires, |it| Some(it.expires().to_string())),
        (RestKey::Owner, |it| Some(basic_string(it.owner()))),
        (RestKey::Purpose, |it| it.purpose().map(basic_string)),
        (RestKey::OutOfScope, |it| (!it.out_of_scope().is_empty()).then(|| list(it.out_of_scope()))),
        (RestKey::Component, |it| Some(it.component().sha256.to_string())),
        (RestKey::ContractDigest, |it| Some(it.component().contract_sha256.to_string())),
        (RestKey::File, |it| Some(basic_string(&it.component().file))),
        (RestKey::GrantNames, |it| {
            let names: Vec<String> = it.grants().keys().map(ToString::to_string).collect();
            (!names.is_empty()).then(|| list(&names))
        }),
    ]
}

/// In days where it is days.
fn days(every: Duration) -> String {
    let (whole, rest) = (every.as_secs() / 86_400, every.as_secs() % 86_400);
    if rest == 0 && every.subsec_nanos() == 0 { format!("{whole}d") } else { format!("{every:?}") }
}

fn list(texts: &[String]) -> String {
    format!("[{}]", texts.iter().map(|text| basic_string(text)).collect::<Vec<_>>().join(", "))
}

/// Tools that are in a component and in no manifest: whatever changes of them, no client can see it.
fn unlisted(old: Side<'_>, new: Side<'_>, add: &mut impl FnMut(RestKey, Option<String>, Option<String>)) {
    let of = |side: Side<'_>| -> BTreeMap<String, Definition> {
        let tools = side.description.map(|description| description.tools.as_slice()).unwrap_or_default();
        tools.iter().map(|tool| (tool.name.clone(), tool.clone())).collect()
    };
    let listed =
        |name: &str| [old, new].iter().any(|side| side.manifest.tools().keys().any(|listed| listed.as_str() == name));
    let (before, after) = (of(old), of(new));
    let names: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    for name in names.into_iter().filter(|name| !listed(name)) {
        let (before, after) = (before.get(name), after.get(name));
        if before != after {
            let word = |definition: Option<&Definition>, word: &str| definition.map(|_| word.to_owned());
            let now = if before.is_some() && after.is_some() { "changed" } else { "there" };
            add(RestKey::Unlisted { tool: name.clone() }, word(before, "there"), word(after, now));
        }
    }
}
