//! The tool `remove`: what is removed cannot be put back.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wardkeep_sdk::{Answer, Failure, Result, files};

use super::failure;
use crate::place;

pub(crate) const DESCRIPTION: &str = "Removes files and empty directories, in the order in which they are named. It cannot be undone. What a directory \
holds has to be named before it: nothing is removed that was not named.";

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Arguments {
    /// The root to remove from; may be left out when only one is granted for writing.
    #[serde(default)]
    root: Option<String>,
    /// Files and empty directories, relative to the root.
    #[schemars(length(min = 1, max = 50))]
    paths: Vec<String>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Removed {
    root: String,
    removed: Vec<String>,
}

pub(crate) fn remove(arguments: Arguments) -> Result<Answer<Removed>> {
    let root = place::writable(arguments.root)?;
    let paths: Vec<String> = arguments.paths.into_iter().map(|path| place::path(Some(path))).collect();
    for (index, path) in paths.iter().enumerate() {
        let Err(error) = files::remove(&root, path) else { continue };
        if index == 0 {
            return Err(failure(error, &root, path));
        }
        // it goes no further: what follows may have been named in the belief that this is gone
        let message = format!("`{path}` in root `{root}` was not removed: {}", error.message());
        let (done, not_done) = paths.split_at(index);
        return Err(Failure::partial(message, done.to_vec(), not_done.to_vec()));
    }
    let text = format!("removed from root `{root}`: {}", paths.join(", "));
    Ok(Answer::new(Removed { root, removed: paths }).text(text))
}
