//! A caller that a command asks about: `wardkeep tools --as` and `wardkeep why`. Nobody is authenticated here, and nothing is run: it is the
//! operator who asks, and the answer is what a decision would be.

use anyhow::bail;
use jiff::Timestamp;
use wardkeep_model::{Authenticated, Principal, Scopes};
use wardkeep_policy::{Case, Confirming, kill::Kills};

use crate::{
    commands::serve::NO_STDIO,
    config::Config,
    home::Home,
    kills::{self, Store},
    screen::{escaped, note},
};

/// Who is asked about.
#[derive(Debug, clap::Args)]
pub(crate) struct Shown {
    /// A group that its token would name; with --scope for a caller with a token that is not in the operator's file
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<String>,
    /// A scope that its token would hold: read, write or destructive; none is all of them
    #[arg(long = "scope", value_name = "SCOPE", value_parser = scope)]
    scopes: Vec<Scope>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scope {
    Read,
    Write,
    Destructive,
}

fn scope(text: &str) -> Result<Scope, String> {
    match text.strip_prefix("tools:").unwrap_or(text) {
        "read" => Ok(Scope::Read),
        "write" => Ok(Scope::Write),
        "destructive" => Ok(Scope::Destructive),
        _ => Err("a scope is tools:read, tools:write or tools:destructive".to_owned()),
    }
}

/// A caller, and what its decisions depend on.
pub(crate) struct Subject {
    pub(crate) principal: Principal,
    /// Its table in the operator's file.
    pub(crate) table: String,
    kills: Kills,
    confirming: Confirming,
}

impl Subject {
    /// The caller of this name, or of the key of this name; the local one where none is named.
    pub(crate) fn find(home: &Home, config: &Config, asked: Option<&str>, shown: &Shown) -> anyhow::Result<Self> {
        let (mut principal, table) = match asked {
            Some(asked) => known(config, asked).or_else(|| by_token(config, asked)),
            None => config.callers.stdio.clone().map(local),
        }
        .ok_or(())
        .or_else(|()| unknown(config, asked))?;
        if principal.authenticated == Authenticated::OAuth {
            principal.groups.clone_from(&shown.groups);
            principal.scopes = shown.scopes();
        } else if shown.is_given() {
            bail!(
                "`{}` is in wardkeep.toml, with its groups; it has no scopes\n  mend: leave --group and --scope out",
                escaped(&principal.name)
            );
        }
        let kills = kills::in_force(&Store::new(home.state()), Timestamp::now());
        Ok(Self { principal, table, kills, confirming: config.confirmation.confirming })
    }

    /// What is decided on.
    pub(crate) fn case(&self, now: Timestamp) -> Case<'_> {
        Case { principal: &self.principal, kills: &self.kills, confirming: self.confirming, now }
    }
}

impl Shown {
    const fn is_given(&self) -> bool {
        !self.groups.is_empty() || !self.scopes.is_empty()
    }

    fn scopes(&self) -> Option<Scopes> {
        let has = |scope| self.scopes.is_empty() || self.scopes.contains(&scope);
        Some(Scopes { read: has(Scope::Read), write: has(Scope::Write), destructive: has(Scope::Destructive) })
    }
}

fn local(principal: Principal) -> (Principal, String) {
    (principal, "callers.stdio".to_owned())
}

/// By the principal's name first: a key may be named as somebody is.
fn known(config: &Config, asked: &str) -> Option<(Principal, String)> {
    let keys = || config.callers.keys.iter().map(|key| (key, format!("callers.keys.{}", key.name)));
    let stdio = config.callers.stdio.clone().filter(|principal| principal.name == asked).map(local);
    let mut named =
        keys().filter(|(key, _)| key.principal.name == asked).map(|(key, table)| (key.principal.clone(), table));
    let found = stdio.or_else(|| named.next());
    if found.is_some() {
        let others: Vec<_> = named.map(|(_, table)| format!("[{table}]")).collect();
        if !others.is_empty() {
            note(format!("`{}` stands at {} too, which may say otherwise", escaped(asked), others.join(", ")));
        }
        return found;
    }
    keys().find(|(key, _)| key.name == asked).map(|(key, table)| (key.principal.clone(), table))
}

/// Who would come with a token of an issuer, `oauth:ISSUER/SUBJECT`; what it would say besides, the command line describes.
fn by_token(config: &Config, name: &str) -> Option<(Principal, String)> {
    let (issuer, subject) = name.strip_prefix("oauth:")?.split_once('/')?;
    let terms = config.issuers.iter().map(|issuer| &issuer.terms).find(|terms| terms.name == issuer)?;
    let principal = Principal {
        name: name.to_owned(),
        groups: Vec::new(),
        authenticated: Authenticated::OAuth,
        writes: terms.writes,
        human: terms.human,
        unconfirmed_writes: terms.unconfirmed_writes,
        scopes: None,
        actors: Vec::new(),
    };
    (!subject.is_empty()).then(|| (principal, format!("callers.oauth.{issuer}")))
}

fn unknown(config: &Config, asked: Option<&str>) -> anyhow::Result<(Principal, String)> {
    let Some(asked) = asked else { bail!(NO_STDIO) };
    let known = config.callers.stdio.iter().chain(config.callers.keys.iter().map(|key| &key.principal));
    let names: Vec<_> = known.map(|principal| format!("`{}`", principal.name)).collect();
    let mend = match names.as_slice() {
        [] => "name a caller there".to_owned(),
        names => format!("name one of {}", names.join(", ")),
    };
    bail!(
        "no caller `{}` in wardkeep.toml\n  mend: {mend}; for one who comes with a token: oauth:ISSUER/SUBJECT --group GROUP --scope SCOPE, where ISSUER is one of [callers.oauth]",
        escaped(asked)
    );
}
