use std::time::{Duration, Instant};

use serde_json::json;

use super::*;

fn compile(schema: &Value) -> Result<Schema, SchemaFault> {
    Schema::compile(&schema.to_string())
}

fn refused(schema: &Value) -> SchemaFault {
    compile(schema).unwrap_err()
}

#[test]
fn a_schema_is_bounded_in_bytes_and_depth_and_is_about_an_object() {
    let text = format!("{{\"type\":\"object\",\"description\":\"{}\"}}", "x".repeat(LARGEST_SCHEMA));
    assert_eq!(Schema::compile(&text).unwrap_err(), SchemaFault::TooLarge { bytes: text.len() });
    let deep = format!("{{\"type\":\"object\",\"default\":{}{}}}", "[".repeat(32), "]".repeat(32));
    assert!(
        matches!(Schema::compile(&deep), Err(SchemaFault::Json { message }) if message.contains("nested too deep"))
    );
    let twice = r#"{"type":"object","type":"object"}"#;
    assert!(matches!(Schema::compile(twice), Err(SchemaFault::Json { message }) if message.contains("given twice")));
    for other in [json!({}), json!({"type": "string"}), json!({"type": ["object"]}), json!(true), json!([])] {
        assert_eq!(refused(&other), SchemaFault::NotAnObject, "{other}");
    }
    assert!(matches!(refused(&json!({"type": "object", "required": 7})), SchemaFault::Invalid { .. }));
}

#[test]
fn a_schema_refers_to_nothing_outside_itself() {
    for reference in [
        "http://example.com/a",
        "file:///etc/passwd",
        "other.json#/a",
        "//host/a",
        "urn:x",
        "",
        "#anchor",
        "#/%24defs/a",
    ] {
        let schema = json!({"type": "object", "properties": {"a": {"$ref": reference}}});
        assert_eq!(refused(&schema), SchemaFault::Reference { reference: quoted(reference) });
    }
    let based = json!({"type": "object", "$id": "http://example.com/", "properties": {"a": {"$ref": "#/a"}}});
    assert_eq!(refused(&based), SchemaFault::Reference { reference: "`http://example.com/`".into() });
    let dynamic = json!({"type": "object", "properties": {"a": {"$dynamicRef": "#node"}}});
    assert_eq!(refused(&dynamic), SchemaFault::Reference { reference: "`#node`".into() });
    let dialect = json!({"type": "object", "$schema": "http://json-schema.org/draft-07/schema#"});
    assert_eq!(refused(&dialect), SchemaFault::Dialect { found: "`http://json-schema.org/draft-07/schema#`".into() });
    assert!(compile(&json!({"type": "object", "$schema": DRAFT, "properties": {"$ref": {"type": "string"}}})).is_ok());
}

#[test]
fn a_pattern_cannot_backtrack_or_grow_without_bound() {
    let pattern = |pattern: &str| {
        compile(&json!({"type": "object", "properties": {"a": {"type": "string", "pattern": pattern}}}))
    };
    let evil = pattern("^(a+)+$").unwrap();
    let started = Instant::now();
    assert!(evil.check(&json!({"a": format!("{}!", "a".repeat(100_000))})).is_err());
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    assert!(matches!(pattern("(?=a)b"), Err(SchemaFault::Invalid { .. })));
    assert!(matches!(pattern(r"(a)\1"), Err(SchemaFault::Invalid { .. })));
    assert!(matches!(pattern("(((a{100}){100}){100}){100}"), Err(SchemaFault::Invalid { .. })));
}

/// Thirty definitions, each of which makes the next be checked twice.
fn doubling(keyword: &str) -> Value {
    let level =
        |index: usize| json!({keyword: [{"$ref": format!("#/$defs/d{index}")}, {"$ref": format!("#/$defs/d{index}")}]});
    let mut definitions: Map<String, Value> = (0..30).map(|index| (format!("d{index}"), level(index + 1))).collect();
    definitions.insert("d30".into(), json!({"minProperties": 1}));
    json!({"type": "object", "$defs": definitions, "$ref": "#/$defs/d0"})
}

