//! A table that must be taken apart completely: what is left when it is dropped is an unknown key.

use std::collections::BTreeMap;

use toml::{Spanned, de::DeTable, de::DeValue};

use super::{Fault, Item, Sink, quoted, shown};

/// One table of a document.
pub struct Table<'d> {
    sink: &'d Sink,
    path: String,
    line: Option<usize>,
    left: BTreeMap<&'d str, (usize, &'d Spanned<DeValue<'d>>)>,
    known: Vec<&'static str>,
}

impl<'d> Table<'d> {
    pub(super) fn new(sink: &'d Sink, path: String, line: Option<usize>, table: &'d DeTable<'d>) -> Self {
        let left = table.iter().map(|(key, value)| (key.get_ref().as_ref(), (key.span().start, value))).collect();
        Self { sink, path, line, left, known: Vec::new() }
    }

    /// The dotted path of this table; empty for the document itself.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Whether a key is there, taken or not yet.
    #[must_use]
    pub fn holds(&self, key: &str) -> bool {
        self.left.contains_key(key)
    }

    /// Takes a key that may be absent.
    pub fn optional(&mut self, key: &'static str) -> Option<Item<'d>> {
        self.known.push(key);
        let (start, value) = self.left.remove(key)?;
        Some(Item::new(self.sink, dotted(&self.path, key), self.sink.line(start), value.get_ref()))
    }

    /// Takes a key that must be there; `example` is the line that would mend its absence.
    pub fn required(&mut self, key: &'static str, example: &str) -> Option<Item<'d>> {
        let item = self.optional(key);
        if item.is_none() {
            self.missing(key, example);
        }
        item
    }

    /// The key `format`, which must be this number.
    pub fn format(&mut self, supported: u64) {
        let Some(item) = self.required("format", &format!("format = {supported}")) else { return };
        if item.whole(0..=u64::MAX).is_some_and(|format| format != supported) {
            item.fault(format!("this host reads format {supported} only"), Some(&format!("format = {supported}")));
        }
    }

    /// Takes everything that is left as names of the document's own choosing, in its order.
    #[must_use]
    pub fn named(mut self) -> Vec<(&'d str, Item<'d>)> {
        let mut entries: Vec<_> = std::mem::take(&mut self.left).into_iter().collect();
        entries.sort_by_key(|(_, (start, _))| *start);
        let item = |name: &'d str, start, value: &'d Spanned<DeValue<'d>>| {
            Item::new(self.sink, dotted(&self.path, name), self.sink.line(start), value.get_ref())
        };
        entries.into_iter().map(|(name, (start, value))| (name, item(name, start, value))).collect()
    }

    /// Leaves a fault at the table itself.
    pub fn fault(&self, message: impl Into<String>, mend: Option<&str>) {
        let fault = Fault::of(&self.sink.file, message).at(self.line, &self.path);
        self.sink.push(Fault { mend: mend.map(Into::into), ..fault });
    }

    fn missing(&self, key: &str, example: &str) {
        let table = if self.path.is_empty() { "at the top".to_owned() } else { format!("to [{}]", self.path) };
        let fault = Fault::of(&self.sink.file, "is required but missing").at(self.line, &dotted(&self.path, key));
        self.sink.push(fault.mend(format!("add {table}: {example}")));
    }
}

impl Drop for Table<'_> {
    fn drop(&mut self) {
        for (key, (start, _)) in &self.left {
            let near = self.known.iter().find(|known| close(known, key));
            let mend = match near {
                Some(near) => format!("did you mean `{near}`"),
                None if self.known.is_empty() => "remove it; no key is known here".to_owned(),
                None => format!("remove it; known here are `{}`", self.known.join("`, `")),
            };
            let fault = Fault::of(&self.sink.file, "unknown key");
            self.sink.push(fault.at(Some(self.sink.line(*start)), &dotted(&self.path, key)).mend(mend));
        }
    }
}

/// A path with one key more, the key quoted where TOML would want it.
pub(super) fn dotted(path: &str, key: &str) -> String {
    let bare = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    let key = if bare { key.to_owned() } else { format!("\"{}\"", shown(key).replace('"', "\\\"")) };
    if path.is_empty() { key } else { format!("{path}.{key}") }
}

/// One letter added, lost, changed, or two swapped; or another way to write the same words.
fn close(known: &str, key: &str) -> bool {
    let plain = |text: &str| text.replace(['_', '-'], "").to_lowercase();
    let (a, b): (Vec<char>, Vec<char>) = (plain(known).chars().collect(), plain(key).chars().take(64).collect());
    let prefix = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
    let suffix = a.iter().rev().zip(b.iter().rev()).take_while(|(a, b)| a == b).count();
    let differ = |length: usize| length.saturating_sub(prefix + suffix);
    let swapped = a.len() == b.len() && differ(a.len()) == 2 && {
        let mut pairs = a.iter().zip(&b).filter(|(a, b)| a != b);
        matches!((pairs.next(), pairs.next()), (Some((a, b)), Some((c, d))) if a == d && b == c)
    };
    a == b || swapped || (a.len() > 3 && a.len().abs_diff(b.len()) <= 1 && differ(a.len()) <= 1 && differ(b.len()) <= 1)
}

pub(super) fn wrong_type(expected: &str, found: &DeValue<'_>) -> String {
    let article = |kind: &str| if kind.starts_with(['a', 'i']) { format!("an {kind}") } else { format!("a {kind}") };
    let value = match found {
        DeValue::String(text) => format!(", {}", quoted(text)),
        DeValue::Integer(number) => format!(", {}", quoted(&number.to_string())),
        _ => String::new(),
    };
    format!("expected {expected}, found {}{value}", article(found.type_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_recognised() {
        for (known, typed) in
            [("deadline", "dedline"), ("host_calls", "hostcalls"), ("expires", "expiers"), ("allow", "allows")]
        {
            assert!(close(known, typed), "{typed}");
        }
        for (known, typed) in [("allow", "deny"), ("uses", "asks"), ("name", "file"), ("max", "min")] {
            assert!(!close(known, typed), "{typed}");
        }
    }
}
