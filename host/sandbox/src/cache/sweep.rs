//! What the cache gives up: code that nobody has used for a month, of components that are gone or for versions that are, and the
//! longest unused where all together is too much. A file's time of change is the time of its last use.

use std::{
    fs::File,
    io,
    os::fd::OwnedFd,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rustix::fs::{AtFlags, Dir, Timespec, Timestamps, UTIME_NOW, futimens, statat, unlinkat};

use super::entry::is_name;

/// Longer unused, and a file goes.
const UNUSED: Duration = Duration::from_secs(30 * 86_400);
/// What was being written when a host died.
const ABANDONED: Duration = Duration::from_secs(3_600);
/// Bytes of all files together.
const MOST: u64 = 2 << 30;
/// Files that one sweep looks at.
const AT_ONCE: usize = 10_000;

/// Notes that a file was used now. Without it a file goes too early, which costs a compilation.
pub(super) fn used(file: &File) {
    let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
    let _ = futimens(file, &Timestamps { last_access: now, last_modification: now });
}

pub(super) fn sweep(directory: &OwnedFd, now: SystemTime) -> io::Result<()> {
    let mut kept = Vec::new();
    for entry in Dir::read_from(directory)?.take(AT_ONCE) {
        let entry = entry?;
        let Ok(name) = entry.file_name().to_str() else { continue };
        let most = if is_name(name) {
            UNUSED
        } else if name.starts_with('.') && name.ends_with(".new") {
            ABANDONED
        } else {
            continue;
        };
        let Ok(seen) = statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
        let changed = UNIX_EPOCH + Duration::from_secs(u64::try_from(seen.st_mtime).unwrap_or(0));
        if now.duration_since(changed).is_ok_and(|unused| unused > most) {
            unlinkat(directory, name, AtFlags::empty())?;
        } else {
            kept.push((changed, u64::try_from(seen.st_size).unwrap_or(0), name.to_owned()));
        }
    }
    let mut all: u64 = kept.iter().map(|(_, size, _)| size).sum();
    kept.sort();
    for (_, size, name) in kept {
        if all <= MOST {
            break;
        }
        unlinkat(directory, name.as_str(), AtFlags::empty())?;
        all = all.saturating_sub(size);
    }
    Ok(())
}
