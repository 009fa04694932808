use std::{
    env, fs,
    os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _, symlink},
    path::Path,
    process::Command,
    time::{Duration, Instant, SystemTime},
};

use wardkeep_model::{Effect, Limits, Note, NoteKind};
use wardkeep_policy::Access;

use super::*;
use crate::{
    bindings::reader::Host as _,
    files::{ANSWER, tests::Tree},
};

impl Tree {
    async fn set(&mut self, path: &str, data: &str, mode: Mode) -> Result<(), Error> {
        self.call.write("root".into(), path.into(), Payload::Text(data.into()), mode).await.unwrap()
    }

    async fn gone(&mut self, path: &str) -> Result<(), Error> {
        Host::remove(&mut self.call, "root".into(), path.into()).await.unwrap()
    }

    async fn moved(&mut self, from: &str, to: &str) -> Result<(), Error> {
        self.call.move_("root".into(), from.into(), to.into()).await.unwrap()
    }

    async fn made(&mut self, path: &str) -> Result<(), Error> {
        self.call.mkdir("root".into(), path.into()).await.unwrap()
    }

    fn held(&self, path: &str) -> String {
        fs::read_to_string(self.at(path)).unwrap()
    }

    /// Everything below the directory that the root lies in, with what it holds; temporary files too.
    fn all(&self) -> Vec<(String, String)> {
        fn walk(at: &Path, under: &Path, found: &mut Vec<(String, String)>) {
            for entry in fs::read_dir(at).unwrap() {
                let path = entry.unwrap().path();
                let kind = fs::symlink_metadata(&path).unwrap().file_type();
                let name = path.strip_prefix(under).unwrap().to_str().unwrap().to_owned();
                let held = match () {
                    () if kind.is_dir() => "a directory".to_owned(),
                    () if kind.is_symlink() => format!("a link to {}", fs::read_link(&path).unwrap().display()),
                    () if kind.is_fifo() => "a pipe".to_owned(),
                    () => String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned(),
                };
                found.push((name, held));
                if kind.is_dir() {
                    walk(&path, under, found);
                }
            }
        }
        let mut found = Vec::new();
        walk(self.home.path(), self.home.path(), &mut found);
        found.sort();
        found
    }
}

const MODES: [Mode; 3] = [Mode::Create, Mode::Replace, Mode::Append];

#[tokio::test]
async fn a_tool_that_writes_creates_replaces_appends_moves_makes_and_removes() {
    let mut tree = Tree::writable(Effect::Write);
    assert_eq!(tree.made("d").await, Ok(()));
    assert_eq!(tree.set("d/f", "one", Mode::Create).await, Ok(()));
    assert_eq!(tree.set("d/f", "two", Mode::Create).await, Err(Error::Exists));
    assert_eq!(tree.set("d/f", "+", Mode::Append).await, Ok(()));
    assert_eq!(tree.held("d/f"), "one+");
    assert_eq!(tree.set("d/f", "three", Mode::Replace).await, Ok(()));
    assert_eq!(tree.set("d/new", "made by append", Mode::Append).await, Ok(()));
    assert_eq!(tree.set("d/other", "made by replace", Mode::Replace).await, Ok(()));
    assert_eq!(tree.moved("d", "e").await, Ok(()));
    assert_eq!((tree.held("e/f"), tree.held("e/new")), ("three".into(), "made by append".into()));
    assert_eq!(tree.gone("e").await, Err(Error::NotEmpty));
    for path in ["e/f", "e/new", "e/other", "e"] {
        assert_eq!(tree.gone(path).await, Ok(()), "{path}");
    }
    let bytes = Payload::Bytes(vec![0xff, 0]);
    assert_eq!(tree.call.write("root".into(), "b".into(), bytes, Mode::Create).await.unwrap(), Ok(()));
    assert_eq!(fs::read(tree.at("b")).unwrap(), [0xff, 0]);
    assert!(tree.call.granted().await.unwrap()[0].writable);
    assert_eq!(tree.call.finish().host_calls, 15, "each is a host call");
}

