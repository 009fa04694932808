//! What is left of a value when only some places of it are kept.

use serde_json::Value;

use super::{Pointer, Segment, index};

impl Pointer {
    /// The value with what the pointers lead to, and with the objects and arrays on the way; and how many values were left out. Nothing else
    /// stays: what a pointer does not name, what has another shape than it says, a key that only looks alike. An array gets shorter by what
    /// is left out of it. An object stays one, even if it is empty then.
    #[must_use]
    pub fn keep(pointers: &[Self], value: Value) -> (Option<Value>, usize) {
        let mut left_out = 0;
        let branches: Vec<_> = pointers.iter().map(|pointer| pointer.segments.as_slice()).collect();
        (walk(value, &branches, &mut left_out), left_out)
    }
}

fn walk(value: Value, branches: &[&[Segment]], left_out: &mut usize) -> Option<Value> {
    if branches.iter().any(|branch| branch.is_empty()) {
        return Some(value);
    }
    let mut below = |value, fits: &dyn Fn(&str) -> bool| {
        let rest: Vec<_> = branches.iter().filter_map(|branch| step(branch, fits)).collect();
        if rest.is_empty() {
            *left_out += 1;
            return None;
        }
        walk(value, &rest, left_out)
    };
    match value {
        Value::Object(map) => {
            let kept = map.into_iter().filter_map(|(key, value)| Some((key.clone(), below(value, &|it| it == key)?)));
            Some(Value::Object(kept.collect()))
        }
        Value::Array(items) => {
            let items = items.into_iter().enumerate();
            Some(Value::Array(items.filter_map(|(at, item)| below(item, &|it| index(it) == Some(at))).collect()))
        }
        // a pointer leads on from here, and here is nothing to lead through
        _ => {
            *left_out += 1;
            None
        }
    }
}

/// What is left of a pointer behind a key or place that fits.
fn step<'s>(branch: &'s [Segment], fits: &dyn Fn(&str) -> bool) -> Option<&'s [Segment]> {
    match branch.split_first()? {
        (Segment::Each, rest) => Some(rest),
        (Segment::Key(key), rest) => fits(key).then_some(rest),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn kept(pointers: &[&str], value: Value) -> (Value, usize) {
        let pointers: Vec<Pointer> = pointers.iter().map(|pointer| pointer.parse().unwrap()).collect();
        let (value, left_out) = Pointer::keep(&pointers, value);
        (value.unwrap_or(Value::Null), left_out)
    }

    #[test]
    fn what_is_named_stays_with_what_leads_to_it_and_nothing_else() {
        let value = json!({"items": [{"id": 1, "email": "a"}, {"id": 2}, 7, null, {"ID": 3}], "total": 5, "next": "t"});
        assert_eq!(
            kept(&["/items/*/id", "/total"], value.clone()),
            (json!({"items": [{"id": 1}, {"id": 2}, {}], "total": 5}), 5)
        );
        assert_eq!(kept(&["/items/1", "/items/9"], value.clone()), (json!({"items": [{"id": 2}]}), 6));
        assert_eq!(kept(&["/*/*/id"], value.clone()), (json!({"items": [{"id": 1}, {"id": 2}, {}]}), 6));
        assert_eq!(kept(&["/none"], value.clone()), (json!({}), 3));
        assert_eq!(kept(&[""], value.clone()), (value, 0));
    }

    #[test]
    fn another_shape_than_a_pointer_says_gets_nothing_through() {
        for value in [json!({"user": "secret"}), json!({"user": ["secret"]}), json!({"user": {"Login": "secret"}})] {
            let (kept, _) = kept(&["/user/login", "/user/00"], value);
            assert!(!kept.to_string().contains("secret"), "{kept}");
        }
    }
}
