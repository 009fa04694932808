//! The tables of a manifest that would answer what a component asks for: drafts show them as comments, and refused imports name them.
//! Proposing grants nothing.
//!
//! A component's words get here only through the types that read them in a manifest, so that none of them is more than a name. What a
//! type does not read is not proposed.

use std::collections::{BTreeSet, HashMap, HashSet};

use wardkeep_model::{Ask, Definition, Description, Effect, GrantName, HttpAsk, Method, RootName, SecretName};

use crate::manifest::HostPattern;

/// A table, and for what.
#[derive(Debug)]
pub(crate) struct Proposed<'a> {
    /// Between the brackets: `grants.files.reports`, `secrets.github-ro`.
    pub(crate) table: String,
    /// Its lines, some with comments for the admin.
    pub(crate) lines: Vec<String>,
    /// What it answers; the first of equal ones.
    pub(crate) ask: &'a Ask,
}

/// All of them, each once. What a component asks for is foreign and may be long: nothing here is looked for by going through all.
#[derive(Debug, Default)]
pub(crate) struct Proposal<'a> {
    pub(crate) tables: Vec<Proposed<'a>>,
    /// For each tool in the description's order: the grants that it would use, as `uses` names them.
    used: Vec<BTreeSet<String>>,
    /// Names by what they stand for.
    grants: HashMap<Grant, String>,
    names: HashSet<String>,
    /// How many have begun with this name.
    alike: HashMap<String, u32>,
    secrets: BTreeSet<SecretName>,
}

/// A name as it would be, and the lines of its table.
type Grant = (String, Vec<String>);

impl<'a> Proposal<'a> {
    pub(crate) fn of(description: &'a Description) -> Self {
        let mut proposal = Self::default();
        for tool in &description.tools {
            let used = proposal.tool(tool);
            proposal.used.push(used);
        }
        proposal
    }

    /// The grants that the tool at this place of the description would use.
    pub(crate) fn used_by(&self, index: usize) -> impl Iterator<Item = &str> {
        self.used.get(index).into_iter().flatten().map(String::as_str)
    }

    /// Whether some table answers it.
    pub(crate) fn answers(&self, ask: &Ask) -> bool {
        match ask {
            Ask::Http(http) => host_and_methods(http).is_some(),
            Ask::Secret(secret) => secret.name.parse().is_ok_and(|name| self.secrets.contains(&name)),
            Ask::Files(files) => files.root.parse::<RootName>().is_ok(),
            Ask::Clock(_) | Ask::Random(_) => true,
        }
    }

    fn tool(&mut self, tool: &'a Definition) -> BTreeSet<String> {
        let secrets: Vec<(SecretName, &Ask)> = tool.asks.iter().filter_map(secret).collect();
        // A tool cannot use a root twice: who writes there reads there too.
        let writes = |ask: &'a Ask| match ask {
            Ask::Files(files) if files.write => Some(files.root.as_str()),
            _ => None,
        };
        let writes: HashSet<&str> = tool.asks.iter().filter_map(writes).collect();
        let mut used = BTreeSet::new();
        // A secret that no request carries would be a fault of the manifest.
        let mut carried = BTreeSet::new();
        for ask in &tool.asks {
            let tables = match ask {
                Ask::Files(files) => file_table(&files.root, files.write).into_iter().collect(),
                Ask::Clock(_) => vec![("clock.now".to_owned(), Vec::new())],
                Ask::Random(_) => vec![("random.any".to_owned(), Vec::new())],
                Ask::Http(http) => request_tables(http, tool.effect, &secrets, &mut carried),
                Ask::Secret(_) => Vec::new(),
            };
            let keys: Vec<String> = tables.into_iter().map(|grant| self.grant(grant, ask)).collect();
            if !matches!(ask, Ask::Files(files) if !files.write && writes.contains(files.root.as_str())) {
                used.extend(keys);
            }
        }
        for (name, ask) in secrets {
            if carried.contains(&name) && self.secrets.insert(name.clone()) {
                let source = format!(
                    "source = \"file:{name}\"     # a file in the directory of [sources.file] of wardkeep.toml"
                );
                let inject = "inject = { header = \"authorization\", format = \"Bearer {}\" }".to_owned();
                self.tables.push(Proposed { table: format!("secrets.{name}"), lines: vec![source, inject], ask });
            }
        }
        used
    }

    /// The name of this grant: that of an equal one, or a new one, which ends in a number where another has the same.
    fn grant(&mut self, grant: Grant, ask: &'a Ask) -> String {
        if let Some(name) = self.grants.get(&grant) {
            return name.clone();
        }
        let (key, lines) = grant.clone();
        let count = self.alike.entry(key.clone()).or_default();
        let mut name = key.clone();
        while !self.names.insert(name.clone()) {
            *count += 1;
            name = format!("{key}-{}", *count + 1);
        }
        self.grants.insert(grant, name.clone());
        self.tables.push(Proposed { table: format!("grants.{name}"), lines, ask });
        name
    }
}

