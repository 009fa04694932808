//! Places in the arguments that the manifest names and the tool's schema does not have: a path that could never be filled, a list that
//! no call could pass, an id that is never recorded; and places in the answers that would not be redacted. Mostly a slip of the finger.
//!
//! What a schema says with references and combinations is not worked out: where it is not plain that a place is not there, nothing is told.

use serde_json::{Map, Value};

use crate::{
    document::{Fault, basic_string, quoted},
    manifest::{Grant, Manifest, ToolTerms},
    plugin::Tool,
    pointer::{Pointer, Step},
};

/// What a schema says of a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// It cannot be told.
    Unknown,
    /// Always there.
    Required,
    /// There if the caller wants.
    Optional,
    /// Not among the properties.
    Missing,
    /// Of a type that names nothing: an object, `null`; for a part of a path also an array, a truth value, a fraction.
    Unfit,
}

pub(super) fn notices(manifest: &Manifest, terms: &ToolTerms, tool: &Tool) -> Vec<Fault> {
    let schema = tool.input_schema();
    let mut notices = Vec::new();
    for (key, grant) in terms.uses.iter().filter_map(|key| Some((key, manifest.grants().get(key)?))) {
        let Grant::Http(http) = grant else { continue };
        for path in &http.paths {
            let told = path.pointers().filter_map(|pointer| {
                let why = match of(schema, pointer, &["string", "integer", "number"]) {
                    Place::Unknown | Place::Required => return None,
                    Place::Optional => "is not required, and without it this path lets nothing through".to_owned(),
                    Place::Missing => {
                        format!("is not among the arguments of `{}`, so this path lets nothing through", terms.name)
                    }
                    Place::Unfit => "is no text and no number, so this path lets nothing through".to_owned(),
                };
                Some(manifest.fault(
                    &format!("grants.{key}.paths"),
                    format!("{}: {} {why}", quoted(&path.to_string()), quoted(pointer.as_str())),
                ))
            });
            notices.extend(told);
        }
    }
    for only in &terms.only {
        let key = format!("tools.{}.only.{}", terms.name, basic_string(only.at.as_str()));
        let why = match of(schema, &only.at, &["string", "array"]) {
            Place::Unknown | Place::Required => continue,
            Place::Optional => "is not required: calls without it are refused",
            Place::Missing => "is not among the arguments, so every call is refused",
            Place::Unfit => "is no text, so every call is refused",
        };
        notices.push(manifest.fault(&key, why));
    }
    for pointer in &terms.resources {
        let key = format!("tools.{}.resources", terms.name);
        let why = match of(schema, pointer, &["string", "integer", "number", "boolean", "array"]) {
            Place::Unknown | Place::Required | Place::Optional => continue,
            Place::Missing => "is not among the arguments, so nothing of it is recorded",
            Place::Unfit => "names nothing, so nothing of it is recorded",
        };
        notices.push(manifest.fault(&key, format!("{} {why}", quoted(pointer.as_str()))));
    }
    notices.extend(answers(manifest, terms, tool));
    notices
}

/// A place that is not there is redacted nowhere, while what was meant leaves.
fn answers(manifest: &Manifest, terms: &ToolTerms, tool: &Tool) -> Vec<Fault> {
    const ANY: [&str; 7] = ["object", "array", "string", "integer", "number", "boolean", "null"];
    let Some(schema) = tool.output_schema() else { return Vec::new() };
    let returns = &terms.returns;
    let told = |(key, pointers, so): (&str, &[Pointer], &str)| {
        let missing = pointers.iter().filter(|pointer| of(schema, pointer, &ANY) == Place::Missing);
        let fault = |pointer: &Pointer| {
            let message = format!("{} is not in the tool's output schema, so {so}", quoted(pointer.as_str()));
            let mend = "compare with `output` of `wardkeep inspect`; `*` is each element of an array";
            manifest.fault(&format!("tools.{}.returns.{key}", terms.name), message).mend(mend)
        };
        missing.map(fault).collect::<Vec<_>>()
    };
    let lists = [
        ("redact", &*returns.redact, "nothing is redacted"),
        ("fields", &*returns.fields, "nothing is let through by it"),
    ];
    lists.into_iter().flat_map(told).collect()
}

