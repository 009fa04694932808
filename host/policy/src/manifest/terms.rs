//! What a manifest says of a tool's calls besides who may make them: whether they are confirmed, which resources they may touch, and what of
//! an answer leaves.

use std::{fmt, str::FromStr};

use serde_json::Value;

use crate::{
    document::{Item, Table, hidden, quoted},
    pointer::Pointer,
};

/// Who has to say yes before a call that writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Confirm {
    /// Nobody.
    None,
    /// The person at the client.
    Client,
    /// An operator, out of band.
    Operator,
}

impl Confirm {
    /// As manifests spell it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Client => "client",
            Self::Operator => "operator",
        }
    }
}

/// The values that may stand at one place of the arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Only {
    /// The place.
    pub at: Pointer,
    /// The patterns; one of them must fit.
    pub patterns: Vec<Pattern>,
}

/// A text in which `*` stands for any characters but `/`. Compared byte by byte.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pattern(String);

/// Text that is no pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a pattern is 1 to 256 bytes, with `*` for any characters but `/`, at most 8 of them, and no hidden characters"
)]
pub struct InvalidPattern;

impl FromStr for Pattern {
    type Err = InvalidPattern;

    fn from_str(text: &str) -> Result<Self, InvalidPattern> {
        let fits = (1..=256).contains(&text.len()) && text.matches('*').count() <= 8 && !text.contains(hidden);
        if fits { Ok(Self(text.into())) } else { Err(InvalidPattern) }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Pattern {
    /// Whether the text fits. A text with characters beyond ASCII fits only a pattern that holds some itself: nothing that merely looks
    /// like an allowed name is one.
    #[must_use]
    pub fn fits(&self, text: &str) -> bool {
        if !text.is_ascii() && self.0.is_ascii() {
            return false;
        }
        let mut parts = self.0.split('*');
        let Some(rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
        let mut parts: Vec<_> = parts.collect();
        let Some(last) = parts.pop() else { return rest.is_empty() };
        let mut rest = rest;
        for part in parts {
            // The leftmost place is as good as any: what a star swallows is never worth more later, but for the slash, which ends it.
            let Some((swallowed, after)) = rest.split_once(part) else { return false };
            if swallowed.contains('/') {
                return false;
            }
            rest = after;
        }
        rest.strip_suffix(last).is_some_and(|swallowed| !swallowed.contains('/'))
    }
}

impl Only {
    /// Whether one of the patterns fits.
    #[must_use]
    pub fn lists(&self, text: &str) -> bool {
        self.patterns.iter().any(|pattern| pattern.fits(text))
    }

    /// Whether every value at the place is a text that fits. A value that is missing, `null`, a number, a truth value, an object or an array
    /// does not; an array where the pointer says `*` is looked into, and an empty one holds nothing that could be wrong.
    #[must_use]
    pub fn allows(&self, arguments: &Value) -> bool {
        let fits = |value: Option<&Value>| match value {
            Some(Value::String(text)) => self.lists(text),
            Some(Value::Array(items)) if !self.at.is_plural() => {
                !items.is_empty() && items.iter().all(|item| item.as_str().is_some_and(|text| self.lists(text)))
            }
            _ => false,
        };
        self.at.all(arguments).into_iter().all(fits)
    }
}

/// What of an answer leaves the host.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Returns {
    /// How much of it.
    pub content: Keep,
    /// Bytes of its text; what is more is cut, with a mark.
    pub max: Option<u64>,
    /// What is replaced in the structured part.
    pub redact: Vec<Pointer>,
    /// If not empty: what of the structured part is kept, and nothing else.
    pub fields: Vec<Pointer>,
}

/// How much of an answer leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Keep {
    /// All of it.
    #[default]
    Full,
    /// The beginning of each text.
    Snippet,
    /// That there was an answer, and how large; nothing of it.
    Metadata,
}

impl Keep {
    /// As manifests spell it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Snippet => "snippet",
            Self::Metadata => "metadata",
        }
    }
}

impl Returns {
    /// Whether the structured part is filtered: then its text twin is made by the host, and the guest's own texts and media do not leave.
    #[must_use]
    pub fn filters(&self) -> bool {
        !self.redact.is_empty() || !self.fields.is_empty()
    }

    /// Whether answers leave as they are.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.content == Keep::Full && self.max.is_none() && !self.filters()
    }

    /// Whether a plugin's free words stay inside, since a host cannot filter them: what is left out of an answer could be told in a report
    /// of progress, in a failure, in a question or in a line of the log.
    #[must_use]
    pub fn hides_words(&self) -> bool {
        self.content == Keep::Metadata || self.filters()
    }
}

pub(super) fn confirm(item: &Item<'_>) -> Option<Confirm> {
    let words = [Confirm::None, Confirm::Client, Confirm::Operator].map(|confirm| (confirm.as_str(), confirm));
    item.choice(&words)
}

/// Pointers into the arguments whose values are the ids of what is touched.
pub(super) fn resources(item: &Item<'_>) -> Option<Vec<Pointer>> {
    let pointers = item.list_of(below)?;
    if pointers.len() > 16 {
        item.fault("names more than 16 places", Some("name those that matter most"));
    }
    if pointers.iter().enumerate().any(|(at, one)| pointers.iter().take(at).any(|known| known == one)) {
        item.fault("names a place twice", Some("keep one of them"));
    }
    Some(pointers)
}

