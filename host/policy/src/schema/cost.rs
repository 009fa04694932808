//! How often a schema can make one value be looked at. Without a bound, a kilobyte of schema and a kilobyte of arguments keep a processor
//! busy for years: `{"allOf": [{"$ref": "#/$defs/b"}, {"$ref": "#/$defs/b"}]}` thirty times over doubles the work thirty times, and so
//! does a recursion that enters a child twice.
//!
//! The walk goes over states: the subschemas that apply to one value, all at once. A state's size is what checking that value costs; the
//! states of its children follow from it. Every state that can be reached must be small; then a check is linear in its value.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{
    SchemaFault,
    prices::{Price, Prices},
};

/// Subschemas that may apply to one value.
pub(super) const MOST: u64 = 1_000;
/// Steps of the walk itself, which must not become the bomb.
const STEPS: usize = 1_000_000;

/// Keywords whose subschemas apply to the same value.
const IN_PLACE: [&str; 8] = ["$ref", "allOf", "anyOf", "oneOf", "not", "if", "then", "else"];
/// Keywords that look at the results of those beside them, and so check them once more.
const AGAIN: [&str; 2] = ["unevaluatedProperties", "unevaluatedItems"];

type Object = Map<String, Value>;
type State<'s> = Vec<&'s Object>;

/// Refuses a schema that could make a value be checked too often; says of any other what its values cost.
pub(super) fn bound(root: &Value) -> Result<Prices, SchemaFault> {
    let mut walk = Walk { root, left: STEPS };
    let mut states = States::default();
    let first: State<'_> = root.as_object().into_iter().collect();
    states.number(first, &mut walk)?;
    while let Some((at, state)) = states.open.pop() {
        let applied = walk.applied(&state)?;
        let children = walk.children(&applied)?;
        let mut price = Price::of(&applied);
        for (name, child) in children.named {
            let place = states.number(child, &mut walk)?;
            // a child of no subschema costs nothing and says so, lest it pass for any other
            price.named.insert(name.into(), place.unwrap_or(usize::MAX));
        }
        for child in children.prefix {
            price.prefix.push(states.number(child, &mut walk)?);
        }
        price.names = states.number(children.names, &mut walk)?;
        price.other = states.number(children.other, &mut walk)?;
        price.element = states.number(children.element, &mut walk)?;
        states.prices.set(at, applied.len(), price);
    }
    Ok(states.prices)
}

/// The states that were met, each with its place among the prices.
#[derive(Default)]
struct States<'s> {
    known: BTreeMap<Vec<usize>, usize>,
    open: Vec<(usize, State<'s>)>,
    prices: Prices,
}

impl<'s> States<'s> {
    /// Nothing for a state without subschemas.
    fn number(&mut self, state: State<'s>, walk: &mut Walk<'_>) -> Result<Option<usize>, SchemaFault> {
        if state.is_empty() {
            return Ok(None);
        }
        let mut identity: Vec<usize> = state.iter().map(|object| std::ptr::from_ref(*object).addr()).collect();
        identity.sort_unstable();
        walk.step(identity.len())?;
        if let Some(place) = self.known.get(&identity) {
            return Ok(Some(*place));
        }
        let place = self.prices.place();
        self.known.insert(identity, place);
        self.open.push((place, state));
        Ok(Some(place))
    }
}

/// What applies to the children of a value.
struct Children<'s> {
    named: Vec<(&'s str, State<'s>)>,
    /// To each key, as a string.
    names: State<'s>,
    /// To a child of any other name.
    other: State<'s>,
    prefix: Vec<State<'s>>,
    element: State<'s>,
}

struct Walk<'s> {
    root: &'s Value,
    left: usize,
}

impl<'s> Walk<'s> {
    fn step(&mut self, steps: usize) -> Result<(), SchemaFault> {
        self.left = self.left.checked_sub(steps + 1).ok_or(SchemaFault::Costly { most: MOST })?;
        Ok(())
    }

    /// Everything that applies to the value where these apply.
    fn applied(&mut self, state: &[&'s Object]) -> Result<State<'s>, SchemaFault> {
        let mut applied = State::new();
        let mut open: State<'s> = state.to_vec();
        while let Some(object) = open.pop() {
            self.step(1)?;
            applied.push(object);
            if u64::try_from(applied.len() + open.len()).unwrap_or(u64::MAX) > MOST {
                return Err(SchemaFault::Costly { most: MOST });
            }
            let times = 1 + AGAIN.iter().filter(|keyword| object.contains_key(**keyword)).count();
            for _ in 0..times {
                for keyword in IN_PLACE {
                    if let Some(value) = object.get(keyword) {
                        self.subschemas(keyword, value, &mut open);
                    }
                }
                let dependent = object.get("dependentSchemas").and_then(Value::as_object);
                open.extend(dependent.into_iter().flat_map(Object::values).filter_map(Value::as_object));
            }
        }
        Ok(applied)
    }

    fn subschemas(&self, keyword: &str, value: &'s Value, into: &mut State<'s>) {
        match value {
            Value::String(reference) if keyword == "$ref" => {
                let target = reference.strip_prefix('#').and_then(|pointer| self.root.pointer(pointer));
                into.extend(target.and_then(Value::as_object));
            }
            Value::Array(all) => into.extend(all.iter().filter_map(Value::as_object)),
            Value::Object(object) => into.push(object),
            _ => {}
        }
    }

    /// What applies to each child that the subschemas tell apart, and to any other child.
    fn children(&mut self, applied: &[&'s Object]) -> Result<Children<'s>, SchemaFault> {
        let mut named: BTreeMap<&'s str, State<'s>> = BTreeMap::new();
        let mut names = State::new();
        let (mut every, mut element) = (State::new(), State::new());
        let mut others: Vec<(&'s Object, Option<&'s Object>)> = Vec::new();
        let mut places: Vec<State<'s>> = Vec::new();
        for object in applied {
            let properties = object.get("properties").and_then(Value::as_object);
            for (name, schema) in properties.into_iter().flatten() {
                self.step(1)?;
                named.entry(name).or_default().extend(schema.as_object());
            }
            let patterns = object.get("patternProperties").and_then(Value::as_object);
            every.extend(patterns.into_iter().flat_map(Object::values).filter_map(Value::as_object));
            every.extend(object.get("unevaluatedProperties").and_then(Value::as_object));
            names.extend(object.get("propertyNames").and_then(Value::as_object));
            others
                .extend(object.get("additionalProperties").and_then(Value::as_object).map(|other| (other, properties)));
            let prefix = object.get("prefixItems").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
            places.resize_with(places.len().max(prefix.len()), State::new);
            for (place, schema) in places.iter_mut().zip(prefix) {
                place.extend(schema.as_object());
            }
            for keyword in ["items", "contains", "unevaluatedItems"] {
                element.extend(object.get(keyword).and_then(Value::as_object));
            }
        }
        self.step((named.len() + 1) * (every.len() + others.len() + 1) + places.len() * (element.len() + 1))?;
        let named = named.into_iter().map(|(name, mut state)| {
            let outside = others.iter().filter(|(_, named)| !named.is_some_and(|map| map.contains_key(name)));
            state.extend(every.iter().copied().chain(outside.map(|(other, _)| *other)));
            (name, state)
        });
        let named = named.collect();
        for state in &mut places {
            state.extend(&element);
        }
        every.extend(others.iter().map(|(other, _)| *other));
        Ok(Children { named, names, other: every, prefix: places, element })
    }
}
