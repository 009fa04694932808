//! A root in memory, under the rules that `wardkeep:files` states.

use std::collections::BTreeMap;

use crate::files::{BatchItem, Entry, Error, Kind, MOST, Mode, Payload, WalkOptions, WalkPage};

const LIST_MOST: usize = 10_000;
const PAGE_MOST: u32 = 5_000;
const BATCH_MOST: usize = 4_096;
const PATH_MOST: usize = 4_096;
const PART_MOST: usize = 255;

#[derive(Debug, Clone, Default)]
pub(super) struct Tree {
    pub(super) writable: bool,
    nodes: BTreeMap<String, Node>,
}

#[derive(Debug, Clone)]
enum Node {
    Directory,
    File(Vec<u8>),
}

/// A checked path without its `.` parts; the root itself is the empty string.
fn checked(path: &str) -> Result<String, Error> {
    if matches!(path, "" | ".") {
        return Ok(String::new());
    }
    let part_fits = |part: &str| !matches!(part, "" | "..") && part.len() <= PART_MOST;
    let fits =
        path.len() <= PATH_MOST && path.split('/').all(part_fits) && !path.chars().any(|c| c == '\\' || c.is_control());
    let parts: Vec<_> = path.split('/').filter(|part| *part != ".").collect();
    fits.then(|| parts.join("/")).ok_or(Error::InvalidPath)
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

/// What is left of `path` below `directory`.
fn below<'a>(path: &'a str, directory: &str) -> Option<&'a str> {
    if directory.is_empty() { Some(path) } else { path.strip_prefix(directory)?.strip_prefix('/') }
}

impl Tree {
    pub(super) fn put(&mut self, path: &str, contents: Vec<u8>) {
        let mut directory = parent(path);
        while !directory.is_empty() {
            self.nodes.insert(directory.into(), Node::Directory);
            directory = parent(directory);
        }
        self.nodes.insert(path.into(), Node::File(contents));
    }

    pub(super) fn contents(&self, path: &str) -> Option<Vec<u8>> {
        self.file(path).ok().cloned()
    }

    fn node(&self, path: &str) -> Result<&Node, Error> {
        match checked(path)?.as_str() {
            "" => Ok(&Node::Directory),
            path => self.nodes.get(path).ok_or(Error::NotFound),
        }
    }

    fn file(&self, path: &str) -> Result<&Vec<u8>, Error> {
        match self.node(path)? {
            Node::File(contents) => Ok(contents),
            Node::Directory => Err(Error::NotAFile),
        }
    }

    fn directory(&self, path: &str) -> Result<String, Error> {
        match self.node(path)? {
            Node::Directory => checked(path),
            Node::File(_) => Err(Error::NotADirectory),
        }
    }

    fn entry(name: &str, node: &Node) -> Entry {
        let (kind, size) = match node {
            Node::Directory => (Kind::Directory, 0),
            Node::File(contents) => (Kind::File, contents.len() as u64),
        };
        Entry { name: name.into(), kind, size, modified: None }
    }

    pub(super) fn list(&self, path: &str) -> Result<Vec<Entry>, Error> {
        let directory = self.directory(path)?;
        let inside = self.nodes.iter().filter_map(|(path, node)| Some((below(path, &directory)?, node)));
        let entries: Vec<_> =
            inside.filter(|(name, _)| !name.contains('/')).map(|(name, node)| Self::entry(name, node)).collect();
        if entries.len() > LIST_MOST { Err(Error::TooLarge) } else { Ok(entries) }
    }

    pub(super) fn stat(&self, path: &str) -> Result<Entry, Error> {
        Ok(Self::entry(path, self.node(path)?))
    }

    pub(super) fn read(&self, path: &str, offset: u32, length: u32) -> Result<Vec<u8>, Error> {
        if length > MOST {
            return Err(Error::TooLarge);
        }
        Ok(self.file(path)?.iter().skip(offset as usize).take(length as usize).copied().collect())
    }

    pub(super) fn read_text(&self, path: &str, max: u32) -> Result<String, Error> {
        let contents = self.file(path)?;
        if contents.len() > max.min(MOST) as usize {
            return Err(Error::TooLarge);
        }
        String::from_utf8(contents.clone()).map_err(|_| Error::NotText)
    }