/// A pointer to something in the arguments: the arguments themselves are never a name.
fn below(item: &Item<'_>) -> Option<Pointer> {
    item.read_with(|text| {
        let pointer = text.parse::<Pointer>().map_err(|error| error.to_string())?;
        if text.is_empty() { Err("name a place in the arguments, such as \"/owner\"".to_owned()) } else { Ok(pointer) }
    })
}

pub(super) fn only(item: &Item<'_>) -> Option<Vec<Only>> {
    let mut all = Some(Vec::new());
    let places = item.table()?.named();
    if places.is_empty() {
        item.fault("names no place, so it would bound nothing", Some("only = { \"/owner\" = [\"acme\"] }"));
    }
    for (name, item) in places {
        let at = match name.parse::<Pointer>() {
            Ok(_) if name.is_empty() => Err("name a place in the arguments, such as \"/owner\"".to_owned()),
            at => at.map_err(|error| error.to_string()),
        };
        let at = at.map_err(|mend| item.fault(format!("{} is not valid here", quoted(name)), Some(&mend)));
        let patterns = item.list_of(|item| item.read::<Pattern>());
        if patterns.as_ref().is_some_and(|patterns| patterns.is_empty() || patterns.len() > 100) {
            item.fault("lists no value or more than 100", Some("list what is allowed, such as [\"acme\", \"web-*\"]"));
        }
        match (at, patterns) {
            (Ok(at), Some(patterns)) => all
                .iter_mut()
                .for_each(|all: &mut Vec<Only>| all.push(Only { at: at.clone(), patterns: patterns.clone() })),
            _ => all = None,
        }
    }
    all
}

pub(super) fn returns(item: &Item<'_>) -> Option<Returns> {
    let mut table = item.table()?;
    let words = [Keep::Full, Keep::Snippet, Keep::Metadata].map(|keep| (keep.as_str(), keep));
    let content = table.optional("content").map_or(Some(Keep::Full), |item| item.choice(&words));
    let max = table.optional("max").map_or(Some(None), |item| item.size().map(Some));
    let mut pointers = |key| {
        table.optional(key).map_or(Some(Vec::new()), |item| {
            let pointers = item.list_of(|item| item.read::<Pointer>())?;
            if pointers.len() > 64 {
                item.fault("names more than 64 places", Some("name a place further up"));
            }
            Some(pointers)
        })
    };
    let (redact, fields) = (pointers("redact"), pointers("fields"));
    drop(table);
    Some(Returns { content: content?, max: max?, redact: redact?, fields: fields? })
}

pub(super) fn absent<T>(
    table: &mut Table<'_>,
    key: &'static str,
    read: impl FnOnce(&Item<'_>) -> Option<T>,
    default: T,
) -> Option<T> {
    table.optional(key).map_or(Some(default), |item| read(&item))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_star_never_crosses_a_slash_and_nothing_merely_looks_alike() {
        let fits = |pattern: &str, text: &str| pattern.parse::<Pattern>().unwrap().fits(text);
        for (pattern, text) in [
            ("acme", "acme"),
            ("api-*", "api-"),
            ("api-*", "api-v1"),
            ("*", "x"),
            ("a*c*e", "abcde"),
            ("a*b*b", "ab-b"),
            ("a/*/c", "a/b/c"),
            ("gr*ße", "größe"),
        ] {
            assert!(fits(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [
            ("acme", "Acme"),
            ("acme", "acme "),
            ("acme", ""),
            ("api-*", "api-a/b"),
            ("*", "a/b"),
            ("a/*/c", "a/b/b/c"),
            ("a*c", "ab"),
            ("*", "аcme"),
            ("a*", "a\u{301}"),
            ("ab*ba", "aba"),
        ] {
            assert!(!fits(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn what_is_missing_or_no_text_is_not_allowed() {
        let only = |at: &str| Only { at: at.parse().unwrap(), patterns: vec!["acme".parse().unwrap()] };
        for good in [json!({"a": "acme"}), json!({"a": ["acme", "acme"]})] {
            assert!(only("/a").allows(&good), "{good}");
        }
        for bad in [
            json!({}),
            json!({"a": null}),
            json!({"a": 1}),
            json!({"a": true}),
            json!({"a": {}}),
            json!({"a": []}),
            json!({"a": ["acme", "evil"]}),
            json!({"a": ["acme", null]}),
            json!({"a": [["acme"]]}),
            json!({"A": "acme"}),
        ] {
            assert!(!only("/a").allows(&bad), "{bad}");
        }
        assert!(only("/a/*/b").allows(&json!({"a": [{"b": "acme"}, {"b": "acme"}]})));
        for bad in [
            json!({"a": [{"b": "acme"}, {}]}),
            json!({"a": [{"b": "acme"}, {"b": "evil"}]}),
            json!({"a": "acme"}),
            json!({}),
        ] {
            assert!(!only("/a/*/b").allows(&bad), "{bad}");
        }
    }
}
