//! The operator's file, `wardkeep.toml`: who may call, where to listen, which directories exist, how much is allowed at most. It
//! can grant nothing. Read strictly, all faults at once; no environment is interpolated.

mod brakes;
mod caller;
mod changes;
mod confirmation;
mod edit;
mod egress;
mod key_name;
mod limits;
mod listen;
mod oauth;
mod proxies;
mod sources;
mod template;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use wardkeep_gateway::{Allowances, BrakeTerms, Callers};
use wardkeep_model::{CompileLimits, Digest, Limits, RootName};
use wardkeep_policy::{
    Faults, HostTerms,
    document::{Document, Item, Lines, Table},
    manifest::limits_patch,
};

pub(crate) use changes::changes;
pub(crate) use confirmation::Confirmation;
pub(crate) use edit::{NewKey, add_key, remove_key};
pub(crate) use egress::Egress;
pub(crate) use key_name::KeyName;
pub(crate) use listen::Listen;
pub(crate) use oauth::{Issuer, Jwks};
pub(crate) use sources::Sources;
pub(crate) use template::render;

/// Its name in a home.
pub(crate) use crate::home::CONFIG as FILE;

const NOT_YET: &str = "is not enforceable yet, so it is refused";

/// The operator's file, read and checked.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    /// The host's own name for itself.
    pub(crate) deployment: Option<String>,
    /// The digest of `trust.toml`.
    pub(crate) root: Digest,
    /// Where to listen for HTTP.
    pub(crate) listen: Listen,
    /// Who may call.
    pub(crate) callers: Callers,
    /// How often and how much callers may.
    pub(crate) allowances: Allowances,
    /// Whom the host asks for a yes.
    pub(crate) confirmation: Confirmation,
    /// Whose access tokens are taken.
    pub(crate) issuers: Vec<Issuer>,
    /// Directories that manifests may name.
    pub(crate) roots: BTreeMap<RootName, PathBuf>,
    /// Where values of secrets come from.
    pub(crate) sources: Sources,
    /// What grants may reach besides the public network.
    pub(crate) egress: Egress,
    /// The most that any call gets.
    pub(crate) ceilings: Limits,
    /// What compiling one component may use.
    pub(crate) compile: CompileLimits,
    /// When a caller or a plugin is stopped by itself.
    pub(crate) brakes: BrakeTerms,
    /// When a record counts as committed.
    pub(crate) sync: wardkeep_audit::Sync,
    /// Where each key stands.
    pub(crate) lines: Lines,
}

