//! Reading what a repository holds at a branch, tag or commit.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wardkeep_sdk::{
    Answer, Failure, Result,
    http::{Method, Request},
};

use crate::{
    client::{Client, MOST},
    repo::{Repo, arguments},
};

pub(crate) const LIST: &str = "Lists a directory of a repository at a branch, tag or commit: names, kinds and sizes.";
pub(crate) const GET: &str = "Reads a text file of a repository at a branch, tag or commit. What is longer than `length` is cut, says so, and tells where to \
go on with `offset`.";

const LENGTH: u32 = 64 << 10;
const LENGTH_MOST: u32 = 512 << 10;

/// A request for a path, each part of which is one segment.
fn contents<'c>(client: &'c Client, repo: &Repo, path: &str, at: Option<&String>) -> Request<'c> {
    let parts = path.split('/').filter(|part| !part.is_empty() && *part != ".");
    let request = parts.fold(client.of(Method::Get, repo, &["contents"]), Request::segment);
    match at {
        Some(at) => request.query("ref", at),
        None => request,
    }
}

fn id(repo: &Repo, path: &str, at: Option<&String>) -> String {
    let at = at.map_or_else(String::new, |at| format!("@{at}"));
    format!("{repo}:{}{at}", path.trim_matches('/'))
}

arguments! {
    List {
        /// The directory, as in `src/bin`; the top by default.
        #[serde(default)]
        #[schemars(length(max = 1000))]
        path: Option<String>,
        /// A branch, tag or commit; the default branch by default.
        #[serde(default)]
        #[schemars(length(min = 1, max = 250))]
        at: Option<String>,
    }
}

#[derive(Deserialize)]
struct Entry {
    name: String,
    path: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    size: u64,
}

/// A path that is a file is told as an object, and a directory as a list.
#[derive(Deserialize)]
#[serde(untagged)]
enum Contents {
    Directory(Vec<Entry>),
    Other(Entry),
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Item {
    name: String,
    /// As `get_file` and `list_directory` take it.
    path: String,
    /// `file`, `dir`, `symlink` or `submodule`.
    kind: String,
    /// Bytes of a file.
    size: u64,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Listed {
    entries: Vec<Item>,
    /// The service shows no more than 1000.
    truncated: bool,
}

pub(crate) fn list(arguments: List) -> Result<Answer<Listed>> {
    let (repo, path) = (arguments.repository(), arguments.path.clone().unwrap_or_default());
    let id = id(&repo, &path, arguments.at.as_ref());
    let client = Client::reading(arguments.api.as_deref())?;
    match client.ask(&id, contents(&client, &repo, &path, arguments.at.as_ref()))? {
        Contents::Directory(entries) => {
            let truncated = entries.len() >= 1_000;
            let item = |Entry { name, path, kind, size }| Item { name, path, kind, size };
            let entries = entries.into_iter().map(item).collect();
            Ok(Answer::new(Listed { entries, truncated }).touched(id))
        }
        Contents::Other(entry) => Err(Failure::invalid_arguments(format!(
            "{id} is no directory but a {}; `get_file` shows a file",
            entry.kind
        ))),
    }
}

arguments! {
    Get {
        /// The file, as in `src/lib.rs`.
        #[schemars(length(min = 1, max = 1000))]
        path: String,
        /// A branch, tag or commit; the default branch by default.
        #[serde(default)]
        #[schemars(length(min = 1, max = 250))]
        at: Option<String>,
        /// Begin with this byte; the first is 0.
        #[serde(default)]
        offset: Option<u32>,
        /// At most so many bytes: 65536 by default, 524288 at most. The answer is bounded by the manifest's `limits.output` too.
        #[serde(default)]
        #[schemars(range(min = 1))]
        length: Option<u32>,
    }
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Piece {
    path: String,
    /// Bytes of the whole file.
    size: u64,
    text: String,
    /// The first byte that is shown.
    offset: u64,
    /// Go on with this `offset`, if there is more.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_offset: Option<u64>,
}

pub(crate) fn get(arguments: Get) -> Result<Answer<Piece>> {
    let (repo, path) = (arguments.repository(), arguments.path);
    let id = id(&repo, &path, arguments.at.as_ref());
    let client = Client::reading(arguments.api.as_deref())?;
    let request = contents(&client, &repo, &path, arguments.at.as_ref());
    let response = client.send(&id, request.header("accept", "application/vnd.github.raw+json"))?;
    // A file comes under the type that was asked for; a directory comes as JSON all the same.
    if response.header("content-type").is_some_and(|kind| kind.starts_with("application/json")) {
        return Err(Failure::invalid_arguments(format!("{id} is no file; `list_directory` shows a directory")));
    }
    let bytes = response.bytes(MOST).map_err(|error| client.lost(&id, error))?;
    let Ok(whole) = String::from_utf8(bytes) else {
        return Err(Failure::invalid_arguments(format!("{id} is no text in UTF-8: this tool shows text only")));
    };
    let length = arguments.length.unwrap_or(LENGTH).clamp(4, LENGTH_MOST) as usize;
    let begin = whole.ceil_char_boundary((arguments.offset.unwrap_or(0) as usize).min(whole.len()));
    let end = whole.floor_char_boundary(begin.saturating_add(length).min(whole.len()));
    let text = whole.get(begin..end).unwrap_or_default().to_owned();
    let next = (end < whole.len()).then_some(end);
    let mut shown = text.clone();
    if let Some(next) = next {
        shown.push_str(&format!("\n[cut after byte {next} of {}: go on with `offset` {next}]", whole.len()));
    }
    let piece =
        Piece { path, size: whole.len() as u64, text, offset: begin as u64, next_offset: next.map(|next| next as u64) };
    Ok(Answer::new(piece).text(shown).touched(id))
}
