//! The tool `read`: a file, or a part of it by lines or by bytes.

mod lines;
mod text;

use base64::{Engine, prelude::BASE64_STANDARD};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wardkeep_sdk::{
    Answer, Failure, Result,
    files::{self, Entry, Kind},
};

use crate::place;

pub(crate) const DESCRIPTION: &str = "Reads a file: the whole of it, some of its lines (`first_line`, `last_line`) or some of its bytes (`offset`, \
`length`). Text comes as text, anything else as base64. What is longer than `max_bytes` is cut, says so, and tells where to go on.";

const MAX_BYTES: u32 = 64 << 10;
const MAX_BYTES_MOST: u32 = 1 << 20;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Arguments {
    /// The root to look in; may be left out when only one is granted.
    #[serde(default)]
    root: Option<String>,
    /// The file, relative to the root, as in `docs/intro.md`.
    path: String,
    /// Begin with this line; the first is 1.
    #[serde(default)]
    #[schemars(range(min = 1))]
    first_line: Option<u32>,
    /// End with this line.
    #[serde(default)]
    #[schemars(range(min = 1))]
    last_line: Option<u32>,
    /// Begin with this byte; the first is 0.
    #[serde(default)]
    offset: Option<u32>,
    /// At most so many bytes.
    #[serde(default)]
    length: Option<u32>,
    /// Cut what is longer: 65536 by default, 1048576 at most. The answer is bounded by the manifest's `limits.output` too.
    #[serde(default)]
    max_bytes: Option<u32>,
}

#[derive(Serialize, JsonSchema, PartialEq, Debug)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Encoding {
    Utf8,
    Base64,
}

/// A piece of a file.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Piece {
    root: String,
    path: String,
    /// Of the whole file, in bytes.
    size: u64,
    encoding: Encoding,
    /// The text, or base64.
    content: String,
    /// The first byte that is shown.
    offset: u64,
    /// How many bytes are shown.
    bytes: u64,
    /// The first line that is shown, if lines were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    first_line: Option<u32>,
    /// The last line that is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_line: Option<u32>,
    /// More was asked for than is shown.
    truncated: bool,
    /// Go on with this `offset`, if more was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_offset: Option<u64>,
    /// Go on with this `first_line`, if more lines were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_line: Option<u32>,
}

struct Place {
    root: String,
    path: String,
    size: u64,
}

impl Place {
    fn read(&self, offset: u32, length: u32) -> Result<Vec<u8>> {
        files::read(&self.root, &self.path, offset, length)
            .map_err(|error| place::failure(error, &self.root, &self.path))
    }

    /// A piece of this file of which nothing is known but its bytes.
    fn piece(self, offset: u64, bytes: &[u8]) -> Piece {
        let (encoding, content) = match std::str::from_utf8(bytes) {
            Ok(text) if !text.contains('\0') => (Encoding::Utf8, text.to_owned()),
            _ => (Encoding::Base64, BASE64_STANDARD.encode(bytes)),
        };
        Piece {
            root: self.root,
            path: self.path,
            size: self.size,
            encoding,
            content,
            offset,
            bytes: bytes.len() as u64,
            first_line: None,
            last_line: None,
            truncated: false,
            next_offset: None,
            next_line: None,
        }
    }
}

pub(crate) fn read(arguments: Arguments) -> Result<Answer<Piece>> {
    let by_lines = arguments.first_line.is_some() || arguments.last_line.is_some();
    let by_bytes = arguments.offset.is_some() || arguments.length.is_some();
    if by_lines && by_bytes {
        return Err(Failure::invalid_arguments(
            "either lines (`first_line`, `last_line`) or bytes (`offset`, `length`), not both",
        ));
    }
    let max_bytes = arguments.max_bytes.unwrap_or(MAX_BYTES).clamp(1, MAX_BYTES_MOST);
    let root = place::root(arguments.root)?;
    let path = place::path(Some(arguments.path));
    let Entry { kind, size, .. } = files::stat(&root, &path).map_err(|error| place::failure(error, &root, &path))?;
    if kind != Kind::File {
        return Err(place::failure(files::Error::NotAFile, &root, &path));
    }
    let at = Place { root, path, size };
    let piece = if by_lines {
        lines::read(at, arguments.first_line.unwrap_or(1), arguments.last_line, max_bytes)?
    } else {
        text::read(at, arguments.offset.unwrap_or(0), arguments.length, max_bytes)?
    };
    let text = shown(&piece);
    Ok(Answer::new(piece).text(text))
}

/// For people and models: the text as it is, with a mark where it was cut.
fn shown(piece: &Piece) -> String {
    let mut text = match piece.encoding {
        Encoding::Utf8 => piece.content.clone(),
        Encoding::Base64 => format!("[not text: {} bytes as base64]\n{}", piece.bytes, piece.content),
    };
    if piece.truncated {
        let more = match (piece.next_line, piece.next_offset) {
            (Some(line), _) => format!("go on with `first_line` {line}"),
            (None, Some(offset)) => format!("go on with `offset` {offset}"),
            (None, None) => "the rest cannot be reached".into(),
        };
        text.push_str(&format!("\n[cut after {} bytes of {}: {more}]", piece.bytes, piece.size));
    }
    text
}
