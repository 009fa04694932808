//! Whether a component's imports lie within its grants. An import that was not granted is never linked; it is refused here first, with
//! all others and with the lines that would grant it.

use wardkeep_model::{Ask, Description, RootName};

use crate::{document::quoted, grants::Grants, manifest::Access};

/// What would let an import in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Need {
    FilesRead,
    Clock,
    Random,
    Inert,
    /// A grant that this host cannot enforce yet, so no line of a manifest lets it in for now.
    Later,
    /// No line of a manifest: the host has no such interface, or not of this version.
    Nothing,
}

/// What the host has, by package, interface and semver track; a patch release of the host serves an older import of the same track.
const KNOWN: [(&str, &str, &str, Option<Need>); 11] = [
    ("wardkeep:log", "log", "0.1", None),
    ("wardkeep:progress", "progress", "0.1", None),
    ("wardkeep:files", "reader", "0.1", Some(Need::FilesRead)),
    ("wardkeep:files", "writer", "0.1", Some(Need::Later)),
    ("wardkeep:http", "client", "0.1", Some(Need::Later)),
    ("wardkeep:secrets", "store", "0.1", Some(Need::Later)),
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
            Need::Clock => self.clock || self.wasi_inert,
            Need::Random => self.random || self.wasi_inert,
            Need::Inert => self.wasi_inert && import.starts_with("wasi:"),
            Need::Later | Need::Nothing => false,
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
    let grantable = |need| !matches!(need, Need::Later | Need::Nothing);
    let message = [
        told(&grantable, "which this manifest does not grant"),
        told(&|need| need == Need::Later, "which this host cannot grant yet"),
        told(&|need| need == Need::Nothing, "which this host does not have"),
    ];
    let mut mend = Vec::new();
    if needs.iter().copied().any(grantable) {
        mend.push("grant it with these lines, and list it in `uses` of each tool that needs it:".to_owned());
        mend.extend(needs.iter().flat_map(|need| lines(*need, description)));
    }
    mend.push("if unused, leave it out of your world: the import goes away with it".to_owned());
    let message = message.into_iter().flatten().collect::<Vec<_>>().join("; ");
    Some((format!("the component {message}"), mend.join("\n")))
}

/// The lines of a manifest that would meet a need; the roots that the component asks for, if their names are names.
fn lines(need: Need, description: &Description) -> Vec<String> {
    let files = || {
        let asks = description.tools.iter().flat_map(|tool| &tool.asks);
        let roots = asks.filter_map(|ask| match ask {
            Ask::Files(ask) => ask.root.parse::<RootName>().ok(),
            _ => None,
        });
        let mut roots: Vec<String> = roots.map(|root| root.to_string()).collect();
        roots.sort();
        roots.dedup();
        if roots.is_empty() {
            roots.push("documents".into());
        }
        let table = |root: &String| {
            [format!("[grants.files.{root}]"), format!("root = \"{root}\""), "access = \"read\"".into()]
        };
        roots.iter().flat_map(table).collect()
    };
    match need {
        Need::FilesRead => files(),
        Need::Clock => vec!["[grants.clock.now]".into()],
        Need::Random => vec!["[grants.random.any]".into()],
        Need::Inert => vec!["[component]".into(), "wasi = \"inert\"".into()],
        Need::Later | Need::Nothing => Vec::new(),
    }
}

#[cfg(test)]
mod tests;
