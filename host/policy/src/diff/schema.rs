//! What changes of a JSON Schema, and what that means for clients. Arguments may be asked for more freely, results told more strictly;
//! the other way round breaks, and so does whatever cannot be shown to do neither.
//!
//! Hostile input: bounded in size and depth before it is looked at, walked once. It never decides anything but a word on a screen.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::{json::parse_json, schema::LARGEST_SCHEMA};

use super::contract::Meaning;

/// As deep as a schema that is served may be, and a little further.
const DEEPEST: usize = 64;

/// What a schema is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// What clients send: accepting more is harmless.
    Input,
    /// What clients are sent: telling more exactly is harmless.
    Output,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SchemaChange {
    /// The value that is spoken of, as a pointer into arguments or results; `*` is every element.
    pub at: String,
    /// What changes there.
    pub what: SchemaWhat,
}

/// What changes at a place of a schema.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the fields are what the variants speak of")]
pub enum SchemaWhat {
    PropertyAdded {
        required: bool,
    },
    PropertyRemoved,
    Required {
        now: bool,
    },
    /// Properties that are not named are allowed.
    OthersAllowed {
        now: bool,
    },
    Types {
        old: Vec<String>,
        new: Vec<String>,
    },
    /// Values that are listed one by one.
    Choices {
        added: Vec<String>,
        removed: Vec<String>,
    },
    /// A keyword that bounds values, as JSON.
    Bound {
        keyword: &'static str,
        old: Option<String>,
        new: Option<String>,
    },
    /// A keyword that people and models read, as JSON.
    Words {
        keyword: &'static str,
        old: Option<String>,
        new: Option<String>,
    },
    /// Other bytes with the same meaning.
    Spelling,
    /// A keyword whose change cannot be shown to be harmless.
    Unproven {
        keyword: String,
    },
    /// One of the two cannot be read.
    Unreadable,
}

const WORDS: [&str; 6] = ["title", "description", "$comment", "examples", "deprecated", "$schema"];
/// A greater value lets less through.
const LEAST: [&str; 5] = ["minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"];
/// A greater value lets more through.
const MOST: [&str; 5] = ["maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"];
/// Their presence lets less through; two different ones cannot be compared.
const NARROWING: [&str; 4] = ["pattern", "format", "multipleOf", "uniqueItems"];
/// Keywords under which a wider schema may let less through, or that look beyond their own place.
const NOT_MONOTONE: [&str; 14] = [
    "not",
    "oneOf",
    "if",
    "then",
    "else",
    "contains",
    "dependentSchemas",
    "unevaluatedProperties",
    "unevaluatedItems",
    "propertyNames",
    "$dynamicRef",
    "$recursiveRef",
    "$id",
    "$anchor",
];

/// Compares two schemas as their texts.
pub(super) fn compare(old: &str, new: &str, role: Role) -> Vec<(Meaning, SchemaChange)> {
    if old == new {
        return Vec::new();
    }
    let whole = |meaning, what| vec![(meaning, SchemaChange { at: String::new(), what })];
    let read = |text: &str| if text.len() <= LARGEST_SCHEMA { parse_json(text, DEEPEST).ok() } else { None };
    let (Some(before), Some(after)) = (read(old), read(new)) else {
        return whole(Meaning::Breaking, SchemaWhat::Unreadable);
    };
    if before == after {
        return whole(Meaning::Words, SchemaWhat::Spelling);
    }
    let either = |words: &[&str]| holds(&before, words) || holds(&after, words);
    let monotone = !either(&NOT_MONOTONE);
    if !monotone && either(&["$ref"]) {
        // A place that widens may be referred to from where widening narrows.
        return whole(Meaning::Breaking, SchemaWhat::Unproven { keyword: "$ref".into() });
    }
    let mut walk = Walk { role, monotone, found: Vec::new() };
    walk.schemas("", &before, &after);
    if walk.found.is_empty() {
        walk.tell(Meaning::Words, "", SchemaWhat::Spelling);
    }
    walk.found
}

/// Whether a keyword stands anywhere; a property of that name counts too, which errs on the safe side.
fn holds(value: &Value, words: &[&str]) -> bool {
    match value {
        Value::Object(map) => map.iter().any(|(key, value)| words.contains(&key.as_str()) || holds(value, words)),
        Value::Array(values) => values.iter().any(|value| holds(value, words)),
        _ => false,
    }
}

struct Walk {
    role: Role,
    /// Whether a definition may be compared apart from the places that refer to it.
    monotone: bool,
    found: Vec<(Meaning, SchemaChange)>,
}

impl Walk {
    fn tell(&mut self, meaning: Meaning, at: &str, what: SchemaWhat) {
        self.found.push((meaning, SchemaChange { at: at.into(), what }));
    }

    /// What lets more through is harmless for arguments, what lets less through for results.
    fn freer(&mut self, freer: bool, at: &str, what: SchemaWhat) {
        let harmless = freer == (self.role == Role::Input);
        self.tell(if harmless { Meaning::Additive } else { Meaning::Breaking }, at, what);
    }

