//! A second reading of TOML documents: plain tables, without spans, kinds and rules.

use std::collections::BTreeSet;

use toml::{Table, Value};

/// The document, which somebody else has accepted.
pub fn read(bytes: &[u8]) -> Table {
    std::str::from_utf8(bytes).expect("accepted bytes are UTF-8").parse().expect("an accepted document is TOML")
}

/// The table at this key; an empty one where there is none.
pub fn table(table: &Table, key: &str) -> Table {
    table.get(key).and_then(Value::as_table).cloned().unwrap_or_default()
}

/// The strings of the array at this key.
pub fn strings(table: &Table, key: &str) -> BTreeSet<String> {
    let array = table.get(key).and_then(Value::as_array);
    array.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}
