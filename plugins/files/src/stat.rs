//! The tool `stat`: what is at a path. Its shape of an entry is `list`'s too.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wardkeep_sdk::{
    Answer, Result,
    files::{self, Entry, Kind},
};

use crate::{place, time::rfc3339};

pub(crate) const DESCRIPTION: &str =
    "Tells what is at a path: file or directory, its size in bytes and when it last changed.";

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Arguments {
    /// The root to look in; may be left out when only one is granted.
    #[serde(default)]
    root: Option<String>,
    /// Relative to the root, as in `docs/intro.md`; `.` is the root itself.
    path: String,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Form {
    File,
    Directory,
    /// A symbolic link that was not followed, a pipe, a socket or a device.
    Other,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Item {
    /// Relative to the root.
    pub(crate) path: String,
    pub(crate) kind: Form,
    /// In bytes; only of a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) size: Option<u64>,
    /// RFC 3339, UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) modified: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Found {
    root: String,
    #[serde(flatten)]
    item: Item,
}

impl Item {
    pub(crate) fn new(path: String, entry: &Entry) -> Self {
        let kind = match entry.kind {
            Kind::File => Form::File,
            Kind::Directory => Form::Directory,
            Kind::Other => Form::Other,
        };
        let size = matches!(entry.kind, Kind::File).then_some(entry.size);
        Self { path, kind, size, modified: entry.modified.map(rfc3339) }
    }

    /// One line: size, date, path; a directory's path ends in `/`.
    pub(crate) fn line(&self) -> String {
        let size = self.size.map_or_else(|| "-".into(), |size| size.to_string());
        let modified = self.modified.as_deref().unwrap_or("-");
        let mark = match self.kind {
            Form::File => "",
            Form::Directory => "/",
            Form::Other => " (not a file)",
        };
        format!("{size:>10}  {modified:<20}  {}{mark}", self.path)
    }
}

pub(crate) fn stat(arguments: Arguments) -> Result<Answer<Found>> {
    let root = place::root(arguments.root)?;
    let path = place::path(Some(arguments.path));
    let entry = files::stat(&root, &path).map_err(|error| place::failure(error, &root, &path))?;
    let item = Item::new(path, &entry);
    let line = item.line();
    Ok(Answer::new(Found { root, item }).text(line.trim_start()))
}
