//! The tools `write` and `append`: what a file holds.

use base64::{Engine, prelude::BASE64_STANDARD};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wardkeep_sdk::{
    Answer, Failure, Result,
    files::{self, Mode, Payload},
};

use super::failure;
use crate::place;

pub(crate) const WRITE: &str = "Writes a file, whole or not at all. By default the file must not exist; with `mode` `replace` it takes the place of \
one that does, or is made. Its directory must exist.";

pub(crate) const APPEND: &str =
    "Adds text at the end of a file, as it stands: write the line feeds yourself. Makes the file if it is not there.";

#[derive(Deserialize, JsonSchema, Clone, Copy, Default)]
#[serde(rename_all = "lowercase")]
pub(crate) enum How {
    /// The file must not exist.
    #[default]
    Create,
    /// A file that exists is replaced.
    Replace,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Write {
    /// The root to write to; may be left out when only one is granted for writing.
    #[serde(default)]
    root: Option<String>,
    /// The file, relative to the root, as in `docs/intro.md`.
    path: String,
    /// What the file is to hold, as text. Either this or `base64`.
    #[serde(default)]
    text: Option<String>,
    /// What the file is to hold, if it is no text.
    #[serde(default)]
    base64: Option<String>,
    /// What becomes of a file that exists.
    #[serde(default)]
    mode: How,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Append {
    /// The root to write to; may be left out when only one is granted for writing.
    #[serde(default)]
    root: Option<String>,
    /// The file, relative to the root, as in `logs/today.txt`.
    path: String,
    /// What is added.
    text: String,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Written {
    root: String,
    path: String,
    /// How many were written.
    bytes: u64,
}

pub(crate) fn write(arguments: Write) -> Result<Answer<Written>> {
    let Write { root, path, text, base64, mode } = arguments;
    let data =
        match (text, base64) {
            (Some(text), None) => Payload::Text(text),
            (None, Some(base64)) => Payload::Bytes(BASE64_STANDARD.decode(base64).map_err(|_| {
                Failure::invalid_arguments("`base64` is not base64 with padding (RFC 4648, section 4)")
            })?),
            _ => return Err(Failure::invalid_arguments("give either `text` or `base64`")),
        };
    let (mode, how) = match mode {
        How::Create => (Mode::Create, "created"),
        How::Replace => (Mode::Replace, "written"),
    };
    put(root, path, data, mode, how)
}

pub(crate) fn append(arguments: Append) -> Result<Answer<Written>> {
    let Append { root, path, text } = arguments;
    put(root, path, Payload::Text(text), Mode::Append, "appended to")
}

fn put(root: Option<String>, path: String, data: Payload, mode: Mode, how: &str) -> Result<Answer<Written>> {
    let (root, path) = (place::writable(root)?, place::path(Some(path)));
    let bytes = match &data {
        Payload::Text(text) => text.len(),
        Payload::Bytes(bytes) => bytes.len(),
    } as u64;
    files::write(&root, &path, data, mode).map_err(|error| failure(error, &root, &path))?;
    let text = format!("{how} `{path}` in root `{root}`: {bytes} bytes");
    Ok(Answer::new(Written { root, path, bytes }).text(text))
}
