//! What it costs to check one value: a walk over the value that knows at each place which subschemas apply there. Cheap, and told
//! before the check begins, since a check that runs can't be stopped.
//!
//! `{"pattern": "a[ab]{3000}c"}` and four million letters keep a processor busy for 70 seconds, 900 patterns and 50,000 keys for
//! three: both are small enough by themselves. Prices were measured (release build, docs/decisions/007); a unit is half a nanosecond.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::{DEEPEST_VALUE, pattern};

/// Any keyword, or any subschema that is looked at.
const KEYWORD: u64 = 20;
/// `multipleOf` may divide with fractions.
const MULTIPLE_OF: u64 = 2_400;
/// One pattern that is begun.
const PATTERN: u64 = 150;
/// One JSON value in `enum` or `const` that is an array or object: those are compared one by one.
const COMPARED: u64 = 30;
/// One value below an array whose items are to be unique.
const UNIQUE: u64 = 300;
/// One key, or one value below, of what looks at all that those beside it have seen.
const UNEVALUATED: u64 = 200;

/// One value, and one byte of a string: what does not fit is quoted.
const VALUE: u64 = 40;
const QUOTED: u64 = 10;
/// When a value does not fit, every alternative within every other tells why: once for the whole of it.
const WHY: u64 = 50;

type Object = Map<String, Value>;

/// All places that a value can have under a schema.
#[derive(Debug, Default)]
pub(super) struct Prices {
    places: Vec<Price>,
    /// Where no subschema applies.
    free: Price,
    /// What telling why it does not fit may cost.
    why: u64,
}

/// What applies at one place.
#[derive(Debug, Default)]
pub(super) struct Price {
    value: u64,
    byte: u64,
    key: u64,
    key_byte: u64,
    compared: u64,
    below: u64,
    pub(super) names: Option<usize>,
    pub(super) named: HashMap<Box<str>, usize>,
    pub(super) other: Option<usize>,
    pub(super) prefix: Vec<Option<usize>>,
    pub(super) element: Option<usize>,
}

impl Price {
    pub(super) fn of(applied: &[&Object]) -> Self {
        let mut price = Self::default();
        for object in applied {
            price.value += KEYWORD;
            price.key += KEYWORD;
            object.iter().for_each(|(keyword, value)| price.add(keyword, value));
        }
        price
    }

    fn add(&mut self, keyword: &str, value: &Value) {
        self.value += KEYWORD;
        match (keyword, value) {
            ("multipleOf", _) => self.value += MULTIPLE_OF,
            ("pattern", Value::String(text)) => {
                self.value += PATTERN;
                self.byte += pattern::byte_price(text);
            }
            ("minLength" | "maxLength", _) => self.byte += 1,
            ("patternProperties", Value::Object(patterns)) => {
                self.key += PATTERN * patterns.len() as u64;
                self.key_byte += patterns.keys().map(|text| pattern::byte_price(text)).sum::<u64>();
            }
            ("dependentRequired", Value::Object(map)) => self.value += KEYWORD * map.len() as u64,
            ("enum" | "const", value) => {
                // scalars of `enum` are found by their digest
                self.value += PATTERN;
                self.compared += COMPARED * containers(value);
            }
            ("uniqueItems", Value::Bool(true)) => self.below += UNIQUE,
            ("unevaluatedProperties", _) => self.key += UNEVALUATED,
            ("unevaluatedItems", _) => self.below += UNEVALUATED / 10,
            _ => {}
        }
    }
}

/// Values within the arrays and objects of a list, or of one constant.
fn containers(value: &Value) -> u64 {
    match value {
        Value::Array(items) => items.iter().map(|item| 1 + containers(item)).sum(),
        Value::Object(map) => map.values().map(|item| 1 + containers(item)).sum(),
        _ => 0,
    }
}

impl Prices {
    /// A place for a state, to be filled in.
    pub(super) fn place(&mut self) -> usize {
        self.places.push(Price::default());
        self.places.len() - 1
    }

    pub(super) fn set(&mut self, at: usize, applied: usize, price: Price) {
        let applied = applied as u64;
        self.why = self.why.max(WHY * applied * applied);
        if let Some(place) = self.places.get_mut(at) {
            *place = price;
        }
    }

    /// What it costs to check this value at the top.
    pub(super) fn value(&self, value: &Value) -> u64 {
        self.at(Some(0), value, DEEPEST_VALUE).0.saturating_add(self.why)
    }

    /// The same of an object.
    pub(super) fn object(&self, object: &Object) -> u64 {
        self.within(self.price(Some(0)), object, DEEPEST_VALUE).0.saturating_add(self.why)
    }

    fn price(&self, place: Option<usize>) -> &Price {
        place.and_then(|place| self.places.get(place)).unwrap_or(&self.free)
    }

    /// The price, and how many values there are. What is too deep is refused before it is checked.
    fn at(&self, place: Option<usize>, value: &Value, left: usize) -> (u64, u64) {
        let price = self.price(place);
        let mut sum = price.value + VALUE;
        match value {
            Value::String(text) => (sum.saturating_add((price.byte + QUOTED).saturating_mul(text.len() as u64)), 1),
            Value::Array(items) => {
                let mut values = 1;
                sum = sum.saturating_add(price.compared);
                let Some(left) = left.checked_sub(1) else { return (sum, values) };
                for (index, item) in items.iter().enumerate() {
                    let place = price.prefix.get(index).copied().unwrap_or(price.element);
                    let (cost, below) = self.at(place, item, left);
                    sum = sum.saturating_add(cost);
                    values += below;
                }
                (sum.saturating_add(price.below.saturating_mul(values)), values)
            }
            Value::Object(map) => self.within(price, map, left),
            _ => (sum, 1),
        }
    }

    fn within(&self, price: &Price, map: &Object, left: usize) -> (u64, u64) {
        let (mut sum, mut values) = (price.value.saturating_add(price.compared).saturating_add(VALUE), 1);
        let Some(left) = left.checked_sub(1) else { return (sum, values) };
        let names = self.price(price.names);
        let (each, byte) = (price.key + names.value, price.key_byte + names.byte);
        for (key, item) in map {
            let place = price.named.get(key.as_str()).copied().or(price.other);
            let (cost, below) = self.at(place, item, left);
            sum = sum.saturating_add(cost).saturating_add(each).saturating_add(byte.saturating_mul(key.len() as u64));
            values += below;
        }
        (sum, values)
    }
}