    fn unproven(&mut self, at: &str, keyword: &str) {
        self.tell(Meaning::Breaking, at, SchemaWhat::Unproven { keyword: keyword.into() });
    }

    fn schemas(&mut self, at: &str, old: &Value, new: &Value) {
        match (old, new) {
            _ if old == new => {}
            (Value::Object(old), Value::Object(new)) => self.objects(at, old, new),
            // `true` and `false` are schemas; here they stand for everything and nothing.
            _ => self.unproven(at, "true or false"),
        }
    }

    fn objects(&mut self, at: &str, old: &Map<String, Value>, new: &Map<String, Value>) {
        let keywords: BTreeSet<&str> = old.keys().chain(new.keys()).map(String::as_str).collect();
        for keyword in keywords {
            let (before, after) = (old.get(keyword), new.get(keyword));
            if before == after {
                continue;
            }
            let one_of = |known: &[&'static str]| known.iter().copied().find(|known| *known == keyword);
            if let Some(keyword) = one_of(&WORDS) {
                let (old, new) = (before.map(ToString::to_string), after.map(ToString::to_string));
                self.tell(Meaning::Words, at, SchemaWhat::Words { keyword, old, new });
            } else if let Some(keyword) = one_of(&LEAST) {
                self.bound(at, keyword, before, after, false);
            } else if let Some(keyword) = one_of(&MOST) {
                self.bound(at, keyword, before, after, true);
            } else if let Some(keyword) = one_of(&NARROWING) {
                self.narrowing(at, keyword, before, after);
            } else {
                match keyword {
                    "type" => self.types(at, before, after),
                    "enum" => self.choices(at, before, after),
                    "properties" => self.properties(at, (old, before), (new, after)),
                    "required" => self.required(at, old, new),
                    "additionalProperties" => self.others(at, before, after),
                    "items" => self.items(at, before, after),
                    "$defs" | "definitions" if self.monotone => self.definitions(at, keyword, before, after),
                    other => self.unproven(at, other),
                }
            }
        }
    }

    fn bound(&mut self, at: &str, keyword: &'static str, old: Option<&Value>, new: Option<&Value>, most: bool) {
        let freer = match (old.map(Value::as_f64), new.map(Value::as_f64)) {
            (_, None) => true,
            (None, _) => false,
            (Some(Some(old)), Some(Some(new))) if old != new => (new > old) == most,
            _ => return self.unproven(at, keyword),
        };
        let what = SchemaWhat::Bound { keyword, old: old.map(ToString::to_string), new: new.map(ToString::to_string) };
        self.freer(freer, at, what);
    }

    fn narrowing(&mut self, at: &str, keyword: &'static str, old: Option<&Value>, new: Option<&Value>) {
        if old.is_some() && new.is_some() {
            return self.unproven(at, keyword);
        }
        let what = SchemaWhat::Bound { keyword, old: old.map(ToString::to_string), new: new.map(ToString::to_string) };
        self.freer(new.is_none(), at, what);
    }

    fn types(&mut self, at: &str, old: Option<&Value>, new: Option<&Value>) {
        let (Some(before), Some(after)) = (types(old), types(new)) else { return self.unproven(at, "type") };
        // What allows numbers allows whole ones.
        let within = |few: &BTreeSet<String>, many: &BTreeSet<String>| {
            few.iter().all(|kind| many.contains(kind) || (kind == "integer" && many.contains("number")))
        };
        // An absent keyword allows every type.
        let freer = match (before.is_empty(), after.is_empty()) {
            (_, true) => Some(true),
            (true, false) => Some(false),
            _ => match (within(&before, &after), within(&after, &before)) {
                (true, true) => return,
                (true, false) => Some(true),
                (false, true) => Some(false),
                (false, false) => None,
            },
        };
        let what = SchemaWhat::Types { old: before.into_iter().collect(), new: after.into_iter().collect() };
        match freer {
            Some(freer) => self.freer(freer, at, what),
            None => self.tell(Meaning::Breaking, at, what),
        }
    }

    fn choices(&mut self, at: &str, old: Option<&Value>, new: Option<&Value>) {
        if old.is_none() || new.is_none() {
            return self.narrowing(at, "enum", old, new);
        }
        let set = |value: Option<&Value>| -> Option<BTreeSet<String>> {
            Some(value?.as_array()?.iter().map(ToString::to_string).collect())
        };
        let (Some(before), Some(after)) = (set(old), set(new)) else { return self.unproven(at, "enum") };
        let added: Vec<_> = after.difference(&before).cloned().collect();
        let removed: Vec<_> = before.difference(&after).cloned().collect();
        match (added.is_empty(), removed.is_empty()) {
            (true, true) => {}
            (false, false) => self.tell(Meaning::Breaking, at, SchemaWhat::Choices { added, removed }),
            (_, freer) => self.freer(freer, at, SchemaWhat::Choices { added, removed }),
        }
    }

    fn properties(
        &mut self,
        at: &str,
        (old, before): (&Map<String, Value>, Option<&Value>),
        (new, after): (&Map<String, Value>, Option<&Value>),
    ) {
        let empty = Map::new();
        let map = |value: Option<&Value>| value.map_or(Some(empty.clone()), |value| value.as_object().cloned());
        let (Some(before), Some(after)) = (map(before), map(after)) else { return self.unproven(at, "properties") };
        for (name, schema) in &before {
            let at = below(at, name);
            match after.get(name) {
                Some(now) => self.schemas(&at, schema, now),
                None => self.tell(Meaning::Breaking, &at, SchemaWhat::PropertyRemoved),
            }
        }
        let (was_required, is_required) = (required(old).unwrap_or_default(), required(new).unwrap_or_default());
        for name in after.keys().filter(|name| !before.contains_key(*name)) {
            let required = is_required.contains(name.as_str()) && !was_required.contains(name.as_str());
            // Where unnamed properties have a schema of their own, a name that gets another one may fit no longer.
            let had_schema = old.get("additionalProperties").is_some_and(Value::is_object);
            let breaks = self.role == Role::Input && (required || had_schema);
            let meaning = if breaks { Meaning::Breaking } else { Meaning::Additive };
            self.tell(meaning, &below(at, name), SchemaWhat::PropertyAdded { required });
        }
    }

    fn required(&mut self, at: &str, old: &Map<String, Value>, new: &Map<String, Value>) {
        let (Some(before), Some(after)) = (required(old), required(new)) else { return self.unproven(at, "required") };
        // A property that comes or goes with it is told once, by `properties`.
        let has = |map: &Map<String, Value>, name: &str| {
            map.get("properties").and_then(Value::as_object).is_some_and(|properties| properties.contains_key(name))
        };
        for name in after.difference(&before).filter(|name| has(old, name) || !has(new, name)) {
            self.freer(false, &below(at, name), SchemaWhat::Required { now: true });
        }
        for name in before.difference(&after).filter(|name| has(new, name) || !has(old, name)) {
            self.freer(true, &below(at, name), SchemaWhat::Required { now: false });
        }
    }

    fn others(&mut self, at: &str, old: Option<&Value>, new: Option<&Value>) {
        let allowed = |value: Option<&Value>| value.is_none_or(|value| *value == Value::Bool(true));
        let refused = |value: Option<&Value>| value.is_some_and(|value| *value == Value::Bool(false));
        match (old, new) {
            // Saying what holds anyway.
            _ if allowed(old) && allowed(new) => self.tell(Meaning::Words, at, SchemaWhat::Spelling),
            _ if allowed(old) || refused(new) => self.freer(false, at, SchemaWhat::OthersAllowed { now: false }),
            _ if refused(old) || allowed(new) => self.freer(true, at, SchemaWhat::OthersAllowed { now: true }),
            (Some(old), Some(new)) => self.schemas(&format!("{at}/*"), old, new),
            _ => self.unproven(at, "additionalProperties"),
        }
    }

    fn items(&mut self, at: &str, old: Option<&Value>, new: Option<&Value>) {
        match (old, new) {
            (Some(old), Some(new)) => self.schemas(&format!("{at}/*"), old, new),
            (old, new) => {
                let shown = |value: Option<&Value>| value.map(ToString::to_string);
                let what = SchemaWhat::Bound { keyword: "items", old: shown(old), new: shown(new) };
                self.freer(new.is_none(), at, what);
            }
        }
    }

    fn definitions(&mut self, at: &str, keyword: &str, old: Option<&Value>, new: Option<&Value>) {
        let empty = Map::new();
        let map = |value: Option<&Value>| value.map_or(Some(empty.clone()), |value| value.as_object().cloned());
        let (Some(before), Some(after)) = (map(old), map(new)) else { return self.unproven(at, keyword) };
        // What is added or removed is used, if at all, through a `$ref` whose own change is told.
        for (name, schema) in &before {
            if let Some(now) = after.get(name) {
                self.schemas(&format!("{at}#{name}"), schema, now);
            } else {
                self.tell(Meaning::Words, &format!("{at}#{name}"), SchemaWhat::Spelling);
            }
        }
        for name in after.keys().filter(|name| !before.contains_key(*name)) {
            self.tell(Meaning::Words, &format!("{at}#{name}"), SchemaWhat::Spelling);
        }
    }
}

fn types(value: Option<&Value>) -> Option<BTreeSet<String>> {
    match value {
        None => Some(BTreeSet::new()),
        Some(Value::String(kind)) => Some([kind.clone()].into()),
        Some(Value::Array(kinds)) if !kinds.is_empty() => {
            kinds.iter().map(|kind| kind.as_str().map(Into::into)).collect()
        }
        Some(_) => None,
    }
}

fn required(schema: &Map<String, Value>) -> Option<BTreeSet<&str>> {
    match schema.get("required") {
        None => Some(BTreeSet::new()),
        Some(value) => value.as_array()?.iter().map(Value::as_str).collect(),
    }
}

/// A pointer (RFC 6901).
fn below(at: &str, name: &str) -> String {
    format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"))
}

#[cfg(test)]
mod tests;
