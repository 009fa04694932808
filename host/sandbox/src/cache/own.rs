//! Files and directories that only this host's user can have written: opened once, and judged through the descriptor.

use std::{
    fs::{DirBuilder, File},
    io,
    os::{
        fd::{BorrowedFd, OwnedFd},
        unix::fs::{DirBuilderExt as _, MetadataExt as _},
    },
    path::Path,
};

use rustix::{
    fs::{Mode, OFlags},
    io::Errno,
};

const READ: OFlags =
    OFlags::RDONLY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC).union(OFlags::NONBLOCK).union(OFlags::NOCTTY);

/// What others could have had a hand in.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotOwn {
    #[error("it is a symlink")]
    Symlink,
    #[error("it is not a regular file")]
    NotAFile,
    #[error("it belongs to the user {0}")]
    Owner(u32),
    #[error("its mode is {0:04o}, not 0600")]
    Mode(u32),
    #[error("others may write there: its mode is {0:04o}")]
    Writable(u32),
    #[error("it has {0} names")]
    Names(u64),
    #[error("it cannot be opened: {0}")]
    Unreadable(#[from] io::Error),
}

/// A regular file of this user's own, mode 0600, with one name.
pub(super) fn open(directory: BorrowedFd<'_>, name: &str) -> Result<File, NotOwn> {
    // NONBLOCK: a FIFO would hold us for ever.
    let file = rustix::fs::openat(directory, name, READ, Mode::empty()).map_err(refused)?;
    let file = File::from(file);
    let seen = file.metadata()?;
    if !seen.is_file() {
        return Err(NotOwn::NotAFile);
    }
    own(seen.uid())?;
    let mode = seen.mode() & 0o7777;
    if mode != 0o600 {
        return Err(NotOwn::Mode(mode));
    }
    if seen.nlink() != 1 {
        return Err(NotOwn::Names(seen.nlink()));
    }
    Ok(file)
}

/// A directory of this user's own where nobody else may write; made where it is missing and `make` says so.
pub(super) fn directory(path: &Path, make: bool) -> Result<OwnedFd, NotOwn> {
    if make {
        match DirBuilder::new().mode(0o700).create(path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error.into()),
            _ => {}
        }
    }
    let directory = rustix::fs::open(path, READ | OFlags::DIRECTORY, Mode::empty()).map_err(refused)?;
    let seen = rustix::fs::fstat(&directory).map_err(io::Error::from)?;
    own(seen.st_uid)?;
    let mode = Mode::from_raw_mode(seen.st_mode).bits();
    if mode & 0o022 != 0 {
        return Err(NotOwn::Writable(mode));
    }
    Ok(directory)
}

fn own(owner: u32) -> Result<(), NotOwn> {
    if owner == rustix::process::geteuid().as_raw() { Ok(()) } else { Err(NotOwn::Owner(owner)) }
}

fn refused(error: Errno) -> NotOwn {
    if error == Errno::LOOP { NotOwn::Symlink } else { NotOwn::Unreadable(error.into()) }
}
