//! The edge to the device: where the journal's bytes go. A trait, so that a test can stand in for a device that fails, is full or hangs.

use std::{fs::File, io, os::fd::OwnedFd, path::Path};

use rustix::{
    fs::{CWD, FlockOperation, Mode, OFlags, fdatasync, flock, fsync, openat},
    io::Errno,
};

use crate::segment;

/// Where the journal's bytes go. Called from the writer's thread only, which may wait in it.
pub trait Sink: Send {
    /// Appends some of `bytes` to the current segment and says how many.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;
    /// Returns once everything written so far is on the device.
    fn sync(&mut self) -> io::Result<()>;
    /// Begins the next segment. Everything written so far has been synced.
    fn next_segment(&mut self) -> io::Result<()>;
}

/// The real one: segments in a directory that it holds a lock on.
#[derive(Debug)]
pub struct Files {
    directory: OwnedFd,
    file: File,
    number: u64,
}

/// A directory of segments, locked for one writer until it is dropped.
#[derive(Debug)]
pub(crate) struct Locked(OwnedFd);

impl Locked {
    /// Opens and locks the directory; `None` if another holds the lock.
    pub(crate) fn new(directory: &Path) -> io::Result<Option<Self>> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let directory = openat(CWD, directory, flags, Mode::empty())?;
        match flock(&directory, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Self(directory))),
            Err(Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Goes on in this segment, which is made if it is not there.
    pub(crate) fn append_to(self, number: u64, exists: bool) -> io::Result<Files> {
        let file = if exists {
            let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            File::from(openat(&self.0, segment::name(number), flags, Mode::empty())?)
        } else {
            create(&self.0, number)?
        };
        Ok(Files { directory: self.0, file, number })
    }
}

impl Files {
    /// Cuts the segment to this length.
    pub(crate) fn cut(&self, length: u64) -> io::Result<()> {
        self.file.set_len(length)?;
        fdatasync(&self.file)?;
        Ok(())
    }
}

/// Made exclusively: a file that is there already was not written by this journal. Its name is on the device when this returns.
fn create(directory: &OwnedFd, number: u64) -> io::Result<File> {
    let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = openat(directory, segment::name(number), flags, Mode::RUSR | Mode::WUSR)?;
    fsync(directory)?;
    Ok(File::from(file))
}

impl Sink for Files {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        io::Write::write(&mut self.file, bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(fdatasync(&self.file)?)
    }

    fn next_segment(&mut self) -> io::Result<()> {
        self.file = create(&self.directory, self.number + 1)?;
        self.number += 1;
        Ok(())
    }
}