#[tokio::test]
async fn a_reading_tool_changes_nothing_and_neither_does_one_whose_own_grant_is_for_reading() {
    let limits = Limits { host_calls: 1_000, ..Limits::DEFAULT };
    // The first is a slip of whoever made the grants: a reading tool with a grant to write.
    let reading = Tree::writable(Effect::Read);
    // Unsaid, an effect lets nothing be changed either.
    let unsaid = Tree::granted(limits, Access::Write);
    let Tree { home, call } = Tree::granted(limits, Access::Read);
    let granted = Tree { home, call: call.of_effect(Effect::Destructive) };
    for (which, mut tree) in [("reading", reading), ("unsaid", unsaid), ("granted", granted)] {
        tree.file("f", "as it was");
        let before = tree.all();
        for mode in MODES {
            assert_eq!(tree.set("f", "changed", mode).await, Err(Error::Denied), "{which}");
            assert_eq!(tree.set("new", "changed", mode).await, Err(Error::Denied), "{which}");
        }
        assert_eq!(tree.moved("f", "g").await, Err(Error::Denied), "{which}");
        assert_eq!(tree.gone("f").await, Err(Error::Denied), "{which}");
        assert_eq!(tree.made("d").await, Err(Error::Denied), "{which}");
        assert!(!tree.call.granted().await.unwrap()[0].writable, "{which}");
        assert_eq!(tree.all(), before, "{which}");
        let notes = tree.notes();
        assert!(notes.iter().all(|note| (note.kind, note.capability.as_str()) == (NoteKind::Denied, "files")));
        let note = |detail: &str, count| Note {
            kind: NoteKind::Denied,
            capability: "files".into(),
            detail: detail.into(),
            count,
        };
        assert_eq!(notes[0], note("files.write root/f", 3), "{which}");
        assert_eq!(
            notes[2..],
            [note("files.move root/f", 1), note("files.remove root/f", 1), note("files.mkdir root/d", 1)]
        );
    }
    let mut tree = Tree::writable(Effect::Write);
    let other = tree.call.mkdir("other".into(), "d".into()).await.unwrap();
    assert_eq!((other, tree.notes()[0].detail.as_str()), (Err(Error::Denied), "files.mkdir other/d"));
}

#[tokio::test]
async fn nothing_is_written_moved_or_removed_through_a_symbolic_link() {
    let mut tree = Tree::writable(Effect::Destructive);
    tree.file("real", "mine");
    tree.file("d/f", "below");
    symlink("../outside/secret", tree.at("out")).unwrap();
    symlink("../outside", tree.at("away")).unwrap();
    symlink(tree.home.path().join("outside"), tree.at("absolute")).unwrap();
    symlink("../outside/new", tree.at("dangling")).unwrap();
    symlink("real", tree.at("inside")).unwrap();
    symlink("d", tree.at("to-d")).unwrap();
    let before = tree.all();
    for path in ["out", "dangling", "inside"] {
        assert_eq!(tree.set(path, "x", Mode::Create).await, Err(Error::Exists), "{path}");
        for mode in [Mode::Replace, Mode::Append] {
            assert_eq!(tree.set(path, "x", mode).await, Err(Error::NotAFile), "{path} {mode:?}");
        }
        assert_eq!(tree.gone(path).await, Err(Error::NotAFile), "{path}");
        assert_eq!(tree.moved(path, "elsewhere").await, Err(Error::NotAFile), "{path}");
        assert_eq!(tree.moved("real", path).await, Err(Error::Exists), "{path}");
        assert_eq!(tree.made(path).await, Err(Error::Exists), "{path}");
    }
    for directory in ["away", "absolute"] {
        for mode in MODES {
            let path = format!("{directory}/new");
            assert_eq!(tree.set(&path, "x", mode).await, Err(Error::NotFound), "{path} {mode:?}");
        }
        assert_eq!(tree.moved("real", &format!("{directory}/real")).await, Err(Error::NotFound));
        assert_eq!(tree.moved(&format!("{directory}/secret"), "secret").await, Err(Error::NotFound));
        assert_eq!(tree.gone(&format!("{directory}/secret")).await, Err(Error::NotFound));
        assert_eq!(tree.made(&format!("{directory}/d")).await, Err(Error::NotFound));
        assert_eq!(tree.gone(directory).await, Err(Error::NotAFile), "the link itself stays too");
    }
    for path in ["../outside/secret", "/etc/passwd", "d/../../outside/x", "d/..", "..", "a\\b"] {
        for mode in MODES {
            assert_eq!(tree.set(path, "x", mode).await, Err(Error::InvalidPath), "{path}");
        }
        assert_eq!(tree.moved("real", path).await, Err(Error::InvalidPath), "{path}");
        assert_eq!(tree.moved(path, "x").await, Err(Error::InvalidPath), "{path}");
        assert_eq!(tree.gone(path).await, Err(Error::InvalidPath), "{path}");
        assert_eq!(tree.made(path).await, Err(Error::InvalidPath), "{path}");
    }
    assert_eq!(tree.all(), before);
    assert_eq!(
        tree.set("to-d/f", "x", Mode::Replace).await,
        Ok(()),
        "a directory's link that stays inside is followed"
    );
    assert_eq!(tree.held("d/f"), "x");
}

