//! Changes of one file or directory. The directory that it lies in is opened first, by the rules of every path; what is done then is done
//! to one name in it, and never to what a symbolic link of that name leads to.
//!
//! A change is on the device before it is answered.

use std::{fs::File, io, io::Write as _, time::SystemTime};

use cap_std::fs::Dir;
use rustix::fs::{
    AtFlags, FallocateFlags, FileType, Mode as Bits, OFlags, RenameFlags, Stat, fallocate, fstat, mkdirat, openat,
    renameat_with, statat, unlinkat,
};

use super::{
    ANSWER, Work,
    path::GuestPath,
    read::{open_directory, told},
    temporary::{Temporary, clear_left},
};
use crate::bindings::{reader::Error, writer::Mode};

/// How often a file that comes and goes is tried again.
const TRIES: usize = 3;

impl Work {
    pub(super) fn write(&self, path: &GuestPath, data: &[u8], mode: Mode) -> Result<(), Error> {
        if data.len() > ANSWER as usize {
            return Err(Error::TooLarge);
        }
        let (directory, name) = self.place(path)?;
        match mode {
            Mode::Create if status(&directory, name)?.is_some() => return Err(Error::Exists),
            Mode::Create => create(&directory, name, data)?,
            Mode::Replace => replace(&directory, name, data)?,
            Mode::Append => append(&directory, name, data)?,
        }
        synced(&directory)
    }

    pub(super) fn remove(&self, path: &GuestPath) -> Result<(), Error> {
        let (directory, name) = self.place(path)?;
        match kind(&directory, name)? {
            FileType::RegularFile => unlinkat(&directory, name, AtFlags::empty()).map_err(errno)?,
            FileType::Directory => remove_directory(&directory, name)?,
            _ => return Err(Error::NotAFile),
        }
        synced(&directory)
    }

    pub(super) fn rename(&self, from: &GuestPath, to: &GuestPath) -> Result<(), Error> {
        let (directory, name) = self.place(from)?;
        let (goal, goal_name) = self.place(to)?;
        if !matches!(kind(&directory, name)?, FileType::RegularFile | FileType::Directory) {
            return Err(Error::NotAFile);
        }
        match renameat_with(&directory, name, &goal, goal_name, RenameFlags::NOREPLACE) {
            // a directory into itself
            Err(rustix::io::Errno::INVAL) if to.prefix().starts_with(&from.prefix()) => return Err(Error::InvalidPath),
            // a mount point in the root: another device. Nothing is missing there, so it is not told as missing
            Err(rustix::io::Errno::XDEV) => return Err(Error::Failed),
            moved => moved.map_err(errno)?,
        }
        synced(&goal)?;
        synced(&directory)
    }

    pub(super) fn mkdir(&self, path: &GuestPath) -> Result<(), Error> {
        let (directory, name) = self.place(path)?;
        mkdirat(&directory, name, Bits::from_raw_mode(0o777)).map_err(errno)?;
        synced(&directory)
    }

    /// The directory that something lies in, and its name there. Nothing is begun for a call that has to end.
    fn place<'p>(&self, path: &'p GuestPath) -> Result<(Dir, &'p str), Error> {
        self.look()?;
        let (directory, name) = path.parted().ok_or(Error::InvalidPath)?;
        Ok((open_directory(&self.root, directory)?, name))
    }
}

/// Whole or not at all: a file that others see half written may be acted on.
fn create(directory: &Dir, name: &str, data: &[u8]) -> Result<(), Error> {
    let temporary = Temporary::filled(directory, data, None).map_err(|error| told(&error))?;
    temporary.create(name).map_err(|error| told(&error))
}

fn replace(directory: &Dir, name: &str, data: &[u8]) -> Result<(), Error> {
    // Opened for writing, though it is not written through: what the operator's modes keep from the host stays as it is.
    let Some((_, old)) = open(directory, name, OFlags::empty())? else {
        let temporary = Temporary::filled(directory, data, None).map_err(|error| told(&error))?;
        return temporary.replace(name).map_err(|error| told(&error));
    };
    // without the bits that let a program run as somebody else, as the system does on a write
    let mode = Bits::from_raw_mode(old.st_mode & 0o777);
    let temporary = Temporary::filled(directory, data, Some(mode)).map_err(|error| told(&error))?;
    temporary.replace(name).map_err(|error| told(&error))
}

