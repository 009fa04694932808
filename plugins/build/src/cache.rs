//! The user's cache folder, and locks in it: two builds at once wait for each other.

use std::{
    env,
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use crate::command::say;

/// `$XDG_CACHE_HOME/wardkeep` or `~/.cache/wardkeep`.
pub(crate) fn folder() -> Result<PathBuf> {
    let absolute = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = absolute("XDG_CACHE_HOME").or_else(|| Some(env::home_dir()?.join(".cache")));
    Ok(base.context("no home directory and no XDG_CACHE_HOME to keep a compiler in")?.join("wardkeep"))
}

/// Waits for the lock of that file, which ends with the process or when the answer is dropped.
pub(crate) fn lock(path: &Path, what: &str) -> Result<File> {
    let file = File::create(path).with_context(|| format!("cannot make the lock {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => return Ok(file),
        Err(TryLockError::WouldBlock) => say(&format!("waiting for another build that {what}")),
        Err(TryLockError::Error(error)) => return Err(error).context("cannot lock"),
    }
    file.lock().with_context(|| format!("cannot lock {}", path.display()))?;
    Ok(file)
}

/// Makes a folder and those above it.
pub(crate) fn make(path: &Path) -> Result<()> {
    fs::create_dir_all(path).with_context(|| format!("cannot make {}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::{sync::mpsc, thread, time::Duration};

    use super::lock;

    #[test]
    fn the_second_of_two_builds_waits_for_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".lock");
        let first = lock(&path, "tests").unwrap();
        let (told, heard) = mpsc::channel();
        let second = thread::spawn(move || {
            let _second = lock(&path, "tests").unwrap();
            told.send(()).unwrap();
        });
        assert!(heard.recv_timeout(Duration::from_millis(50)).is_err(), "the lock is held");
        drop(first);
        assert!(heard.recv_timeout(Duration::from_secs(30)).is_ok());
        second.join().unwrap();
    }
}
