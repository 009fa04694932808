//! What is looked for, and in which files.

use globset::{Glob, GlobBuilder, GlobSet, GlobSetBuilder};
use regex::bytes::{Regex, RegexBuilder};
use wardkeep_sdk::{Failure, Result};

/// Memory of a compiled pattern: enough for any that a person writes.
const SIZE: usize = 4 << 20;

/// A pattern that finds lines.
#[derive(Clone)]
pub(super) struct Pattern(Regex);

impl Pattern {
    pub(super) fn new(pattern: &str, literal: bool, ignore_case: bool) -> Result<Self> {
        let source = if literal { regex::escape(pattern) } else { pattern.to_owned() };
        let built = RegexBuilder::new(&source)
            .case_insensitive(ignore_case)
            // `^` and `$` are the ends of a line.
            .multi_line(true)
            .crlf(true)
            .size_limit(SIZE)
            .build();
        match built {
            Ok(regex) => Ok(Self(regex)),
            Err(error) => Err(Failure::invalid_arguments(format!(
                "`pattern` is no regular expression: {error}\nset `literal` to look for the text as it stands"
            ))),
        }
    }

    /// Where in the line's own bytes it is found first.
    pub(super) fn in_line(&self, line: &[u8]) -> Option<std::ops::Range<usize>> {
        self.0.find(line).map(|found| found.range())
    }

    /// Where the next match begins, at `from` or behind it. It may run over the end of its line.
    pub(super) fn next(&self, bytes: &[u8], from: usize) -> Option<usize> {
        self.0.find_at(bytes, from).map(|found| found.start())
    }
}

/// Globs as ripgrep's `-g` takes them: one without a `/` is for the name alone.
pub(super) struct Filter {
    wanted: Option<GlobSet>,
    unwanted: GlobSet,
}

impl Filter {
    pub(super) fn new(globs: &[String]) -> Result<Self> {
        let (unwanted, wanted): (Vec<_>, Vec<_>) = globs.iter().partition(|glob| glob.starts_with('!'));
        let set = |globs: Vec<&String>| -> Result<GlobSet> {
            let mut set = GlobSetBuilder::new();
            for glob in globs {
                set.add(parse(glob.trim_start_matches('!'))?);
            }
            set.build().map_err(Failure::invalid_arguments)
        };
        Ok(Self { wanted: if wanted.is_empty() { None } else { Some(set(wanted)?) }, unwanted: set(unwanted)? })
    }

    pub(super) fn lets_through(&self, path: &str) -> bool {
        self.wanted.as_ref().is_none_or(|wanted| wanted.is_match(path)) && !self.unwanted.is_match(path)
    }
}

fn parse(glob: &str) -> Result<Glob> {
    let anywhere = if glob.contains('/') { glob.trim_start_matches('/').to_owned() } else { format!("**/{glob}") };
    GlobBuilder::new(&anywhere)
        .literal_separator(true)
        .build()
        .map_err(|error| Failure::invalid_arguments(format!("`{glob}` is no glob: {}", error.kind())))
}

#[cfg(test)]
mod tests {
    use super::Filter;

    #[test]
    fn a_glob_without_a_slash_is_for_the_name_alone() {
        let filter =
            |globs: &[&str]| Filter::new(&globs.iter().map(|glob| (*glob).to_owned()).collect::<Vec<_>>()).unwrap();
        assert!(filter(&["*.rs"]).lets_through("src/a/b.rs"));
        assert!(!filter(&["src/*.rs"]).lets_through("src/a/b.rs"));
        assert!(filter(&["src/**/*.{rs,toml}"]).lets_through("src/a/b.toml"));
        assert!(filter(&[]).lets_through("anything"));
        assert!(!filter(&["*.rs", "!b.rs"]).lets_through("src/b.rs"));
        assert!(filter(&["!b.rs"]).lets_through("src/a.rs"));
    }
}