#[test]
fn a_schema_that_doubles_its_work_is_refused() {
    for keyword in ["allOf", "anyOf", "oneOf"] {
        assert_eq!(refused(&doubling(keyword)), SchemaFault::Costly { most: cost::MOST }, "{keyword}");
    }
    let costly = |schema: Value| assert_eq!(refused(&schema), SchemaFault::Costly { most: cost::MOST }, "{schema}");
    costly(json!({"type": "object", "$ref": "#"}));
    costly(
        json!({"type": "object", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"anyOf": [{"$ref": "#/$defs/a"}]}}, "$ref": "#/$defs/a"}),
    );
    // Each child is entered twice, so a value that nests thirty deep is checked 2^30 times.
    costly(
        json!({"type": "object", "allOf": [{"additionalProperties": {"$ref": "#"}}, {"patternProperties": {"": {"$ref": "#"}}}]}),
    );
    costly(json!({"type": "object", "properties": {"a": {"$ref": "#"}}, "patternProperties": {"^a": {"$ref": "#"}}}));
    costly(json!({"type": "object", "properties": {"a": {"items": {"$ref": "#"}, "contains": {"$ref": "#"}}}}));
    costly(json!({"type": "object", "properties": {"a": {"$ref": "#/$defs/x"}}, "$defs": {"x": {
        "anyOf": [{"properties": {"l": {"$ref": "#/$defs/x"}}}, {"properties": {"l": {"$ref": "#/$defs/x"}}}]}}}));
    let mut nested = json!({"minProperties": 1});
    for _ in 0..13 {
        nested = json!({"allOf": [nested], "unevaluatedProperties": false});
    }
    nested["type"] = json!("object");
    costly(nested);
}

#[test]
fn ordinary_recursion_and_wide_schemas_are_no_bombs() {
    let sound = |schema: Value| compile(&schema).unwrap_or_else(|error| panic!("{schema}: {error}"));
    sound(json!({"type": "object", "properties": {"children": {"type": "array", "items": {"$ref": "#"}}}}));
    let grammar = json!({"type": "object", "properties": {"e": {"$ref": "#/$defs/e"}}, "$defs": {"e": {"anyOf": [
        {"type": "object", "properties": {"and": {"type": "array", "items": {"$ref": "#/$defs/e"}}}, "required": ["and"]},
        {"type": "object", "properties": {"or": {"type": "array", "items": {"$ref": "#/$defs/e"}}}, "required": ["or"]},
        {"type": "object", "properties": {"not": {"$ref": "#/$defs/e"}}, "required": ["not"]},
        {"type": "string"}]}}});
    let schema = sound(grammar);
    assert_eq!(schema.check(&json!({"e": {"and": [{"not": "x"}, {"or": ["y", "z"]}]}})), Ok(()));
    assert_eq!(schema.check(&json!({"e": {"and": [{"not": 7}]}})).unwrap_err().pointer, "/e");
    let wide: Map<String, Value> = (0..1_500).map(|index| (format!("p{index}"), json!({"type": "string"}))).collect();
    sound(json!({"type": "object", "properties": wide, "additionalProperties": {"type": "integer"}}));
}

