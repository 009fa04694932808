use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use wardkeep_model::{CorrelationId, Effect, Limits, Note, NoteKind};
use wardkeep_policy::{Access, FilesGrant, Grants};

use super::*;
use crate::{
    Environment, FilePool, LogContext, Outside, Roots,
    bindings::reader::{Entry, Kind},
};

mod leaving;
mod walking;

/// A root `root` with a directory beside it that no guest may see.
pub(super) struct Tree {
    pub(super) home: tempfile::TempDir,
    pub(super) call: CallState,
}

impl Tree {
    pub(super) fn new() -> Self {
        Self::limited(Limits { host_calls: 1_000, deadline: Duration::from_secs(20), ..Limits::DEFAULT })
    }

    /// The same root, to be changed by a tool whose effect is this.
    pub(super) fn writable(effect: Effect) -> Self {
        let limits = Limits { host_calls: 1_000, deadline: Duration::from_secs(20), ..Limits::DEFAULT };
        let Self { home, call } = Self::granted(limits, Access::Write);
        Self { home, call: call.of_effect(effect) }
    }

    fn limited(limits: Limits) -> Self {
        Self::granted(limits, Access::Read)
    }

    pub(super) fn granted(limits: Limits, access: Access) -> Self {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir(home.path().join("root")).unwrap();
        fs::create_dir(home.path().join("outside")).unwrap();
        fs::write(home.path().join("outside/secret"), "secret").unwrap();
        let name: wardkeep_model::RootName = "root".parse().unwrap();
        let roots = Roots::open([(name.clone(), home.path().join("root"))]).unwrap();
        let grants = Grants { files: vec![FilesGrant { root: name, access }], ..Grants::default() };
        let reach = Outside::closed().plugin(&"files".parse().unwrap());
        let environment = Environment { roots, pool: FilePool::new(4), reach };
        let context = LogContext {
            plugin: "p".parse().unwrap(),
            tool: "t".parse().unwrap(),
            correlation: CorrelationId::from_bytes([1; 16]),
        };
        let token = CallToken::new(limits.deadline);
        Self { home, call: CallState::new((&grants, &[]), &limits, token, &environment, context) }
    }

    pub(super) fn at(&self, path: &str) -> PathBuf {
        self.home.path().join("root").join(path)
    }

