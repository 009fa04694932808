//! The tool `make_directory`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wardkeep_sdk::{
    Answer, Failure, Result,
    files::{self, Error, Kind},
};

use super::failure;
use crate::place;

pub(crate) const DESCRIPTION: &str =
    "Makes a directory; one that is there already is left as it is. With `parents` those that it lies in are made too.";

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Arguments {
    /// The root to make it in; may be left out when only one is granted for writing.
    #[serde(default)]
    root: Option<String>,
    /// The directory, relative to the root, as in `docs/2026`.
    path: String,
    /// Make the directories that it lies in too.
    #[serde(default)]
    parents: bool,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Made {
    root: String,
    path: String,
    /// The directories that were not there before.
    made: Vec<String>,
}

pub(crate) fn make(arguments: Arguments) -> Result<Answer<Made>> {
    let (root, path) = (place::writable(arguments.root)?, place::path(Some(arguments.path)));
    let ends = path.char_indices().filter(|(_, c)| *c == '/').map(|(at, _)| at);
    let parents = ends.filter_map(|end| path.get(..end)).filter(|_| arguments.parents);
    let wanted: Vec<&str> = parents.chain([path.as_str()]).collect();
    let mut made: Vec<String> = Vec::new();
    for (index, directory) in wanted.iter().enumerate() {
        match one(&root, directory) {
            Ok(true) => made.push((*directory).into()),
            Ok(false) => {}
            Err(error) if made.is_empty() => return Err(failure(error, &root, directory)),
            Err(error) => {
                let rest = wanted.iter().skip(index).map(|path| (*path).to_owned()).collect();
                let message = format!("`{directory}` in root `{root}` was not made: {}", error.message());
                return Err(Failure::partial(message, made, rest));
            }
        }
    }
    let text = match made.len() {
        0 => format!("the directory `{path}` was there already"),
        _ => format!("made {}", made.iter().map(|path| format!("`{path}`")).collect::<Vec<_>>().join(", ")),
    };
    Ok(Answer::new(Made { root, path, made }).text(text))
}

/// Whether it was made; false if a directory was there already.
fn one(root: &str, path: &str) -> Result<bool, Error> {
    match files::mkdir(root, path) {
        Ok(()) => Ok(true),
        Err(Error::Exists) => match files::stat(root, path)?.kind {
            Kind::Directory => Ok(false),
            _ => Err(Error::Exists),
        },
        Err(error) => Err(error),
    }
}
