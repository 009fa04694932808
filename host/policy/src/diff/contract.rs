//! What clients see of the tools that both manifests list, and whether what they rely on still holds. What cannot be shown to be
//! harmless is called breaking.

use serde::Serialize;
use wardkeep_model::{Ask, Definition, Description, Effect, PublishedName, ToolName};

use super::{
    Side, same_track,
    schema::{self, Role, SchemaChange},
};

/// Changes of the contract.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Contract {
    /// A client that works today may fail.
    pub breaking: Vec<ContractChange>,
    /// A client that works today still works.
    pub additive: Vec<ContractChange>,
    /// Changes no call: what people and models read, and what is asked for.
    pub words: Vec<ContractChange>,
    /// The digests differ, and one of the components was not seen: there may be changes that are not told here.
    pub unseen: bool,
    /// The component breaks its clients in a version that says that it does not.
    pub needs_major: bool,
}

/// One change of one tool.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ContractChange {
    /// Its name inside the plugin.
    pub tool: ToolName,
    /// What changes.
    pub what: What,
}

/// What changes of a tool.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the fields are what the variants speak of")]
pub enum What {
    /// Listed before, and not any more.
    Removed,
    /// Listed now, and not before.
    Added,
    /// The name for clients.
    Published { old: PublishedName, new: PublishedName },
    /// For people.
    Title { old: Option<String>, new: Option<String> },
    /// What models read.
    Description { old: String, new: String },
    /// The class that the component itself tells.
    Effect { old: Effect, new: Effect },
    /// Whether a second call changes nothing more.
    Idempotent { now: bool },
    /// The schema of its arguments.
    Input(SchemaChange),
    /// The schema of its structured results.
    Output(SchemaChange),
    /// Whether there is a schema of structured results.
    OutputSchema { now: bool },
    /// Asks for something that it did not ask for. Nothing is granted by asking.
    Asks(Ask),
    /// Does not ask for it any more.
    AsksNoMore(Ask),
}

/// What a change means for clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    Breaking,
    Additive,
    Words,
}

impl Contract {
    /// Whether nothing is known to differ.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Self { breaking, additive, words, unseen, needs_major: _ } = self;
        breaking.is_empty() && additive.is_empty() && words.is_empty() && !unseen
    }

    fn push(&mut self, meaning: Meaning, tool: &ToolName, what: What) {
        let change = ContractChange { tool: tool.clone(), what };
        match meaning {
            Meaning::Breaking => self.breaking.push(change),
            Meaning::Additive => self.additive.push(change),
            Meaning::Words => self.words.push(change),
        }
    }
}

pub(super) fn of(old: Side<'_>, new: Side<'_>) -> Contract {
    let mut contract = Contract::default();
    let digest = |side: Side<'_>| side.manifest.component().contract_sha256;
    contract.unseen = digest(old) != digest(new) && (old.description.is_none() || new.description.is_none());
    let (before, after) = (old.manifest.tools(), new.manifest.tools());
    let mut component_breaks = false;
    for (name, terms) in before {
        let Some(now) = after.get(name) else {
            contract.push(Meaning::Breaking, name, What::Removed);
            // A manifest that lists less is its admin's doing, and no version of the component's can say so.
            component_breaks |=
                definition(old, name).is_some() && new.description.is_some() && definition(new, name).is_none();
            continue;
        };
        if terms.published != now.published {
            let (old, new) = (terms.published.clone(), now.published.clone());
            contract.push(Meaning::Breaking, name, What::Published { old, new });
        }
        if let (Some(old), Some(new)) = (definition(old, name), definition(new, name)) {
            let known = contract.breaking.len();
            compare(old, new, name, &mut contract);
            component_breaks |= contract.breaking.len() > known;
        }
    }
    for name in after.keys().filter(|name| !before.contains_key(*name)) {
        contract.push(Meaning::Additive, name, What::Added);
    }
    contract.needs_major = component_breaks && same_track(old.manifest.version(), new.manifest.version());
    contract
}

fn definition<'a>(side: Side<'a>, tool: &ToolName) -> Option<&'a Definition> {
    let Description { name: _, version: _, tools } = side.description?;
    tools.iter().find(|definition| definition.name == tool.as_str())
}

fn compare(old: &Definition, new: &Definition, tool: &ToolName, contract: &mut Contract) {
    // The name is what the two were found by. A field that is added to the contract must be put somewhere before this compiles.
    let Definition { name: _, title, description, input_schema, output_schema, effect, idempotent, asks } = old;
    if *title != new.title {
        contract.push(Meaning::Words, tool, What::Title { old: title.clone(), new: new.title.clone() });
    }
    if *description != new.description {
        let what = What::Description { old: description.clone(), new: new.description.clone() };
        contract.push(Meaning::Words, tool, what);
    }
    if *effect != new.effect {
        contract.push(Meaning::Breaking, tool, What::Effect { old: *effect, new: new.effect });
    }
    if *idempotent != new.idempotent {
        // Who relies on it may try again.
        let meaning = if new.idempotent { Meaning::Additive } else { Meaning::Breaking };
        contract.push(meaning, tool, What::Idempotent { now: new.idempotent });
    }
    for (meaning, change) in schema::compare(input_schema, &new.input_schema, Role::Input) {
        contract.push(meaning, tool, What::Input(change));
    }
    match (output_schema, &new.output_schema) {
        (Some(old), Some(new)) => {
            for (meaning, change) in schema::compare(old, new, Role::Output) {
                contract.push(meaning, tool, What::Output(change));
            }
        }
        (None, Some(_)) => contract.push(Meaning::Additive, tool, What::OutputSchema { now: true }),
        (Some(_), None) => contract.push(Meaning::Breaking, tool, What::OutputSchema { now: false }),
        (None, None) => {}
    }
    for ask in new.asks.iter().filter(|ask| !asks.contains(ask)) {
        contract.push(Meaning::Words, tool, What::Asks(ask.clone()));
    }
    for ask in asks.iter().filter(|ask| !new.asks.contains(ask)) {
        contract.push(Meaning::Words, tool, What::AsksNoMore(ask.clone()));
    }
}
