//! What is refused, how it reads, and that the mend mends it.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, chown, symlink},
    process::Command,
};

use tempfile::{TempDir, tempdir};

use super::*;
use crate::{
    Journal, OpenError, Options, ReadError,
    testing::{lines, path as segment, write},
};

/// A log of two segments in a directory of its own.
fn log() -> (TempDir, PathBuf) {
    let home = tempdir().unwrap();
    let directory = home.path().join("audit");
    fs::create_dir(&directory).unwrap();
    let lines = lines(2);
    write(&directory, 1, &lines[..3]);
    write(&directory, 2, &lines[3..]);
    for (path, mode) in [(directory.clone(), 0o700), (segment(&directory, 1), 0o600), (segment(&directory, 2), 0o640)] {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }
    (home, directory)
}

fn refused(directory: &Path) -> Untrusted {
    match Journal::open(Options::new(directory)) {
        Err(OpenError::Read(ReadError::Untrusted(untrusted))) => untrusted,
        other => panic!("{other:?}"),
    }
}

/// Each of them: the directory, a closed segment, the one that is gone on with.
fn each(directory: &Path) -> [PathBuf; 3] {
    [directory.to_owned(), segment(directory, 1), segment(directory, 2)]
}

#[test]
fn a_log_that_only_its_owner_may_change_is_continued() {
    let (_home, directory) = log();
    Journal::open(Options::new(directory)).unwrap();
}

#[test]
fn what_group_or_others_may_write_to_is_refused_and_the_chmod_mends_it() {
    for (which, bit) in [0, 1, 2].into_iter().flat_map(|which| [(which, 0o020), (which, 0o002)]) {
        let (_home, directory) = log();
        let path = each(&directory)[which].clone();
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o7777 | bit;
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let untrusted = refused(&directory);
        assert_eq!((&untrusted.path, untrusted.mode, untrusted.fault), (&path, mode, Fault::Writable));
        let owner = rustix::process::geteuid().as_raw();
        let text = format!(
            "`{0}` is not safe: others may write to it (owner {owner}, mode {mode:04o})\n  mend: chmod go-w {0}",
            path.display()
        );
        assert_eq!(untrusted.to_string(), text);
        assert!(Command::new("chmod").arg("go-w").arg(&path).status().unwrap().success());
        Journal::open(Options::new(directory)).unwrap();
    }
}

#[test]
fn what_belongs_to_another_user_is_refused_with_the_chown_that_mends_it() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    for which in 0..3 {
        let (_home, directory) = log();
        let path = each(&directory)[which].clone();
        chown(&path, Some(12_345), None).unwrap();
        let untrusted = refused(&directory);
        assert_eq!((&untrusted.path, untrusted.owner, untrusted.fault), (&path, 12_345, Fault::Owner { effective: 0 }));
        assert!(untrusted.to_string().ends_with(&format!("chown 0 {}", path.display())), "{untrusted}");
        chown(&path, Some(0), None).unwrap();
        Journal::open(Options::new(directory)).unwrap();
    }
}

#[test]
fn a_segment_with_a_second_name_is_refused_and_its_copy_is_not() {
    for number in [1, 2] {
        let (home, directory) = log();
        fs::hard_link(segment(&directory, number), home.path().join("second")).unwrap();
        let untrusted = refused(&directory);
        assert_eq!((&untrusted.path, untrusted.fault), (&segment(&directory, number), Fault::Linked { names: 2 }));
        let mend = untrusted.to_string().split_once("mend: ").unwrap().1.to_owned();
        assert!(Command::new("sh").args(["-c", &mend]).status().unwrap().success(), "{mend}");
        Journal::open(Options::new(directory)).unwrap();
    }
}

#[test]
fn a_symlink_is_refused_in_the_place_of_each() {
    for which in 0..3 {
        let (home, directory) = log();
        let path = each(&directory)[which].clone();
        let elsewhere = home.path().join("elsewhere");
        fs::rename(&path, &elsewhere).unwrap();
        symlink(&elsewhere, &path).unwrap();
        let untrusted = refused(&directory);
        assert_eq!((&untrusted.path, untrusted.fault), (&path, Fault::Symlink));
        assert!(untrusted.to_string().ends_with("mend: put what it leads to in its place"), "{untrusted}");
    }
}

#[test]
fn a_pipe_or_a_directory_is_no_segment_and_a_file_is_no_directory() {
    let (_home, directory) = log();
    fs::remove_file(segment(&directory, 2)).unwrap();
    fs::create_dir(segment(&directory, 2)).unwrap();
    assert_eq!(refused(&directory).fault, Fault::NotAFile);
    fs::remove_dir(segment(&directory, 2)).unwrap();
    let mode = rustix::fs::Mode::RUSR;
    rustix::fs::mkfifoat(rustix::fs::CWD, segment(&directory, 2), mode).unwrap();
    assert_eq!(refused(&directory).fault, Fault::NotAFile);
    fs::remove_dir_all(&directory).unwrap();
    fs::write(&directory, "").unwrap();
    assert_eq!(refused(&directory).fault, Fault::NotADirectory);
}

#[test]
fn readers_take_a_log_that_others_own_share_or_link() {
    let (home, directory) = log();
    fs::hard_link(segment(&directory, 1), home.path().join("second")).unwrap();
    fs::set_permissions(segment(&directory, 2), fs::Permissions::from_mode(0o666)).unwrap();
    assert_eq!(crate::verify(&directory).unwrap().records, 5);
}

#[test]
fn a_mend_can_be_pasted_whatever_the_path() {
    for (path, shell) in [("/srv/a-b_c", "/srv/a-b_c"), ("/srv/a b", "'/srv/a b'"), ("it's", r"'it'\''s'")] {
        assert_eq!(quoted(Path::new(path)), shell);
    }
}
