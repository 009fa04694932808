//! Trees and paths at random: whatever lies in a root and whatever a guest asks for, nothing outside the root is opened, listed or
//! told of. What a path leads to is found a second time by the system itself, and must be a file of the tree by its inode.

use std::{collections::BTreeMap, os::unix::fs::MetadataExt as _};

use proptest::prelude::*;

use super::*;
use crate::bindings::reader::WalkOptions;

/// In every file outside, and in the name of every one.
const CANARY: &str = "canary";

/// Something to put into the root. Where it does not fit (a file in the place of a directory), it is left out.
#[derive(Debug, Clone)]
enum Put {
    Directory(String),
    File(String),
    Link { at: String, to: String },
}

/// Few names, so that paths meet.
fn name() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["a", "b", "..c", "ä"]).prop_map(str::to_owned)
}

fn place() -> impl Strategy<Value = String> {
    prop::collection::vec(name(), 1..=2).prop_map(|names| names.join("/"))
}

/// Where a link may lead: up, out and around, `{home}` standing for the directory above the root.
fn target() -> impl Strategy<Value = String> {
    let part = prop_oneof![3 => name(), 3 => Just("..".to_owned()), 1 => Just(".".to_owned()), 1 => Just("outside".to_owned()), 1 => Just("canary".to_owned()), 1 => Just("root".to_owned())];
    let relative = prop::collection::vec(part, 1..=6).prop_map(|parts| parts.join("/"));
    let known = prop::sample::select(vec![
        "{home}/outside/canary",
        "{home}/outside",
        "{home}/root/a",
        "{home}",
        "/",
        "/proc/self/cwd",
        "/proc/self/root",
        "/etc/passwd",
        "../outside/canary",
        "../outside",
        "../../outside",
        "a/../../outside",
        "../root/../outside",
    ]);
    prop_oneof![relative, known.prop_map(str::to_owned)]
}

fn put() -> impl Strategy<Value = Put> {
    prop_oneof![
        place().prop_map(Put::Directory),
        place().prop_map(Put::File),
        (place(), target()).prop_map(|(at, to)| Put::Link { at, to }),
    ]
}

/// What a guest asks for: the path of something that was put there, and perhaps on from it, or any text.
#[derive(Debug, Clone)]
enum Asked {
    Known(prop::sample::Index, &'static str),
    Text(String),
}

impl Asked {
    fn path(&self, puts: &[Put]) -> String {
        let at = |put: &Put| match put {
            Put::Directory(at) | Put::File(at) | Put::Link { at, .. } => at.clone(),
        };
        match self {
            Self::Known(index, on) if !puts.is_empty() => format!("{}{on}", at(index.get(puts))),
            Self::Known(_, on) => (*on).to_owned(),
            Self::Text(text) => text.clone(),
        }
    }
}

fn asked() -> impl Strategy<Value = Asked> {
    let on = vec!["", "", "/canary", "/outside/canary", "/..", "/../outside", "/a", "/"];
    let known =
        (any::<prop::sample::Index>(), prop::sample::select(on)).prop_map(|(index, on)| Asked::Known(index, on));
    let odd = vec![
        "",
        ".",
        "...",
        "..",
        "outside",
        "canary",
        "root",
        "a\\b",
        "..\\outside",
        "a\0",
        "\u{202e}",
        "a\u{2028}",
        "%2e%2e",
        "~",
        " ..",
        ".. ",
    ];
    let part = prop_oneof![name(), prop::sample::select(odd).prop_map(str::to_owned)];
    let path = prop::collection::vec(part, 0..=6).prop_map(|parts| parts.join("/"));
    let absolute = target().prop_map(|path| path.replace("{home}", "/tmp"));
    let text = prop_oneof![2 => path, 1 => absolute, 1 => any::<String>(), 1 => "[./a\\\\\0]{0,12}"];
    prop_oneof![known, text.prop_map(Asked::Text)]
}

impl Tree {
    fn put(&self, put: &Put) {
        let parent = |path: &PathBuf| fs::create_dir_all(path.parent().unwrap()).is_ok();
        // Through links too: what is written that way outside must not be seen either, and it is no canary.
        let inside = |path: &PathBuf| {
            let above = path.parent().unwrap().canonicalize();
            above.is_ok_and(|above| above.starts_with(self.at("").canonicalize().unwrap()))
        };
        match put {
            Put::Directory(at) => drop(Some(self.at(at)).filter(parent).filter(inside).map(fs::create_dir)),
            Put::File(at) => drop(
                Some(self.at(at))
                    .filter(parent)
                    .filter(inside)
                    .filter(|path| path.symlink_metadata().is_err())
                    .map(|path| fs::write(path, "mine")),
            ),
            Put::Link { at, to } => {
                let to = to.replace("{home}", &self.home.path().display().to_string());
                drop(Some(self.at(at)).filter(parent).filter(inside).map(|path| symlink(to, path)));
            }
        }
    }

