//! Reads the whole document, and checks what its tables say of each other.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use wardkeep_model::{Digest, PublishedName};

use crate::document::{Document, Faults, Item, Table};

use super::{
    Component, Grant, GrantKey, Manifest, Plugin, ToolTerms, clash, grant, limits_patch, secret,
    sketch::{Sketch, gravest_tool},
};

impl Manifest {
    /// As `parse`, with what could be read of a faulty manifest; a manifest beside faults is not to be served either.
    pub(crate) fn parse_further(file: &str, bytes: &[u8]) -> (Sketch, Option<Self>, Faults) {
        let mut sketch = Sketch { file: file.into(), ..Sketch::default() };
        let document = match Document::read(file, bytes) {
            Ok(document) => document,
            Err(faults) => return (sketch, None, faults),
        };
        let digest = document.digest();
        sketch.lines = document.lines();
        sketch.digest = Some(digest);
        let (manifest, faults) = document.parse_further(|table| read(table, digest, &mut sketch));
        (sketch, manifest, faults)
    }
}

fn read(mut table: Table<'_>, digest: Digest, sketch: &mut Sketch) -> Option<Manifest> {
    table.format(Manifest::FORMAT);
    let plugin = table.required("plugin", "[plugin]").and_then(|item| item.table());
    let plugin = plugin.and_then(|table| self::plugin(table, sketch));
    let component = table.required("component", "[component]").and_then(|item| item.table());
    let component = component.and_then(|table| Component::read(table, &mut sketch.component));
    let limits = table.optional("limits").and_then(|item| item.table()).map(limits_patch).unwrap_or_default();
    let secrets = table.optional("secrets").and_then(|item| item.table()).map(secret::read).unwrap_or_default();
    let grants = table.optional("grants").and_then(|item| item.table());
    let (grants, unread) = grants.map(|table| grant::read(table, &secrets)).unwrap_or_default();
    let items = table.required("tools", "[tools.NAME]").and_then(tools_of);
    drop(table);
    let mut tools = BTreeMap::new();
    let mut published = BTreeMap::new();
    let mut placed = Vec::new();
    for (name, item) in items.iter().flatten() {
        if let Some(terms) = ToolTerms::read(name, item, sketch.name.as_ref(), &grants, &unread) {
            unique(&mut published, &terms, item);
            placed.push((terms.name.clone(), item));
            tools.insert(terms.name.clone(), terms);
        }
    }
    let placed = placed.into_iter().filter_map(|(name, item)| Some((tools.get(&name)?, item)));
    clash::check(placed, &grants);
    sketch.effect = gravest_tool(tools.values());
    // With a tool that could not be read nobody knows what is used.
    let sound = items.is_some_and(|items| items.len() == tools.len());
    let used: BTreeSet<&GrantKey> = tools.values().flat_map(|tool| &tool.uses).collect();
    for (key, (_, item)) in grants.iter().filter(|(key, _)| sound && !used.contains(key)) {
        item.fault("no tool uses this grant", Some(&format!("add \"{key}\" to `uses` of a tool, or remove the grant")));
    }
    let bound = |name| {
        grants.values().any(|(grant, _)| matches!(grant, Grant::Http(grant) if grant.secret.as_ref() == Some(name)))
    };
    for (name, (_, item)) in secrets.read.iter().filter(|(name, _)| unread.is_empty() && !bound(*name)) {
        let mend = format!("add secret = \"{name}\" to a grant of [grants.http], or remove the secret");
        item.fault("no grant uses this secret", Some(&mend));
    }
    sketch.secrets = secrets.read.into_iter().map(|(name, (terms, _))| (name, Arc::new(terms))).collect();
    sketch.grants = grants.into_iter().map(|(key, (grant, _))| (key, grant)).collect();
    if !sound {
        return None;
    }
    let (file, lines, grants) = (sketch.file.clone(), sketch.lines.clone(), sketch.grants.clone());
    let secrets = sketch.secrets.clone();
    Some(Manifest { file, digest, lines, plugin: plugin?, component: component?, limits, grants, secrets, tools })
}

fn tools_of<'d>(item: Item<'d>) -> Option<Vec<(&'d str, Item<'d>)>> {
    let tools = item.table()?.named();
    if tools.is_empty() {
        item.fault("lists no tool, so nothing would be served", Some("add [tools.NAME]"));
    }
    Some(tools)
}

fn unique<'t>(published: &mut BTreeMap<PublishedName, &'t str>, terms: &ToolTerms, item: &'t Item<'_>) {
    if let Some(other) = published.insert(terms.published.clone(), item.key()) {
        let message = format!("its published name `{}` is also that of `{other}`", terms.published);
        item.fault(message, Some("give one of them another `publish_as`"));
    }
}

fn plugin(mut table: Table<'_>, sketch: &mut Sketch) -> Option<Plugin> {
    sketch.name = table.required("name", "name = \"github\"").and_then(|item| item.read());
    let version = table.required("version", "version = \"1.0.0\"").and_then(|item| {
        item.read_with(|text| text.parse().map_err(|_| "write a semantic version, such as \"1.4.0\""))
    });
    sketch.serial = table.required("serial", "serial = 1").and_then(|item| item.whole(1..=u64::MAX));
    let expires = table.required("expires", "expires = 2027-06-30, a day at most 400 days away");
    sketch.expires = expires.and_then(|item| item.date());
    let owner = table.required("owner", "owner = \"team@example.com\"");
    let owner = owner.and_then(|item| item.line_of_text(1..=200)).map(Into::into);
    let purpose = table.optional("purpose").and_then(|item| item.line_of_text(1..=500)).map(Into::into);
    let out_of_scope = table.optional("out_of_scope");
    let out_of_scope = out_of_scope.and_then(|item| item.list_of(|item| item.line_of_text(1..=200).map(Into::into)));
    sketch.deployment = table.optional("deployment").and_then(|item| item.line_of_text(1..=100)).map(Into::into);
    drop(table);
    Some(Plugin {
        name: sketch.name.clone()?,
        version: version?,
        serial: sketch.serial?,
        expires: sketch.expires?,
        owner: owner?,
        purpose,
        out_of_scope: out_of_scope.unwrap_or_default(),
        deployment: sketch.deployment.clone(),
    })
}