    pub(super) fn file(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.at(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    async fn text(&mut self, path: &str) -> Result<String, Error> {
        self.call.read_text("root".into(), path.into(), 1_000).await.unwrap()
    }

    async fn read(&mut self, path: &str, offset: u32, length: u32) -> Result<Vec<u8>, Error> {
        self.call.read("root".into(), path.into(), offset, length).await.unwrap()
    }

    async fn batch(&mut self, paths: &[&str], per_file: u32, budget: u32) -> Result<Vec<BatchItem>, Error> {
        let paths = paths.iter().map(|path| (*path).to_owned()).collect();
        self.call.read_batch("root".into(), paths, per_file, budget).await.unwrap()
    }

    pub(super) fn notes(&mut self) -> Vec<Note> {
        self.call.finish().notes
    }
}

fn shown(entry: &Entry) -> (&str, Kind, u64) {
    (&entry.name, entry.kind, entry.size)
}

fn shape(items: &[BatchItem]) -> Vec<String> {
    let one = |item: &BatchItem| match item {
        BatchItem::Bytes(bytes) => format!("{} bytes", bytes.len()),
        BatchItem::Left => "left".to_owned(),
        BatchItem::Failed(error) => error.name().to_owned(),
    };
    items.iter().map(one).collect()
}

#[tokio::test]
async fn symbolic_links_and_dots_cannot_leave_a_root() {
    let mut tree = Tree::new();
    tree.file("inside/real", "mine");
    symlink("../../outside/secret", tree.at("inside/relative")).unwrap();
    symlink(tree.home.path().join("outside/secret"), tree.at("absolute")).unwrap();
    symlink("../outside", tree.at("directory")).unwrap();
    symlink("circle", tree.at("circle")).unwrap();
    symlink("inside/real", tree.at("good")).unwrap();
    symlink("/etc/passwd", tree.at("passwd")).unwrap();
    assert_eq!(tree.text("good").await, Ok("mine".to_owned()), "a link that stays inside is followed");
    for path in ["inside/relative", "absolute", "directory/secret", "circle", "passwd"] {
        assert_eq!(tree.text(path).await, Err(Error::NotFound), "{path}");
        assert_eq!(shape(&tree.batch(&[path], 10, 0).await.unwrap()), ["not-found"], "{path}");
    }
    for path in ["../outside/secret", "inside/../../outside/secret", "/etc/passwd", "inside/..", "a\\..\\b"] {
        assert_eq!(tree.text(path).await, Err(Error::InvalidPath), "{path}");
    }
    let listed = tree.call.list("root".into(), "directory".into()).await.unwrap();
    assert_eq!(listed.map(|entries| entries.len()), Err(Error::NotFound));
    assert!(tree.notes().is_empty(), "a wrong path within a granted root is no breach of a grant");
}

#[tokio::test]
async fn another_root_is_denied_and_noted() {
    let mut tree = Tree::new();
    for _ in 0..2 {
        let denied = tree.call.read_text("other".into(), "a/b".into(), 10).await.unwrap();
        assert_eq!(denied, Err(Error::Denied));
    }
    let note = Note { kind: NoteKind::Denied, capability: "files".into(), detail: "other/a/b".into(), count: 2 };
    assert_eq!(tree.notes(), [note]);
    // the manifest keeps the tool's words inside: what it was called by says as much as an answer
    let mut tree = Tree::new();
    tree.call = tree.call.hiding_words(true);
    let denied = tree.call.read_text("ada".into(), "ada@example.com".into(), 10).await.unwrap();
    assert_eq!(denied, Err(Error::Denied));
    let removed = crate::bindings::writer::Host::remove(&mut tree.call, "root".into(), "ada@example.com".into());
    assert!(removed.await.unwrap().is_err());
    let details: Vec<_> = tree.notes().into_iter().map(|note| note.detail).collect();
    assert_eq!(details, ["files.read-text", "files.remove root"]);
    let granted = tree.call.granted().await.unwrap();
    assert_eq!(granted.iter().map(|root| (root.name.as_str(), root.writable)).collect::<Vec<_>>(), [("root", false)]);
}

#[tokio::test]
async fn only_regular_files_are_read_and_a_pipe_does_not_hang() {
    let mut tree = Tree::new();
    tree.file("d/f", "x");
    let pipe = tree.at("pipe");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(tree.at("socket")).unwrap();
    let started = Instant::now();
    for path in ["pipe", "socket", "d"] {
        assert_eq!(tree.text(path).await, Err(Error::NotAFile), "{path}");
        assert_eq!(tree.read(path, 0, 1).await, Err(Error::NotAFile), "{path}");
    }
    assert!(started.elapsed() < Duration::from_secs(2));
    let entries = tree.call.list("root".into(), String::new()).await.unwrap().unwrap();
    let kinds: Vec<_> = entries.iter().map(shown).collect();
    assert_eq!(kinds, [("d", Kind::Directory, 0), ("pipe", Kind::Other, 0), ("socket", Kind::Other, 0)]);
}

#[tokio::test]
async fn reading_gives_the_range_that_was_asked_for() {
    let mut tree = Tree::new();
    tree.file("f", "0123456789");
    assert_eq!(tree.read("f", 2, 3).await, Ok(b"234".to_vec()));
    assert_eq!(tree.read("f", 8, 5).await, Ok(b"89".to_vec()), "fewer at the end");
    assert_eq!(tree.read("f", 10, 5).await, Ok(Vec::new()));
    assert_eq!(tree.read("f", u32::MAX, 5).await, Ok(Vec::new()));
    assert_eq!(tree.read("f", 0, ANSWER + 1).await, Err(Error::TooLarge));
    assert_eq!(tree.read("none", 0, 1).await, Err(Error::NotFound));
    assert_eq!(tree.read("f/below", 0, 1).await, Err(Error::NotADirectory));
}

#[tokio::test]
async fn text_is_bounded_to_the_byte_and_must_be_utf_8() {
    let mut tree = Tree::new();
    tree.file("fits", "x".repeat(1_000));
    tree.file("beyond", "x".repeat(1_001));
    tree.file("binary", [0xff, 0xfe]);
    assert_eq!(tree.text("fits").await.map(|text| text.len()), Ok(1_000));
    assert_eq!(tree.text("beyond").await, Err(Error::TooLarge));
    assert_eq!(tree.text("binary").await, Err(Error::NotText));
    tree.file("large", vec![b'x'; ANSWER as usize]);
    tree.file("larger", vec![b'x'; ANSWER as usize + 1]);
    let read = tree.call.read_text("root".into(), "large".into(), u32::MAX).await.unwrap();
    assert_eq!(read.map(|text| text.len()), Ok(ANSWER as usize));
    assert_eq!(tree.call.read_text("root".into(), "larger".into(), u32::MAX).await.unwrap(), Err(Error::TooLarge));
}

#[tokio::test]
async fn a_batch_serves_up_to_its_budget_and_the_first_file_always() {
    let mut tree = Tree::new();
    tree.file("a", "x".repeat(60));
    tree.file("b", "x".repeat(40));
    tree.file("c", "x");
    let shapes = |items: Result<Vec<BatchItem>, Error>| shape(&items.unwrap());
    assert_eq!(shapes(tree.batch(&["a", "b", "c"], 1_000, 100).await), ["60 bytes", "40 bytes", "left"]);
    assert_eq!(shapes(tree.batch(&["a", "b", "c"], 1_000, 99).await), ["60 bytes", "left", "left"]);
    assert_eq!(shapes(tree.batch(&["a", "b", "c"], 30, 61).await), ["30 bytes", "30 bytes", "1 bytes"]);
    assert_eq!(
        shapes(tree.batch(&["a", "c"], 1_000, 10).await),
        ["60 bytes", "left"],
        "the first, whatever the budget"
    );
    assert_eq!(
        shapes(tree.batch(&["none", "..", "a", "c"], 1_000, 0).await),
        ["not-found", "invalid-path", "60 bytes", "1 bytes"]
    );
    let many = vec!["c"; BATCH];
    assert_eq!(tree.batch(&many, 1, 0).await.unwrap().len(), BATCH);
    let more = vec!["c"; BATCH + 1];
    assert!(matches!(tree.batch(&more, 1, 0).await, Err(Error::TooLarge)));
    assert_eq!(tree.call.finish().host_calls, 7);
}

#[tokio::test]
async fn a_directory_of_more_entries_than_a_list_may_hold_is_too_large() {
    let mut tree = Tree::new();
    fs::create_dir(tree.at("d")).unwrap();
    for index in 0..LISTED {
        fs::File::create(tree.at(&format!("d/{index}"))).unwrap();
    }
    let entries = tree.call.list("root".into(), "d".into()).await.unwrap().unwrap();
    assert_eq!(entries.len(), LISTED);
    assert!(entries.windows(2).all(|pair| pair[0].name < pair[1].name));
    fs::File::create(tree.at("d/one more")).unwrap();
    let refused = tree.call.list("root".into(), "d".into()).await.unwrap();
    assert_eq!(refused.map(|entries| entries.len()), Err(Error::TooLarge));
}

#[tokio::test]
async fn stat_tells_what_is_there_and_names_it_as_it_was_asked_for() {
    let mut tree = Tree::new();
    tree.file("d/f", "123");
    let stat = async |tree: &mut Tree, path: &str| tree.call.stat("root".into(), path.into()).await.unwrap();
    let file = stat(&mut tree, "./d/f").await.unwrap();
    assert_eq!(shown(&file), ("./d/f", Kind::File, 3));
    assert!(file.modified.is_some_and(|seconds| seconds > 1_700_000_000));
    assert_eq!(shown(&stat(&mut tree, "").await.unwrap()), ("", Kind::Directory, 0));
    assert_eq!(stat(&mut tree, "none").await.map(|entry| entry.size), Err(Error::NotFound));
}

#[tokio::test]
async fn host_calls_beyond_the_limit_are_told_and_noted() {
    let mut tree = Tree::limited(Limits { host_calls: 2, ..Limits::DEFAULT });
    tree.file("f", "x");
    assert_eq!(tree.text("f").await, Ok("x".to_owned()));
    assert_eq!(tree.text("f").await, Ok("x".to_owned()));
    assert_eq!(tree.text("f").await, Err(Error::Exhausted));
    assert!(tree.call.granted().await.unwrap_err().is::<EndCall>(), "a function without an error ends the call");
    let used = tree.call.finish();
    assert_eq!((used.host_calls, used.notes.len()), (2, 2));
    assert!(used.notes.iter().all(|note| note.kind == NoteKind::Exhausted));
}

#[tokio::test]
async fn a_call_that_has_to_end_does_not_wait_for_a_full_pool() {
    let pool = FilePool::new(1);
    let (release, held) = std::sync::mpsc::channel::<()>();
    let busy = pool.clone();
    let token = CallToken::new(Duration::from_secs(20));
    let holder = tokio::spawn(async move { busy.run(&token, move || held.recv()).await });
    tokio::time::sleep(Duration::from_millis(20)).await;
    let token = CallToken::new(Duration::from_millis(50));
    assert_eq!(pool.run(&token, || ()).await, Err(EndCall::Stopped(crate::Stop::Deadline)));
    release.send(()).unwrap();
    assert!(holder.await.unwrap().is_ok());
}

#[test]
fn a_root_that_is_not_there_is_named() {
    let missing = Path::new("/nowhere/at/all").to_path_buf();
    let error = Roots::open([("docs".parse().unwrap(), missing)]).unwrap_err();
    assert_eq!(error.to_string(), "root `docs`: cannot open the directory `/nowhere/at/all`");
}
