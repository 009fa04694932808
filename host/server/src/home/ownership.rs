//! Who may write to a path, judged as sshd judges `authorized_keys`: the path and every directory above it belong to root or to
//! the effective user, nobody else may write there, and no symlink of somebody else is crossed. What holds here cannot be
//! swapped by another user between this check and a later read.

use std::{
    collections::VecDeque,
    ffi::OsString,
    fs::{self, Metadata},
    io,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Component, Path, PathBuf},
};

use super::user::describe;
use crate::screen::Told as _;

/// As many as the kernel follows (`path_resolution(7)`).
const MOST_SYMLINKS: usize = 40;
const STICKY: u32 = 0o1000;
const OTHERS_WRITE: u32 = 0o022;

/// A path that others could change.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unsafe {
    #[error(
        "`{}` belongs to {}: only root or the user who runs the host may own it\n  mend: chown {} {}",
        .path.told(), describe(*.owner), .user, quoted(.path)
    )]
    Owner { path: PathBuf, owner: u32, user: String },
    #[error(
        "others may write to `{}` (owner {}, mode {:04o})\n  mend: chmod go-w {}",
        .path.told(), describe(*.owner), .mode, quoted(.path)
    )]
    Writable { path: PathBuf, owner: u32, mode: u32 },
    #[error(
        "`{}` is a symlink that belongs to {}, and may lead anywhere tomorrow\n  mend: chown -h {} {}",
        .path.told(), describe(*.owner), .user, quoted(.path)
    )]
    Symlink { path: PathBuf, owner: u32, user: String },
    #[error("`{}` is not a directory\n  mend: move it away and make a directory of that name", .0.told())]
    NotADirectory(PathBuf),
    #[error("`{}` is not a regular file\n  mend: put a regular file in its place", .0.told())]
    NotAFile(PathBuf),
    #[error("`{}` crosses more than {MOST_SYMLINKS} symlinks\n  mend: remove the circle that they make", .0.told())]
    Loop(PathBuf),
    #[error(
        "`{}` leads to `{}`, which does not exist\n  mend: put it there, or remove the symlink that leads to it",
        .path.told(), .target.told()
    )]
    Dangling { path: PathBuf, target: PathBuf },
    #[error("`{}` cannot be examined: {error}\n  mend: {}", .path.told(), mend(.path, .error))]
    Unreadable { path: PathBuf, error: io::Error },
}

/// Checks a directory and all above it; gives its path with symlinks resolved.
pub(crate) fn check_directory(path: &Path) -> Result<PathBuf, Unsafe> {
    let effective = rustix::process::geteuid().as_raw();
    let (real, metadata) = walk(path, effective, Some(End::Directory))?;
    // A sticky directory may be a parent. Here it is the end of the path, where others could add files of their own.
    if metadata.mode() & OTHERS_WRITE != 0 {
        return Err(Unsafe::Writable { path: real, owner: metadata.uid(), mode: permissions(&metadata) });
    }
    Ok(real)
}

/// Checks a directory as the parent of a home that is still to be made: a sticky one will do.
pub(crate) fn check_parent(path: &Path) -> Result<PathBuf, Unsafe> {
    // As if one more part followed, which is looked at once it is there.
    let (real, metadata) = walk(path, rustix::process::geteuid().as_raw(), None)?;
    if metadata.is_dir() { Ok(real) } else { Err(Unsafe::NotADirectory(real)) }
}

/// Checks a regular file and all above it; gives its path with symlinks resolved.
pub(crate) fn check_file(path: &Path) -> Result<PathBuf, Unsafe> {
    let effective = rustix::process::geteuid().as_raw();
    walk(path, effective, Some(End::File)).map(|(real, _)| real)
}

/// What lies at the end of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Directory,
    File,
}