#[tokio::test]
async fn the_root_itself_is_not_to_be_changed() {
    let mut tree = Tree::writable(Effect::Destructive);
    for root in ["", ".", "./."] {
        for mode in MODES {
            assert_eq!(tree.set(root, "x", mode).await, Err(Error::InvalidPath));
        }
        assert_eq!(tree.gone(root).await, Err(Error::InvalidPath));
        assert_eq!(tree.made(root).await, Err(Error::InvalidPath));
        assert_eq!(tree.moved(root, "x").await, Err(Error::InvalidPath));
        assert_eq!(tree.moved("x", root).await, Err(Error::InvalidPath));
    }
    assert!(tree.at("").is_dir());
}

#[tokio::test]
async fn only_regular_files_are_written_and_a_pipe_without_a_reader_holds_nobody_up() {
    let mut tree = Tree::writable(Effect::Destructive);
    tree.file("d/f", "x");
    rustix::fs::mknodat(rustix::fs::CWD, tree.at("pipe"), rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(tree.at("socket")).unwrap();
    let started = Instant::now();
    for path in ["pipe", "socket", "d"] {
        for mode in [Mode::Replace, Mode::Append] {
            assert_eq!(tree.set(path, "x", mode).await, Err(Error::NotAFile), "{path} {mode:?}");
        }
        assert_eq!(tree.set(path, "x", Mode::Create).await, Err(Error::Exists), "{path}");
    }
    for path in ["pipe", "socket"] {
        assert_eq!(tree.gone(path).await, Err(Error::NotAFile), "{path}");
        assert_eq!(tree.moved(path, "x").await, Err(Error::NotAFile), "{path}");
    }
    assert!(started.elapsed() < Duration::from_secs(2));
    assert!(fs::symlink_metadata(tree.at("pipe")).unwrap().file_type().is_fifo());
    assert_eq!(tree.set("d/f/g", "x", Mode::Create).await, Err(Error::NotADirectory));
    assert_eq!(tree.set("none/f", "x", Mode::Create).await, Err(Error::NotFound));
}

#[tokio::test]
async fn a_file_of_several_names_is_replaced_under_one_of_them_and_not_written_through() {
    let mut tree = Tree::writable(Effect::Write);
    fs::hard_link(tree.home.path().join("outside/secret"), tree.at("shared")).unwrap();
    assert_eq!(tree.set("shared", "x", Mode::Append).await, Err(Error::Failed));
    assert_eq!(tree.set("shared", "mine", Mode::Replace).await, Ok(()));
    assert_eq!(tree.held("shared"), "mine");
    assert_eq!(fs::read_to_string(tree.home.path().join("outside/secret")).unwrap(), "secret");
}

#[tokio::test]
async fn a_file_that_is_replaced_keeps_its_mode_but_no_borrowed_rights() {
    let mut tree = Tree::writable(Effect::Write);
    tree.file("f", "x");
    for (before, after) in [(0o600, 0o600), (0o640, 0o640), (0o4755, 0o755)] {
        fs::set_permissions(tree.at("f"), fs::Permissions::from_mode(before)).unwrap();
        assert_eq!(tree.set("f", "y", Mode::Replace).await, Ok(()));
        assert_eq!(fs::metadata(tree.at("f")).unwrap().mode() & 0o7777, after, "{before:o}");
    }
    fs::set_permissions(tree.at("f"), fs::Permissions::from_mode(0o400)).unwrap();
    // Root may write to everything; nobody else past the file's own mode.
    let may = rustix::process::geteuid().is_root();
    let replaced = tree.set("f", "z", Mode::Replace).await;
    assert_eq!(replaced, if may { Ok(()) } else { Err(Error::Failed) });
}

#[tokio::test]
async fn one_write_holds_two_mebibytes_and_not_a_byte_more() {
    let mut tree = Tree::writable(Effect::Write);
    let most = "x".repeat(ANSWER as usize);
    for mode in MODES {
        assert_eq!(tree.set(&format!("{mode:?}"), &most, mode).await, Ok(()));
        assert_eq!(tree.set(&format!("{mode:?}-"), &format!("{most}x"), mode).await, Err(Error::TooLarge));
    }
    assert_eq!(fs::read_dir(tree.at("")).unwrap().count(), 3);
    assert_eq!(tree.set(&"n".repeat(255), "", Mode::Create).await, Ok(()));
    assert_eq!(tree.set(&"n".repeat(256), "", Mode::Create).await, Err(Error::InvalidPath));
}

#[tokio::test]
async fn a_goal_that_exists_is_left_alone_and_a_directory_does_not_move_into_itself() {
    let mut tree = Tree::writable(Effect::Write);
    tree.file("a", "of a");
    tree.file("b", "of b");
    tree.file("d/f", "");
    fs::create_dir(tree.at("empty")).unwrap();
    for (from, to, error) in [
        ("a", "b", Error::Exists),
        ("a", "a", Error::Exists),
        ("d", "empty", Error::Exists),
        ("a", "empty", Error::Exists),
        ("d", "d/inside", Error::InvalidPath),
        ("none", "x", Error::NotFound),
        ("a", "none/x", Error::NotFound),
        ("a", "b/x", Error::NotADirectory),
    ] {
        assert_eq!(tree.moved(from, to).await, Err(error), "{from} to {to}");
    }
    assert_eq!((tree.held("a"), tree.held("b")), ("of a".into(), "of b".into()));
    assert_eq!(tree.made("d").await, Err(Error::Exists));
    assert_eq!(tree.made("x/y").await, Err(Error::NotFound), "one directory at a time");
}

#[tokio::test]
async fn of_many_that_create_the_same_file_one_does_and_it_is_whole() {
    let tree = Tree::writable(Effect::Write);
    let mut writing = Vec::new();
    for writer in 0..16 {
        let other = Tree::writable(Effect::Write);
        let mut call = other.call;
        call.files[0].directory = Arc::clone(&tree.call.files[0].directory);
        let data = char::from(b'a' + writer).to_string().repeat(100_000);
        writing.push(tokio::spawn(async move {
            call.write("root".into(), "f".into(), Payload::Text(data), Mode::Create).await.unwrap()
        }));
    }
    let mut done = Vec::new();
    for writing in writing {
        done.push(writing.await.unwrap());
    }
    assert_eq!(done.iter().filter(|done| done.is_ok()).count(), 1, "{done:?}");
    assert!(done.iter().all(|done| matches!(done, Ok(()) | Err(Error::Exists))), "{done:?}");
    let held = tree.held("f");
    assert!(held.len() == 100_000 && held.bytes().all(|byte| byte == held.as_bytes()[0]));
    assert_eq!(fs::read_dir(tree.at("")).unwrap().count(), 1, "nothing else is left");
}

#[tokio::test]
async fn who_reads_while_a_file_is_replaced_and_swapped_for_a_link_sees_one_whole_file_and_nothing_leaves() {
    let mut tree = Tree::writable(Effect::Write);
    tree.file("f", "a".repeat(50_000));
    let (at, appended, away) = (tree.at("f"), tree.at("g"), tree.at("swap"));
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let swapping = std::thread::spawn(move || {
        let mut seen = 0;
        while !stopped.load(std::sync::atomic::Ordering::Relaxed) {
            if let Ok(text) = fs::read(&at).map(|bytes| String::from_utf8(bytes).unwrap())
                && text != "secret"
            {
                assert!(text.bytes().all(|byte| byte == text.as_bytes()[0]) && text.len() == 50_000, "half a file");
                seen += 1;
            }
            for swapped in [&at, &appended] {
                symlink("../outside/secret", &away).unwrap();
                fs::rename(&away, swapped).unwrap();
            }
        }
        seen
    });
    for round in 0..300 {
        let data = if round % 2 == 0 { "a" } else { "b" }.repeat(50_000);
        for (path, mode) in [("f", Mode::Replace), ("g", Mode::Append)] {
            let _ = fs::remove_file(tree.at(path));
            let done = tree.set(path, &data, mode).await;
            assert!(matches!(done, Ok(()) | Err(Error::NotAFile | Error::Failed)), "{done:?}");
        }
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    swapping.join().unwrap();
    assert_eq!(fs::read_to_string(tree.home.path().join("outside/secret")).unwrap(), "secret");
}

#[tokio::test]
async fn what_a_crash_left_is_seen_by_no_guest_and_falls_with_its_directory() {
    let mut tree = Tree::writable(Effect::Destructive);
    let left = format!("d/.wardkeep-{}.tmp", "7f".repeat(16));
    tree.file(&left, "half");
    assert!(tree.call.list("root".into(), "d".into()).await.unwrap().unwrap().is_empty());
    assert_eq!(tree.call.read("root".into(), left.clone(), 0, 9).await.unwrap(), Err(Error::InvalidPath));
    assert_eq!(tree.set(&left, "mine", Mode::Append).await, Err(Error::InvalidPath));
    assert_eq!(tree.moved(&left, "mine").await, Err(Error::InvalidPath));
    assert_eq!(tree.gone("d").await, Err(Error::NotEmpty), "it may be in the making");
    let long_ago = SystemTime::now() - Duration::from_secs(3_600);
    fs::File::options().write(true).open(tree.at(&left)).unwrap().set_modified(long_ago).unwrap();
    assert_eq!(tree.gone("d").await, Ok(()));
}

#[tokio::test]
async fn a_change_that_has_not_begun_when_its_call_ends_does_not_begin() {
    let tree = Tree::writable(Effect::Destructive);
    tree.file("f", "as it was");
    let before = tree.all();
    let work = Work {
        root: Arc::clone(&tree.call.files[0].directory),
        token: tree.call.token.clone(),
        patterns: Arc::clone(&tree.call.patterns),
    };
    tree.call.token.cancel();
    let path = |text: &str| GuestPath::parse(text).unwrap();
    for mode in MODES {
        assert_eq!(work.write(&path("new"), b"x", mode), Err(Error::Failed));
    }
    assert_eq!(work.remove(&path("f")), Err(Error::Failed));
    assert_eq!(work.rename(&path("f"), &path("g")), Err(Error::Failed));
    assert_eq!(work.mkdir(&path("d")), Err(Error::Failed));
    assert_eq!(tree.all(), before);
}

/// Runs this test again where a small file system is mounted, in a namespace of its own.
#[tokio::test]
async fn a_full_device_is_told_and_leaves_what_was_there_as_it_was() {
    const HERE: &str = "WARDKEEP_TEST_SMALL_DEVICE";
    let name = "files::writer::tests::a_full_device_is_told_and_leaves_what_was_there_as_it_was";
    if env::var_os(HERE).is_none() {
        let home = tempfile::tempdir().unwrap();
        let mount = "mount -t tmpfs -o size=1m none \"$TMPDIR\" && exec \"$0\" --exact \"$1\" --nocapture";
        let again = Command::new("unshare")
            .args(["-Urm", "sh", "-c", mount])
            .args([env::current_exe().unwrap().as_os_str(), name.as_ref()])
            .env("TMPDIR", home.path())
            .env(HERE, "1")
            .output();
        match again {
            Ok(again) if again.status.success() => {
                let said = String::from_utf8_lossy(&again.stdout).into_owned();
                assert!(said.contains("1 passed"), "{said}");
            }
            Ok(again) if String::from_utf8_lossy(&again.stdout).contains("running 1 test") => {
                panic!("{}{}", String::from_utf8_lossy(&again.stdout), String::from_utf8_lossy(&again.stderr))
            }
            // no namespaces for this user here
            refused => eprintln!("skipped: {refused:?}"),
        }
        return;
    }
    let mut tree = Tree::writable(Effect::Write);
    tree.file("f", "as it was");
    let before = tree.all();
    let large = "x".repeat(ANSWER as usize);
    for mode in MODES {
        assert_eq!(tree.set("new", &large, mode).await, Err(Error::Full), "{mode:?}");
    }
    assert_eq!(tree.set("f", &large, Mode::Replace).await, Err(Error::Full));
    assert_eq!(tree.set("f", &large, Mode::Append).await, Err(Error::Full));
    assert_eq!(tree.all(), before, "nothing is left of it");
    assert_eq!(tree.set("f", "fits", Mode::Replace).await, Ok(()));
}
