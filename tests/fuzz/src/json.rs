//! A second reading of JSON: it keeps every key that was written, and counts afterwards.

use std::{collections::BTreeSet, fmt};

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// A JSON value as it was written, keys given twice included.
#[derive(Debug, Clone, PartialEq)]
pub enum Written {
    Plain,
    Text(String),
    List(Vec<Written>),
    Object(Vec<(String, Written)>),
}

impl Written {
    /// Nothing where the bytes are no JSON, or nest beyond what serde_json itself takes (128).
    pub fn read(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }

    fn inner(&self) -> Vec<&Self> {
        match self {
            Self::Plain | Self::Text(_) => Vec::new(),
            Self::List(items) => items.iter().collect(),
            Self::Object(entries) => entries.iter().map(|(_, value)| value).collect(),
        }
    }

    /// Arrays and objects within each other.
    pub fn depth(&self) -> usize {
        let container = matches!(self, Self::List(_) | Self::Object(_));
        usize::from(container) + self.inner().into_iter().map(Self::depth).max().unwrap_or(0)
    }

    /// Values, containers and what is in them.
    pub fn values(&self) -> usize {
        1 + self.inner().into_iter().map(Self::values).sum::<usize>()
    }

    /// Whether some object says a key twice.
    pub fn repeats_a_key(&self) -> bool {
        let own = match self {
            Self::Object(entries) => entries.iter().map(|(key, _)| key).collect::<BTreeSet<_>>().len() != entries.len(),
            _ => false,
        };
        own || self.inner().into_iter().any(Self::repeats_a_key)
    }

    /// The text at this key of an object.
    pub fn text(&self, key: &str) -> Option<&str> {
        match self.get(key)? {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Object(entries) => entries.iter().find(|(known, _)| known == key).map(|(_, value)| value),
            _ => None,
        }
    }
}

impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Written;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON value")
            }

            fn visit_unit<E: Error>(self) -> Result<Written, E> {
                Ok(Written::Plain)
            }

            fn visit_bool<E: Error>(self, _: bool) -> Result<Written, E> {
                Ok(Written::Plain)
            }

            fn visit_i64<E: Error>(self, _: i64) -> Result<Written, E> {
                Ok(Written::Plain)
            }

            fn visit_u64<E: Error>(self, _: u64) -> Result<Written, E> {
                Ok(Written::Plain)
            }

            fn visit_f64<E: Error>(self, _: f64) -> Result<Written, E> {
                Ok(Written::Plain)
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Written, E> {
                Ok(Written::Text(text.into()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Written, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = access.next_element()? {
                    items.push(item);
                }
                Ok(Written::List(items))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Written, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = access.next_entry()? {
                    entries.push(entry);
                }
                Ok(Written::Object(entries))
            }
        }
        deserializer.deserialize_any(Any)
    }
}
