//! A tree, a page at a time, in the order of the paths' bytes. Nothing is held between two pages: the cursor is the last path
//! that was looked at, and a guest that invents one only skips entries for itself.

use std::sync::atomic::Ordering;

use cap_std::fs::Dir;

use super::{
    ANSWER, Work,
    ignored::Ignored,
    path::{GuestPath, is_tellable},
    read::{entry, open_directory},
};
use crate::bindings::reader::{Entry, Error, Kind, WalkOptions, WalkPage};

/// Entries in a page.
const PAGE: u32 = 5_000;
/// Levels below the start, and so directories that are open at a time.
const DEPTH: u32 = 64;
/// Entries of one directory; more are left out and counted.
const DIRECTORY: usize = 100_000;
/// Steps of one host call: a page that finds little ends here too.
const STEPS: usize = 100_000;
/// Bytes that an entry costs in the answer besides its name.
const ENTRY: usize = 64;
/// Bytes of a path that is told.
const LONGEST: usize = 4_096;

impl Work {
    pub(super) fn walk(&self, path: &GuestPath, options: WalkOptions, cursor: Option<&str>) -> Result<WalkPage, Error> {
        if cursor.is_some_and(|cursor| cursor.len() > LONGEST + 1) {
            return Err(Error::InvalidPath);
        }
        let page = if options.page == 0 { PAGE } else { options.page.min(PAGE) };
        let start = open_directory(&self.root, path.as_str())?;
        let patterns = self.patterns.load(Ordering::Relaxed);
        let mut walk = Walk {
            work: self,
            options,
            page: page as usize,
            after: cursor,
            ignored: Ignored::new(patterns),
            last: None,
            steps: 0,
            bytes: 0,
            entries: Vec::new(),
            skipped: 0,
        };
        if options.heed_ignore_files {
            walk.enter_ancestors(path)?;
        }
        let end = walk.directory(&start, &path.prefix(), 1)?;
        let cursor = match end {
            Flow::Done => None,
            Flow::PageFull => walk.last,
        };
        // The host calls of one call come one after the other.
        self.patterns.store(patterns.saturating_sub(walk.ignored.compiled()), Ordering::Relaxed);
        let unheeded = u32::from(options.heed_ignore_files && patterns == 0);
        Ok(WalkPage { entries: walk.entries, skipped: walk.skipped.saturating_add(unheeded), cursor })
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Flow {
    Done,
    PageFull,
}

struct Walk<'a> {
    work: &'a Work,
    options: WalkOptions,
    page: usize,
    /// The last page's cursor.
    after: Option<&'a str>,
    ignored: Ignored,
    /// The key of the step that was made last: this page's cursor.
    last: Option<String>,
    steps: usize,
    bytes: usize,
    entries: Vec<Entry>,
    skipped: u32,
}

/// One step in a directory. A directory has two: it is told at its name, and entered where `name/` sorts, so that the keys of
/// a whole walk rise in the order of their bytes (`a`, `a.txt`, `a/`, `a/b`).
struct Step {
    /// The name, for entering with a `/` at its end.
    key: String,
    is_file: bool,
}

impl Walk<'_> {
    /// Ignore files between the root and the start count too.
    fn enter_ancestors(&mut self, start: &GuestPath) -> Result<(), Error> {
        let prefix = start.prefix();
        let ancestors = prefix.char_indices().filter(|(_, c)| *c == '/').filter_map(|(at, _)| prefix.get(..=at));
        for above in std::iter::once("").chain(ancestors).filter(|above| *above != prefix) {
            self.work.look()?;
            let path = if above.is_empty() { "." } else { above };
            if let Ok(directory) = open_directory(&self.work.root, path) {
                let unheeded = self.ignored.enter(&directory, above);
                self.skip(unheeded, above);
            }
        }
        Ok(())
    }

