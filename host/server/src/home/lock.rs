//! One process owns a home: it holds the lock for as long as it lives. The kernel gives the lock back when the process ends,
//! however it ends, so that no stale lock file can keep a home closed.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, Read, Seek, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use super::ownership::mend;
use crate::screen::Told as _;

/// The lock's file in a home.
const LOCK: &str = "lock";

/// No lock.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LockError {
    #[error("`{}` is owned by another `wardkeep`{}", .home.told(), number(*.process))]
    Taken { home: PathBuf, process: Option<u32> },
    #[error("`{}` is not a regular file\n  mend: move it away; the next start makes it anew", .0.told())]
    NotAFile(PathBuf),
    #[error("`{}` cannot be locked: {error}\n  mend: {}", .path.told(), mend(.path, .error))]
    Failed { path: PathBuf, error: io::Error },
}

fn number(id: Option<u32>) -> String {
    id.map(|id| format!(" (process {id})")).unwrap_or_default()
}

/// Proof that this process owns the home. Dropped, the home is free.
#[derive(Debug)]
pub(crate) struct Owner {
    _lock: File,
}

impl Owner {
    /// The lock's file, if something else lies in its place.
    pub(crate) fn hindered(home: &Path) -> Result<(), LockError> {
        let path = home.join(LOCK);
        match path.symlink_metadata() {
            Ok(metadata) if !metadata.is_file() => Err(LockError::NotAFile(path)),
            _ => Ok(()),
        }
    }

    /// Takes the lock, or says at once who has it.
    pub(crate) fn of(home: &Path) -> Result<Self, LockError> {
        let path = home.join(LOCK);
        let failed = |error| LockError::Failed { path: path.clone(), error };
        Self::hindered(home)?;
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(rustix::fs::OFlags::NOFOLLOW.union(rustix::fs::OFlags::NONBLOCK).bits().cast_signed())
            .open(&path)
            .map_err(failed)?;
        if !file.metadata().map_err(failed)?.is_file() {
            return Err(LockError::NotAFile(path));
        }
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                let process = file.read_to_string(&mut text).ok().and_then(|_| text.trim().parse().ok());
                return Err(LockError::Taken { home: home.to_path_buf(), process });
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        // The number is for messages only; what counts is the kernel's lock.
        let written = file.set_len(0).and_then(|()| file.rewind());
        written.and_then(|()| writeln!(file, "{}", std::process::id())).map_err(failed)?;
        Ok(Self { _lock: file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_home_has_one_owner_until_it_is_dropped() {
        let home = tempfile::tempdir().unwrap();
        let owner = Owner::of(home.path()).unwrap();
        let error = Owner::of(home.path()).unwrap_err();
        assert!(matches!(error, LockError::Taken { process: Some(id), .. } if id == std::process::id()), "{error}");
        drop(owner);
        Owner::of(home.path()).unwrap();
    }

    #[test]
    fn a_lock_that_is_no_regular_file_is_refused_with_its_mend() {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join(LOCK)).unwrap();
        let error = Owner::of(home.path()).unwrap_err().to_string();
        assert!(
            error.ends_with("lock` is not a regular file\n  mend: move it away; the next start makes it anew"),
            "{error}"
        );
    }
}