#[test]
fn the_walk_over_a_schema_is_itself_short() {
    let many: Map<String, Value> = (0..900).map(|index| (format!("p{index}"), json!({"$ref": "#"}))).collect();
    let patterns: Map<String, Value> =
        (0..900).map(|index| (format!("{index}"), json!({"$ref": "#/$defs/x"}))).collect();
    let started = Instant::now();
    let _ = compile(
        &json!({"type": "object", "properties": many, "patternProperties": patterns, "$defs": {"x": {"properties": {"a": {}}}}}),
    );
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

#[test]
fn a_large_array_of_unique_items_is_checked_in_time() {
    let schema =
        compile(&json!({"type": "object", "properties": {"a": {"type": "array", "uniqueItems": true}}})).unwrap();
    let items: Vec<Value> = (0..20_000).map(|number| json!({"n": number, "s": "x"})).collect();
    let started = Instant::now();
    assert_eq!(schema.check(&json!({"a": items})), Ok(()));
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

#[test]
fn a_mismatch_is_short_and_a_deep_value_is_refused() {
    let schema = compile(&json!({"type": "object", "properties": {"a": {"type": "integer"}}})).unwrap();
    let mismatch = schema.check(&json!({"a": "\u{1b}[2J".repeat(1_000)})).unwrap_err();
    assert!(mismatch.message.len() < 4 * LONGEST_MESSAGE && !mismatch.message.contains('\u{1b}'), "{mismatch}");
    let mut deep = json!(1);
    for _ in 0..DEEPEST_VALUE {
        deep = json!([deep]);
    }
    assert_eq!(schema.check(&json!({"b": deep})).unwrap_err().message, "more than 64 arrays and objects deep");
}

#[test]
fn clients_get_the_same_value_in_the_same_order() {
    let text =
        r#"{"type":"object","properties":{"z":{"minimum":1.0},"a":{"maximum":18446744073709551615}},"$defs":{}}"#;
    let schema = Schema::compile(text).unwrap();
    assert_eq!(serde_json::to_string(schema.value().as_ref()).unwrap(), text);
}

#[test]
fn numbers_of_a_schema_are_numbers_and_huge_ones_harm_nobody() {
    for text in [
        r#"{"type":"object","properties":{"a":{"minimum":1e400}}}"#.to_owned(),
        format!(r#"{{"type":"object","maxProperties":1{}}}"#, "0".repeat(400)),
    ] {
        assert!(matches!(Schema::compile(&text), Err(SchemaFault::Json { .. })), "{}", text.get(..60).unwrap_or(&text));
    }
    for keyword in [json!({"minLength": -1}), json!({"multipleOf": 0}), json!({"maxItems": 0.5}), json!({"pattern": 7})]
    {
        let schema = json!({"type": "object", "properties": {"a": keyword}});
        assert!(matches!(refused(&schema), SchemaFault::Invalid { .. }), "{schema}");
    }
    let value = json!({"a": [1.7e308, 5e-324, u64::MAX, i64::MIN, 0.1]});
    for keyword in [
        json!({"multipleOf": 5e-324}),
        json!({"multipleOf": 1.7e308}),
        json!({"maximum": 1e308}),
        json!({"minLength": 1e15}),
    ] {
        let started = Instant::now();
        let schema = json!({"type": "object", "properties": {"a": {"items": keyword}}});
        let _ = compile(&schema).unwrap().check(&value);
        assert!(started.elapsed() < Duration::from_secs(1), "{schema}: {:?}", started.elapsed());
    }
}

#[test]
fn names_and_bases_within_a_schema_lead_nowhere() {
    for within in [
        json!({"$anchor": "here", "properties": {"a": {"$ref": "#here"}}}),
        json!({"properties": {"a": {"$id": "https://example.com/x", "$ref": "#/$defs/y"}}}),
        json!({"$dynamicAnchor": "node", "properties": {"a": {"$dynamicRef": "#node"}}}),
        json!({"properties": {"a": {"$recursiveRef": "#"}}}),
        json!({"not": {"anyOf": [{"items": {"$ref": "file:///etc/passwd"}}]}}),
        json!({"$defs": {"deep": {"if": {"$ref": "https://169.254.169.254/"}}}}),
    ] {
        let mut schema = within.clone();
        schema["type"] = json!("object");
        assert!(matches!(refused(&schema), SchemaFault::Reference { .. }), "{schema}");
    }
    // nowhere at all
    let missing = json!({"type": "object", "properties": {"a": {"$ref": "#/$defs/absent"}}});
    assert!(matches!(refused(&missing), SchemaFault::Invalid { .. }));
}
