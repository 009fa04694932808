//! Commands take turns where each reads a file, changes it and writes it back: whoever comes at the same moment waits, and nobody's change is
//! lost. A file of its own is locked, since the one that is changed is replaced. The lock ends with its process.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    thread::sleep,
    time::{Duration, Instant},
};

use crate::screen::Told as _;

const PAUSE: Duration = Duration::from_millis(10);

/// A lock that was not had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TurnError {
    #[error("`{}` is held by another command\n  mend: try again; if one hangs, end it", .0.told())]
    Held(PathBuf),
    #[error("`{}` cannot be locked: {error}\n  mend: move it away", .path.told())]
    Lock { path: PathBuf, error: io::Error },
}

/// One's turn: it lasts as long as this is held.
#[derive(Debug)]
#[must_use]
pub(crate) struct Turn {
    _locked: File,
}

impl Turn {
    /// Waits for the turn so long at most. The file is made where there is none.
    pub(crate) fn take(path: &Path, patience: Duration) -> Result<Self, TurnError> {
        let failed = |error| TurnError::Lock { path: path.to_owned(), error };
        // Neither a link nor a pipe in its place leads elsewhere or holds the command up.
        let flags = rustix::fs::OFlags::NOFOLLOW.union(rustix::fs::OFlags::NONBLOCK).bits().cast_signed();
        let mut open = OpenOptions::new();
        let open = open.read(true).write(true).create(true).truncate(false).mode(0o600).custom_flags(flags);
        let file = open.open(path).map_err(failed)?;
        let until = Instant::now() + patience;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self { _locked: file }),
                Err(TryLockError::WouldBlock) if Instant::now() < until => sleep(PAUSE),
                Err(TryLockError::WouldBlock) => return Err(TurnError::Held(path.to_owned())),
                Err(TryLockError::Error(error)) => return Err(failed(error)),
            }
        }
    }
}