/// Walks the path from the top. Every part is looked at without being followed; symlinks are unfolded by hand. Without an
/// `end` more is to follow, so that the last part is a parent too.
fn walk(path: &Path, effective: u32, end: Option<End>) -> Result<(PathBuf, Metadata), Unsafe> {
    let absolute = std::path::absolute(path).map_err(|error| Unsafe::Unreadable { path: path.to_path_buf(), error })?;
    let mut left: VecDeque<OsString> = parts(&absolute);
    let mut real = PathBuf::from("/");
    judge(&real, &look(&real)?, effective, end.filter(|_| left.is_empty()))?;
    let mut symlinks = 0;
    while let Some(part) = left.pop_front() {
        if part == ".." {
            real.pop();
            continue;
        }
        let next = real.join(&part);
        let found = look(&next).map_err(|error| match error {
            Unsafe::Unreadable { path: target, error } if symlinks > 0 && error.kind() == io::ErrorKind::NotFound => {
                Unsafe::Dangling { path: path.to_path_buf(), target }
            }
            error => error,
        })?;
        if found.is_symlink() {
            symlinks += 1;
            if symlinks > MOST_SYMLINKS {
                return Err(Unsafe::Loop(path.to_path_buf()));
            }
            if !trusted(found.uid(), effective) {
                return Err(Unsafe::Symlink { path: next, owner: found.uid(), user: name(effective) });
            }
            let target = fs::read_link(&next).map_err(|error| Unsafe::Unreadable { path: next, error })?;
            if target.is_absolute() {
                real = PathBuf::from("/");
            }
            parts(&target).into_iter().rev().for_each(|part| left.push_front(part));
            continue;
        }
        judge(&next, &found, effective, end.filter(|_| left.is_empty()))?;
        real = next;
    }
    let metadata = look(&real)?;
    Ok((real, metadata))
}

fn judge(path: &Path, metadata: &Metadata, effective: u32, end: Option<End>) -> Result<(), Unsafe> {
    // Before its permissions: nobody should be told to change those of a device.
    match end {
        Some(End::Directory) if !metadata.is_dir() => return Err(Unsafe::NotADirectory(path.to_path_buf())),
        Some(End::File) if !metadata.is_file() => return Err(Unsafe::NotAFile(path.to_path_buf())),
        _ => {}
    }
    let (owner, mode) = (metadata.uid(), permissions(metadata));
    if !trusted(owner, effective) {
        return Err(Unsafe::Owner { path: path.to_path_buf(), owner, user: name(effective) });
    }
    // In a sticky directory of root's nobody can rename or remove what belongs to another.
    let sticky_parent = end.is_none() && metadata.is_dir() && owner == 0 && mode & STICKY != 0;
    if mode & OTHERS_WRITE != 0 && !sticky_parent {
        return Err(Unsafe::Writable { path: path.to_path_buf(), owner, mode });
    }
    Ok(())
}

fn trusted(owner: u32, effective: u32) -> bool {
    owner == 0 || owner == effective
}

fn look(path: &Path) -> Result<Metadata, Unsafe> {
    fs::symlink_metadata(path).map_err(|error| Unsafe::Unreadable { path: path.to_path_buf(), error })
}

fn permissions(metadata: &Metadata) -> u32 {
    metadata.permissions().mode() & 0o7777
}

fn parts(path: &Path) -> VecDeque<OsString> {
    path.components()
        .filter_map(|part| match part {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some("..".into()),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
        })
        .collect()
}

fn name(uid: u32) -> String {
    super::user::user_name(uid).unwrap_or_else(|| uid.to_string())
}

/// What helps against an error of the file system.
pub(super) fn mend(path: &Path, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "put it there, or correct the path that leads to it".to_owned(),
        io::ErrorKind::PermissionDenied => {
            let user = name(rustix::process::geteuid().as_raw());
            format!("let {user} read it and pass through the directories above it: ls -ld {}", quoted(path))
        }
        io::ErrorKind::NotADirectory => "a directory above it is none: move that away".to_owned(),
        io::ErrorKind::IsADirectory => "move the directory away and put a regular file in its place".to_owned(),
        _ => format!("see what is wrong with it: ls -ld {}", quoted(path)),
    }
}

