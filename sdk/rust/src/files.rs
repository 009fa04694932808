//! Named directories, called roots: `wardkeep:files`. Needs `[grants.files.…]`; what is not granted answers [`Error::Denied`].
//!
//! Paths are relative to a root, parted by `/`, and may not hold `..`, a leading `/`, a backslash or a control character. `.` or the empty
//! string is the root itself. A symbolic link is followed only to what lies in the same root.
//!
//! Every function here is one host call, of which a call has 64 by default; then [`Error::Exhausted`] answers. One answer holds
//! at most 2 MiB. For a tree, use [`walk`] and [`read_many`]: 10,000 files take some 20 to 40 host calls.
//!
//! ```
//! # let _fakes = wardkeep_sdk::fake::Fakes::new().file("docs", "a.md", "one").file("docs", "b/c.md", "two").install();
//! use wardkeep_sdk::files::{self, Kind, WalkOptions};
//!
//! let mut paths = Vec::new();
//! for entry in files::walk("docs", ".", WalkOptions::default()) {
//!     let entry = entry?;
//!     if entry.kind == Kind::File {
//!         paths.push(entry.name);
//!     }
//! }
//! for file in files::read_many("docs", paths, 64 << 10) {
//!     let file = file?;
//!     println!("{}: {} bytes", file.path, file.bytes?.len());
//! }
//! # Ok::<(), files::Error>(())
//! ```

mod many;
mod walk;

pub use many::{FileBytes, ReadMany};
pub use walk::Walk;

pub use crate::bindings::wardkeep::files::{
    reader::{BatchItem, Entry, Error, Kind, Root, WalkOptions, WalkPage},
    writer::{Mode, Payload},
};
use crate::host;

/// The most bytes that one answer carries.
pub const MOST: u32 = 2 << 20;

impl Default for WalkOptions {
    /// What `.gitignore` names and hidden entries are left out; no bound on depth; the largest pages.
    fn default() -> Self {
        Self { heed_ignore_files: true, hidden: false, max_depth: None, page: 0 }
    }
}

impl From<String> for Payload {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for Payload {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<Vec<u8>> for Payload {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

/// What is granted to the tool that is running.
#[must_use]
pub fn granted() -> Vec<Root> {
    host::granted()
}

/// The entries of a directory in the order of their names' bytes.
///
/// # Errors
///
/// As in the WIT; more than 10,000 entries are [`Error::TooLarge`].
pub fn list(root: &str, path: &str) -> Result<Vec<Entry>, Error> {
    host::list(root, path)
}

/// What is at a path.
///
/// # Errors
///
/// As in the WIT.
pub fn stat(root: &str, path: &str) -> Result<Entry, Error> {
    host::stat(root, path)
}

/// At most `length` bytes from `offset`; fewer than that is the end of the file.
///
/// # Errors
///
/// As in the WIT; a `length` above [`MOST`] is [`Error::TooLarge`].
pub fn read(root: &str, path: &str, offset: u32, length: u32) -> Result<Vec<u8>, Error> {
    host::read(root, path, offset, length)
}

/// The whole file, if it is at most `max` bytes of UTF-8.
///
/// # Errors
///
/// As in the WIT: [`Error::TooLarge`], [`Error::NotText`] and the others.
pub fn read_text(root: &str, path: &str, max: u32) -> Result<String, Error> {
    host::read_text(root, path, max)
}

/// The first `per_file` bytes of many files, `budget` bytes in all, in one host call. [`read_many`] does the asking again.
///
/// # Errors
///
/// As in the WIT; what is wrong with one file is in its item.
pub fn read_batch(root: &str, paths: &[String], per_file: u32, budget: u32) -> Result<Vec<BatchItem>, Error> {
    host::read_batch(root, paths, per_file, budget)
}

/// The first `per_file` bytes of each of many files, in order, with as few host calls as it takes.
#[must_use]
pub fn read_many(root: &str, paths: Vec<String>, per_file: u32) -> ReadMany {
    ReadMany::new(root, paths, per_file)
}

/// One page of a tree. [`walk`] does the turning.
///
/// # Errors
///
/// As in the WIT.
pub fn walk_page(root: &str, path: &str, options: WalkOptions, cursor: Option<&str>) -> Result<WalkPage, Error> {
    host::walk(root, path, options, cursor)
}

/// Everything below a directory, in the order of the paths' bytes, a directory before what it holds.
#[must_use]
pub fn walk(root: &str, path: &str, options: WalkOptions) -> Walk {
    Walk::new(root, path, options)
}

/// Writes a file: [`MOST`] bytes at a time at most. The directory must exist. With [`Mode::Create`] and [`Mode::Replace`] the file is there
/// whole, or as it was.
///
/// # Errors
///
/// As in the WIT; [`Error::Denied`] while a tool runs whose effect is read.
pub fn write(root: &str, path: &str, data: impl Into<Payload>, mode: Mode) -> Result<(), Error> {
    host::write(root, path, &data.into(), mode)
}

/// Removes a file or an empty directory.
///
/// # Errors
///
/// As in the WIT.
pub fn remove(root: &str, path: &str) -> Result<(), Error> {
    host::remove(root, path)
}

/// Moves within a root. The goal must not exist.
///
/// # Errors
///
/// As in the WIT.
pub fn rename(root: &str, from: &str, to: &str) -> Result<(), Error> {
    host::move_(root, from, to)
}

/// Makes one directory.
///
/// # Errors
///
/// As in the WIT.
pub fn mkdir(root: &str, path: &str) -> Result<(), Error> {
    host::mkdir(root, path)
}
