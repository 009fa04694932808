//! The structured part of an answer: bounded before it is parsed, since a tree of small values is many times its text; its strings
//! cleaned as text is, its keys clean or refused, since a key that is written otherwise may meet another.

use serde_json::{Map, Value};

use super::{
    changes::Changes,
    rejected::Rejected,
    text::{Lines, clean, is_clean},
};
use crate::screen::{Refusal, shape};

/// What the guest said, as a value that may leave.
pub(super) fn object(text: &str, changes: &mut Changes) -> Result<Value, Rejected> {
    shape(text.as_bytes()).map_err(|refusal| match refusal {
        Refusal::NotJson => Rejected::NotAnObject,
        _ => Rejected::Shape,
    })?;
    match serde_json::from_str(text) {
        Ok(value @ Value::Object(_)) => cleaned(value, changes),
        Ok(_) | Err(_) => Err(Rejected::NotAnObject),
    }
}

/// No deeper than [`shape`] allows.
fn cleaned(value: Value, changes: &mut Changes) -> Result<Value, Rejected> {
    Ok(match value {
        Value::String(text) => Value::String(clean(text, Lines::Many, "structured", changes)),
        Value::Array(items) => {
            Value::Array(items.into_iter().map(|item| cleaned(item, changes)).collect::<Result<_, _>>()?)
        }
        Value::Object(map) => {
            let entry = |(key, value): (String, Value)| {
                if is_clean(&key, Lines::One) { Ok((key, cleaned(value, changes)?)) } else { Err(Rejected::Key) }
            };
            Value::Object(map.into_iter().map(entry).collect::<Result<Map<_, _>, _>>()?)
        }
        plain => plain,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, Rejected> {
        object(text, &mut Changes::default()).map(|value| value.to_string())
    }

    #[test]
    fn strings_are_cleaned_wherever_they_are_and_keys_are_clean_or_refused() {
        let mut changes = Changes::default();
        let value = object(r#"{"a":["\u001b[2J",{"b":"\ud83d\ude00\u202e"}],"n":1}"#, &mut changes).unwrap();
        assert_eq!(value.to_string(), r#"{"a":["\\u{1b}[2J",{"b":"😀\\u{202e}"}],"n":1}"#);
        let notes: Vec<_> = changes.into_notes().into_iter().map(|note| note.detail).collect();
        assert_eq!(notes, ["structured: control", "structured: bidirectional"]);
        for key in [r"\u001b", r"\u202e", r"a\nb", r"\udb40\udc41"] {
            assert_eq!(read(&format!(r#"{{"x":[{{"{key}":1}}]}}"#)), Err(Rejected::Key), "{key}");
        }
    }

    #[test]
    fn an_answer_has_the_bounds_of_a_request() {
        let wide = |values: usize| format!("{{\"a\":[{}]}}", vec!["0"; values - 2].join(","));
        assert!(read(&wide(50_000)).is_ok());
        assert_eq!(read(&wide(50_001)), Err(Rejected::Shape));
        let deep = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1));
        assert!(read(&deep(64)).is_ok());
        assert_eq!(read(&deep(65)), Err(Rejected::Shape));
        assert_eq!(read(r#"{"a":1,"\u0061":2}"#), Err(Rejected::Shape));
    }

    #[test]
    fn what_is_no_object_is_told() {
        for text in ["", "[1]", "1", "null", "{\"n\":1", "{\"n\":1e400}", "{\"n\":NaN}", "{\"a\":\"\\ud800\"}"] {
            assert_eq!(read(text), Err(Rejected::NotAnObject), "{text}");
        }
        // a name is nothing special here
        assert!(read(&format!("{{\"method\":\"{}\"}}", "x".repeat(300))).is_ok());
    }
}
