//! The tool `move`: another name or another directory, within one root.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wardkeep_sdk::{
    Answer, Failure, Result,
    files::{self, Error},
};

use super::failure;
use crate::place;

pub(crate) const DESCRIPTION: &str = "Moves or renames a file or a directory within a root. The goal must not exist, and the directory that it lies in must.";

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Arguments {
    /// The root to change; may be left out when only one is granted for writing.
    #[serde(default)]
    root: Option<String>,
    /// What is moved, relative to the root.
    from: String,
    /// Its new path, relative to the root.
    to: String,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Moved {
    root: String,
    from: String,
    to: String,
}

pub(crate) fn rename(arguments: Arguments) -> Result<Answer<Moved>> {
    let root = place::writable(arguments.root)?;
    let (from, to) = (place::path(Some(arguments.from)), place::path(Some(arguments.to)));
    files::rename(&root, &from, &to).map_err(|error| match error {
        // the host says the same of both ends
        Error::NotFound => Failure::not_found(format!(
            "nothing is at `{from}` in root `{root}`, or the directory of `{to}` is not there (`make_directory` makes it)"
        )),
        Error::Exists => failure(error, &root, &to),
        Error::InvalidPath => Failure::invalid_arguments(format!(
            "`{from}` to `{to}` in root `{root}`: paths are relative to the root, without `..`, a leading `/`, `\\` and control \
             characters; the root itself does not move, and no directory into itself"
        )),
        error => failure(error, &root, &from),
    })?;
    let text = format!("moved `{from}` to `{to}` in root `{root}`");
    Ok(Answer::new(Moved { root, from, to }).text(text))
}
