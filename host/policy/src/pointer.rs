//! Pointers into arguments and results: RFC 6901, and `*` as a segment for each element of an array or each value of an object.

mod keep;

use std::{fmt, str::FromStr};

use serde::{Serialize, Serializer};
use serde_json::Value;

/// A pointer. Empty: the whole value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pointer {
    text: String,
    segments: Vec<Segment>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Segment {
    /// `*`
    Each,
    Key(String),
}

/// One segment of a pointer.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step<'p> {
    /// Each element of an array, or each value of an object.
    Each,
    /// One by its name or index.
    Key(&'p str),
}

/// Text that is no pointer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a pointer is empty or begins with `/`, with `~0` and `~1` as the only escapes (RFC 6901), and has 32 segments at most"
)]
pub struct InvalidPointer;

/// Segments of a pointer: as deep as a schema may be.
const DEEPEST: usize = 32;

impl Pointer {
    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it may lead to more than one place.
    #[must_use]
    pub fn is_plural(&self) -> bool {
        self.segments.contains(&Segment::Each)
    }

    /// What it is made of.
    pub(crate) fn steps(&self) -> impl Iterator<Item = Step<'_>> {
        self.segments.iter().map(|segment| match segment {
            Segment::Each => Step::Each,
            Segment::Key(key) => Step::Key(key),
        })
    }

    /// The one value that it leads to; nothing if it is not there, or the pointer is plural.
    #[must_use]
    pub fn one<'v>(&self, value: &'v Value) -> Option<&'v Value> {
        self.segments.iter().try_fold(value, |value, segment| match segment {
            Segment::Each => None,
            Segment::Key(key) => step(value, key),
        })
    }

    /// Every place that it leads to, in order; `None` for each branch that ends before.
    #[must_use]
    pub fn all<'v>(&self, value: &'v Value) -> Vec<Option<&'v Value>> {
        let mut found = vec![Some(value)];
        for segment in &self.segments {
            found = found
                .into_iter()
                .flat_map(|value| match (segment, value) {
                    (_, None) => vec![None],
                    (Segment::Key(key), Some(value)) => vec![step(value, key)],
                    (Segment::Each, Some(Value::Array(items))) => items.iter().map(Some).collect(),
                    (Segment::Each, Some(Value::Object(map))) => map.values().map(Some).collect(),
                    (Segment::Each, Some(_)) => vec![None],
                })
                .collect();
        }
        found
    }

    /// Puts `with(old)` in place of each value that it leads to; tells how many there were.
    pub fn replace(&self, value: &mut Value, with: &mut dyn FnMut(&Value) -> Value) -> usize {
        fn walk(value: &mut Value, segments: &[Segment], with: &mut dyn FnMut(&Value) -> Value) -> usize {
            let Some((first, rest)) = segments.split_first() else {
                *value = with(value);
                return 1;
            };
            match (first, value) {
                (Segment::Each, Value::Array(items)) => items.iter_mut().map(|item| walk(item, rest, with)).sum(),
                (Segment::Each, Value::Object(map)) => map.values_mut().map(|item| walk(item, rest, with)).sum(),
                (Segment::Key(key), Value::Array(items)) => {
                    index(key).and_then(|at| items.get_mut(at)).map_or(0, |item| walk(item, rest, with))
                }
                (Segment::Key(key), Value::Object(map)) => map.get_mut(key).map_or(0, |item| walk(item, rest, with)),
                _ => 0,
            }
        }
        walk(value, &self.segments, with)
    }
}

fn step<'v>(value: &'v Value, key: &str) -> Option<&'v Value> {
    match value {
        Value::Object(map) => map.get(key),
        Value::Array(items) => items.get(index(key)?),
        _ => None,
    }
}

/// An array's index as RFC 6901 spells it: no sign, no leading zero.
fn index(key: &str) -> Option<usize> {
    let plain = key == "0" || (!key.starts_with('0') && key.bytes().all(|byte| byte.is_ascii_digit()));
    if plain { key.parse().ok() } else { None }
}

impl FromStr for Pointer {
    type Err = InvalidPointer;

    fn from_str(text: &str) -> Result<Self, InvalidPointer> {
        if text.is_empty() {
            return Ok(Self { text: String::new(), segments: Vec::new() });
        }
        let rest = text.strip_prefix('/').ok_or(InvalidPointer)?;
        if !text.split('~').skip(1).all(|rest| rest.starts_with(['0', '1'])) {
            return Err(InvalidPointer);
        }
        let segment = |part: &str| match part {
            "*" => Segment::Each,
            key => Segment::Key(key.replace("~1", "/").replace("~0", "~")),
        };
        let segments: Vec<_> = rest.split('/').map(segment).collect();
        if segments.len() > DEEPEST {
            return Err(InvalidPointer);
        }
        Ok(Self { text: text.to_owned(), segments })
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for Pointer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pointer(text: &str) -> Pointer {
        text.parse().unwrap()
    }

    #[test]
    fn the_examples_of_the_rfc_lead_where_it_says() {
        let value = json!({"foo": ["bar", "baz"], "": 0, "a/b": 1, "m~n": 8, "k\"l": 6, " ": 7});
        for (text, found) in
            [("/foo/0", json!("bar")), ("/", json!(0)), ("/a~1b", json!(1)), ("/m~0n", json!(8)), ("/ ", json!(7))]
        {
            assert_eq!(pointer(text).one(&value), Some(&found), "{text}");
        }
        assert_eq!(pointer("").one(&value), Some(&value));
        for nowhere in ["/foo/00", "/foo/2", "/foo/-", "/foo/+1", "/bar", "/foo/0/x", "/foo/*"] {
            assert_eq!(pointer(nowhere).one(&value), None, "{nowhere}");
        }
        for bad in ["foo", "/~", "/~2", "/a~"] {
            assert!(bad.parse::<Pointer>().is_err(), "{bad}");
        }
        assert!("/a".repeat(32).parse::<Pointer>().is_ok() && "/a".repeat(33).parse::<Pointer>().is_err());
    }

    #[test]
    fn a_star_leads_to_each_and_tells_of_branches_that_end() {
        let mut value = json!({"items": [{"user": "a"}, {"user": null}, {}, 7]});
        let found: Vec<_> = pointer("/items/*/user").all(&value).into_iter().map(|v| v.cloned()).collect();
        assert_eq!(found, [Some(json!("a")), Some(json!(null)), None, None]);
        assert_eq!(pointer("/items/*/user").replace(&mut value, &mut |_| json!("x")), 2);
        assert_eq!(value, json!({"items": [{"user": "x"}, {"user": "x"}, {}, 7]}));
        assert!(pointer("/x/*").all(&json!({"x": []})).is_empty());
    }
}