fn append(directory: &Dir, name: &str, data: &[u8]) -> Result<(), Error> {
    for _ in 0..TRIES {
        let Some((mut file, old)) = open(directory, name, OFlags::APPEND)? else {
            match create(directory, name, data) {
                // made by another since it was looked for
                Err(Error::Exists) => continue,
                done => return done,
            }
        };
        // Another name of the same file may lie outside of the root.
        if old.st_nlink > 1 {
            return Err(Error::Failed);
        }
        room(&file, &old, data)?;
        return file.write_all(data).and_then(|()| file.sync_all()).map_err(|error| told(&error));
    }
    Err(Error::Failed)
}

/// Room for all of it, before any of it is written. A file system that cannot promise it finds out while writing.
fn room(file: &File, old: &Stat, data: &[u8]) -> Result<(), Error> {
    let end = u64::try_from(old.st_size).map_err(|_| Error::Failed)?;
    if data.is_empty() {
        return Ok(());
    }
    match fallocate(file, FallocateFlags::KEEP_SIZE, end, data.len() as u64) {
        Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) | Ok(()) => Ok(()),
        Err(error) => Err(errno(error)),
    }
}

/// A regular file to be written to, if one is there. What it is is asked before it is opened, since opening a device can do something,
/// and again after.
fn open(directory: &Dir, name: &str, more: OFlags) -> Result<Option<(File, Stat)>, Error> {
    let regular = |stat: &Stat| if is(stat) == FileType::RegularFile { Ok(()) } else { Err(Error::NotAFile) };
    let Some(found) = status(directory, name)? else { return Ok(None) };
    regular(&found)?;
    let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC | more;
    let file = match openat(directory, name, flags, Bits::empty()) {
        Ok(file) => File::from(file),
        Err(rustix::io::Errno::NOENT) => return Ok(None),
        // it is a symbolic link by now
        Err(rustix::io::Errno::LOOP) => return Err(Error::NotAFile),
        Err(error) => return Err(errno(error)),
    };
    let stat = fstat(&file).map_err(errno)?;
    regular(&stat)?;
    Ok(Some((file, stat)))
}

fn remove_directory(directory: &Dir, name: &str) -> Result<(), Error> {
    match unlinkat(directory, name, AtFlags::REMOVEDIR) {
        Err(rustix::io::Errno::NOTEMPTY | rustix::io::Errno::EXIST) => {
            let inside = open_directory(directory, name)?;
            let cleared = clear_left(&inside, SystemTime::now()).map_err(|error| told(&error))?;
            if !cleared {
                return Err(Error::NotEmpty);
            }
            unlinkat(directory, name, AtFlags::REMOVEDIR).map_err(errno)
        }
        removed => removed.map_err(errno),
    }
}

/// What has this name, if anything: the link itself if it is a symbolic link.
fn status(directory: &Dir, name: &str) -> Result<Option<Stat>, Error> {
    match statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(stat)),
        Err(rustix::io::Errno::NOENT) => Ok(None),
        Err(error) => Err(errno(error)),
    }
}

fn kind(directory: &Dir, name: &str) -> Result<FileType, Error> {
    status(directory, name)?.as_ref().map(is).ok_or(Error::NotFound)
}

fn is(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}

/// The name is on the device too. What the file system or the directory's mode keeps from being synced is left to the system.
fn synced(directory: &Dir) -> Result<(), Error> {
    // opened anew: a directory that things are done in need not be open for anything else
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let Ok(directory) = openat(directory, ".", flags, Bits::empty()) else { return Ok(()) };
    match rustix::fs::fsync(&directory) {
        Ok(()) | Err(rustix::io::Errno::INVAL) => Ok(()),
        Err(error) => Err(errno(error)),
    }
}

fn errno(error: rustix::io::Errno) -> Error {
    told(&io::Error::from(error))
}
