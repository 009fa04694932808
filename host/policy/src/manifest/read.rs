//! Reads the whole document, and checks what its tables say of each other.

use std::collections::{BTreeMap, BTreeSet};

use wardkeep_model::{LimitsPatch, PluginName, PublishedName, ToolName};

use crate::document::{Document, Faults, Item, Table};

use super::{Component, GrantKey, Manifest, Plugin, ToolTerms, grant, later, limits_patch};

/// A document as it was read, before the bytes' own properties are added.
struct Read {
    plugin: Plugin,
    component: Component,
    limits: LimitsPatch,
    grants: BTreeMap<GrantKey, grant::Grant>,
    tools: BTreeMap<ToolName, ToolTerms>,
}

impl Manifest {
    /// As `parse`; a manifest beside faults is there for finding further ones and must not be served.
    pub(crate) fn parse_further(file: &str, bytes: &[u8]) -> (Option<Self>, Faults) {
        let document = match Document::read(file, bytes) {
            Ok(document) => document,
            Err(faults) => return (None, faults),
        };
        let (digest, lines) = (document.digest(), document.lines());
        let (read, faults) = document.parse_further(read);
        let manifest = read.map(|read| Self {
            file: file.into(),
            digest,
            lines,
            plugin: read.plugin,
            component: read.component,
            limits: read.limits,
            grants: read.grants,
            tools: read.tools,
        });
        (manifest, faults)
    }
}

fn read(mut table: Table<'_>) -> Option<Read> {
    table.format(1);
    let plugin = table.required("plugin", "[plugin]").and_then(|item| item.table());
    let (name, plugin) = plugin.map(self::plugin).unwrap_or_default();
    let component = table.required("component", "[component]").and_then(|item| item.table());
    let component = component.and_then(Component::read);
    let limits = table.optional("limits").and_then(|item| item.table()).map(limits_patch).unwrap_or_default();
    let secrets = table.optional("secrets").and_then(|item| item.table()).map(later::secrets).unwrap_or_default();
    let grants = table.optional("grants").and_then(|item| item.table());
    let (grants, unread) = grants.map(|table| grant::read(table, &secrets)).unwrap_or_default();
    let items = table.required("tools", "[tools.NAME]").and_then(tools);
    let mut tools = BTreeMap::new();
    let mut published = BTreeMap::new();
    let mut sound = items.is_some();
    let mut used = BTreeSet::new();
    for (tool, item) in items.iter().flatten() {
        match ToolTerms::read(tool, item, name.as_ref(), &grants, &unread) {
            Some(terms) => {
                used.extend(terms.uses.iter().cloned());
                unique(&mut published, &terms, item);
                tools.insert(terms.name.clone(), terms);
            }
            None => sound = false,
        }
    }
    drop(table);
    // With a tool that could not be read nobody knows what is used.
    for (key, (_, item)) in grants.iter().filter(|(key, _)| sound && !used.contains(key)) {
        item.fault("no tool uses this grant", Some(&format!("add \"{key}\" to `uses` of a tool, or remove the grant")));
    }
    let grants = grants.into_iter().map(|(key, (grant, _))| (key, grant)).collect();
    if !sound { None } else { Some(Read { plugin: plugin?, component: component?, limits, grants, tools }) }
}

fn tools<'d>(item: Item<'d>) -> Option<Vec<(&'d str, Item<'d>)>> {
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

fn plugin(mut table: Table<'_>) -> (Option<PluginName>, Option<Plugin>) {
    let name = table.required("name", "name = \"github\"").and_then(|item| item.read::<PluginName>());
    let version = table
        .required("version", "version = \"1.0.0\"")
        .and_then(|item| item.read_with(|text| text.parse().map_err(|_| "not a semantic version, such as \"1.4.0\"")));
    let serial = table.required("serial", "serial = 1").and_then(|item| item.whole(1..=u64::MAX));
    let expires =
        table.required("expires", "expires = 2027-06-30, a day at most 400 days away").and_then(|item| item.date());
    let owner = table.required("owner", "owner = \"team@example.com\"");
    let owner = owner.and_then(|item| item.line_of_text(1..=200)).map(Into::into);
    let purpose = table.optional("purpose").and_then(|item| item.line_of_text(1..=500)).map(Into::into);
    let out_of_scope = table.optional("out_of_scope");
    let out_of_scope = out_of_scope.and_then(|item| item.list_of(|item| item.line_of_text(1..=200).map(Into::into)));
    let deployment = table.optional("deployment").and_then(|item| item.line_of_text(1..=100)).map(Into::into);
    drop(table);
    let plugin = || {
        Some(Plugin {
            name: name.clone()?,
            version: version?,
            serial: serial?,
            expires: expires?,
            owner: owner?,
            purpose,
            out_of_scope: out_of_scope.unwrap_or_default(),
            deployment,
        })
    };
    let plugin = plugin();
    (name, plugin)
}
