//! `.gitignore` and `.ignore`, read through the root's own directory handles: the matcher never sees a path of the machine.

use cap_std::fs::Dir;
use ignore::{
    Match,
    gitignore::{Gitignore, GitignoreBuilder},
};

use super::read::{open_file, read_at};

/// Bytes of an ignore file that is heeded: compiling its patterns costs the host.
const LONGEST: u64 = 64 << 10;
/// Stronger first, as in ripgrep.
const NAMES: [&str; 2] = [".ignore", ".gitignore"];

/// The ignore files of the directories from the root to where a walk is.
#[derive(Default)]
pub(super) struct Ignored(Vec<Level>);

struct Level {
    /// Bytes of the directory's path with its `/`: what is after them in a path below is relative to it.
    below: usize,
    rules: [Option<Gitignore>; 2],
}

impl Ignored {
    /// Enters a directory. Tells how many of its ignore files could not be heeded.
    pub(super) fn enter(&mut self, directory: &Dir, prefix: &str) -> u32 {
        let mut unheeded = 0;
        let rules = NAMES.map(|name| match read(directory, name) {
            Ok(rules) => rules,
            Err(TooLong) => {
                unheeded += 1;
                None
            }
        });
        self.0.push(Level { below: prefix.len(), rules });
        unheeded
    }

    pub(super) fn leave(&mut self) {
        self.0.pop();
    }

    /// Does any of them leave this path out: the nearest one that speaks of it decides, `.ignore` before `.gitignore`.
    pub(super) fn leaves_out(&self, path: &str, is_directory: bool) -> bool {
        for kind in 0..NAMES.len() {
            for level in self.0.iter().rev() {
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

struct TooLong;

fn read(directory: &Dir, name: &str) -> Result<Option<Gitignore>, TooLong> {
    let Ok((file, size)) = open_file(directory, name) else { return Ok(None) };
    if size > LONGEST {
        return Err(TooLong);
    }
    let Ok(bytes) = read_at(&file, 0, usize::try_from(size).unwrap_or(0)) else { return Ok(None) };
    let mut builder = GitignoreBuilder::new("");
    for line in String::from_utf8_lossy(&bytes).lines() {
        // A pattern that is none is left out, as git does.
        let _ = builder.add_line(None, line);
    }
    builder.build().map(Some).map_err(|_| TooLong)
}
