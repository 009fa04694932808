//! Writes into a home so that a crash leaves the old file or the new one, never half of either.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use crate::screen::Told as _;

/// A file or directory that was not written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WriteError {
    #[error("`{}` exists already and is left as it is", .0.told())]
    Exists(PathBuf),
    #[error("`{}` cannot be written: {error}", .path.told())]
    Failed { path: PathBuf, error: io::Error },
}

/// Creates a directory for its owner alone, and those above it that are missing.
pub(crate) fn create_directory(path: &Path) -> Result<(), WriteError> {
    let failed = |error| WriteError::Failed { path: path.to_path_buf(), error };
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed)
}

/// Writes a new file; an existing one is left alone.
pub(crate) fn write_new(path: &Path, bytes: &[u8], mode: u32) -> Result<(), WriteError> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::AlreadyExists => WriteError::Exists(path.to_path_buf()),
        _ => WriteError::Failed { path: path.to_path_buf(), error },
    };
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path).map_err(failed)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).and_then(|()| sync_parent(path)).map_err(failed)
}

/// Replaces a file whole: written aside, synced, renamed over the old one, and the rename synced too.
pub(crate) fn write_durable(path: &Path, bytes: &[u8], mode: u32) -> Result<(), WriteError> {
    let failed = |error| WriteError::Failed { path: path.to_path_buf(), error };
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let aside = path.with_file_name(format!(".{name}.{}.new", std::process::id()));
    let written = (|| {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&aside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&aside, path)?;
        sync_parent(path)
    })();
    written.map_err(|error| {
        // The error above is the one worth telling.
        let _ = fs::remove_file(&aside);
        failed(error)
    })
}

/// Makes the names in a directory last.
pub(crate) fn sync_directory(path: &Path) -> Result<(), WriteError> {
    let synced = File::open(path).and_then(|directory| directory.sync_all());
    synced.map_err(|error| WriteError::Failed { path: path.to_path_buf(), error })
}

fn sync_parent(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |parent| File::open(parent)?.sync_all())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_for_its_owner_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("serials.json");
        write_durable(&path, b"one", 0o600).unwrap();
        write_durable(&path, b"two", 0o600).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_new_file_never_overwrites_one() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("f");
        write_new(&path, b"one", 0o600).unwrap();
        assert!(matches!(write_new(&path, b"two", 0o600), Err(WriteError::Exists(_))));
        assert_eq!(fs::read(&path).unwrap(), b"one");
    }
}