    pub(super) fn read_batch(&self, paths: &[String], per_file: u32, budget: u32) -> Result<Vec<BatchItem>, Error> {
        if paths.len() > BATCH_MOST || budget > MOST {
            return Err(Error::TooLarge);
        }
        let budget = if budget == 0 { MOST } else { budget } as usize;
        let (mut used, mut full) = (0, false);
        let item = |path: &String| match self.file(path) {
            _ if full => BatchItem::Left,
            Err(error) => BatchItem::Failed(error),
            Ok(contents) => {
                let length = contents.len().min(per_file.min(MOST) as usize);
                full = used > 0 && used + length > budget;
                if full {
                    return BatchItem::Left;
                }
                used += length;
                BatchItem::Bytes(contents.iter().take(length).copied().collect())
            }
        };
        Ok(paths.iter().map(item).collect())
    }

    pub(super) fn walk(&self, path: &str, options: WalkOptions, cursor: Option<&str>) -> Result<WalkPage, Error> {
        let directory = self.directory(path)?;
        let shown = |path: &str| {
            let Some(rest) = below(path, &directory) else { return false };
            let deep = rest.split('/').count();
            let hidden = rest.split('/').any(|part| part.starts_with('.'));
            let git = options.heed_ignore_files && rest.split('/').any(|part| part == ".git");
            options.max_depth.is_none_or(|most| deep <= most as usize) && (options.hidden || !hidden) && !git
        };
        let page = if options.page == 0 { PAGE_MOST } else { options.page.min(PAGE_MOST) } as usize;
        let mut entries = self.nodes.iter().filter(|(path, _)| shown(path));
        let mut entries = entries.by_ref().skip_while(|(path, _)| cursor.is_some_and(|last| path.as_str() <= last));
        let taken: Vec<_> = entries.by_ref().take(page).map(|(path, node)| Self::entry(path, node)).collect();
        let cursor = entries.next().and(taken.last()).map(|entry| entry.name.clone());
        Ok(WalkPage { entries: taken, skipped: 0, cursor })
    }

    pub(super) fn write(&mut self, path: &str, data: &Payload, mode: Mode) -> Result<(), Error> {
        let path = self.fresh_name(path)?;
        let data = match data {
            Payload::Text(text) => text.as_bytes(),
            Payload::Bytes(bytes) => bytes,
        };
        if data.len() > MOST as usize {
            return Err(Error::TooLarge);
        }
        match (self.nodes.get_mut(&path), mode) {
            (Some(Node::Directory), _) => return Err(Error::NotAFile),
            (Some(_), Mode::Create) => return Err(Error::Exists),
            (Some(Node::File(contents)), Mode::Append) => contents.extend_from_slice(data),
            (_, _) => {
                self.nodes.insert(path, Node::File(data.to_vec()));
            }
        }
        Ok(())
    }

    pub(super) fn remove(&mut self, path: &str) -> Result<(), Error> {
        let path = self.fresh_name(path)?;
        match self.nodes.get(&path).ok_or(Error::NotFound)? {
            Node::Directory if !self.list(&path)?.is_empty() => Err(Error::NotEmpty),
            _ => {
                self.nodes.remove(&path);
                Ok(())
            }
        }
    }

    pub(super) fn rename(&mut self, from: &str, to: &str) -> Result<(), Error> {
        let (from, to) = (self.fresh_name(from)?, self.fresh_name(to)?);
        if self.nodes.contains_key(&to) {
            return Err(Error::Exists);
        }
        if below(&to, &from).is_some() {
            return Err(Error::InvalidPath);
        }
        let node = self.nodes.remove(&from).ok_or(Error::NotFound)?;
        self.nodes.insert(to.clone(), node);
        let inside: Vec<String> = self.nodes.keys().filter(|path| below(path, &from).is_some()).cloned().collect();
        for path in inside {
            if let (Some(rest), Some(node)) = (below(&path, &from), self.nodes.get(&path)) {
                self.nodes.insert(format!("{to}/{rest}"), node.clone());
            }
            self.nodes.remove(&path);
        }
        Ok(())
    }

    pub(super) fn mkdir(&mut self, path: &str) -> Result<(), Error> {
        let path = self.fresh_name(path)?;
        if self.nodes.contains_key(&path) {
            return Err(Error::Exists);
        }
        self.nodes.insert(path, Node::Directory);
        Ok(())
    }

    /// A path other than the root itself whose directory is there.
    fn fresh_name(&self, path: &str) -> Result<String, Error> {
        let path = checked(path)?;
        if path.is_empty() {
            return Err(Error::InvalidPath);
        }
        self.directory(parent(&path))?;
        Ok(path)
    }
}
