//! Reads a file of a home: once, whole, below a cap, and only where nobody else could have written it.

use std::{
    fs::File,
    io::{self, Read},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use rustix::fs::{Mode, OFlags};

use super::{Unsafe, check_file};

/// A file that was not read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    #[error("`{}` does not exist", .0.display())]
    Absent(PathBuf),
    #[error(transparent)]
    Unsafe(#[from] Unsafe),
    #[error("`{}` has more than {cap} bytes", .path.display())]
    TooLarge { path: PathBuf, cap: u64 },
    #[error("`{}` was replaced while it was read", .0.display())]
    Replaced(PathBuf),
    #[error("`{}` cannot be read: {error}", .path.display())]
    Unreadable { path: PathBuf, error: io::Error },
}

/// The bytes of a file whose path nobody else can change.
pub(crate) fn read_file(path: &Path, cap: u64) -> Result<Vec<u8>, ReadError> {
    if path.symlink_metadata().is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
        return Err(ReadError::Absent(path.to_path_buf()));
    }
    let real = check_file(path)?;
    let unreadable = |error: io::Error| ReadError::Unreadable { path: real.clone(), error };
    // Without O_NONBLOCK a FIFO put there meanwhile would hold us for ever.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = File::from(rustix::fs::open(&real, flags, Mode::empty()).map_err(|error| unreadable(error.into()))?);
    let (opened, seen) = (file.metadata().map_err(unreadable)?, real.symlink_metadata().map_err(unreadable)?);
    if !opened.is_file() || (opened.dev(), opened.ino()) != (seen.dev(), seen.ino()) {
        return Err(ReadError::Replaced(real));
    }
    let mut bytes = Vec::new();
    file.take(cap.saturating_add(1)).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > cap {
        return Err(ReadError::TooLarge { path: real, cap });
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use super::*;

    #[test]
    fn a_file_at_the_cap_is_read_and_one_beyond_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("f");
        fs::write(&path, [7; 10]).unwrap();
        assert_eq!(read_file(&path, 10).unwrap(), [7; 10]);
        assert!(matches!(read_file(&path, 9), Err(ReadError::TooLarge { cap: 9, .. })));
    }

    #[test]
    fn a_file_that_others_may_write_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("f");
        fs::write(&path, "x").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o664)).unwrap();
        assert!(matches!(read_file(&path, 9), Err(ReadError::Unsafe(Unsafe::Writable { mode: 0o664, .. }))));
    }

    #[test]
    fn a_fifo_and_a_missing_file_are_refused_without_waiting() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("fifo");
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, Mode::RUSR, 0).unwrap();
        assert!(matches!(read_file(&path, 9), Err(ReadError::Unsafe(Unsafe::NotAFile(_)))));
        assert!(matches!(read_file(&directory.path().join("no"), 9), Err(ReadError::Absent(_))));
    }
}
