//! The tables `[tools.<name>]`: which tools are served, to whom, and with which grants.

use wardkeep_model::{Effect, LimitsPatch, PluginName, PublishedName, ToolName};

use crate::document::{Item, Table, quoted};

use super::{
    Allowed, Confirm, Grant, GrantKey, Only, Rates, Returns,
    grant::Placed,
    limits_patch, rate,
    terms::{self, absent},
};
use crate::pointer::Pointer;

/// What a manifest says of one tool.
#[derive(Debug, Clone)]
pub struct ToolTerms {
    /// The tool's name inside the plugin.
    pub name: ToolName,
    /// Its class.
    pub effect: Effect,
    /// The systems that it touches, for people.
    pub systems: Vec<String>,
    /// What a write does to the world, for people.
    pub side_effects: Option<String>,
    /// The grants that it holds.
    pub uses: Vec<GrantKey>,
    /// Who may call it; nobody if empty.
    pub allow: Vec<Allowed>,
    /// Whether it is served.
    pub stage: Stage,
    /// To which groups alone while it is piloted, without the `group:` prefix.
    pub pilot_groups: Vec<String>,
    /// How often it may be called.
    pub rate: Rates,
    /// Its own limits, over the plugin's.
    pub limits: LimitsPatch,
    /// Whether the plugin may put questions of its own to the person who calls.
    pub asks: bool,
    /// Who has to say yes before it runs. A reading tool needs nobody.
    pub confirm: Confirm,
    /// Where its arguments name what it touches.
    pub resources: Vec<Pointer>,
    /// What its arguments may name.
    pub only: Vec<Only>,
    /// What of its answers leaves.
    pub returns: Returns,
    /// Its name for clients.
    pub published: PublishedName,
}

/// How far a tool is rolled out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Nobody is served.
    Off,
    /// Those whom `allow` names and who are in one of the pilot groups.
    Pilot,
    /// Everyone whom `allow` names.
    General,
}

impl Stage {
    /// As manifests spell it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Pilot => "pilot",
            Self::General => "general",
        }
    }
}

impl ToolTerms {
    /// Reads one tool. `unread` are grants that exist but are faulty themselves.
    pub(super) fn read(
        name: &str,
        item: &Item<'_>,
        plugin: Option<&PluginName>,
        grants: &Placed<'_>,
        unread: &[GrantKey],
    ) -> Option<Self> {
        let mut table = item.table()?;
        let name = name
            .parse::<ToolName>()
            .map_err(|error| item.fault(format!("{} is not valid here", quoted(name)), Some(&error.to_string())))
            .ok();
        let effect = effect(&mut table);
        let lines =
            |item: Item<'_>| item.list_of(|item| item.line_of_text(1..=100).map(Into::into)).unwrap_or_default();
        let systems = table.optional("systems").map(lines).unwrap_or_default();
        let side_effects = side_effects(&mut table, effect);
        let uses = table.optional("uses").map_or(Some(Vec::new()), |item| uses(&item, grants, unread));
        let allow = table.optional("allow").map_or(Some(Vec::new()), |item| allow(&item));
        let stage = stage(&mut table);
        let pilot_groups = pilot_groups(&mut table, item, stage);
        let rate = absent(&mut table, "rate", rate::rates, Rates::default());
        let limits = table.optional("limits").and_then(|item| item.table()).map(limits_patch).unwrap_or_default();
        let published = published(&mut table, item, plugin, name.as_ref());
        let asks = table.optional("asks").is_some_and(|item| item.boolean() == Some(true));
        let confirm = confirm(&mut table, effect);
        let resources = absent(&mut table, "resources", terms::resources, Vec::new());
        let only = absent(&mut table, "only", terms::only, Vec::new());
        let returns = absent(&mut table, "returns", terms::returns, Returns::default());
        drop(table);
        Some(Self {
            name: name?,
            effect: effect?,
            systems,
            side_effects,
            uses: uses?,
            allow: allow?,
            stage: stage?,
            pilot_groups: pilot_groups?,
            rate: rate?,
            limits,
            asks,
            confirm: confirm?,
            resources: resources?,
            only: only?,
            returns: returns?,
            published: published?,
        })
    }
}

fn effect(table: &mut Table<'_>) -> Option<Effect> {
    let item = table.required("effect", "effect = \"read\"")?;
    let effects = [Effect::Read, Effect::Write, Effect::Destructive].map(|effect| (effect.as_str(), effect));
    item.choice(&effects)
}

/// A reading tool needs nobody's yes; a destructive one needs somebody's.
fn confirm(table: &mut Table<'_>, effect: Option<Effect>) -> Option<Confirm> {
    let unsaid = if effect == Some(Effect::Read) { Confirm::None } else { Confirm::Client };
    let Some(item) = table.optional("confirm") else { return Some(unsaid) };
    let confirm = terms::confirm(&item)?;
    match (effect, confirm) {
        (Some(Effect::Destructive), Confirm::None) => {
            item.fault(
                "a destructive tool is never called without a confirmation",
                Some("write confirm = \"client\" or \"operator\""),
            );
        }
        (Some(Effect::Read), Confirm::Client | Confirm::Operator) => {
            item.fault("a reading tool is not confirmed", Some("remove it, or write effect = \"write\""));
        }
        _ => {}
    }
    Some(confirm)
}