/// Where a pointer leads in a schema.
fn of(schema: &Map<String, Value>, pointer: &Pointer, fitting: &[&str]) -> Place {
    let mut schema = schema;
    let mut place = Place::Required;
    for step in pointer.steps() {
        let next = match step {
            Step::Key(key) => {
                let next = schema.get("properties").and_then(|properties| properties.get(key));
                let required = schema.get("required").and_then(Value::as_array);
                if !required.is_some_and(|required| required.iter().any(|name| name == key)) {
                    place = Place::Optional;
                }
                let index = key.bytes().all(|byte| byte.is_ascii_digit());
                match next {
                    // `/items/email`, where `/items/*/email` is meant
                    None if is(schema, "array") && !index && !combines(schema) => return Place::Missing,
                    None if says_more(schema) || is_open(schema) => return Place::Unknown,
                    None => return Place::Missing,
                    next => next,
                }
            }
            Step::Each => schema.get("items"),
        };
        let Some(Value::Object(next)) = next else { return Place::Unknown };
        schema = next;
    }
    match schema.get("type") {
        Some(Value::String(kind)) if !fitting.contains(&kind.as_str()) => Place::Unfit,
        Some(Value::Array(kinds)) if !kinds.iter().any(|kind| fitting.iter().any(|fit| kind == fit)) => Place::Unfit,
        Some(_) => place,
        None if says_more(schema)
            || schema.is_empty()
            || schema.contains_key("enum")
            || schema.contains_key("const") =>
        {
            Place::Unknown
        }
        None => place,
    }
}

/// Whether it is of this one type.
fn is(schema: &Map<String, Value>, kind: &str) -> bool {
    schema.get("type").is_some_and(|known| known == kind)
}

/// An object of which nothing is said.
fn is_open(schema: &Map<String, Value>) -> bool {
    is(schema, "object")
        && !schema.contains_key("properties")
        && schema.get("additionalProperties").is_none_or(|more| more == true)
}

/// Whether more is said of the same value elsewhere.
fn combines(schema: &Map<String, Value>) -> bool {
    const MORE: [&str; 9] =
        ["$ref", "$dynamicRef", "allOf", "anyOf", "oneOf", "if", "then", "else", "dependentSchemas"];
    schema.keys().any(|key| MORE.contains(&key.as_str()))
}

/// Whether properties may stand elsewhere in it, or it is an array after all.
fn says_more(schema: &Map<String, Value>) -> bool {
    combines(schema)
        || ["patternProperties", "items", "prefixItems"].iter().any(|key| schema.contains_key(*key))
        || matches!(schema.get("additionalProperties"), Some(Value::Object(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_looked_up_as_far_as_the_schema_is_plain() {
        let schema = serde_json::json!({
            "type": "object",
            "required": ["owner", "repo", "page"],
            "properties": {
                "owner": {"type": "string"},
                "label": {"type": ["string", "null"]},
                "repo": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}},
                "page": {"type": "object"},
                "items": {"type": "array", "items": {"type": "object", "required": ["id"], "properties": {"id": {"type": "integer"}}}},
                "any": {"$ref": "#/properties/repo"},
                "open": {},
            },
        });
        let of = |pointer: &str| of(schema.as_object().unwrap(), &pointer.parse().unwrap(), &["string", "integer"]);
        for (pointer, place) in [
            ("/owner", Place::Required),
            ("/repo/name", Place::Required),
            ("/label", Place::Optional),
            ("/items/*/id", Place::Optional),
            ("/ownr", Place::Missing),
            ("/repo/nam", Place::Missing),
            ("/page", Place::Unfit),
            ("/items/id", Place::Missing),
            ("/page/name", Place::Unknown),
            ("/items", Place::Unfit),
            ("/any/name", Place::Unknown),
            ("/open", Place::Unknown),
            ("/items/0/id", Place::Unknown),
        ] {
            assert_eq!(of(pointer), place, "{pointer}");
        }
    }
}
