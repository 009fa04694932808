//! What a call names: the values at the places that the manifest's `resources` point to. They go into the audit record, so they are few,
//! short and harmless to show, whatever a client sent. Nothing else of the arguments is ever recorded.

use serde_json::Value;
use wardkeep_model::tidy;

use crate::pointer::Pointer;

/// Values of one call that are recorded.
const MOST: usize = 16;
/// Bytes of one of them.
const LONGEST: usize = 256;

/// The values, in the order of the pointers. What is not there, is `null`, a fraction or an object names nothing and is left out; of an array
/// each element counts.
pub(crate) fn named(pointers: &[Pointer], arguments: &Value) -> Vec<(Pointer, String)> {
    let mut named = Vec::new();
    for pointer in pointers {
        // An array may hold millions: no more of it is looked at than is kept.
        let found = pointer.all(arguments).into_iter().flatten().flat_map(elements).filter_map(text);
        named.extend(found.take(MOST.saturating_sub(named.len())).map(|text| (pointer.clone(), text)));
    }
    named
}

fn elements(value: &Value) -> &[Value] {
    match value {
        Value::Array(items) => items,
        one => std::slice::from_ref(one),
    }
}

fn text(value: &Value) -> Option<String> {
    let mut text = match value {
        // Long enough to be cut with the mark, and no more of it is looked at.
        Value::String(text) => text.get(..text.floor_char_boundary(LONGEST + 4)).unwrap_or_default().to_owned(),
        Value::Number(number) if number.is_u64() || number.is_i64() => number.to_string(),
        Value::Bool(truth) => truth.to_string(),
        _ => return None,
    };
    tidy(&mut text, LONGEST);
    Some(text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(pointers: &[&str], arguments: &Value) -> Vec<String> {
        let pointers: Vec<Pointer> = pointers.iter().map(|pointer| pointer.parse().unwrap()).collect();
        named(&pointers, arguments).into_iter().map(|(at, value)| format!("{at}={value}")).collect()
    }

    #[test]
    fn what_names_something_is_kept_as_text_and_what_does_not_is_left_out() {
        let arguments = json!({
            "owner": "acme", "number": 7, "below": -1, "draft": true, "none": null, "half": 0.5, "o": {"a": 1},
            "labels": ["a", 2, null, ["x"], {"b": 1}], "items": [{"id": 1}, {}, {"id": "z"}],
        });
        let pointers =
            ["/owner", "/number", "/below", "/draft", "/none", "/half", "/o", "/labels", "/items/*/id", "/gone"];
        let kept = "/owner=acme /number=7 /below=-1 /draft=true /labels=a /labels=2 /items/*/id=1 /items/*/id=z";
        assert_eq!(of(&pointers, &arguments).join(" "), kept);
    }

    #[test]
    fn a_client_can_neither_fill_the_record_nor_forge_a_line_of_it() {
        let many = json!({"ids": (0..1_000).collect::<Vec<_>>(), "owner": "acme"});
        let kept = of(&["/ids", "/owner"], &many);
        assert_eq!((kept.len(), kept[15].as_str()), (16, "/ids=15"));
        let long = of(&["/owner"], &json!({"owner": "ä".repeat(300)}));
        assert!(long[0].len() <= 256 + "/owner=".len() && long[0].ends_with('…'), "{long:?}");
        assert_eq!(of(&["/owner"], &json!({"owner": "a\nb\u{202e}"})), ["/owner=a\\u{a}b\\u{202e}"]);
    }
}