fn side_effects(table: &mut Table<'_>, effect: Option<Effect>) -> Option<String> {
    let example = "side_effects = \"what it changes, and who notices\"";
    let item = match effect {
        Some(Effect::Write | Effect::Destructive) => table.required("side_effects", example),
        _ => table.optional("side_effects"),
    };
    item.and_then(|item| item.line_of_text(1..=500)).map(Into::into)
}

fn uses(item: &Item<'_>, grants: &Placed<'_>, unread: &[GrantKey]) -> Option<Vec<GrantKey>> {
    let mut uses: Vec<GrantKey> = Vec::new();
    let mut sound = true;
    for element in item.list()? {
        let Some(key) = element.read::<GrantKey>() else {
            sound = false;
            continue;
        };
        if uses.contains(&key) {
            element.fault(format!("`{key}` is listed twice"), Some("keep one of them"));
        }
        let root = |key| match grants.get(key) {
            Some((Grant::Files(grant), _)) => Some(&grant.root),
            _ => None,
        };
        if let Some(own) = root(&key)
            && let Some(other) = uses.iter().find(|other| **other != key && root(*other) == Some(own))
        {
            let message = format!("`{key}` and `{other}` are the same root, which a guest could not tell apart");
            element.fault(message, Some("use one of them"));
        }
        if !grants.contains_key(&key) && !unread.contains(&key) {
            let known: Vec<String> = grants.keys().take(20).map(|key| format!("`{key}`")).collect();
            let mend = match known.is_empty() {
                true => format!("add [grants.{key}]"),
                false => format!("add [grants.{key}], or use one of {}", known.join(", ")),
            };
            element.fault(format!("no grant is named `{key}`"), Some(&mend));
        }
        uses.push(key);
    }
    sound.then_some(uses)
}

fn allow(item: &Item<'_>) -> Option<Vec<Allowed>> {
    let mut allow: Vec<Allowed> = Vec::new();
    let mut sound = true;
    for element in item.list()? {
        match element.read::<Allowed>() {
            Some(entry) if allow.contains(&entry) => {
                element.fault(format!("{} is listed twice", quoted(&entry.to_string())), Some("keep one of them"));
            }
            Some(entry) => allow.push(entry),
            None => sound = false,
        }
    }
    sound.then_some(allow)
}

fn stage(table: &mut Table<'_>) -> Option<Stage> {
    let Some(item) = table.optional("stage") else { return Some(Stage::General) };
    item.choice(&[Stage::Off, Stage::Pilot, Stage::General].map(|stage| (stage.as_str(), stage)))
}

/// A list that nobody looks at would only seem to bound: it stands with the stage that it belongs to, or while the tool is off.
fn pilot_groups(table: &mut Table<'_>, tool: &Item<'_>, stage: Option<Stage>) -> Option<Vec<String>> {
    let example = "pilot_groups = [\"platform\"]";
    let Some(item) = table.optional("pilot_groups") else {
        if stage == Some(Stage::Pilot) {
            tool.fault(
                "stage \"pilot\" serves the pilot groups alone, and none is named",
                Some(&format!("add {example}")),
            );
        }
        return Some(Vec::new());
    };
    let groups = item.list_of(group)?;
    if groups.is_empty() {
        item.fault("names no group, so it would serve nobody", Some(example));
    }
    if groups.iter().enumerate().any(|(at, one)| groups.iter().take(at).any(|known| known == one)) {
        item.fault("names a group twice", Some("keep one of them"));
    }
    if stage == Some(Stage::General) && !groups.is_empty() {
        item.fault(
            "bounds nothing: at stage \"general\" everyone in `allow` is served",
            Some("write stage = \"pilot\", or remove it"),
        );
    }
    Some(groups)
}

/// A group's bare name, by the rule of `allow`.
fn group(item: &Item<'_>) -> Option<String> {
    item.read_with(|text| match text.strip_prefix("group:") {
        Some(bare) => Err(format!("groups are named alone here, such as \"{bare}\"")),
        None => match format!("group:{text}").parse() {
            Ok(Allowed::Group(group)) => Ok(group),
            Ok(Allowed::Principal(_)) => Err("name a group".to_owned()),
            Err(error) => Err(error.to_string()),
        },
    })
}

fn published(
    table: &mut Table<'_>,
    tool: &Item<'_>,
    plugin: Option<&PluginName>,
    name: Option<&ToolName>,
) -> Option<PublishedName> {
    if let Some(item) = table.optional("publish_as") {
        return item.read();
    }
    let published = format!("{}_{}", plugin?, name?);
    if published.parse::<PublishedName>().is_err() {
        let message = format!("{} is longer than the 64 bytes of a published name", quoted(&published));
        tool.fault(message, Some("add publish_as = \"a_shorter_name\""));
    }
    published.parse().ok()
}
