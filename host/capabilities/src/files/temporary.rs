//! A file in the making: it has a name that no guest can say or see until it is whole, then it takes the name that was meant.
//!
//! What a crash leaves lies under such a name, is in nobody's way, and falls with its directory.

use std::{
    fs::File,
    io::{self, Write as _},
    os::fd::OwnedFd,
    time::{Duration, SystemTime},
};

use cap_std::fs::Dir;
use rustix::{
    fs::{AtFlags, Mode, OFlags, RenameFlags, linkat, openat, renameat, renameat_with, unlinkat},
    io::Errno,
};

const PREFIX: &str = ".wardkeep-";
const SUFFIX: &str = ".tmp";
/// Digits between them: 128 random bits, so that no two are alike.
const DIGITS: usize = 32;
/// One as old as this was left by a crash: writing one file takes no such time.
const LEFT: Duration = Duration::from_secs(600);

/// Whether a name is one of these. In any case, for file systems that do not tell `A` from `a`.
pub(super) fn is_temporary(name: &str) -> bool {
    let fits = |part: Option<&str>, text: &str| part.is_some_and(|part| part.eq_ignore_ascii_case(text));
    name.len() == PREFIX.len() + DIGITS + SUFFIX.len()
        && fits(name.get(..PREFIX.len()), PREFIX)
        && fits(name.get(PREFIX.len() + DIGITS..), SUFFIX)
        && name.get(PREFIX.len()..PREFIX.len() + DIGITS).is_some_and(|it| it.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// Removed when dropped, unless it took its name.
pub(super) struct Temporary<'d> {
    directory: &'d Dir,
    name: String,
    file: File,
}

impl<'d> Temporary<'d> {
    /// With the data in it, on the device. `mode` is that of the file that it is to replace; else what the process gives new files.
    pub(super) fn filled(directory: &'d Dir, data: &[u8], mode: Option<Mode>) -> io::Result<Self> {
        let mut random = [0; DIGITS / 2];
        getrandom::fill(&mut random).map_err(io::Error::other)?;
        let digits: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        let name = format!("{PREFIX}{digits}{SUFFIX}");
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        // for the owner alone until it is known to be what may be read by more
        let first = if mode.is_some() { Mode::RUSR | Mode::WUSR } else { Mode::from_raw_mode(0o666) };
        let file: OwnedFd = openat(directory, name.as_str(), flags, first)?;
        let mut temporary = Self { directory, name, file: file.into() };
        if let Some(mode) = mode {
            rustix::fs::fchmod(&temporary.file, mode)?;
        }
        temporary.file.write_all(data)?;
        temporary.file.sync_all()?;
        Ok(temporary)
    }

    /// Takes the name, in the place of what has it.
    pub(super) fn replace(self, name: &str) -> io::Result<()> {
        Ok(renameat(self.directory, self.name.as_str(), self.directory, name)?)
    }

    /// Takes the name if nothing has it.
    pub(super) fn create(self, name: &str) -> io::Result<()> {
        let moved = renameat_with(self.directory, self.name.as_str(), self.directory, name, RenameFlags::NOREPLACE);
        match moved {
            // some network file systems cannot; a second name is refused where one is, everywhere
            Err(Errno::INVAL | Errno::NOSYS) => self.link(name),
            moved => Ok(moved?),
        }
    }

    fn link(self, name: &str) -> io::Result<()> {
        Ok(linkat(self.directory, self.name.as_str(), self.directory, name, AtFlags::empty())?)
    }
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        // where it took its name this one is gone, or a second one that is not wanted
        let _ = unlinkat(self.directory, self.name.as_str(), AtFlags::empty());
    }
}

/// Clears away what crashes left in a directory that holds nothing else: nobody could see why it is not empty. True if it is now.
pub(super) fn clear_left(directory: &Dir, now: SystemTime) -> io::Result<bool> {
    let mut left = Vec::new();
    for entry in directory.entries()? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str().filter(|name| is_temporary(name)) else { return Ok(false) };
        let modified = entry.metadata()?.modified()?.into_std();
        if now.duration_since(modified).unwrap_or_default() < LEFT {
            return Ok(false);
        }
        left.push(name.to_owned());
    }
    for name in left {
        unlinkat(directory, name.as_str(), AtFlags::empty())?;
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory() -> (tempfile::TempDir, Dir) {
        let home = tempfile::tempdir().unwrap();
        let dir = Dir::open_ambient_dir(home.path(), cap_std::ambient_authority()).unwrap();
        (home, dir)
    }

    #[test]
    fn a_second_name_is_refused_where_one_is_and_leaves_only_the_name_that_was_meant() {
        let (home, dir) = directory();
        std::fs::write(home.path().join("taken"), "old").unwrap();
        for make in [Temporary::link, Temporary::create] {
            let refused = make(Temporary::filled(&dir, b"new", None).unwrap(), "taken").unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
            make(Temporary::filled(&dir, b"new", None).unwrap(), "free").unwrap();
            assert_eq!(std::fs::read(home.path().join("free")).unwrap(), b"new");
            std::fs::remove_file(home.path().join("free")).unwrap();
        }
        let names: Vec<_> = std::fs::read_dir(home.path()).unwrap().map(|it| it.unwrap().file_name()).collect();
        assert_eq!((names, std::fs::read(home.path().join("taken")).unwrap()), (vec!["taken".into()], b"old".to_vec()));
    }

    #[test]
    fn only_what_is_old_and_ours_is_cleared_away() {
        let (home, dir) = directory();
        let name = format!("{PREFIX}{}{SUFFIX}", "0".repeat(DIGITS));
        std::fs::write(home.path().join(&name), "half").unwrap();
        let later = SystemTime::now() + LEFT + Duration::from_secs(5);
        assert!(!clear_left(&dir, SystemTime::now()).unwrap(), "it may be in the making");
        std::fs::write(home.path().join("file"), "").unwrap();
        assert!(!clear_left(&dir, later).unwrap(), "a directory that holds something else stays as it is");
        assert!(home.path().join(&name).exists());
        std::fs::remove_file(home.path().join("file")).unwrap();
        assert!(clear_left(&dir, later).unwrap());
        assert!(!home.path().join(&name).exists());
    }
}
