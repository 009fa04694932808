//! The tool `list`: what a directory holds, or a whole tree.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wardkeep_sdk::{
    Answer, Result,
    files::{self, WalkOptions},
};

use crate::{place, stat::Item};

pub(crate) const DESCRIPTION: &str = "Lists a directory: names, kinds, sizes and dates. With `recursive` the whole tree below it, without what \
.gitignore files name and without hidden entries.";

const LIMIT: usize = 500;
const LIMIT_MOST: usize = 5_000;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Arguments {
    /// The root to look in; may be left out when only one is granted.
    #[serde(default)]
    root: Option<String>,
    /// The directory, relative to the root, as in `docs`; the root itself by default.
    #[serde(default)]
    path: Option<String>,
    /// Everything below it too.
    #[serde(default)]
    recursive: bool,
    /// At most so many entries: 500 by default, 5000 at most.
    #[serde(default)]
    limit: Option<u32>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Listing {
    root: String,
    path: String,
    /// In the order of their paths.
    entries: Vec<Item>,
    /// There are more entries than `limit`.
    truncated: bool,
}

pub(crate) fn list(arguments: Arguments) -> Result<Answer<Listing>> {
    let root = place::root(arguments.root)?;
    let path = place::path(arguments.path);
    let limit = arguments.limit.map_or(LIMIT, |limit| limit as usize).clamp(1, LIMIT_MOST);
    let failure = |error| place::failure(error, &root, &path);

    let mut entries = if arguments.recursive {
        // One more than is shown tells whether there are more.
        let options = WalkOptions { page: u32::try_from(limit + 1).unwrap_or(0), ..WalkOptions::default() };
        let walk = files::walk(&root, &path, options).take(limit + 1);
        let entries: std::result::Result<Vec<_>, _> = walk.collect();
        entries.map_err(failure)?.into_iter().map(|entry| Item::new(entry.name.clone(), &entry)).collect()
    } else {
        let entries = files::list(&root, &path).map_err(failure)?;
        entries.into_iter().map(|entry| Item::new(below(&path, &entry.name), &entry)).collect::<Vec<_>>()
    };
    let truncated = entries.len() > limit;
    entries.truncate(limit);

    let mut lines: Vec<String> = entries.iter().map(Item::line).collect();
    if lines.is_empty() {
        lines.push(format!("nothing is in `{path}`"));
    }
    if truncated {
        lines.push(format!("[more than {limit} entries: name a directory below, or raise `limit`]"));
    }
    Ok(Answer::new(Listing { root, path, entries, truncated }).text(lines.join("\n")))
}

/// A path that the other tools take as it is.
fn below(directory: &str, name: &str) -> String {
    if directory == "." { name.into() } else { format!("{directory}/{name}") }
}
