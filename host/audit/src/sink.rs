//! The edge to the device: where the journal's bytes go. A trait, so that a test can stand in for a device that fails, is full or hangs.

use std::{
    fs::File,
    io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use rustix::{
    fs::{CWD, FlockOperation, Mode, OFlags, fdatasync, flock, fsync, openat},
    io::Errno,
};

use crate::{ReadError, segment, trust};

/// Where the journal's bytes go. Called by one thread at a time, which may wait in it.
pub trait Sink: Send {
    /// Appends some of `bytes` to the current segment and says how many.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;
    /// Returns once everything written so far is on the device.
    fn sync(&mut self) -> io::Result<()>;
    /// Begins the next segment. Everything written so far has been synced.
    fn next_segment(&mut self) -> io::Result<()>;
    /// What others did to the current segment, if anything: bytes that were written and synced may be lost all the same. Asked
    /// after each sync and after the first write that follows one, not for each record.
    fn changed(&mut self) -> io::Result<Option<Changed>>;
}

/// A segment that is not what its only writer made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("`{}` {change}", segment::name(*segment))]
pub struct Changed {
    /// The segment's number, from 1.
    pub segment: u64,
    /// What was done to it.
    pub change: Change,
}

/// What others did to a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Change {
    /// Nothing is at its path any more.
    #[error("was removed or moved away")]
    Removed,
    /// Another file is at its path.
    #[error("was replaced by another file")]
    Replaced,
    /// It was cut, or others wrote to it.
    #[error("holds {found} bytes where {written} were written")]
    Length {
        /// Bytes that the journal wrote.
        written: u64,
        /// Bytes that are there.
        found: u64,
    },
}

/// The real one: segments in a directory that it holds a lock on.
#[derive(Debug)]
pub struct Files {
    directory: File,
    /// Absolute: where everybody else finds the log, wherever the open directory may have gone.
    path: PathBuf,
    file: File,
    number: u64,
    length: u64,
}

/// A directory of segments, locked for one writer until it is dropped.
#[derive(Debug)]
pub(crate) struct Locked {
    directory: File,
    path: PathBuf,
}

impl Locked {
    /// Opens and locks the directory, if it is one that nobody else may write to; `None` if another holds the lock.
    pub(crate) fn new(path: &Path) -> Result<Option<Self>, ReadError> {
        let failed = |source| ReadError::Io { path: path.to_owned(), source };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let directory = match openat(CWD, path, flags, Mode::empty()) {
            Ok(directory) => File::from(directory),
            Err(error) => {
                return Err(trust::unopened(path, true).map_or_else(|| failed(error.into()), ReadError::from));
            }
        };
        trust::ours(path, &directory.metadata().map_err(failed)?)?;
        match flock(&directory, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Self { directory, path: std::path::absolute(path).map_err(failed)? })),
            Err(Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(failed(error.into())),
        }
    }

    /// Goes on in this segment after its first `length` bytes; it is made if it is not there.
    pub(crate) fn append_to(self, number: u64, exists: bool, length: u64) -> io::Result<Files> {
        let Self { directory, path } = self;
        let file = if exists {
            let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
            File::from(openat(&directory, segment::name(number), flags, Mode::empty())?)
        } else {
            create(&directory, number)?
        };
        // It was judged when it was read; another may have been put there since.
        trust::owned(&path.join(segment::name(number)), &file.metadata()?).map_err(io::Error::other)?;
        Ok(Files { directory, path, file, number, length })
    }
}

impl Files {
    /// Cuts the segment to the length that it goes on from.
    pub(crate) fn cut(&self) -> io::Result<()> {
        self.file.set_len(self.length)?;
        fdatasync(&self.file)?;
        Ok(())
    }
}

/// Made exclusively: a file that is there already was not written by this journal. Its name is on the device when this returns.
fn create(directory: &File, number: u64) -> io::Result<File> {
    let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = openat(directory, segment::name(number), flags, Mode::RUSR | Mode::WUSR)?;
    fsync(directory)?;
    Ok(File::from(file))
}

impl Sink for Files {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = io::Write::write(&mut self.file, bytes)?;
        self.length += written as u64;
        Ok(written)
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(fdatasync(&self.file)?)
    }

    fn next_segment(&mut self) -> io::Result<()> {
        self.file = create(&self.directory, self.number + 1)?;
        self.number += 1;
        self.length = 0;
        Ok(())
    }

    fn changed(&mut self) -> io::Result<Option<Changed>> {
        use io::ErrorKind::{NotADirectory, NotFound};
        let open = self.file.metadata()?;
        // By the whole path, not below the open directory: that one may itself have been moved away or removed.
        let change = match self.path.join(segment::name(self.number)).symlink_metadata() {
            Err(error) if [NotFound, NotADirectory].contains(&error.kind()) => Some(Change::Removed),
            Err(error) => return Err(error),
            Ok(found) if (found.dev(), found.ino()) != (open.dev(), open.ino()) => Some(Change::Replaced),
            // Removed between the two looks.
            Ok(_) if open.nlink() == 0 => Some(Change::Removed),
            Ok(_) if open.len() != self.length => Some(Change::Length { written: self.length, found: open.len() }),
            Ok(_) => None,
        };
        Ok(change.map(|change| Changed { segment: self.number, change }))
    }
}
