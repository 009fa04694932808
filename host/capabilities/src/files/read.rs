//! One file or one directory at a time: list, stat, read, read-text.

use std::{io, time::UNIX_EPOCH};

use cap_std::fs::{Dir, File, Metadata, OpenOptions, OpenOptionsExt as _};

use super::{ANSWER, LISTED, Work, path::GuestPath, path::is_tellable};
use crate::bindings::reader::{Entry, Error, Kind};

impl Work {
    pub(super) fn list(&self, path: &GuestPath) -> Result<Vec<Entry>, Error> {
        let directory = open_directory(&self.root, path.as_str())?;
        let mut entries = Vec::new();
        for found in directory.entries().map_err(|error| told(&error))? {
            self.look()?;
            let found = found.map_err(|error| told(&error))?;
            let Some(name) = found.file_name().to_str().filter(|name| is_tellable(name)).map(str::to_owned) else {
                continue;
            };
            if entries.len() == LISTED {
                return Err(Error::TooLarge);
            }
            // Gone since the directory was read: not there.
            if let Ok(metadata) = found.metadata() {
                entries.push(entry(name, &metadata));
            }
        }
        entries.sort_by(|a, b| a.name.as_bytes().cmp(b.name.as_bytes()));
        Ok(entries)
    }

    pub(super) fn stat(&self, path: &GuestPath, asked: String) -> Result<Entry, Error> {
        let metadata = self.root.metadata(path.as_str()).map_err(|error| told(&error))?;
        Ok(entry(asked, &metadata))
    }

    pub(super) fn read(&self, path: &GuestPath, offset: u32, length: u32) -> Result<Vec<u8>, Error> {
        if length > ANSWER {
            return Err(Error::TooLarge);
        }
        let (file, size) = open_file(&self.root, path.as_str())?;
        let left = size.saturating_sub(offset.into());
        read_at(&file, offset.into(), usize::try_from(left.min(length.into())).unwrap_or(0))
    }

    pub(super) fn read_text(&self, path: &GuestPath, max: u32) -> Result<String, Error> {
        let max = max.min(ANSWER);
        let (file, size) = open_file(&self.root, path.as_str())?;
        if size > max.into() {
            return Err(Error::TooLarge);
        }
        let bytes = read_at(&file, 0, usize::try_from(size).unwrap_or(0))?;
        String::from_utf8(bytes).map_err(|_| Error::NotText)
    }

    /// Work on a tree ends soon after its call has to.
    pub(super) fn look(&self) -> Result<(), Error> {
        if self.token.state().is_some() { Err(Error::Failed) } else { Ok(()) }
    }
}

pub(super) fn open_directory(root: &Dir, path: &str) -> Result<Dir, Error> {
    root.open_dir(path).map_err(|error| told(&error))
}

/// Opens a regular file and tells its size. What it is is asked before it is opened, since opening a device can do something,
/// and again after, since the name may stand for another by then. Without blocking, so that a pipe that slips in between
/// holds nobody up.
pub(super) fn open_file(root: &Dir, path: &str) -> Result<(File, u64), Error> {
    let regular = |metadata: Metadata| if metadata.is_file() { Ok(metadata.len()) } else { Err(Error::NotAFile) };
    regular(root.metadata(path).map_err(|error| told(&error))?)?;
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(NONBLOCK | NOCTTY);
    let file = root.open_with(path, &options).map_err(|error| told(&error))?;
    let size = regular(file.metadata().map_err(|error| told(&error))?)?;
    Ok((file, size))
}

/// At most `length` bytes from `offset`; fewer where the file ends before.
pub(super) fn read_at(file: &File, offset: u64, length: usize) -> Result<Vec<u8>, Error> {
    let mut bytes = vec![0; length];
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match cap_std::fs::FileExt::read_at(file, rest, offset + filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(told(&error)),
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}

pub(super) fn entry(name: String, metadata: &Metadata) -> Entry {
    let modified = metadata.modified().ok().and_then(|time| time.into_std().duration_since(UNIX_EPOCH).ok());
    let (kind, size) = if metadata.is_file() {
        (Kind::File, metadata.len())
    } else if metadata.is_dir() {
        (Kind::Directory, 0)
    } else {
        (Kind::Other, 0)
    };
    Entry { name, kind, size, modified: modified.map(|since| since.as_secs()) }
}

/// What a guest is told of an error of the operating system: never its text, which may name paths of the machine.
pub(super) fn told(error: &io::Error) -> Error {
    use io::ErrorKind as K;
    match error.kind() {
        K::NotFound => Error::NotFound,
        // Without a code of the system it is `cap_std` that refused: the path led out of the root.
        K::PermissionDenied if error.raw_os_error().is_none() => Error::NotFound,
        K::NotADirectory => Error::NotADirectory,
        K::IsADirectory => Error::NotAFile,
        K::AlreadyExists => Error::Exists,
        K::DirectoryNotEmpty => Error::NotEmpty,
        K::InvalidFilename => Error::InvalidPath,
        K::StorageFull | K::QuotaExceeded => Error::Full,
        _ => match error.raw_os_error() {
            // Symbolic links that lead in a circle, or one that may not be followed.
            Some(ELOOP | EXDEV) => Error::NotFound,
            // Opening a socket.
            Some(ENXIO) => Error::NotAFile,
            _ => Error::Failed,
        },
    }
}

const NONBLOCK: i32 = rustix::fs::OFlags::NONBLOCK.bits() as i32;
const NOCTTY: i32 = rustix::fs::OFlags::NOCTTY.bits() as i32;
const ELOOP: i32 = rustix::io::Errno::LOOP.raw_os_error();
const EXDEV: i32 = rustix::io::Errno::XDEV.raw_os_error();
const ENXIO: i32 = rustix::io::Errno::NXIO.raw_os_error();
