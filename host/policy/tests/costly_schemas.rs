//! The dearest schemas that pass, each with the largest value that passes it: a check takes about a tenth of a second at most.
//!
//! Run in release for numbers: `cargo test --release -p wardkeep-policy --test costly_schemas -- --nocapture`.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails; its numbers are for people"
)]

use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use wardkeep_policy::{Schema, SchemaFault};

/// What a message may hold (gateway, `screen`).
const MOST_VALUES: usize = 50_000;
const MOST_BYTES: usize = 4 << 20;
/// A tenth of a second, and some for a machine that does other things besides; a debug build is some thirty times slower.
const MOST: Duration = if cfg!(debug_assertions) { Duration::from_secs(10) } else { Duration::from_millis(250) };

fn each(schema: Value) -> Value {
    json!({ "type": "object", "properties": { "a": { "type": "array", "items": schema } } })
}

fn many(count: usize, schema: impl Fn(usize) -> Value) -> Vec<Value> {
    (0..count).map(schema).collect()
}

fn named(count: usize, schema: impl Fn(usize) -> (String, Value)) -> Map<String, Value> {
    (0..count).map(schema).collect()
}

fn list(count: usize, item: impl Fn(usize) -> Value) -> Value {
    json!({ "a": many(count, item) })
}

/// Half `a` and half `b`, in no order.
fn noise(bytes: usize) -> String {
    (0..bytes as u64).map(|i| if i.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40 & 1 == 0 { 'a' } else { 'b' }).collect()
}

/// `schema within schema`, so many times.
fn tower(levels: usize, around: impl Fn(Value) -> Value, inmost: Value) -> Value {
    (0..levels).fold(inmost, |schema, _| around(schema))
}

