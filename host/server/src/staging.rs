//! Puts plugins in place and takes them away, each by one rename, so that whoever looks sees the old one whole or the new one whole. What
//! is not in place lies in `staging/`, which nobody serves from; what an interrupted run left there is cleared by the next.

use std::{
    fs::{self, File, TryLockError},
    io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use rustix::{
    fs::{CWD, RenameFlags, renameat_with},
    io::Errno,
};
use wardkeep_model::PluginName;

use crate::{
    bundle::Bundle,
    home::{Home, Unsafe, WriteError, check_directory, create_directory, sync_directory},
    screen::{Told as _, chain, note},
};

/// A plugin that is being put together, or that another has taken the place of.
const NEW: &str = "new.";
/// A plugin that was moved out for another to come in: without an exchange there is a moment in which neither is in place.
const OLD: &str = "old.";
/// A plugin that was removed.
const GONE: &str = "gone.";

/// Nothing was changed in `plugins/`.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StagingError {
    #[error("another `wardkeep install` or `remove` is at work in this home\n  mend: wait until it has ended")]
    Busy,
    #[error("the home belongs to uid {owner}, and what you put there would be yours\n  mend: run this as that user")]
    NotYours { owner: u32 },
    #[error(transparent)]
    Unsafe(#[from] Unsafe),
    #[error(transparent)]
    Write(#[from] WriteError),
    #[error("`{}` cannot be moved to `{}`: {error}", .from.told(), .to.told())]
    Rename { from: PathBuf, to: PathBuf, error: io::Error },
    #[error("`{}` cannot be locked: {error}", .path.told())]
    Lock { path: PathBuf, error: io::Error },
}

/// The right to change `plugins/`, held by one process at a time.
#[derive(Debug)]
pub(crate) struct Staging {
    directory: PathBuf,
    plugins: PathBuf,
    _lock: File,
}

impl Staging {
    /// Takes the lock, and clears what an interrupted run has left.
    pub(crate) fn open(home: &Home) -> Result<Self, StagingError> {
        let (directory, plugins) = (home.staging(), home.plugins());
        let failed = |error| StagingError::Lock { path: directory.clone(), error };
        let owner = fs::metadata(home.path()).map_err(failed)?.uid();
        if owner != rustix::process::geteuid().as_raw() {
            return Err(StagingError::NotYours { owner });
        }
        for directory in [&directory, &plugins] {
            create_directory(directory)?;
            check_directory(directory)?;
        }
        let lock = File::open(&directory).map_err(failed)?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => StagingError::Busy,
            TryLockError::Error(error) => failed(error),
        })?;
        let staging = Self { directory, plugins, _lock: lock };
        staging.clear()?;
        Ok(staging)
    }

    /// Puts a plugin in place; gives whether another was there.
    pub(crate) fn put(&self, name: &PluginName, bundle: &Bundle) -> Result<bool, StagingError> {
        let (aside, place) = (self.aside(NEW, name), self.plugins.join(name.as_str()));
        bundle.write(&aside)?;
        sync_directory(&self.directory)?;
        let replaced = place.symlink_metadata().is_ok();
        if replaced {
            self.exchange(name, &aside, &place)?
        } else {
            rename(&aside, &place, RenameFlags::NOREPLACE)?
        }
        self.settle()?;
        Ok(replaced)
    }

    /// Takes a plugin away. It is out of place by one rename, whatever deleting it comes to.
    pub(crate) fn remove(&self, name: &PluginName) -> Result<(), StagingError> {
        rename(&self.plugins.join(name.as_str()), &self.aside(GONE, name), RenameFlags::empty())?;
        self.settle()
    }

    fn exchange(&self, name: &PluginName, aside: &Path, place: &Path) -> Result<(), StagingError> {
        match renameat_with(CWD, aside, CWD, place, RenameFlags::EXCHANGE) {
            Ok(()) => Ok(()),
            // Not every file system can. Between these two renames the plugin is not in place: a host that reloads in this moment
            // takes it out of service, and puts it back with the next reload. After a crash here `clear` puts the old one back.
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
                let old = self.aside(OLD, name);
                rename(place, &old, RenameFlags::empty())?;
                rename(aside, place, RenameFlags::empty()).inspect_err(|_| _ = fs::rename(&old, place))
            }
            Err(error) => Err(StagingError::Rename { from: aside.into(), to: place.into(), error: error.into() }),
        }
    }

    /// Makes the renames last, then deletes what is out of place.
    fn settle(&self) -> Result<(), StagingError> {
        sync_directory(&self.plugins)?;
        sync_directory(&self.directory)?;
        self.clear()
    }

    /// A plugin that was moved out and has no successor goes back; everything else that lies here is deleted.
    fn clear(&self) -> Result<(), StagingError> {
        let entries = fs::read_dir(&self.directory).map_err(|error| self.unreadable(error))?;
        for entry in entries {
            let path = entry.map_err(|error| self.unreadable(error))?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if let Some(name) = name.strip_prefix(OLD) {
                let place = self.plugins.join(name);
                if place.symlink_metadata().is_err() {
                    rename(&path, &place, RenameFlags::NOREPLACE)?;
                    sync_directory(&self.plugins)?;
                    note(format!("`{name}` was left half replaced; the old one is back in place"));
                    continue;
                }
            }
            // A plugin's directory may have been a symlink; what that leads to is not ours to delete.
            let is_directory = path.symlink_metadata().is_ok_and(|metadata| metadata.is_dir());
            let deleted = if is_directory { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            if let Err(error) = deleted {
                note(format!("`{}` is left over and cannot be deleted: {}", path.told(), chain(&error)));
            }
        }
        Ok(())
    }

    fn aside(&self, kind: &str, name: &PluginName) -> PathBuf {
        self.directory.join(format!("{kind}{name}"))
    }

    fn unreadable(&self, error: io::Error) -> StagingError {
        WriteError::Failed { path: self.directory.clone(), error }.into()
    }
}

fn rename(from: &Path, to: &Path, flags: RenameFlags) -> Result<(), StagingError> {
    let renamed = match renameat_with(CWD, from, CWD, to, flags) {
        // Without a flag every file system can; who holds the lock has looked whether something is there.
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => fs::rename(from, to),
        other => other.map_err(Into::into),
    };
    renamed.map_err(|error| StagingError::Rename { from: from.into(), to: to.into(), error })
}

#[cfg(test)]
mod tests;
