//! The tool `search`: a regular expression or a literal over a tree. The tree comes in pages and the files in batches, so that ten thousand files
//! need some fifty host calls; a file larger than a batch's share is read piece by piece.

mod lines;
mod pattern;
mod report;

use schemars::JsonSchema;
use serde::Deserialize;
use wardkeep_sdk::{
    Answer, Result,
    files::{self, Entry, Error, Kind, WalkOptions},
};

use self::{
    lines::Lines,
    pattern::{Filter, Pattern},
    report::{Report, Searched},
};
use crate::place;

pub(crate) const DESCRIPTION: &str = "Searches the files below a directory for a regular expression (or a literal text) and shows the lines that match, \
with their numbers. Leaves out what .gitignore files name, hidden files and binary files. Bound it with `path` and `glob`.";

/// Larger files are read piece by piece.
const PER_FILE: u32 = 256 << 10;
/// A piece of a large file.
const PIECE: u32 = 1 << 20;
/// A NUL this near to the beginning makes a file binary, as for git.
const BINARY_WITHIN: usize = 8_000;
const MAX_RESULTS: usize = 100;
const MAX_RESULTS_MOST: usize = 1_000;
const CONTEXT_MOST: usize = 20;

#[derive(Deserialize, JsonSchema, Default)]
#[serde(deny_unknown_fields)]
pub(crate) struct Arguments {
    /// What to look for: a regular expression in the syntax of Rust's `regex` (no look-around, no back-references). It matches within a line.
    #[schemars(length(min = 1, max = 1000))]
    pattern: String,
    /// Take the pattern as it stands, not as a regular expression.
    #[serde(default)]
    literal: bool,
    /// Take `a` and `A` for the same.
    #[serde(default)]
    ignore_case: bool,
    /// The root to look in; may be left out when only one is granted.
    #[serde(default)]
    root: Option<String>,
    /// The directory or file to look in, relative to the root; the root itself by default.
    #[serde(default)]
    path: Option<String>,
    /// Only files that match one of these, as in `*.rs`, `src/**/*.toml` or `*.{js,ts}`; with a `!` in front, only those that do not.
    #[serde(default)]
    glob: Vec<String>,
    /// Look into hidden files too.
    #[serde(default)]
    hidden: bool,
    /// Look into files that .gitignore names too.
    #[serde(default)]
    ignored: bool,
    /// So many lines before and after each match: none by default, 20 at most.
    #[serde(default)]
    context: u32,
    /// Stop after so many matching lines: 100 by default, 1000 at most.
    #[serde(default)]
    max_results: Option<u32>,
}

struct Search {
    root: String,
    pattern: Pattern,
    filter: Filter,
    context: usize,
    report: Report,
}

pub(crate) fn search(arguments: Arguments) -> Result<Answer<Searched>> {
    let limit = arguments.max_results.map_or(MAX_RESULTS, |most| most as usize).clamp(1, MAX_RESULTS_MOST);
    let mut search = Search {
        pattern: Pattern::new(&arguments.pattern, arguments.literal, arguments.ignore_case)?,
        filter: Filter::new(&arguments.glob)?,
        root: place::root(arguments.root)?,
        context: (arguments.context as usize).min(CONTEXT_MOST),
        report: Report::new(limit),
    };
    let path = place::path(arguments.path);
    let options =
        WalkOptions { heed_ignore_files: !arguments.ignored, hidden: arguments.hidden, ..WalkOptions::default() };
    let ended = match files::walk_page(&search.root, &path, options, None) {
        Err(Error::NotADirectory) => search.one(&path),
        Err(error) => return Err(place::failure(error, &search.root, &path)),
        Ok(first) => search.pages(&path, options, first),
    };
    match ended {
        Ok(()) => {}
        // What was found until then is worth telling.
        Err(Error::Exhausted) => search.report.out_of_host_calls(),
        Err(error) => return Err(place::failure(error, &search.root, &path)),
    }
    Ok(search.report.answer(search.root, path))
}

impl Search {
    fn one(&mut self, path: &str) -> Result<(), Error> {
        let entry = files::stat(&self.root, path)?;
        if entry.kind != Kind::File {
            return Err(Error::NotAFile);
        }
        self.some(vec![entry])
    }

    /// Page by page, so that the largest tree needs no more memory than one of them.
    fn pages(&mut self, path: &str, options: WalkOptions, first: files::WalkPage) -> Result<(), Error> {
        let mut page = first;
        loop {
            self.report.unread(page.skipped);
            self.some(page.entries)?;
            let Some(cursor) = page.cursor.filter(|_| !self.report.is_full()) else { return Ok(()) };
            page = files::walk_page(&self.root, path, options, Some(&cursor))?;
        }
    }

    /// Small files go in batches; a large one in between is searched in its turn, so that results keep the order of the paths.
    fn some(&mut self, entries: Vec<Entry>) -> Result<(), Error> {
        let mut small = Vec::new();
        for entry in entries {
            if entry.kind != Kind::File || !self.filter.lets_through(&entry.name) {
                continue;
            }
            if entry.size <= PER_FILE.into() {
                small.push(entry.name);
            } else {
                self.batches(std::mem::take(&mut small))?;
                self.large(&entry.name)?;
            }
            if self.report.is_full() {
                return Ok(());
            }
        }
        self.batches(small)
    }

    fn batches(&mut self, paths: Vec<String>) -> Result<(), Error> {
        for file in files::read_many(&self.root, paths, PER_FILE) {
            if self.report.is_full() {
                break;
            }
            let file = file?;
            match file.bytes {
                Ok(bytes) if is_binary(&bytes) => self.report.binary(),
                Ok(bytes) => {
                    self.report.searched();
                    Lines::new(&self.pattern, self.context).last(&file.path, &bytes, &mut self.report);
                }
                Err(Error::Exhausted) => return Err(Error::Exhausted),
                // Gone, or replaced, since the walk.
                Err(_) => self.report.unread(1),
            }
        }
        Ok(())
    }

    fn large(&mut self, path: &str) -> Result<(), Error> {
        let mut offset = Some(0_u32);
        let pattern = self.pattern.clone();
        let mut lines = Lines::new(&pattern, self.context);
        while let Some(at) = offset {
            let piece = match files::read(&self.root, path, at, PIECE) {
                Ok(piece) => piece,
                Err(Error::Exhausted) => return Err(Error::Exhausted),
                Err(_) => {
                    self.report.unread(1);
                    return Ok(());
                }
            };
            if at == 0 && is_binary(&piece) {
                self.report.binary();
                return Ok(());
            }
            if piece.len() < PIECE as usize {
                lines.last(path, &piece, &mut self.report);
                break;
            }
            lines.more(path, &piece, &mut self.report);
            if self.report.is_full() {
                break;
            }
            offset = at.checked_add(PIECE);
        }
        self.report.searched();
        Ok(())
    }
}

fn is_binary(bytes: &[u8]) -> bool {
    memchr::memchr(0, bytes.get(..BINARY_WITHIN).unwrap_or(bytes)).is_some()
}