impl Config {
    /// Reads the file's bytes. Relative paths are relative to `directory`.
    pub(crate) fn parse(file: &str, bytes: &[u8], directory: &Path) -> Result<Self, Faults> {
        let document = Document::read(file, bytes)?;
        let lines = document.lines();
        document.parse(|mut table| {
            table.format(1);
            let deployment = table.optional("deployment").map(|item| item.line_of_text(1..=64).map(str::to_owned));
            let root = table
                .required("trust", "[trust] with root_sha256 = \"…\", as `wardkeep init` prints it")
                .and_then(|item| trust(item.table()?));
            let listen = match table.optional("listen") {
                Some(item) => item.table().and_then(listen::read),
                None => Some(Listen::default()),
            };
            let callers = match table.optional("callers") {
                Some(item) => {
                    // What could not be read has left a fault, and nothing more is to be said of it.
                    let public_url = listen.as_ref().map(|listen| listen.public_url.as_deref());
                    item.table().and_then(|table| caller::read(table, directory, public_url))
                }
                None => Some((Callers::default(), Vec::new())),
            };
            let allowances = match table.optional("limits") {
                Some(item) => item.table().and_then(limits::read),
                None => Some(Allowances::default()),
            };
            let confirmation = match table.optional("confirmation") {
                Some(item) => item.table().and_then(confirmation::read),
                None => Some(Confirmation::default()),
            };
            let roots = match table.optional("roots") {
                Some(item) => item.table().and_then(|roots| read_roots(roots, directory)),
                None => Some(BTreeMap::new()),
            };
            let sources = match table.optional("sources") {
                Some(item) => item.table().and_then(|table| sources::read(table, directory)),
                None => Some(Sources::default()),
            };
            let egress = match table.optional("egress") {
                Some(item) => item.table().and_then(|table| egress::read(table, directory)),
                None => Some(Egress::default()),
            };
            let ceilings = match table.optional("ceilings") {
                // What could not be read has left a fault, and with a fault nothing of this is used.
                Some(item) => item.table().map(|table| Limits::CEILING.with(&limits_patch(table))),
                None => Some(Limits::CEILING),
            };
            let compile = match table.optional("compile") {
                Some(item) => item.table().and_then(compile),
                None => Some(CompileLimits::default()),
            };
            let brakes = match table.optional("brakes") {
                Some(item) => item.table().and_then(brakes::read),
                None => Some(BrakeTerms::default()),
            };
            let sync = match table.optional("audit") {
                Some(item) => item.table().and_then(audit),
                None => Some(wardkeep_audit::Sync::Writes),
            };
            drop(table);
            let (callers, issuers) = callers?;
            Some(Self {
                deployment: deployment.map_or(Some(None), |read| read.map(Some))?,
                root: root?,
                listen: listen?,
                callers,
                allowances: allowances?,
                issuers,
                confirmation: confirmation?,
                roots: roots?,
                sources: sources?,
                egress: egress?,
                ceilings: ceilings?,
                compile: compile?,
                brakes: brakes?,
                sync: sync?,
                lines,
            })
        })
    }

    /// What policy has to know of this host.
    pub(crate) fn terms(&self) -> HostTerms {
        let roots: BTreeSet<RootName> = self.roots.keys().cloned().collect();
        HostTerms {
            deployment: self.deployment.clone(),
            roots,
            ceilings: self.ceilings,
            private: self.egress.private.clone(),
            cleartext_to_loopback: self.egress.cleartext_to_loopback,
            sources: self.sources.kinds(),
        }
    }
}

fn trust(mut table: Table<'_>) -> Option<Digest> {
    table.required("root_sha256", "root_sha256 = \"…\", the SHA-256 of trust.toml")?.read()
}

fn read_roots(table: Table<'_>, directory: &Path) -> Option<BTreeMap<RootName, PathBuf>> {
    let mut roots = BTreeMap::new();
    let mut whole = true;
    for (name, item) in table.named() {
        let path = item.line_of_text(1..=4096).map(|path| directory.join(path));
        match (named::<RootName>(name, &item), path) {
            (Some(name), Some(path)) => {
                roots.insert(name, path);
            }
            _ => whole = false,
        }
    }
    whole.then_some(roots)
}

fn compile(mut table: Table<'_>) -> Option<CompileLimits> {
    let default = CompileLimits::default();
    let time = table.optional("time").map_or(Some(default.time), |item| item.duration());
    let memory = table.optional("memory").map_or(Some(default.memory), |item| item.size());
    Some(CompileLimits { time: time?, memory: memory? })
}

fn audit(mut table: Table<'_>) -> Option<wardkeep_audit::Sync> {
    if let Some(item) = table.optional("retention") {
        let _ = item.duration();
        item.fault(format!("{NOT_YET}: every segment is kept"), Some("remove it"));
    }
    match table.optional("sync") {
        Some(item) => {
            item.choice(&[("writes", wardkeep_audit::Sync::Writes), ("always", wardkeep_audit::Sync::Always)])
        }
        None => Some(wardkeep_audit::Sync::Writes),
    }
}

/// A name that the document chose for one of its tables.
fn named<T: std::str::FromStr<Err: std::fmt::Display>>(name: &str, item: &Item<'_>) -> Option<T> {
    name.parse().map_err(|error: T::Err| item.fault(error.to_string(), None)).ok()
}

#[cfg(test)]
mod tests;
