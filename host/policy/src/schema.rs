//! JSON Schemas of plugins (2020-12). A schema is hostile input that burns the host's own processor: it is bounded before it is
//! compiled, its patterns run in linear time, and it can refer to nothing outside itself.
//!
//! Checking arguments here is the only way to make [`Arguments`], and without those nothing is authorised.

mod cost;
mod pattern;
mod prices;

use std::sync::Arc;

use jsonschema::{Draft, PatternOptions, Validator};
use serde_json::{Map, Value};

use crate::{
    document::{quoted, shown},
    json::{deeper_than, parse_json},
};

/// Bytes of the largest schema.
pub const LARGEST_SCHEMA: usize = 64 << 10;
/// Arrays and objects of the deepest schema.
const DEEPEST_SCHEMA: usize = 32;
/// Arrays and objects of the deepest value that is checked against one.
const DEEPEST_VALUE: usize = 64;

const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";
/// Bytes of a compiled pattern.
const PATTERN_BYTES: usize = 256 << 10;
/// Bytes of the tables that a pattern may build while it runs.
const TABLE_BYTES: usize = 1 << 20;
/// What a check may cost, as [`Schema::effort`] tells it: a tenth of a second.
const MOST_EFFORT: u64 = 200_000_000;
/// Bytes of a mismatch's words: they go to a caller, and may quote what the caller sent.
const LONGEST_MESSAGE: usize = 400;

/// A compiled schema.
#[derive(Debug)]
pub struct Schema {
    validator: Validator,
    value: Arc<Map<String, Value>>,
    prices: prices::Prices,
}

/// Why a schema is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SchemaFault {
    /// Too many bytes.
    #[error("holds {bytes} bytes; a schema holds at most {LARGEST_SCHEMA}")]
    TooLarge {
        /// How many.
        bytes: usize,
    },
    /// Not JSON, nested too deep, or a key given twice.
    #[error("{message}")]
    Json {
        /// The parser's words.
        message: String,
    },
    /// MCP wants arguments and structured results to be objects.
    #[error("does not say `\"type\": \"object\"` at its top")]
    NotAnObject,
    /// Another dialect.
    #[error("is written for {found}; only `{DRAFT}` is read")]
    Dialect {
        /// What it names, in backticks.
        found: String,
    },
    /// A reference to another document.
    #[error("refers to {reference}; a schema may refer to itself only, with `#` or `#/…`")]
    Reference {
        /// Where to, in backticks.
        reference: String,
    },
    /// What it would cost to check one small value.
    #[error("could make one value be checked more than {most} times over")]
    Costly {
        /// The bound.
        most: u64,
    },
    /// Not a schema.
    #[error("is no valid schema: {message}")]
    Invalid {
        /// The validator's words.
        message: String,
    },
}

/// A value that does not fit its schema. Its words may quote the value: tell them to whom sent it, and to no log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{message}", if pointer.is_empty() { String::new() } else { format!("at `{pointer}`: ") })]
pub struct Mismatch {
    /// Where in the value (RFC 6901).
    pub pointer: String,
    /// What is wrong there.
    pub message: String,
}

impl Schema {
    /// Compiles a schema.
    ///
    /// # Errors
    /// It is too large, too deep, too costly, refers elsewhere or is no schema of an object.
    pub fn compile(text: &str) -> Result<Self, SchemaFault> {
        if text.len() > LARGEST_SCHEMA {
            return Err(SchemaFault::TooLarge { bytes: text.len() });
        }
        let value =
            parse_json(text, DEEPEST_SCHEMA).map_err(|error| SchemaFault::Json { message: error.to_string() })?;
        let Value::Object(map) = &value else { return Err(SchemaFault::NotAnObject) };
        if map.get("type").and_then(Value::as_str) != Some("object") {
            return Err(SchemaFault::NotAnObject);
        }
        keywords(&value)?;
        let prices = cost::bound(&value)?;
        let validator = jsonschema::options()
            .with_draft(Draft::Draft202012)
            .with_pattern_options(PatternOptions::regex().size_limit(PATTERN_BYTES).dfa_size_limit(TABLE_BYTES))
            .offline()
            .build(&value)
            .map_err(|error| SchemaFault::Invalid { message: cut(&error.masked().to_string()) })?;
        let Value::Object(map) = value else { return Err(SchemaFault::NotAnObject) };
        Ok(Self { validator, value: Arc::new(map), prices })
    }

