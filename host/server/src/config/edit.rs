//! Adds a key to `[callers.keys]` of the operator's file, or removes one, and leaves every other byte of it alone: comments are
//! the operator's too. What comes out is read again and must mean exactly what was meant.

use std::fmt::Write as _;

use jiff::civil::Date;
use toml::{Spanned, de::DeTable, de::DeValue};
use wardkeep_model::Digest;
use wardkeep_policy::document::basic_string;

use super::KeyName;

/// An edit that was not made.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EditError {
    #[error("there is a key `{0}` already\n  mend: `wardkeep keys revoke {0}`, or take another name")]
    Exists(KeyName),
    #[error("there is no key `{0}`")]
    Absent(String),
    #[error("the file writes `[callers.keys]` in another way than as tables of its own\n  mend: edit it by hand: {0}")]
    Shape(String),
    #[error("the file is not valid TOML")]
    Syntax,
}

/// A key to be added.
#[derive(Debug, Clone)]
pub(crate) struct NewKey {
    pub(crate) name: KeyName,
    pub(crate) sha256: Digest,
    pub(crate) principal: String,
    pub(crate) groups: Vec<String>,
    pub(crate) owner: String,
    pub(crate) expires: Date,
    /// Of `writes`, `human` and `unconfirmed_writes`, those that are true.
    pub(crate) flags: Vec<&'static str>,
}

/// The file with one key more.
pub(crate) fn add_key(text: &str, key: &NewKey) -> Result<String, EditError> {
    let mut meant: toml::Table = text.parse().map_err(|_| EditError::Syntax)?;
    let block = block(key);
    let shape = || EditError::Shape(format!("add\n{block}"));
    let callers =
        meant.entry("callers").or_insert_with(|| toml::Table::new().into()).as_table_mut().ok_or_else(shape)?;
    let keys = callers.entry("keys").or_insert_with(|| toml::Table::new().into()).as_table_mut().ok_or_else(shape)?;
    if keys.contains_key(key.name.as_str()) {
        return Err(EditError::Exists(key.name.clone()));
    }
    let added: toml::Table = block.parse().map_err(|_| EditError::Syntax)?;
    let value = added.get("callers").and_then(|callers| callers.get("keys")?.get(key.name.as_str())).cloned();
    keys.insert(key.name.to_string(), value.ok_or(EditError::Syntax)?);
    let gap = if text.is_empty() || text.ends_with("\n\n") { "" } else { "\n" };
    let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    let edited = format!("{text}{end}{gap}{block}");
    if edited.parse::<toml::Table>().is_ok_and(|read| read == meant) { Ok(edited) } else { Err(shape()) }
}

fn block(key: &NewKey) -> String {
    let groups: Vec<_> = key.groups.iter().map(|group| basic_string(group)).collect();
    let mut block = format!("[callers.keys.{}]\n", key.name);
    // Writing into a String cannot fail.
    let _ = writeln!(block, "sha256 = \"{}\"", key.sha256);
    let _ = writeln!(block, "principal = {}", basic_string(&key.principal));
    let _ = writeln!(block, "groups = [{}]", groups.join(", "));
    let _ = writeln!(block, "owner = {}", basic_string(&key.owner));
    let _ = writeln!(block, "expires = {}", key.expires);
    for flag in &key.flags {
        let _ = writeln!(block, "{flag} = true");
    }
    block
}

/// The file without this key.
pub(crate) fn remove_key(text: &str, name: &str) -> Result<String, EditError> {
    let mut meant: toml::Table = text.parse().map_err(|_| EditError::Syntax)?;
    let keys = meant.get_mut("callers").and_then(|callers| callers.get_mut("keys")).and_then(toml::Value::as_table_mut);
    keys.and_then(|keys| keys.remove(name)).ok_or_else(|| EditError::Absent(name.to_owned()))?;
    let shape = || EditError::Shape(format!("remove `callers.keys.{name}`"));
    let (start, end) = place(text, name).ok_or_else(shape)?;
    let (before, after) = (text.get(..start).ok_or_else(shape)?, text.get(end..).ok_or_else(shape)?);
    // The blank line that set the block apart goes with it.
    let before = before.strip_suffix("\n\n").map_or(before, |kept| text.get(..kept.len() + 1).unwrap_or(before));
    let edited = format!("{before}{after}");
    let mut read: toml::Table = edited.parse().map_err(|_| shape())?;
    // A table that only the removed header had named is gone with it.
    prune(&mut read);
    prune(&mut meant);
    if read == meant { Ok(edited) } else { Err(shape()) }
}

