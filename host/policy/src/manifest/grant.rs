//! Grants: named once, and held by the tools that list them.

use std::{collections::BTreeMap, fmt, str::FromStr, sync::Arc};

use wardkeep_model::{GrantName, InvalidName, RootName};

use crate::document::{Item, Table, quoted};

use super::{HttpGrant, Secrets, http};

/// Which capability a grant is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "each is the table of that name under `[grants]`")]
pub enum GrantKind {
    Clock,
    Files,
    Http,
    Random,
}

const KINDS: [(&str, GrantKind); 4] = [
    ("clock", GrantKind::Clock),
    ("files", GrantKind::Files),
    ("http", GrantKind::Http),
    ("random", GrantKind::Random),
];

/// A grant's name as `uses` writes it: `files.reports`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct GrantKey {
    /// The capability.
    pub kind: GrantKind,
    /// The name that the manifest chose.
    pub name: GrantName,
}

/// Text that names no grant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidGrantKey {
    /// Not a kind, a dot and a name.
    #[error(
        "a grant is named by its kind and its name, such as `files.reports`; kinds are clock, files, http and random"
    )]
    Kind,
    /// The name breaks its rule.
    #[error(transparent)]
    Name(#[from] InvalidName),
}

/// What a grant gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grant {
    /// The real time.
    Clock,
    /// A directory.
    Files(FilesGrant),
    /// Requests.
    Http(Arc<HttpGrant>),
    /// Random numbers.
    Random,
}

impl Grant {
    /// Whether both give the same under two names. Of those without keys there may be several names: each says the same of one thing.
    fn gives_as(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Http(one), Self::Http(other)) => one.gives_as(other),
            (Self::Files(one), Self::Files(other)) => one == other,
            _ => false,
        }
    }
}

/// A directory that the operator maps to a name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FilesGrant {
    /// The operator's name of it, which is also the guest's.
    pub root: RootName,
    /// What may be done there.
    pub access: Access,
}

/// What may be done in a directory. The order matters: a reading tool gets the smaller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "plain words")]
pub enum Access {
    Read,
    Write,
}

impl fmt::Display for GrantKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = KINDS.iter().find(|(_, kind)| *kind == self.kind).map_or("", |(name, _)| name);
        write!(f, "{kind}.{}", self.name)
    }
}

impl FromStr for GrantKey {
    type Err = InvalidGrantKey;

    fn from_str(text: &str) -> Result<Self, InvalidGrantKey> {
        let (kind, name) = text.split_once('.').ok_or(InvalidGrantKey::Kind)?;
        let (_, kind) = KINDS.iter().find(|(known, _)| *known == kind).ok_or(InvalidGrantKey::Kind)?;
        Ok(Self { kind: *kind, name: name.parse()? })
    }
}

/// Grants with the places where they stand.
pub(super) type Placed<'d> = BTreeMap<GrantKey, (Grant, Item<'d>)>;

/// Reads `[grants]`. What could not be read is left out of the first and named in the second, so that a tool which uses it is not faulted twice.
pub(super) fn read<'d>(mut table: Table<'d>, secrets: &Secrets<'_>) -> (Placed<'d>, Vec<GrantKey>) {
    let (mut grants, mut unread) = (Placed::new(), Vec::new());
    for (kind_name, kind) in KINDS {
        let Some(kind_table) = table.optional(kind_name).and_then(|item| item.table()) else { continue };
        for (name, item) in kind_table.named() {
            let name = match name.parse::<GrantName>() {
                Ok(name) => name,
                Err(error) => {
                    item.fault(format!("{} is not valid here", quoted(name)), Some(&error.to_string()));
                    continue;
                }
            };
            let key = GrantKey { kind, name };
            let grant = item.table().and_then(|table| match kind {
                GrantKind::Clock => Some(Grant::Clock),
                GrantKind::Random => Some(Grant::Random),
                GrantKind::Files => files(table),
                GrantKind::Http => http::read(key.name.clone(), table, secrets).map(Arc::new).map(Grant::Http),
            });
            match grant {
                Some(grant) => drop(grants.insert(key, (grant, item))),
                None => unread.push(key),
            }
        }
    }
    drop(table);
    for ((key, (grant, item)), index) in grants.iter().zip(0..) {
        if let Some((first, _)) = grants.iter().take(index).find(|(_, (known, _))| known.gives_as(grant)) {
            item.fault(format!("`{key}` grants the same as `{first}`"), Some("keep one of them"));
        }
    }
    (grants, unread)
}

fn files(mut table: Table<'_>) -> Option<Grant> {
    let root = table.required("root", "root = \"reports\"").and_then(|item| item.read());
    let access = table.required("access", "access = \"read\"");
    let access = access.and_then(|item| item.choice(&[("read", Access::Read), ("write", Access::Write)]));
    drop(table);
    Some(Grant::Files(FilesGrant { root: root?, access: access? }))
}