    /// Everything in the root by its inode; links are not followed.
    fn inside(&self) -> BTreeMap<u64, PathBuf> {
        let mut found = BTreeMap::new();
        let mut left = vec![self.at("")];
        while let Some(path) = left.pop() {
            let metadata = path.symlink_metadata().unwrap();
            found.insert(metadata.ino(), path.clone());
            if metadata.is_dir() {
                left.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            }
        }
        found
    }

    /// The inode that the system itself finds by this path. Dots fall out for guests, also behind a file, where the system minds them.
    fn inode(&self, path: &str) -> u64 {
        let dotless: PathBuf = self.at(path).components().collect();
        dotless.metadata().map_or(0, |metadata| metadata.ino())
    }

    /// Asks for the path in every way that there is, and how many of them told something.
    async fn ask(&mut self, path: &str, cursor: &str) -> Vec<&'static str> {
        let inside = self.inside();
        let root = || "root".to_owned();
        let mut told = Vec::new();
        let mut check = |way: &'static str, inode: u64| {
            assert!(inside.contains_key(&inode), "{way} of {path:?} left the root");
            told.push(way);
        };
        let canary = |entries: &[Entry]| entries.iter().any(|entry| entry.name.contains(CANARY));
        let inode = self.inode(path);

        if let Ok(entries) = self.call.list(root(), path.into()).await.unwrap() {
            check("list", inode);
            assert!(!canary(&entries), "a name outside was told");
            let own = fs::read_dir(self.at(path)).unwrap().count();
            assert!(entries.len() <= own);
        }
        if let Ok(entry) = self.call.stat(root(), path.into()).await.unwrap() {
            check("stat", inode);
            assert_eq!(entry.size, if entry.kind == Kind::File { "mine".len() as u64 } else { 0 });
        }
        if let Ok(bytes) = self.call.read(root(), path.into(), 0, 100).await.unwrap() {
            check("read", inode);
            assert_eq!(bytes, b"mine");
        }
        if let Ok(text) = self.call.read_text(root(), path.into(), 100).await.unwrap() {
            check("read-text", inode);
            assert_eq!(text, "mine");
        }
        for item in self.call.read_batch(root(), vec![path.into()], 100, 100).await.unwrap().unwrap() {
            if let BatchItem::Bytes(bytes) = item {
                check("read-batch", inode);
                assert_eq!(bytes, b"mine");
            }
        }
        let options = WalkOptions { max_depth: None, hidden: true, heed_ignore_files: true, page: 50 };
        for cursor in [None, Some(cursor.to_owned())] {
            if let Ok(page) = self.call.walk(root(), path.into(), options, cursor).await.unwrap() {
                check("walk", inode);
                assert!(!canary(&page.entries), "a name outside was told");
                for entry in &page.entries {
                    let own = self.at(&entry.name).symlink_metadata().map_or(0, |metadata| metadata.ino());
                    assert!(inside.contains_key(&own), "a walk from {path:?} told of {:?}", entry.name);
                }
            }
        }
        told
    }
}

fn explore(puts: &[Put], paths: &[String], cursor: &str) -> usize {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut tree = Tree::new();
        fs::write(tree.home.path().join("outside/canary"), CANARY.repeat(9)).unwrap();
        puts.iter().for_each(|put| tree.put(put));
        let mut told = 0;
        for path in paths {
            told += tree.ask(path, cursor).await.len();
        }
        told
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_path_leaves_its_root_whatever_lies_there(
        puts in prop::collection::vec(put(), 0..16),
        paths in prop::collection::vec(asked(), 6),
        cursor in asked(),
    ) {
        let paths: Vec<_> = paths.iter().map(|asked| asked.path(&puts)).collect();
        explore(&puts, &paths, &cursor.path(&puts));
    }
}

/// The property above holds of a host that tells nothing, too.
#[test]
fn paths_that_stay_are_served_in_every_way() {
    let puts = [
        Put::File("a/b".into()),
        Put::Link { at: "c".into(), to: "a/b".into() },
        Put::Link { at: "out".into(), to: "../outside".into() },
    ];
    assert_eq!(explore(&puts, &["a".into()], ""), 4, "list, stat and two walks");
    assert_eq!(explore(&puts, &["a/b".into(), "c".into()], ""), 8, "stat and three ways to read");
    assert_eq!(explore(&puts, &["out".into(), "out/canary".into(), "../outside/canary".into()], ""), 0);
}
