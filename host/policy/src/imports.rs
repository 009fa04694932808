//! Whether a component's imports lie within its grants. An import that was not granted is never linked; it is refused here first, with
//! all others and with the lines that would grant it.

use std::collections::BTreeMap;

use wardkeep_model::{Ask, Description};

use crate::{
    document::quoted,
    grants::Grants,
    manifest::Access,
    proposal::{Proposal, file_table},
};

/// What would let an import in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Need {
    FilesRead,
    /// A directory that a tool which writes may write to. For a plugin of reading tools only there is no writing import.
    FilesWrite,
    Http,
    /// A request that carries a secret.
    Secret,
    Clock,
    Random,
    Inert,
    /// No line of a manifest: the host has no such interface, or not of this version.
    Nothing,
}

/// What the host has, by package, interface and semver track; a patch release of the host serves an older import of the same track.
const KNOWN: [(&str, &str, &str, Option<Need>); 12] = [
    ("wardkeep:log", "log", "0.1", None),
    ("wardkeep:progress", "progress", "0.1", None),
    ("wardkeep:files", "reader", "0.1", Some(Need::FilesRead)),
    ("wardkeep:files", "writer", "0.1", Some(Need::FilesWrite)),
    ("wardkeep:http", "client", "0.1", Some(Need::Http)),
    // The type alone, without a function that makes one: whatever takes a secret imports it.
    ("wardkeep:secrets", "handle", "0.1", None),
    ("wardkeep:secrets", "store", "0.1", Some(Need::Secret)),
    ("wasi:clocks", "wall-clock", "0.2", Some(Need::Clock)),
    ("wasi:clocks", "monotonic-clock", "0.2", Some(Need::Clock)),
    // The monotonic clock names a type of it.
    ("wasi:io", "poll", "0.2", Some(Need::Clock)),
    ("wasi:random", "random", "0.2", Some(Need::Random)),
    ("wasi:random", "insecure", "0.2", Some(Need::Random)),
];

/// What only `wasi = "inert"` lets in: linked to stubs, which have no environment, files, sockets or names to give.
const INERT: [&str; 7] =
    ["wasi:cli", "wasi:clocks", "wasi:filesystem", "wasi:http", "wasi:io", "wasi:random", "wasi:sockets"];

fn need(import: &str) -> Option<Need> {
    let (path, version) = import.split_once('@').unwrap_or((import, ""));
    let (package, interface) = path.split_once('/').unwrap_or((path, ""));
    let track = track(version);
    let known = KNOWN.iter().find(|known| (known.0, known.1, Some(known.2)) == (package, interface, track.as_deref()));
    match known {
        Some((_, _, _, need)) => *need,
        None if INERT.contains(&package) && !interface.is_empty() && track.as_deref() == Some("0.2") => {
            Some(Need::Inert)
        }
        None => Some(Need::Nothing),
    }
}

/// The part of a version within which releases are compatible (Component Model, canonical interface name).
fn track(version: &str) -> Option<String> {
    let version: semver::Version = version.parse().ok()?;
    match (version.major, version.minor, version.pre.is_empty()) {
        (0, 0, _) | (_, _, false) => None,
        (0, minor, true) => Some(format!("0.{minor}")),
        (major, _, true) => Some(major.to_string()),
    }
}

impl Grants {
    fn meet(&self, need: Need, import: &str) -> bool {
        match need {
            Need::FilesRead => self.any_files(Access::Read),
            // What a reading tool holds was lowered to reading before it got here.
            Need::FilesWrite => self.any_files(Access::Write),
            Need::Http => !self.http.is_empty(),
            Need::Secret => !self.secrets.is_empty(),
            Need::Clock => self.clock || self.wasi_inert,
            Need::Random => self.random || self.wasi_inert,
            Need::Inert => self.wasi_inert && import.starts_with("wasi:"),
            Need::Nothing => false,
        }
    }
}

