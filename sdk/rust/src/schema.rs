//! JSON Schema 2020-12 from Rust types.

use schemars::{JsonSchema, Schema, generate::SchemaSettings, transform::RecursiveTransform};
use serde_json::Value;

/// The schema of a tool's arguments. MCP wants an object; a type that is none is shown as it is, and the host says so when it loads the plugin.
pub(crate) fn input<A: JsonSchema>() -> String {
    let mut schema = settings().for_deserialize().into_generator().into_root_schema_for::<A>();
    as_object(&mut schema);
    schema.to_value().to_string()
}

/// The schema of a tool's structured result, or nothing if it is not an object: then the answer is text only.
pub(crate) fn output<R: JsonSchema>() -> Option<String> {
    let mut schema = settings().for_serialize().into_generator().into_root_schema_for::<R>();
    as_object(&mut schema).then(|| schema.to_value().to_string())
}

/// The schema of a form, as it is.
pub(crate) fn whole<F: JsonSchema>() -> Value {
    settings().for_deserialize().into_generator().into_root_schema_for::<F>().to_value()
}

/// In one piece, since few clients follow a `$ref`; without the dialect, since 2020-12 is what MCP takes for granted.
fn settings() -> SchemaSettings {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.meta_schema = None;
        settings.inline_subschemas = true;
    });
    settings.with_transform(RecursiveTransform(without_formats_of_numbers))
}

/// JSON Schema has formats of strings only (Validation, 7.3). What schemars says of a number (`uint32`) is Rust's, and some clients refuse the
/// whole schema for it; the bounds that matter are there as `minimum` and `maximum`.
fn without_formats_of_numbers(schema: &mut Schema) {
    let of_strings = schema.get("type").is_none_or(|kind| {
        kind == "string" || kind.as_array().is_some_and(|kinds| kinds.iter().any(|kind| kind == "string"))
    });
    if !of_strings {
        schema.remove("format");
    }
}

/// An enum's schema is a choice of objects and does not say itself that it is one, as MCP wants it to.
fn as_object(schema: &mut Schema) -> bool {
    schema.remove("title");
    let object = schema.get("type").map(is_object).unwrap_or_else(|| {
        ["oneOf", "anyOf"].into_iter().any(|key| {
            let branches = schema.get(key).and_then(Value::as_array);
            branches.is_some_and(|all| all.iter().all(|one| one.get("type").is_some_and(is_object)))
        })
    });
    if object {
        schema.insert("type".into(), "object".into());
    }
    object
}

fn is_object(kind: &Value) -> bool {
    kind == "object"
}