    fn directory(&mut self, directory: &Dir, prefix: &str, depth: u32) -> Result<Flow, Error> {
        if self.options.max_depth.is_some_and(|max| depth > max) {
            return Ok(Flow::Done);
        }
        if depth > DEPTH {
            self.skip(1, prefix);
            return Ok(Flow::Done);
        }
        // Before its ignore files are compiled, which is the dearest that a step can cost.
        self.work.look()?;
        if self.options.heed_ignore_files {
            let unheeded = self.ignored.enter(directory, prefix);
            self.skip(unheeded, prefix);
        }
        let flow = self.steps(directory, prefix, depth);
        if self.options.heed_ignore_files {
            self.ignored.leave();
        }
        flow
    }

    fn steps(&mut self, directory: &Dir, prefix: &str, depth: u32) -> Result<Flow, Error> {
        for step in self.read(directory, prefix)? {
            self.work.look()?;
            let key = format!("{prefix}{}", step.key);
            let entering = step.key.strip_suffix('/');
            // What the pages before have told; a directory that the cursor lies in is entered again.
            if self.after.is_some_and(|after| {
                key.as_bytes() <= after.as_bytes() && !(entering.is_some() && after.starts_with(&key))
            }) {
                continue;
            }
            // At least one step is made in each page, so that a walk always gets on.
            let is_full = self.entries.len() >= self.page || self.steps >= STEPS || self.bytes >= ANSWER as usize;
            if is_full && self.last.is_some() {
                return Ok(Flow::PageFull);
            }
            if let Some(name) = entering {
                match open_directory(directory, name) {
                    Ok(below) => {
                        if self.after.is_none_or(|after| !after.starts_with(&key)) {
                            self.steps += 1;
                            self.last = Some(key.clone());
                        }
                        if self.directory(&below, &key, depth + 1)? == Flow::PageFull {
                            return Ok(Flow::PageFull);
                        }
                    }
                    Err(_) => self.skip(1, &key),
                }
            } else {
                self.steps += 1;
                self.tell(directory, &step, &key);
                self.last = Some(key);
            }
        }
        Ok(Flow::Done)
    }

    fn tell(&mut self, directory: &Dir, step: &Step, key: &str) {
        // Gone since the directory was read: not there.
        let Ok(metadata) = directory.symlink_metadata(&step.key) else { return };
        let mut told = entry(key.to_owned(), &metadata);
        if told.kind == Kind::File && !step.is_file {
            told.kind = Kind::Other;
            told.size = 0;
        }
        self.bytes += key.len() + ENTRY;
        self.entries.push(told);
    }

    /// The steps of one directory, sorted.
    fn read(&mut self, directory: &Dir, prefix: &str) -> Result<Vec<Step>, Error> {
        let Ok(found) = directory.entries() else {
            self.skip(1, prefix);
            return Ok(Vec::new());
        };
        let mut steps = Vec::new();
        for (count, found) in found.enumerate() {
            self.work.look()?;
            let Ok(found) = found else {
                self.skip(1, prefix);
                break;
            };
            if count >= DIRECTORY {
                self.skip(1, prefix);
                continue;
            }
            let (Ok(name), Ok(kind)) = (found.file_name().into_string(), found.file_type()) else { continue };
            if !is_tellable(&name) || self.leaves_out(prefix, &name, kind.is_dir()) {
                continue;
            }
            if prefix.len() + name.len() > LONGEST {
                self.skip(1, prefix);
                continue;
            }
            if kind.is_dir() {
                steps.push(Step { key: format!("{name}/"), is_file: false });
            }
            steps.push(Step { key: name, is_file: kind.is_file() });
        }
        steps.sort_unstable_by(|a, b| a.key.as_bytes().cmp(b.key.as_bytes()));
        Ok(steps)
    }

    fn leaves_out(&self, prefix: &str, name: &str, is_directory: bool) -> bool {
        if !self.options.hidden && name.starts_with('.') {
            return true;
        }
        self.options.heed_ignore_files
            && (name == ".git" || self.ignored.leaves_out(&format!("{prefix}{name}"), is_directory))
    }

    /// Counts what was left out in a directory, on the page that enters it and not again on those that pass through.
    fn skip(&mut self, count: u32, prefix: &str) {
        if self.after.is_none_or(|after| prefix.as_bytes() > after.as_bytes()) {
            self.skipped = self.skipped.saturating_add(count);
        }
    }
}