/// The imports that these grants do not cover: what to say, and how to mend it.
pub(crate) fn missing(imports: &[String], grants: &Grants, description: &Description) -> Option<(String, String)> {
    let missing = |import: &&String| need(import).filter(|need| !grants.meet(*need, import)).is_some();
    let missing: Vec<&String> = imports.iter().filter(missing).collect();
    if missing.is_empty() {
        return None;
    }
    let mut needs: Vec<Need> = missing.iter().filter_map(|import| need(import)).collect();
    needs.sort_unstable();
    needs.dedup();
    let names = |needed: &dyn Fn(Need) -> bool| {
        let fits = |import: &&&String| need(import).is_some_and(needed);
        missing.iter().filter(fits).map(|import| quoted(import)).collect::<Vec<_>>().join(", ")
    };
    let told = |needed: &dyn Fn(Need) -> bool, words: &str| {
        let names = names(needed);
        (!names.is_empty()).then(|| format!("imports {names}, {words}"))
    };
    let grantable = |need| need != Need::Nothing;
    let message = [
        told(&grantable, "which this manifest does not grant"),
        told(&|need| need == Need::Nothing, "which this host does not have"),
    ];
    let mut mend = Vec::new();
    if needs.iter().copied().any(grantable) {
        mend.push("grant it with these lines, and list it in `uses` of each tool that needs it:".to_owned());
        let tables = tables(&needs, description);
        mend.extend(tables.into_iter().flat_map(|(table, lines)| std::iter::once(format!("[{table}]")).chain(lines)));
    }
    if needs.contains(&Need::FilesWrite) {
        mend.push(
            "what writes is for tools with effect = \"write\" or \"destructive\": one of them has to use it".to_owned(),
        );
    }
    mend.push(
        "for the plugin's author: if unused, leave it out of your world: the import goes away with it".to_owned(),
    );
    let message = message.into_iter().flatten().collect::<Vec<_>>().join("; ");
    Some((format!("the component {message}"), mend.join("\n")))
}

/// A table of a manifest and its lines.
type Table = (String, Vec<String>);

/// What of a manifest would meet these needs: what the component asks for, as far as its words are names, or an example.
fn tables(needs: &[Need], description: &Description) -> Vec<Table> {
    let proposal = Proposal::of(description);
    let asked = |kind: &str| -> Vec<Table> {
        let of_kind = proposal.tables.iter().filter(|known| known.table.starts_with(kind));
        let mut tables: Vec<Table> = of_kind.map(|known| (known.table.clone(), known.lines.clone())).collect();
        tables.sort();
        tables
    };
    let mut tables = Vec::new();
    let (reads, writes) = (needs.contains(&Need::FilesRead), needs.contains(&Need::FilesWrite));
    if reads || writes {
        tables.extend(directories(description, reads, writes));
    }
    if needs.contains(&Need::Http) || needs.contains(&Need::Secret) {
        // A grant that names a secret needs the secret's table too.
        tables.extend(requests([asked("grants.http."), asked("secrets.")].concat(), needs.contains(&Need::Secret)));
    }
    tables.extend(needs.iter().filter_map(|need| match need {
        Need::Clock => Some(("grants.clock.now".into(), Vec::new())),
        Need::Random => Some(("grants.random.any".into(), Vec::new())),
        Need::Inert => Some(("component".into(), vec!["wasi = \"inert\"".into()])),
        Need::FilesRead | Need::FilesWrite | Need::Http | Need::Secret | Need::Nothing => None,
    }));
    tables
}

/// One table a root: a tool could not use two. What only reads gets no more than reading, whatever is asked for.
fn directories(description: &Description, reads: bool, writes: bool) -> Vec<Table> {
    let mut roots: BTreeMap<&str, bool> = BTreeMap::new();
    for ask in description.tools.iter().flat_map(|tool| &tool.asks) {
        if let Ask::Files(files) = ask {
            *roots.entry(&files.root).or_default() |= files.write;
        }
    }
    let any = roots.values().any(|write| *write);
    let table = |(root, asked): (&str, bool)| {
        let write = writes && (asked || !any);
        let (key, lines) = file_table(root, write)?;
        (write || reads).then(|| (format!("grants.{key}"), lines))
    };
    let tables: Vec<Table> = roots.into_iter().filter_map(table).collect();
    if tables.is_empty() { table(("documents", writes)).into_iter().collect() } else { tables }
}

fn requests(asked: Vec<Table>, secret: bool) -> Vec<Table> {
    if asked.iter().any(|(table, _)| table.starts_with(if secret { "secrets." } else { "grants.http." })) {
        return asked;
    }
    let lines = ["host = \"api.example.com\"", "methods = [\"GET\"]", "paths = [\"/v1/\"]", "secret = \"token\""];
    let grant = lines.into_iter().filter(|line| secret || !line.starts_with("secret")).map(Into::into).collect();
    let inject = "inject = { header = \"authorization\", format = \"Bearer {}\" }";
    let token = ("secrets.token".to_owned(), vec!["source = \"file:token\"".into(), inject.into()]);
    std::iter::once(("grants.http.api".to_owned(), grant)).chain(secret.then_some(token)).collect()
}

#[cfg(test)]
mod tests;