type Case = (&'static str, Value, usize, Box<dyn Fn(usize) -> Value>);

fn case(name: &'static str, schema: Value, most: usize, value: impl Fn(usize) -> Value + 'static) -> Case {
    (name, schema, most, Box::new(value))
}

/// Name, schema, the largest size that a message allows, and the value of a size.
fn cases() -> Vec<Case> {
    let n = MOST_VALUES - 2;
    let ints = |count| list(count, |i| json!(i));
    let empties = |count| list(count, |_| json!({}));
    let texts = |count| list(count, |i| json!(format!("{}{i:05}", "x".repeat(70))));
    let keys = |count| json!({ "a": [named(count, |i| (format!("{}{i:05}", "k".repeat(70)), json!(1)))] });
    let text = |bytes| json!({ "a": [noise(bytes)] });
    let chain = |levels: usize| {
        let mut all =
            named(levels, |i| (format!("d{i}"), json!({ "anyOf": [{ "$ref": format!("#/$defs/d{}", i + 1) }] })));
        all.insert(format!("d{levels}"), json!({ "type": "string" }));
        all
    };
    let mut cases = vec![
        case(
            "900 constants of numbers",
            each(json!({"not": {"anyOf": many(900, |i| json!({"const": -1 - i.cast_signed()}))}})),
            n,
            ints,
        ),
        case(
            "600 constants of texts",
            each(json!({"not": {"anyOf": many(600, |i| json!({"const": format!("{}{i:04}", "x".repeat(70))}))}})),
            n,
            texts,
        ),
        case("8000 words", each(json!({"not": {"enum": many(7_000, |i| json!(i + 100_000))}})), n, ints),
        case("6000 objects", each(json!({"not": {"enum": many(6_000, |i| json!({"a": i}))}})), n / 2, |count| {
            list(count, |_| json!({"a": -1}))
        }),
        case("6000 arrays", each(json!({"not": {"enum": many(6_000, |i| json!([i]))}})), n / 2, |count| {
            list(count, |_| json!([-1]))
        }),
        case(
            "30 long arrays",
            each(json!({"not": {"enum": many(16, |i| json!([vec![0; 1_900], vec![i]]))}})),
            25,
            |count| list(count, |_| json!([vec![0; 1_900], [-1]])),
        ),
        case("900 types", each(json!({"allOf": many(900, |_| json!({"type": "integer"}))})), n, ints),
        case("900 divisions", each(json!({"allOf": many(900, |_| json!({"multipleOf": 0.1}))})), n, |count| {
            list(count, |_| json!(1e15))
        }),
        case("small divisors", each(json!({"allOf": many(100, |_| json!({"multipleOf": 5e-324}))})), n, |count| {
            list(count, |_| json!(1.7e308))
        }),
        case(
            "4000 properties",
            each(json!({"properties": named(4_000, |i| (format!("p{i}"), json!({})))})),
            n,
            empties,
        ),
        case("7000 required", each(json!({"not": {"required": many(7_000, |i| json!(format!("p{i}")))}})), n, empties),
        case(
            "4000 dependencies",
            each(json!({"dependentRequired": named(4_000, |i| (format!("p{i}"), json!(["x"])))})),
            n,
            empties,
        ),
        case(
            "900 dependent schemas",
            each(json!({"dependentSchemas": named(900, |i| (format!("p{i}"), json!({})))})),
            n,
            empties,
        ),
        case(
            "900 patterns for keys",
            each(json!({"patternProperties": named(900, |i| (format!("q{i}$"), json!({})))})),
            n,
            keys,
        ),
        case(
            "90 slow patterns for keys",
            each(json!({"patternProperties": named(90, |i| (format!("k.*[kx]{{9}}{i}y$"), json!({})))})),
            n,
            keys,
        ),
        case(
            "400 patterns for names",
            each(json!({"propertyNames": {"allOf": many(300, |i| json!({"not": {"pattern": format!("k.*{i}x$")}}))}})),
            n,
            keys,
        ),
        case(
            "400 patterns",
            each(json!({"allOf": many(400, |i| json!({"not": {"pattern": format!("a.*{i}y")}}))})),
            MOST_BYTES,
            text,
        ),
        case(
            "400 small patterns",
            each(json!({"allOf": many(400, |_| json!({"not": {"pattern": "ac"}}))})),
            MOST_BYTES,
            text,
        ),
        case(
            "900 lengths",
            each(json!({"allOf": many(900, |_| json!({"maxLength": MOST_BYTES}))})),
            MOST_BYTES,
            |bytes| json!({"a": ["ä".repeat(bytes / 2)]}),
        ),
        case("unique objects", json!({"type": "object", "properties": {"a": {"uniqueItems": true}}}), n / 2, |count| {
            list(count, |i| json!({"n": i}))
        }),
        case("unique arrays", json!({"type": "object", "properties": {"a": {"uniqueItems": true}}}), n / 3, |count| {
            list(count, |i| json!([[i]]))
        }),
        case("unique numbers", json!({"type": "object", "properties": {"a": {"uniqueItems": true}}}), n, |count| {
            list(count, |i| json!(f64::from(u32::try_from(i).unwrap()) / 3.0))
        }),
        case(
            "900 times unique",
            json!({"type": "object", "properties": {"a": {"allOf": many(900, |_| json!({"uniqueItems": true}))}}}),
            n,
            ints,
        ),
        case(
            "unique at every depth",
            json!({"type": "object", "properties": {"a": {"$ref": "#/$defs/x"}}, "$defs": {"x": {"uniqueItems": true, "items": {"$ref": "#/$defs/x"}}}}),
            n - 60,
            |count| json!({"a": tower(58, |value| json!([value]), json!(many(count, |i| json!(i))))}),
        ),
        case(
            "400 times contains",
            json!({"type": "object", "properties": {"a": {"allOf": many(400, |_| json!({"contains": {"type": "string"}, "minContains": 0}))}}}),
            n,
            ints,
        ),
        case(
            "a chain of alternatives",
            json!({"type": "object", "$defs": chain(450), "properties": {"a": {"items": {"$ref": "#/$defs/d0"}}}}),
            n,
            ints,
        ),
        case(
            "a chain of alternatives denied",
            json!({"type": "object", "$defs": chain(450), "properties": {"a": {"items": {"not": {"$ref": "#/$defs/d0"}}}}}),
            n,
            ints,
        ),
        case(
            "a tree of alternatives",
            each(tower(8, |schema| json!({"oneOf": [schema.clone(), schema]}), json!({"type": "string"}))),
            n,
            ints,
        ),
        case(
            "a tree of alternatives denied",
            each(
                json!({"not": tower(7, |schema| json!({"anyOf": [schema.clone(), schema]}), json!({"type": "string"}))}),
            ),
            n,
            ints,
        ),
        case(
            "unevaluated properties",
            each(tower(
                7,
                |schema| json!({"allOf": [schema], "unevaluatedProperties": {"type": "integer"}}),
                json!({"properties": {"z": {}}}),
            )),
            n,
            keys,
        ),
        case(
            "unevaluated items",
            json!({"type": "object", "properties": {"a": tower(7, |schema| json!({"allOf": [schema], "unevaluatedItems": {"type": "integer"}}), json!({"prefixItems": [{}]}))}}),
            n,
            ints,
        ),
        case("what does not fit is quoted", each(json!({"type": "integer"})), MOST_BYTES, text),
        case("formats", each(json!({"allOf": many(900, |_| json!({"format": "email"}))})), n, texts),
        case(
            "conditions",
            each(tower(
                9,
                |schema| json!({"if": schema, "then": {"minimum": 0}, "else": {"minimum": 0}}),
                json!({"type": "string"}),
            )),
            n,
            ints,
        ),
    ];
    for (name, count) in [("a{10}", 10), ("a{100}", 100), ("a{1000}", 1_000), ("a{3000}", 3_000)] {
        cases.push(case(name, each(json!({"not": {"pattern": format!("a[ab]{{{count}}}c")}})), MOST_BYTES, text));
    }
    cases
}

/// The largest size up to `most` that a check still accepts to look at.
fn largest(schema: &Schema, most: usize, value: &dyn Fn(usize) -> Value) -> usize {
    let looks = |size| schema.looks_at(&value(size));
    if looks(most) {
        return most;
    }
    let (mut low, mut high) = (0, most);
    while high - low > most / 200 + 1 {
        let middle = usize::midpoint(low, high);
        if looks(middle) { low = middle } else { high = middle }
    }
    low
}

#[test]
fn the_dearest_check_that_is_made_takes_a_moment() {
    let mut slow = Vec::new();
    for (name, schema, most, value) in cases() {
        let text = schema.to_string();
        let begun = Instant::now();
        let schema = match Schema::compile(&text) {
            Ok(schema) => schema,
            Err(fault) => {
                println!("{name:34} {:>6} bytes refused: {fault}", text.len());
                assert!(matches!(fault, SchemaFault::Costly { .. }), "{name}: {fault}");
                continue;
            }
        };
        let compiled = begun.elapsed();
        let size = largest(&schema, most, &*value);
        let value = value(size);
        let begun = Instant::now();
        let fits = schema.check(&value).is_ok();
        let took = begun.elapsed();
        println!(
            "{name:34} {:>6} bytes, size {size:>7} of {most:>7}: {took:>12.3?}, priced {:>4} ms, fits {fits}, compiled in {compiled:.1?}",
            text.len(),
            schema.effort(&value) / 2_000_000
        );
        if took > MOST {
            slow.push(format!("{name}: {took:?}"));
        }
    }
    assert!(slow.is_empty(), "{slow:?}");
}

#[test]
fn what_is_too_dear_is_refused_without_a_look_and_what_people_send_is_not() {
    let schema = Schema::compile(&each(json!({"not": {"pattern": "a[ab]{3000}c"}})).to_string()).unwrap();
    let begun = Instant::now();
    let refused = schema.check(&json!({"a": [noise(MOST_BYTES)]})).unwrap_err();
    assert_eq!(
        (refused.pointer.as_str(), refused.message.as_str()),
        ("", "too large to be checked against this tool's schema")
    );
    assert!(begun.elapsed() < MOST, "seventy seconds without a price: {:?}", begun.elapsed());
    // a large text beside a path with a pattern: the pattern is not charged for the text
    let write = Schema::compile(
        r#"{"type":"object","properties":{"path":{"type":"string","pattern":"^[a-z0-9/._-]{1,200}$"},"content":{"type":"string"}},"required":["path","content"],"additionalProperties":false}"#,
    )
    .unwrap();
    assert_eq!(write.check(&json!({"path": "a/b.txt", "content": "x".repeat(MOST_BYTES - 100)})), Ok(()));
    // a wide list of records
    let record = json!({"type": "object", "required": ["id", "name"], "properties": {
        "id": {"type": "integer", "minimum": 0}, "name": {"type": "string", "minLength": 1, "maxLength": 100},
        "kind": {"enum": ["file", "directory", "link"]}, "tags": {"type": "array", "items": {"type": "string", "pattern": "^[a-z]+$"}, "uniqueItems": true}}});
    let schema = Schema::compile(&each(record).to_string()).unwrap();
    let records = list(8_000, |i| json!({"id": i, "name": "some name", "kind": "file", "tags": ["a"]}));
    assert_eq!(schema.check(&records), Ok(()));
}
