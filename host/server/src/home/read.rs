//! Reads a file of a home: once, whole, below a cap, and only where nobody else could have written it.

use std::{
    fs::File,
    io::{self, Read},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use rustix::fs::{Mode, OFlags};

use super::{Unsafe, check_file, ownership::mend};
use crate::screen::Told as _;

/// A file that was not read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    #[error("`{}` does not exist\n  mend: put it there, or remove what needs it", .0.told())]
    Absent(PathBuf),
    #[error(transparent)]
    Unsafe(#[from] Unsafe),
    #[error("`{}` has more than {cap} bytes\n  mend: put a file in its place that has at most as many", .path.told())]
    TooLarge { path: PathBuf, cap: u64 },
    #[error("`{}` was replaced while it was read\n  mend: try again", .0.told())]
    Replaced(PathBuf),
    #[error("`{}` is not a regular file\n  mend: put a regular file in its place", .0.told())]
    NotAFile(PathBuf),
    #[error("`{}` is a symlink\n  mend: put what it leads to in its place", .0.told())]
    Symlink(PathBuf),
    #[error("`{}` cannot be read: {error}\n  mend: {}", .path.told(), mend(.path, .error))]
    Unreadable { path: PathBuf, error: io::Error },
}

/// The bytes of a file whose path nobody else can change.
pub(crate) fn read_file(path: &Path, cap: u64) -> Result<Vec<u8>, ReadError> {
    let (file, real) = open_checked(path)?;
    whole(&file, &real, cap)
}

/// A regular file whose path nobody else can change, opened; and that path with symlinks resolved.
pub(crate) fn open_checked(path: &Path) -> Result<(File, PathBuf), ReadError> {
    if path.symlink_metadata().is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
        return Err(ReadError::Absent(path.to_path_buf()));
    }
    let real = check_file(path)?;
    let unreadable = |error: io::Error| ReadError::Unreadable { path: real.clone(), error };
    let file = open(&real, OFlags::NOFOLLOW)?;
    let (opened, seen) = (file.metadata().map_err(unreadable)?, real.symlink_metadata().map_err(unreadable)?);
    if (opened.dev(), opened.ino()) != (seen.dev(), seen.ino()) {
        return Err(ReadError::Replaced(real));
    }
    Ok((file, real))
}

/// The bytes of a regular file, whoever may write to it: what is not in a home yet, and what a signature alone decides on.
pub(crate) fn read_anywhere(path: &Path, cap: u64) -> Result<Vec<u8>, ReadError> {
    whole(&open(path, OFlags::empty())?, path, cap)
}

fn open(path: &Path, more: OFlags) -> Result<File, ReadError> {
    // Without O_NONBLOCK a FIFO would hold us for ever; a device may act on being opened or read.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY | more;
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => ReadError::Absent(path.to_path_buf()),
        _ => ReadError::Unreadable { path: path.to_path_buf(), error },
    };
    let file = File::from(rustix::fs::open(path, flags, Mode::empty()).map_err(|error| failed(error.into()))?);
    if file.metadata().map_err(failed)?.is_file() { Ok(file) } else { Err(ReadError::NotAFile(path.to_path_buf())) }
}

pub(super) fn whole(file: &File, path: &Path, cap: u64) -> Result<Vec<u8>, ReadError> {
    let mut bytes = Vec::new();
    let unreadable = |error| ReadError::Unreadable { path: path.to_path_buf(), error };
    file.take(cap.saturating_add(1)).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > cap { Err(ReadError::TooLarge { path: path.to_path_buf(), cap }) } else { Ok(bytes) }
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
        assert!(matches!(read_anywhere(&path, 9), Err(ReadError::NotAFile(_))));
        assert!(matches!(read_file(&directory.path().join("no"), 9), Err(ReadError::Absent(_))));
    }

    #[test]
    fn a_symlink_to_a_device_or_to_nothing_is_told_as_such() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("f");
        std::os::unix::fs::symlink("/dev/zero", &path).unwrap();
        let error = read_file(&path, 9).unwrap_err().to_string();
        assert_eq!(error, "`/dev/zero` is not a regular file\n  mend: put a regular file in its place");
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("nothing", &path).unwrap();
        let error = read_file(&path, 9).unwrap_err().to_string();
        assert!(error.contains("which does not exist\n  mend: put it there, or remove the symlink"), "{error}");
    }
}
