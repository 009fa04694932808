//! Where each key stands, for faults that are found after the document itself is gone.

use std::collections::BTreeMap;

use toml::de::{DeTable, DeValue};

use super::{Sink, table::dotted};

/// The line of every key of a document, by dotted path.
#[derive(Debug, Clone, Default)]
pub struct Lines(BTreeMap<String, usize>);

impl Lines {
    pub(super) fn of(sink: &Sink, root: &DeTable<'_>) -> Self {
        let mut lines = BTreeMap::new();
        walk(sink, "", root, &mut lines);
        Self(lines)
    }

    /// The line of this key, or of the nearest table around it that is there.
    #[must_use]
    pub fn of_key(&self, key: &str) -> Option<usize> {
        let mut key = key;
        loop {
            if let Some(line) = self.0.get(key) {
                return Some(*line);
            }
            (key, _) = key.rsplit_once('.')?;
        }
    }
}

fn walk(sink: &Sink, path: &str, table: &DeTable<'_>, lines: &mut BTreeMap<String, usize>) {
    for (key, value) in table {
        let path = dotted(path, key.get_ref());
        if let DeValue::Table(table) = value.get_ref() {
            walk(sink, &path, table, lines);
        }
        lines.insert(path, sink.line(key.span().start));
    }
}