fn secret(ask: &Ask) -> Option<(SecretName, &Ask)> {
    match ask {
        Ask::Secret(secret) => Some((secret.name.parse().ok()?, ask)),
        _ => None,
    }
}

pub(crate) fn file_table(root: &str, write: bool) -> Option<(String, Vec<String>)> {
    let root: RootName = root.parse().ok()?;
    let (name, access) = if write { (format!("{root}-write"), "write") } else { (root.to_string(), "read") };
    let name: GrantName = name.parse().ok()?;
    Some((format!("files.{name}"), vec![format!("root = \"{root}\""), format!("access = \"{access}\"")]))
}

fn host_and_methods(ask: &HttpAsk) -> Option<(HostPattern, BTreeSet<Method>)> {
    let methods: BTreeSet<Method> = ask.methods.iter().filter_map(|method| method.parse().ok()).collect();
    Some((ask.host.parse().ok()?, methods)).filter(|(_, methods)| !methods.is_empty())
}

/// What reads and what may write are granted apart, so that an admin can give the one without the other.
fn request_tables(
    ask: &HttpAsk,
    effect: Effect,
    secrets: &[(SecretName, &Ask)],
    carried: &mut BTreeSet<SecretName>,
) -> Vec<Grant> {
    let Some((host, methods)) = host_and_methods(ask) else { return Vec::new() };
    let (safe, unsafe_): (BTreeSet<Method>, _) = methods.into_iter().partition(|method| method.is_safe());
    let base: String = host.to_string().replace("*.", "any-").replace('.', "-").chars().take(36).collect();
    let mut table = |kind: Option<&str>, methods: &BTreeSet<Method>, secret: Option<&(SecretName, &Ask)>| {
        let exception = kind.is_none() && effect == Effect::Read;
        // What may write is told apart by what it sends.
        let kind = kind.map_or_else(
            || methods.iter().map(|method| method.as_str().to_lowercase()).collect::<Vec<_>>().join("-"),
            str::to_owned,
        );
        let methods: Vec<String> = methods.iter().map(|method| format!("\"{method}\"")).collect();
        let mut lines = vec![format!("host = \"{host}\""), format!("methods = [{}]", methods.join(", "))];
        lines.push(match exception {
            true => "paths = [\"=/\"]              # say which: exact paths only, such as \"=/graphql\"".to_owned(),
            false => "paths = [\"/\"]               # narrow it: \"/v1/\" and all below, \"=/v1/items\", \"/repos/{/owner}/\"".to_owned(),
        });
        if let Some((name, _)) = secret {
            carried.insert(name.clone());
            let others: Vec<String> = secrets
                .iter()
                .filter(|(other, _)| other != name)
                .take(3)
                .map(|(other, _)| format!("\"{other}\""))
                .collect();
            lines.push(match others.is_empty() {
                true => format!("secret = \"{name}\""),
                false => format!("secret = \"{name}\"     # a guess: it asks for {} too", others.join(", ")),
            });
        }
        if exception {
            lines.push(
                "read_only = true            # a signed exception for a tool that reads: this changes nothing"
                    .to_owned(),
            );
        }
        (format!("http.{}-{kind}", base.trim_end_matches('-')), lines)
    };
    let reads = (!safe.is_empty()).then(|| table(Some("read"), &safe, secrets.first()));
    let writes = (!unsafe_.is_empty()).then(|| table(None, &unsafe_, secrets.last()));
    reads.into_iter().chain(writes).collect()
}
