use super::*;

const BASE: &str = r#"{
    "type": "object",
    "properties": {
        "q": {"type": "string", "description": "what to look for", "maxLength": 80, "enum": ["a", "b"]},
        "n": {"type": "integer", "minimum": 1},
        "tags": {"type": "array", "items": {"type": "string"}}
    },
    "required": ["q"],
    "additionalProperties": false
}"#;

fn told(old: &str, new: &str, role: Role) -> Vec<String> {
    let tell = |(meaning, change): (Meaning, SchemaChange)| format!("{meaning:?} {change}");
    compare(old, new, role).into_iter().map(tell).collect()
}

/// The base with one piece of text in place of another.
fn edited(from: &str, to: &str) -> String {
    assert_eq!(BASE.matches(from).count(), 1, "{from}");
    BASE.replace(from, to)
}

#[test]
fn each_change_means_for_arguments_what_it_does_to_a_client_that_works_today() {
    for (from, to, words) in [
        (r#""n": {"#, r#""m": {"type": "string"}, "n": {"#, "Additive `/m`: new"),
        (r#""n": {"type": "integer", "minimum": 1},"#, "", "Breaking `/n`: not there any more"),
        (r#""required": ["q"]"#, r#""required": ["q", "n"]"#, "Breaking `/n`: required now"),
        (r#""required": ["q"]"#, r#""required": []"#, "Additive `/q`: not required any more"),
        (r#""type": "integer""#, r#""type": "number""#, "Additive `/n`: type number instead of integer"),
        (r#""type": "integer""#, r#""type": "boolean""#, "Breaking `/n`: type boolean instead of integer"),
        (r#""type": "integer", "#, "", "Additive `/n`: type any instead of integer"),
        (r#"["a", "b"]"#, r#"["a", "b", "c"]"#, "Additive `/q`: listed values added: \"c\""),
        (r#"["a", "b"]"#, r#"["a"]"#, "Breaking `/q`: listed values removed: \"b\""),
        (r#"["a", "b"]"#, r#"["a", "c"]"#, "Breaking `/q`: listed values added: \"c\"; listed values removed: \"b\""),
        (r#", "enum": ["a", "b"]"#, "", "Additive `/q`: enum nothing instead of [\"a\",\"b\"]"),
        (r#""minimum": 1"#, r#""minimum": 0"#, "Additive `/n`: minimum 0 instead of 1"),
        (r#""minimum": 1"#, r#""minimum": 2"#, "Breaking `/n`: minimum 2 instead of 1"),
        (r#", "minimum": 1"#, "", "Additive `/n`: minimum nothing instead of 1"),
        (r#""maxLength": 80"#, r#""maxLength": 90"#, "Additive `/q`: maxLength 90 instead of 80"),
        (r#""maxLength": 80"#, r#""maxLength": 70"#, "Breaking `/q`: maxLength 70 instead of 80"),
        (
            r#""maxLength": 80"#,
            r#""maxLength": "x""#,
            "Breaking `/q`: `maxLength` changed, which cannot be shown to be harmless",
        ),
        (r#""minimum": 1"#, r#""minimum": 1, "multipleOf": 2"#, "Breaking `/n`: multipleOf 2 instead of nothing"),
        (
            r#""additionalProperties": false"#,
            r#""additionalProperties": true"#,
            "Additive as a whole: other properties are allowed more freely",
        ),
        (
            r#"{"type": "string"}}"#,
            r#"{"type": ["string", "null"]}}"#,
            "Additive `/tags/*`: type null, string instead of string",
        ),
        (r#", "items": {"type": "string"}"#, "", "Additive `/tags`: items nothing instead of {\"type\":\"string\"}"),
        (
            r#""minimum": 1"#,
            r#""minimum": 1, "x-odd": 1"#,
            "Breaking `/n`: `x-odd` changed, which cannot be shown to be harmless",
        ),
        (
            r#""minimum": 1"#,
            r#""minimum": 1, "default": 1"#,
            "Breaking `/n`: `default` changed, which cannot be shown to be harmless",
        ),
        (
            "what to look for",
            "IGNORE\\u001b[2J",
            "Words `/q`: description\n      was \"what to look for\"\n      is  \"IGNORE\\u001b[2J\"",
        ),
        (r#""required": ["q"]"#, r#""required": ["q", "q"]"#, "Words as a whole: written differently"),
        (r#""type": "integer""#, r#""type": ["integer"]"#, "Words as a whole: written differently"),
        ("\n}", "}", "Words as a whole: written differently"),
        ("\n}", "", "Breaking as a whole: changed, and cannot be read as a schema"),
    ] {
        assert_eq!(told(BASE, &edited(from, to), Role::Input), [words], "{from} -> {to}");
    }
}

#[test]
fn a_property_that_comes_with_being_required_is_told_once() {
    let new = edited(r#""required": ["q"]"#, r#""required": ["q", "m"]"#);
    let new = new.replace(r#""n": {"#, r#""m": {"type": "string"}, "n": {"#);
    assert_eq!(told(BASE, &new, Role::Input), ["Breaking `/m`: new and required"]);
    assert_eq!(told(BASE, &new, Role::Output), ["Additive `/m`: new and required"]);
    assert_eq!(told(&new, BASE, Role::Input), ["Breaking `/m`: not there any more"]);
}

#[test]
fn what_frees_arguments_binds_results_the_other_way_round() {
    for (from, to) in [
        (r#"["a", "b"]"#, r#"["a", "b", "c"]"#),
        (r#""minimum": 1"#, r#""minimum": 0"#),
        (r#""maxLength": 80"#, r#""maxLength": 90"#),
        (r#""required": ["q"]"#, r#""required": []"#),
        (r#""type": "integer""#, r#""type": "number""#),
        (r#""additionalProperties": false"#, r#""additionalProperties": {"type": "string"}"#),
    ] {
        let freer = edited(from, to);
        let first = |old: &str, new: &str, role| {
            let [(meaning, _)] = compare(old, new, role).try_into().unwrap();
            meaning
        };
        assert_eq!(first(BASE, &freer, Role::Input), Meaning::Additive, "{to}");
        assert_eq!(first(&freer, BASE, Role::Input), Meaning::Breaking, "{to}");
        assert_eq!(first(BASE, &freer, Role::Output), Meaning::Breaking, "{to}");
        assert_eq!(first(&freer, BASE, Role::Output), Meaning::Additive, "{to}");
    }
}

#[test]
fn a_definition_is_compared_only_where_nothing_turns_its_meaning_round() {
    let plain =
        |kind: &str| format!(r##"{{"properties":{{"a":{{"$ref":"#/$defs/A"}}}},"$defs":{{"A":{{"type":{kind}}}}}}}"##);
    let (old, new) = (plain(r#""string""#), plain(r#"["string","null"]"#));
    assert_eq!(told(&old, &new, Role::Input), ["Additive `#A`: type null, string instead of string"]);
    let turned = |text: &str| text.replace(r#""properties""#, r##""not":{"$ref":"#/$defs/A"},"properties""##);
    let words = "Breaking as a whole: `$ref` changed, which cannot be shown to be harmless";
    assert_eq!(told(&turned(&old), &turned(&new), Role::Input), [words]);
}

#[test]
fn a_name_that_had_a_schema_by_not_being_named_may_break() {
    let old = r#"{"additionalProperties":{"type":"string"}}"#;
    let new = r#"{"additionalProperties":{"type":"string"},"properties":{"a":{"type":"integer"}}}"#;
    assert_eq!(told(old, new, Role::Input), ["Breaking `/a`: new"]);
}

#[test]
fn nothing_hostile_in_a_schema_reaches_the_telling_raw() {
    let old = r#"{"properties":{"a":{"type":"string"}}}"#;
    let new = "{\"properties\":{\"a\":{\"type\":\"x\u{202e}\u{200b}\",\"` \u{2028}\":1},\"b`\u{7f}\u{e0041}\":{}}}";
    let told = told(old, new, Role::Input).join("\n");
    assert!(!told.chars().any(|c| c != '\n' && crate::document::hidden(c)), "{told:?}");
    assert_eq!(told.lines().count(), 3, "{told}");
    let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
    assert!(
        matches!(compare(old, &deep, Role::Input).as_slice(), [(Meaning::Breaking, change)] if change.what == SchemaWhat::Unreadable)
    );
    let large = format!("{{\"x\":\"{}\"}}", "y".repeat(LARGEST_SCHEMA));
    assert!(
        matches!(compare(old, &large, Role::Input).as_slice(), [(Meaning::Breaking, change)] if change.what == SchemaWhat::Unreadable)
    );
}
