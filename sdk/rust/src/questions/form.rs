//! A form from a Rust type: the flat subset of JSON Schema that MCP's elicitation knows in every revision. What a client could not show is an
//! error and not left out, since an answer would be expected to keep to it.

use std::fmt;

use schemars::JsonSchema;
use serde_json::{Map, Value, json};

use crate::schema;

/// Keys that say nothing about which answers fit, or that the fields below say in their own way.
const SILENT: [&str; 2] = ["title", "description"];
/// What a text field may look like (MCP, Elicitation, `StringSchema`).
const FORMATS: [&str; 4] = ["email", "uri", "date", "date-time"];

/// Why a type is no form.
#[derive(Debug, PartialEq)]
pub(super) enum Fault {
    NoStruct,
    /// A key of the whole that no form has.
    Key(String),
    /// A field that is neither text nor number nor boolean nor choice.
    Field(String),
    /// A field with a word of JSON Schema that no client would show.
    Word(String, String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoStruct => write!(f, "its type is no struct with named fields"),
            Self::Key(key) => write!(f, "no form has `{key}`"),
            Self::Field(field) => write!(f, "the field `{field}` is neither text nor number nor boolean nor choice"),
            Self::Word(field, word) => write!(f, "the field `{field}` has `{word}`, which no client shows"),
        }
    }
}

/// The form of a type, as text.
pub(super) fn of<F: JsonSchema>() -> Result<String, Fault> {
    let Value::Object(mut schema) = schema::whole::<F>() else { return Err(Fault::NoStruct) };
    if schema.remove("type") != Some(json!("object")) {
        return Err(Fault::NoStruct);
    }
    let required = schema.remove("required");
    // serde itself refuses what is not a field.
    if schema.get("additionalProperties") == Some(&json!(false)) {
        schema.remove("additionalProperties");
    }
    let fields = match schema.remove("properties") {
        Some(Value::Object(fields)) => fields,
        _ => Map::new(),
    };
    if let Some(key) = schema.keys().find(|key| !SILENT.contains(&key.as_str())) {
        return Err(Fault::Key(key.clone()));
    }
    let fields = fields.into_iter().map(|(name, field)| {
        let field = self::field(&name, field)?;
        Ok((name, field))
    });
    let mut form = json!({ "type": "object", "properties": fields.collect::<Result<Map<_, _>, _>>()? });
    if let (Some(form), Some(required)) = (form.as_object_mut(), required) {
        form.insert("required".into(), required);
    }
    Ok(form.to_string())
}

fn field(name: &str, schema: Value) -> Result<Value, Fault> {
    let Value::Object(field) = schema else { return Err(Fault::Field(name.into())) };
    let mut field = present(field);
    let choice = choose(&mut field);
    let bounds: &[&str] = match field.get("type").and_then(Value::as_str) {
        Some("string") if choice => &["enum"],
        Some("string") => &["minLength", "maxLength", "format"],
        Some("integer" | "number") => {
            // Rust's widths mean nothing to a person; their bounds stand beside them.
            field.remove("format");
            &["minimum", "maximum"]
        }
        Some("boolean") => &[],
        _ => return Err(Fault::Field(name.into())),
    };
    if field.get("default") == Some(&Value::Null) {
        field.remove("default");
    }
    let strange = |(key, value): (&String, &Value)| match key.as_str() {
        "type" | "title" | "description" | "default" => false,
        "format" => !FORMATS.iter().any(|format| value == format),
        key => !bounds.contains(&key),
    };
    match field.iter().find(|entry| strange(*entry)) {
        Some((word, _)) => Err(Fault::Word(name.into(), word.clone())),
        None => Ok(Value::Object(field)),
    }
}

/// What an `Option` holds: a form lets its field be left out, and knows no null.
fn present(mut field: Map<String, Value>) -> Map<String, Value> {
    if let Some([one, other]) = field.get("type").and_then(Value::as_array).map(Vec::as_slice)
        && other == "null"
    {
        let one = one.clone();
        field.insert("type".into(), one);
        if let Some(Value::Array(values)) = field.get_mut("enum") {
            values.retain(|value| !value.is_null());
        }
    }
    if let Some([Value::Object(one), other]) = field.get("anyOf").and_then(Value::as_array).map(Vec::as_slice)
        && *other == json!({ "type": "null" })
    {
        let mut one = one.clone();
        field.remove("anyOf");
        // What is said of the field stands before what is said of its type.
        one.extend(field);
        return one;
    }
    field
}

/// Whether it is an enum without fields; then it is written as every revision of MCP knows it. Variants with doc comments come as constants.
fn choose(field: &mut Map<String, Value>) -> bool {
    if field.get("enum").and_then(Value::as_array).is_some_and(|values| values.iter().all(Value::is_string)) {
        return true;
    }
    let Some(Value::Array(variants)) = field.get("oneOf") else { return false };
    let mut names = Vec::new();
    for variant in variants {
        match (variant.get("const"), variant.get("enum")) {
            (Some(name), _) if name.is_string() => names.push(name.clone()),
            (None, Some(Value::Array(some))) if some.iter().all(Value::is_string) => names.extend(some.iter().cloned()),
            _ => return false,
        }
    }
    field.remove("oneOf");
    field.insert("type".into(), json!("string"));
    field.insert("enum".into(), Value::Array(names));
    true
}

#[cfg(test)]
mod tests;