/// The path as a shell takes it, so that a mend can be pasted.
fn quoted(path: &Path) -> String {
    crate::screen::shell_quoted(&path.display().to_string())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{chown, lchown, symlink};

    use super::*;

    fn home() -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let home = directory.path().join("a/home");
        fs::create_dir_all(&home).unwrap();
        (directory, home)
    }

    fn mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn am_root() -> bool {
        rustix::process::geteuid().is_root()
    }

    #[test]
    fn a_home_of_ones_own_under_the_sticky_temporary_directory_is_accepted() {
        let (_keep, home) = home();
        assert_eq!(check_directory(&home).unwrap(), home.canonicalize().unwrap());
    }

    #[test]
    fn a_home_or_parent_that_others_may_write_is_refused_with_the_chmod_that_mends_it() {
        let (_keep, home) = home();
        let parent = home.parent().unwrap().to_path_buf();
        for (path, bits) in [(&home, 0o770), (&home, 0o702), (&parent, 0o775), (&parent, 0o777)] {
            mode(path, bits);
            let error = check_directory(&home).unwrap_err();
            assert!(
                matches!(&error, Unsafe::Writable { path: at, mode, .. } if at == path && *mode == bits),
                "{error}"
            );
            assert!(error.to_string().ends_with(&format!("mend: chmod go-w {}", path.display())), "{error}");
            assert!(error.to_string().contains(&format!("mode {bits:04o}")), "{error}");
            mode(path, 0o700);
        }
    }

    #[test]
    fn a_sticky_directory_may_be_a_parent_and_never_the_home() {
        if !am_root() {
            return;
        }
        let (_keep, home) = home();
        mode(home.parent().unwrap(), 0o1777);
        check_directory(&home).unwrap();
        mode(&home, 0o1777);
        assert!(matches!(check_directory(&home), Err(Unsafe::Writable { path, .. }) if path == home));
    }

    #[test]
    fn a_parent_of_another_user_is_refused_with_the_chown_that_mends_it() {
        if !am_root() {
            return;
        }
        let (_keep, home) = home();
        let parent = home.parent().unwrap();
        chown(parent, Some(12_345), None).unwrap();
        let error = check_directory(&home).unwrap_err();
        assert!(matches!(&error, Unsafe::Owner { path, owner: 12_345, .. } if path == parent), "{error}");
        assert!(error.to_string().ends_with(&format!("mend: chown root {}", parent.display())), "{error}");
    }

    #[test]
    fn a_symlink_of_ones_own_is_followed_and_one_of_another_is_refused() {
        let (keep, home) = home();
        let link = keep.path().join("link");
        symlink("a/../a/home", &link).unwrap();
        assert_eq!(check_directory(&link).unwrap(), home.canonicalize().unwrap());
        if am_root() {
            lchown(&link, Some(12_345), None).unwrap();
            let error = check_directory(&link).unwrap_err();
            assert!(matches!(&error, Unsafe::Symlink { path, owner: 12_345, .. } if *path == link), "{error}");
        }
    }

    #[test]
    fn what_a_symlink_leads_to_is_checked_too() {
        let (keep, home) = home();
        let link = keep.path().join("link");
        symlink(&home, &link).unwrap();
        mode(home.parent().unwrap(), 0o777);
        assert!(matches!(check_directory(&link), Err(Unsafe::Writable { path, .. }) if path == home.parent().unwrap()));
    }

    #[test]
    fn a_circle_of_symlinks_ends() {
        let (keep, _home) = home();
        symlink("two", keep.path().join("one")).unwrap();
        symlink("one", keep.path().join("two")).unwrap();
        assert!(matches!(check_directory(&keep.path().join("one")), Err(Unsafe::Loop(_))));
    }

    #[test]
    fn a_file_and_a_directory_are_told_apart() {
        let (_keep, home) = home();
        fs::write(home.join("f"), "").unwrap();
        assert!(matches!(check_directory(&home.join("f")), Err(Unsafe::NotADirectory(_))));
        assert!(matches!(check_file(&home), Err(Unsafe::NotAFile(_))));
    }
}
