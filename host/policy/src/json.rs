//! JSON from outsiders, strictly: a key that is given twice is refused, since two readers might each take another of the two.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::document::quoted;

/// Why JSON is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not JSON as it is accepted here: {message}")]
pub struct InvalidJson {
    /// The parser's words.
    pub message: String,
}

/// Reads one JSON value, at most `depth` arrays and objects deep, no key given twice.
///
/// # Errors
/// Not JSON, too deep, or a key given twice.
pub fn parse_json(text: &str, depth: usize) -> Result<Value, InvalidJson> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    Strict { left: depth }
        .deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value))
        .map_err(|error| InvalidJson { message: error.to_string() })
}

/// Whether arrays and objects nest deeper than this; a plain value is 0 deep.
pub(crate) fn deeper_than(value: &Value, most: usize) -> bool {
    let left = most.checked_sub(1);
    let deep = |value: &Value| left.is_none_or(|left| deeper_than(value, left));
    match value {
        Value::Array(values) => left.is_none() || values.iter().any(deep),
        Value::Object(map) => left.is_none() || map.values().any(deep),
        _ => false,
    }
}

#[derive(Clone, Copy)]
struct Strict {
    left: usize,
}

impl Strict {
    fn inner<E: Error>(self) -> Result<Self, E> {
        let left = self.left.checked_sub(1).ok_or_else(|| E::custom("nested too deep"))?;
        Ok(Self { left })
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("a number out of range"))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.into()))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut values = Vec::new();
        while let Some(value) = access.next_element_seed(inner)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut map = Map::new();
        while let Some(key) = access.next_key::<String>()? {
            if map.contains_key(&key) {
                return Err(A::Error::custom(format!("the key {} is given twice", quoted(&key))));
            }
            let value = access.next_value_seed(inner)?;
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_given_twice_and_deep_nesting_are_refused() {
        let value = parse_json(r#"{"b":1,"a":[null,true,-1,1.5,"x"]}"#, 2).unwrap();
        assert_eq!(value.to_string(), r#"{"b":1,"a":[null,true,-1,1.5,"x"]}"#);
        for (text, words) in [
            (r#"{"a":1,"a":2}"#, "the key `a` is given twice"),
            (r#"{"x":{"a":1,"\u0061":2}}"#, "the key `a` is given twice"),
            ("[[[]]]", "nested too deep"),
            ("{} {}", "trailing characters"),
            ("1e999", "number out of range"),
        ] {
            let error = parse_json(text, 2).unwrap_err();
            assert!(error.message.contains(words), "{text}: {error}");
        }
    }

    #[test]
    fn depth_counts_arrays_and_objects() {
        let value = parse_json(r#"[{"a":[]}]"#, 3).unwrap();
        assert!(deeper_than(&value, 2));
        assert!(!deeper_than(&value, 3));
    }
}