    /// Checks a value.
    ///
    /// # Errors
    /// The first place where it does not fit.
    pub fn check(&self, value: &Value) -> Result<(), Mismatch> {
        if deeper_than(value, DEEPEST_VALUE) {
            let message = format!("more than {DEEPEST_VALUE} arrays and objects deep");
            return Err(Mismatch { pointer: String::new(), message });
        }
        if !self.looks_at(value) {
            let message = "too large to be checked against this tool's schema".to_owned();
            return Err(Mismatch { pointer: String::new(), message });
        }
        self.validator.validate(value).map_err(|error| Mismatch {
            pointer: cut(error.instance_path().as_str()),
            message: cut(&error.to_string()),
        })
    }

    /// What it may cost to check this value, in half nanoseconds of an ordinary processor.
    #[must_use]
    pub fn effort(&self, value: &Value) -> u64 {
        self.prices.value(value)
    }

    /// Whether the value is small enough for its schema; if not, every check refuses it.
    #[must_use]
    pub fn looks_at(&self, value: &Value) -> bool {
        self.effort(value) <= MOST_EFFORT
    }

    /// [`effort`](Self::effort) of an object.
    pub(crate) fn effort_of(&self, object: &Map<String, Value>) -> u64 {
        self.prices.object(object)
    }

    /// The schema as clients get it: the same value, in the same order.
    #[must_use]
    pub const fn value(&self) -> &Arc<Map<String, Value>> {
        &self.value
    }
}

/// Arguments that fit the schema of one tool. Nothing but that tool's check makes them.
#[derive(Debug)]
pub struct Arguments {
    schema: Arc<Schema>,
    value: Value,
    text: String,
}

impl Arguments {
    pub(crate) fn checked(schema: &Arc<Schema>, arguments: Map<String, Value>) -> Result<Self, Mismatch> {
        let value = Value::Object(arguments);
        schema.check(&value)?;
        let text = value.to_string();
        Ok(Self { schema: schema.clone(), value, text })
    }

    /// The host's own serialisation, which is what the guest gets: never the client's bytes.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The value, always an object.
    #[must_use]
    pub const fn value(&self) -> &Value {
        &self.value
    }

    /// Whether they were checked against this very schema.
    pub(crate) fn fit(&self, schema: &Arc<Schema>) -> bool {
        Arc::ptr_eq(&self.schema, schema)
    }
}

/// A plain JSON pointer into the schema itself.
fn local(reference: &str) -> bool {
    reference == "#" || (reference.starts_with("#/") && !reference.contains('%'))
}

fn keywords(value: &Value) -> Result<(), SchemaFault> {
    match value {
        Value::Array(values) => values.iter().try_for_each(keywords),
        Value::Object(map) => map.iter().try_for_each(|(key, value)| match (key.as_str(), value) {
            ("$ref", Value::String(reference)) if !local(reference) => {
                Err(SchemaFault::Reference { reference: quoted(reference) })
            }
            // Where these lead depends on the way that was taken: nobody could say what they cost.
            ("$dynamicRef" | "$recursiveRef", Value::String(reference)) => {
                Err(SchemaFault::Reference { reference: quoted(reference) })
            }
            // A base of its own would turn `#` into a reference elsewhere.
            ("$id", Value::String(id)) => Err(SchemaFault::Reference { reference: quoted(id) }),
            ("$schema", Value::String(found)) if found.trim_end_matches('#') != DRAFT => {
                Err(SchemaFault::Dialect { found: quoted(found) })
            }
            _ => keywords(value),
        }),
        _ => Ok(()),
    }
}

fn cut(text: &str) -> String {
    if text.len() <= LONGEST_MESSAGE {
        return shown(text);
    }
    let end = text.floor_char_boundary(LONGEST_MESSAGE);
    format!("{}…", shown(text.get(..end).unwrap_or_default()))
}

#[cfg(test)]
mod tests;
