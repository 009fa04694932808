//! `[callers]`: who may call, and as whom. An upper bound on what manifests allow, never a grant.

use std::{path::Path, sync::Arc};

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use wardkeep_gateway::{ApiKey, Callers};
use wardkeep_model::{Authenticated, Principal};
use wardkeep_policy::{
    document::{Item, Table, quoted},
    manifest::Allowed,
};

use super::{Issuer, KeyName, named, oauth};

/// Who may call, and the issuers whose keys are still to be had. `public_url` is nothing where it could not be read.
pub(super) fn read(
    mut table: Table<'_>,
    directory: &Path,
    public_url: Option<Option<&str>>,
) -> Option<(Callers, Vec<Issuer>)> {
    let stdio = match table.optional("stdio") {
        Some(item) => principal(&mut item.table()?, Authenticated::Stdio).map(Some),
        None => Some(None),
    };
    let keys = match table.optional("keys") {
        Some(item) => keys(item.table()?),
        None => Some(Vec::new()),
    };
    let issuers = match table.optional("oauth") {
        Some(item) => oauth::read(&item, directory, public_url),
        None => Some(Vec::new()),
    };
    Some((Callers { stdio: stdio?, keys: keys?, oauth: Arc::default() }, issuers?))
}

fn keys(table: Table<'_>) -> Option<Vec<ApiKey>> {
    let mut keys: Vec<ApiKey> = Vec::new();
    let mut whole = true;
    for (name, item) in table.named() {
        let Some(key) = key(name, &item) else {
            whole = false;
            continue;
        };
        if let Some(twin) = keys.iter().find(|known| known.sha256 == key.sha256) {
            item.fault(
                format!("has the same `sha256` as `callers.keys.{}`: one of the two would never be found", twin.name),
                Some("make a key of its own with `wardkeep keys new`"),
            );
        }
        keys.push(key);
    }
    whole.then_some(keys)
}

fn key(name: &str, item: &Item<'_>) -> Option<ApiKey> {
    let named = named::<KeyName>(name, item);
    let mut table = item.table()?;
    let sha256 = table.required("sha256", "sha256 = \"…\", the SHA-256 of the whole key").and_then(|item| item.read());
    let principal = principal(&mut table, Authenticated::ApiKey);
    let expires = match table.optional("expires") {
        Some(item) => item.date().and_then(end_of).map(Some),
        None => Some(None),
    };
    let owner = match table.optional("owner") {
        Some(item) => item.line_of_text(1..=128).map(|owner| Some(owner.to_owned())),
        None => Some(None),
    };
    drop(table);
    let (sha256, principal, expires) = (sha256?, principal?, expires?);
    Some(ApiKey { name: named?.to_string(), sha256, principal, expires, owner: owner? })
}

/// The moment at which this day ends, in UTC.
fn end_of(day: Date) -> Option<Timestamp> {
    let next = day.tomorrow().ok()?;
    Some(next.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

fn principal(table: &mut Table<'_>, authenticated: Authenticated) -> Option<Principal> {
    let example = if authenticated == Authenticated::Stdio { "user:me" } else { "service:ci" };
    let name =
        table.required("principal", &format!("principal = \"{example}\"")).and_then(|item| principal_name(&item));
    let groups = match table.optional("groups") {
        Some(item) => item.list_of(group),
        None => Some(Vec::new()),
    };
    let mut flag = |key| match table.optional(key) {
        Some(item) => item.boolean(),
        None => Some(false),
    };
    let (writes, human, unconfirmed_writes) = (flag("writes"), flag("human"), flag("unconfirmed_writes"));
    Some(Principal {
        name: name?,
        groups: groups?,
        authenticated,
        writes: writes?,
        human: human?,
        unconfirmed_writes: unconfirmed_writes?,
        scopes: None,
        actors: Vec::new(),
    })
}

fn principal_name(item: &Item<'_>) -> Option<String> {
    const MEND: &str = "principal = \"user:me\" or \"service:ci\"";
    let text = item.text()?;
    let Ok(read) = text.parse() else {
        item.fault(
            format!("{} is no caller's name: `user:NAME` or `service:NAME`, without blanks", quoted(text)),
            Some(MEND),
        );
        return None;
    };
    match read {
        // Whose name that is, its issuer says, and nobody else may.
        Allowed::Principal(name) if name.starts_with("oauth:") => {
            let message = format!("{} is the name of a caller with an access token", quoted(&name));
            item.fault(message, Some(MEND));
            None
        }
        Allowed::Principal(name) => Some(name),
        Allowed::Group(name) => {
            item.fault(format!("{} is a group, not a caller", quoted(&name)), Some(MEND));
            None
        }
    }
}

pub(super) fn group(item: &Item<'_>) -> Option<String> {
    let text = item.line_of_text(1..=128)?;
    if let Some(bare) = text.strip_prefix("group:") {
        item.fault(format!("{} has a prefix that belongs into manifests", quoted(text)), Some(&format!("\"{bare}\"")));
        return None;
    }
    // The same rule as in a manifest's `allow`, so that every group here can be named there.
    match format!("group:{text}").parse() {
        Ok(Allowed::Group(group)) => Some(group),
        Ok(Allowed::Principal(_)) => None,
        Err(error) => {
            item.fault(format!("{}: {error}", quoted(text)), None);
            None
        }
    }
}
