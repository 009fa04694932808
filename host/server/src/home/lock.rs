//! One process owns a home: it holds the lock for as long as it lives. The kernel gives the lock back when the process ends,
//! however it ends, so that no stale lock file can keep a home closed.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, Read, Seek, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// The lock's file in a home.
const LOCK: &str = "lock";

/// No lock.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LockError {
    #[error("`{}` is owned by another `wardkeep`{}", .home.display(), .process.map(|id| format!(" (process {id})")).unwrap_or_default())]
    Taken { home: PathBuf, process: Option<u32> },
    #[error("`{}` cannot be locked: {error}", .path.display())]
    Failed { path: PathBuf, error: io::Error },
}

/// Proof that this process owns the home. Dropped, the home is free.
#[derive(Debug)]
pub(crate) struct Owner {
    _lock: File,
}

impl Owner {
    /// Takes the lock, or says at once who has it.
    pub(crate) fn of(home: &Path) -> Result<Self, LockError> {
        let path = home.join(LOCK);
        let failed = |error| LockError::Failed { path: path.clone(), error };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed())
            .open(&path)
            .map_err(failed)?;
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
}
