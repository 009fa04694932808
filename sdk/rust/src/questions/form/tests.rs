use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::*;
use crate::NoArguments;

fn form<F: JsonSchema>() -> Value {
    serde_json::from_str(&of::<F>().unwrap()).unwrap()
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(dead_code, reason = "for its schema")]
enum Size {
    Small,
    Large,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(dead_code, reason = "for its schema")]
enum Told {
    /// Comes soon.
    Soon,
    Late,
}

#[derive(Deserialize, JsonSchema)]
#[allow(dead_code, reason = "for its schema")]
struct All {
    /// As on the card
    name: String,
    pieces: u8,
    weight: f64,
    gift: bool,
    /// How big
    size: Size,
    told: Told,
    #[schemars(email, length(max = 60))]
    mail: Option<String>,
    other: Option<Size>,
    count: Option<u32>,
    #[serde(default = "three")]
    layers: i64,
}

fn three() -> i64 {
    3
}

#[test]
fn a_flat_struct_is_a_form_of_text_numbers_booleans_and_choices() {
    let expected = json!({
        "type": "object",
        "properties": {
            "name": { "type": "string", "description": "As on the card" },
            "pieces": { "type": "integer", "minimum": 0, "maximum": 255 },
            "weight": { "type": "number" },
            "gift": { "type": "boolean" },
            "size": { "type": "string", "enum": ["small", "large"], "description": "How big" },
            "told": { "type": "string", "enum": ["late", "soon"] },
            "mail": { "type": "string", "format": "email", "maxLength": 60 },
            "other": { "type": "string", "enum": ["small", "large"] },
            "count": { "type": "integer", "minimum": 0 },
            "layers": { "type": "integer", "default": 3 },
        },
        "required": ["name", "pieces", "weight", "gift", "size", "told"],
    });
    assert_eq!(form::<All>(), expected);
}

#[test]
fn a_struct_without_fields_is_a_plain_yes_or_no() {
    assert_eq!(form::<NoArguments>(), json!({ "type": "object", "properties": {} }));
}

#[derive(Deserialize, JsonSchema)]
#[allow(dead_code, reason = "for its schema")]
struct Of<T> {
    a: T,
}

#[derive(Deserialize, JsonSchema)]
#[allow(dead_code, reason = "for its schema")]
struct Pattern {
    #[schemars(regex(pattern = "^a$"))]
    a: String,
}

#[derive(Deserialize, JsonSchema)]
#[allow(dead_code, reason = "for its schema")]
enum Either {
    One { a: String },
    Other { b: String },
}

#[derive(Deserialize, JsonSchema)]
#[allow(dead_code, reason = "for its schema")]
struct More {
    a: String,
    #[serde(flatten)]
    rest: std::collections::BTreeMap<String, String>,
}

#[test]
fn what_no_client_could_show_is_told_by_its_name() {
    let field = Err(Fault::Field("a".into()));
    assert_eq!(of::<Of<Vec<String>>>(), field);
    assert_eq!(of::<Of<Of<String>>>(), field);
    assert_eq!(of::<Of<Option<Of<String>>>>(), field);
    assert_eq!(of::<Of<Either>>(), field);
    assert_eq!(of::<Of<Option<Option<Either>>>>(), field);
    assert_eq!(of::<Of<Value>>(), field);
    assert_eq!(of::<Pattern>(), Err(Fault::Word("a".into(), "pattern".into())));
    assert_eq!(of::<String>(), Err(Fault::NoStruct));
    assert_eq!(of::<Either>(), Err(Fault::NoStruct));
    assert_eq!(of::<Size>(), Err(Fault::NoStruct));
    assert_eq!(of::<More>(), Err(Fault::Key("additionalProperties".into())));
}
