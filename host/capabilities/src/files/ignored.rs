//! `.gitignore` and `.ignore`, read through the root's own directory handles: the matcher never sees a path of the machine.
//!
//! Compiling their patterns costs the host far more than reading them, and who fills a root decides how many there are: what one
//! page of a walk heeds is bounded, and what all pages of a call do, since each reads those above it again. They are a convenience
//! and no wall: what is not heeded is told, and counted.

use cap_std::fs::Dir;
use ignore::{
    Match,
    gitignore::{Gitignore, GitignoreBuilder},
};

use super::read::{open_file, read_at};

/// Bytes of an ignore file that is heeded.
const LONGEST: usize = 64 << 10;
/// Bytes of all ignore files that are heeded in one page.
const BYTES: usize = 256 << 10;
/// Patterns in all of them.
const PATTERNS: usize = 4_000;
/// Patterns in the ignore files of all pages of a call: what a walk of a million files through one long ignore file needs.
pub(crate) const PATTERNS_OF_A_CALL: usize = 50 * PATTERNS;
/// Stronger first, as in ripgrep.
const NAMES: [&str; 2] = [".ignore", ".gitignore"];

/// The ignore files of the directories from the root to where a page of a walk is.
pub(super) struct Ignored {
    levels: Vec<Level>,
    left: Budget,
}

struct Level {
    /// Bytes of the directory's path with its `/`: what is after them in a path below is relative to it.
    below: usize,
    rules: [Option<Gitignore>; 2],
}

/// What may still be heeded. Nothing given back: a directory that was left has cost what it cost.
struct Budget {
    bytes: usize,
    patterns: usize,
    compiled: usize,
}

impl Ignored {
    /// For one page of a call that may still heed so many patterns.
    pub(super) fn new(patterns: usize) -> Self {
        Self { levels: Vec::new(), left: Budget { bytes: BYTES, patterns: patterns.min(PATTERNS), compiled: 0 } }
    }

    /// Patterns that were heeded.
    pub(super) const fn compiled(&self) -> usize {
        self.left.compiled
    }

    /// Enters a directory. Tells how many of its ignore files could not be heeded.
    pub(super) fn enter(&mut self, directory: &Dir, prefix: &str) -> u32 {
        let mut unheeded = 0;
        let rules = NAMES.map(|name| match read(directory, name, &mut self.left) {
            Ok(rules) => rules,
            Err(TooMuch) => {
                unheeded += 1;
                None
            }
        });
        self.levels.push(Level { below: prefix.len(), rules });
        unheeded
    }

    pub(super) fn leave(&mut self) {
        self.levels.pop();
    }

    /// Does any of them leave this path out: the nearest one that speaks of it decides, `.ignore` before `.gitignore`.
    pub(super) fn leaves_out(&self, path: &str, is_directory: bool) -> bool {
        for kind in 0..NAMES.len() {
            for level in self.levels.iter().rev() {
                let rules = level.rules.get(kind).and_then(Option::as_ref);
                let (Some(rules), Some(relative)) = (rules, path.get(level.below..)) else { continue };
                match rules.matched(relative, is_directory) {
                    Match::None => {}
                    Match::Ignore(_) => return true,
                    Match::Whitelist(_) => return false,
                }
            }
        }
        false
    }
}

struct TooMuch;

impl Budget {
    /// The first file that is beyond ends it for all that follow: the next page, which enters the directories above first, then
    /// heeds at least those of them that this one did.
    fn take(&mut self, bytes: usize, patterns: usize) -> Result<(), TooMuch> {
        let left = self.bytes.checked_sub(bytes).zip(self.patterns.checked_sub(patterns));
        (self.bytes, self.patterns) = left.unwrap_or((0, 0));
        left.map(|_| ()).ok_or(TooMuch)
    }
}

fn read(directory: &Dir, name: &str, left: &mut Budget) -> Result<Option<Gitignore>, TooMuch> {
    let Ok((file, size)) = open_file(directory, name) else { return Ok(None) };
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    if size > LONGEST {
        return Err(TooMuch);
    }
    left.take(size, 0)?;
    let Ok(bytes) = read_at(&file, 0, size) else { return Ok(None) };
    let text = String::from_utf8_lossy(&bytes);
    let patterns = || text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    let count = patterns().count();
    left.take(0, count)?;
    left.compiled += count;
    let mut builder = GitignoreBuilder::new("");
    for pattern in patterns() {
        // A pattern that is none is left out, as git does.
        let _ = builder.add_line(None, pattern);
    }
    builder.build().map(Some).map_err(|_| TooMuch)
}
