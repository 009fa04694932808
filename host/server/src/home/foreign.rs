//! Reads files of a directory that may belong to anybody: what is verified by its digest or its signatures may come from anywhere. Every
//! file is opened under the one directory, without following a symlink, without waiting for a FIFO, and read once below a cap.

use std::{
    ffi::OsString,
    fs::File,
    io,
    os::{fd::OwnedFd, unix::ffi::OsStringExt as _},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{Dir, Mode, OFlags},
    io::Errno,
};

use super::read::{ReadError, whole};

/// Entries of a directory that are looked at; more are an attempt to keep us busy.
const MOST_ENTRIES: usize = 10_000;

/// A directory, held open.
#[derive(Debug)]
pub(crate) struct Foreign {
    path: PathBuf,
    directory: OwnedFd,
}

impl Foreign {
    /// Opens the directory that somebody named; it may be reached through symlinks, since they named it.
    pub(crate) fn open(path: &Path) -> Result<Self, ReadError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = rustix::fs::open(path, flags, Mode::empty()).map_err(|error| failed(path, error))?;
        Ok(Self { path: path.to_path_buf(), directory })
    }

    /// A directory in it, or nothing where there is none.
    pub(crate) fn inner(&self, name: &str) -> Result<Option<Self>, ReadError> {
        let (path, flags) =
            (self.path.join(name), OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW);
        match rustix::fs::openat(&self.directory, name, flags, Mode::empty()) {
            Ok(directory) => Ok(Some(Self { path, directory })),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(failed(&path, error)),
        }
    }

    /// The whole file of this plain name.
    pub(crate) fn read(&self, name: impl AsRef<Path>, cap: u64) -> Result<Vec<u8>, ReadError> {
        let path = self.path.join(name.as_ref());
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::NOFOLLOW;
        let file = rustix::fs::openat(&self.directory, name.as_ref(), flags, Mode::empty());
        let file = File::from(file.map_err(|error| failed(&path, error))?);
        let metadata = file.metadata().map_err(|error| ReadError::Unreadable { path: path.clone(), error })?;
        if metadata.is_file() { whole(&file, &path, cap) } else { Err(ReadError::NotAFile(path)) }
    }

    /// The names in it, sorted.
    pub(crate) fn names(&self) -> Result<Vec<OsString>, ReadError> {
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.directory).map_err(|error| failed(&self.path, error))? {
            let entry = entry.map_err(|error| failed(&self.path, error))?;
            names.push(OsString::from_vec(entry.file_name().to_bytes().to_vec()));
            if names.len() > MOST_ENTRIES {
                let error = io::Error::other(format!("it has more than {MOST_ENTRIES} entries"));
                return Err(ReadError::Unreadable { path: self.path.clone(), error });
            }
        }
        names.sort();
        Ok(names)
    }

    /// Where it is, for messages.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

fn failed(path: &Path, error: Errno) -> ReadError {
    match error {
        Errno::NOENT => ReadError::Absent(path.to_path_buf()),
        Errno::LOOP => ReadError::Symlink(path.to_path_buf()),
        // A symlink that was to be a directory.
        Errno::NOTDIR if path.is_symlink() => ReadError::Symlink(path.to_path_buf()),
        error => ReadError::Unreadable { path: path.to_path_buf(), error: error.into() },
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    #[test]
    fn a_symlink_a_fifo_and_a_device_are_refused_without_waiting() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        fs::write(path.join("there"), "x").unwrap();
        symlink("there", path.join("link")).unwrap();
        symlink("/dev/zero", path.join("device")).unwrap();
        symlink("/etc", path.join("folder")).unwrap();
        fs::create_dir(path.join("inner")).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, path.join("fifo"), rustix::fs::FileType::Fifo, Mode::RUSR, 0).unwrap();
        let foreign = Foreign::open(path).unwrap();
        assert_eq!(foreign.read("there", 1).unwrap(), b"x");
        assert!(matches!(foreign.read("there", 0), Err(ReadError::TooLarge { cap: 0, .. })));
        for link in ["link", "device"] {
            assert!(matches!(foreign.read(link, 9), Err(ReadError::Symlink(_))), "{link}");
        }
        assert!(matches!(foreign.inner("folder"), Err(ReadError::Symlink(_))));
        assert!(matches!(foreign.read("fifo", 9), Err(ReadError::NotAFile(_))));
        assert!(matches!(foreign.read("inner", 9), Err(ReadError::NotAFile(_))));
        assert!(matches!(foreign.read("no", 9), Err(ReadError::Absent(_))));
        assert!(foreign.inner("no").unwrap().is_none());
    }

    #[test]
    fn another_directory_put_in_its_place_is_not_read() {
        let directory = tempfile::tempdir().unwrap();
        let (one, two) = (directory.path().join("one"), directory.path().join("two"));
        for (path, text) in [(&one, "first"), (&two, "second")] {
            fs::create_dir(path).unwrap();
            fs::write(path.join("f"), text).unwrap();
        }
        let foreign = Foreign::open(&one).unwrap();
        fs::rename(&one, directory.path().join("away")).unwrap();
        fs::rename(&two, &one).unwrap();
        assert_eq!(foreign.read("f", 9).unwrap(), b"first");
    }
}