/// From the start of the key's header line to the end of its last value's line.
fn place(text: &str, name: &str) -> Option<(usize, usize)> {
    let root = DeTable::parse(text).ok()?;
    let callers = table(root.get_ref().get("callers")?)?;
    let keys = table(callers.get("keys")?)?;
    let (key, value) = keys.get_key_value(name)?;
    let at = key.span().start;
    let start = text.get(..at)?.rfind('\n').map_or(0, |newline| newline + 1);
    if !text.get(start..at)?.trim_start().starts_with('[') {
        return None;
    }
    let last = table(value)?.iter().map(|(_, value)| value.span().end).max().unwrap_or(at);
    let rest = text.get(last..)?;
    let end = rest.find('\n').map_or(text.len(), |newline| last + newline + 1);
    Some((start, end))
}

fn table<'a, 'i>(value: &'a Spanned<DeValue<'i>>) -> Option<&'a DeTable<'i>> {
    match value.get_ref() {
        DeValue::Table(table) => Some(table),
        _ => None,
    }
}

fn prune(root: &mut toml::Table) {
    let Some(callers) = root.get_mut("callers").and_then(toml::Value::as_table_mut) else { return };
    if callers.get("keys").and_then(toml::Value::as_table).is_some_and(toml::Table::is_empty) {
        callers.remove("keys");
    }
    if callers.is_empty() {
        root.remove("callers");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str =
        "format = 1 # first\n\n[callers.stdio] # me\nprincipal = \"user:me\"\n\n# the last word\n[roots]\n";

    fn key(name: &str) -> NewKey {
        NewKey {
            name: name.parse().unwrap(),
            sha256: Digest::of(name.as_bytes()),
            principal: format!("service:{name}"),
            groups: vec!["a".into(), "b".into()],
            owner: "me".into(),
            expires: "2027-01-31".parse().unwrap(),
            flags: vec!["writes"],
        }
    }

    #[test]
    fn a_key_is_appended_and_all_else_is_left_as_it_was() {
        let edited = add_key(FILE, &key("ci")).unwrap();
        let block = format!(
            "\n[callers.keys.ci]\nsha256 = \"{}\"\nprincipal = \"service:ci\"\ngroups = [\"a\", \"b\"]\nowner = \"me\"\nexpires = 2027-01-31\nwrites = true\n",
            Digest::of(b"ci")
        );
        assert_eq!(edited, format!("{FILE}{block}"));
        assert_eq!(add_key(&edited, &key("ci")), Err(EditError::Exists("ci".parse().unwrap())));
    }

    #[test]
    fn what_was_added_is_removed_again_to_the_byte() {
        let one = add_key(FILE, &key("one")).unwrap();
        let two = add_key(&one, &key("two")).unwrap();
        assert_eq!(remove_key(&two, "two").unwrap(), one);
        assert_eq!(remove_key(&one, "one").unwrap(), FILE);
        let only_two = remove_key(&two, "one").unwrap();
        assert_eq!(only_two, add_key(FILE, &key("two")).unwrap());
        assert_eq!(remove_key(FILE, "one"), Err(EditError::Absent("one".into())));
    }

    #[test]
    fn comments_and_neighbours_survive_a_removal() {
        let text = "[callers.keys.a] # a\nsha256 = \"x\" # why\n# of a\ngroups = [\n  \"g\", # [not a header]\n]\n\n# of b\n[callers.keys.b]\nsha256 = \"y\"\n";
        assert_eq!(remove_key(text, "a").unwrap(), "\n# of b\n[callers.keys.b]\nsha256 = \"y\"\n");
        assert_eq!(remove_key(text, "b").unwrap().lines().last(), Some("# of b"));
    }

    #[test]
    fn a_file_that_writes_its_keys_otherwise_is_left_to_its_writer() {
        let inline = "callers = { keys = { a = { sha256 = \"x\" } } }\n";
        assert!(matches!(add_key(inline, &key("b")), Err(EditError::Shape(_))));
        assert!(matches!(remove_key(inline, "a"), Err(EditError::Shape(_))));
        let dotted = "[callers.keys]\na.sha256 = \"x\"\n";
        assert!(matches!(remove_key(dotted, "a"), Err(EditError::Shape(_))));
        assert_eq!(add_key("a = = 1", &key("b")), Err(EditError::Syntax));
    }
}
