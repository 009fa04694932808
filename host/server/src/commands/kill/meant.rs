//! Which caller a `caller:NAME` of the command line means. A kill that can stop nobody must not look as if it had stopped somebody.

use anyhow::bail;
use wardkeep_policy::kill::Target;

use crate::{
    config::Config,
    home::Home,
    load::Terms,
    screen::{escaped, note},
};

/// How names of callers begin: whoever makes principals makes no others.
const FORMS: [&str; 4] = ["user:", "service:", "oauth:", "foreign:"];
/// Callers that a warning names.
const NAMED: usize = 8;

/// What is to be stopped. A key's name stands for the caller whose key it is. The operator's file is looked at where it can be read, and nothing waits for it.
pub(super) fn to_kill(home: &Home, target: Target) -> anyhow::Result<Target> {
    let Target::Caller(name) = &target else { return Ok(target) };
    let config = Terms::config(home).ok();
    if let Some(config) = &config {
        if let Some(principal) = of_key(config, name) {
            note(format!(
                "`{}` is the key of `{}`: that caller is meant, with all of its keys",
                escaped(name),
                escaped(&principal)
            ));
            return Ok(Target::Caller(principal));
        }
        if has_form(name) && !may_come(config, name) {
            note(format!(
                "no key, no [callers.stdio] and no issuer of wardkeep.toml brings a caller `{}`; it holds for whoever comes to be{}",
                escaped(name),
                known(config)
            ));
        }
    }
    if has_form(name) {
        return Ok(target);
    }
    let keys = if config.is_some() { "no key is named so" } else { "wardkeep.toml, which names keys, cannot be read" };
    bail!(
        "`{}` can be no caller, so nothing was stopped: {keys}\n  mend: a name as the audit log has it: user:NAME, service:NAME, oauth:ISSUER/SUBJECT or foreign:ISSUER#SUBJECT",
        escaped(name)
    );
}

/// What is to be revived, of which nothing is killed under exactly this name: the caller of the key that is named so.
pub(in crate::commands) fn to_revive(home: &Home, target: &Target) -> Option<Target> {
    let Target::Caller(name) = target else { return None };
    of_key(&Terms::config(home).ok()?, name).map(Target::Caller)
}

fn has_form(name: &str) -> bool {
    FORMS.iter().any(|form| name.strip_prefix(form).is_some_and(|rest| !rest.is_empty()))
}

fn principals(config: &Config) -> impl Iterator<Item = &str> {
    let keys = config.callers.keys.iter().map(|key| &key.principal);
    config.callers.stdio.iter().chain(keys).map(|principal| principal.name.as_str())
}

/// By the principal's name first: a key may be named as somebody is.
fn of_key(config: &Config, name: &str) -> Option<String> {
    if principals(config).any(|principal| principal == name) {
        return None;
    }
    config.callers.keys.iter().find(|key| key.name == name).map(|key| key.principal.name.clone())
}

fn may_come(config: &Config, name: &str) -> bool {
    let issuer = |rest: &str| {
        let (issuer, subject) = rest.split_once('/').unwrap_or_default();
        !subject.is_empty() && config.issuers.iter().any(|known| known.terms.name == issuer)
    };
    if let Some(rest) = name.strip_prefix("oauth:") {
        return issuer(rest);
    }
    // whom a token of an issuer may name as acting
    (name.starts_with("foreign:") && !config.issuers.is_empty()) || principals(config).any(|known| known == name)
}

fn known(config: &Config) -> String {
    let mut names: Vec<_> = principals(config).map(escaped).collect();
    names.sort_unstable();
    names.dedup();
    names.truncate(NAMED);
    if names.is_empty() { String::new() } else { format!("\n  known are: {}", names.join(", ")) }
}
