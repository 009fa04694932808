//! The key that tags of compiled code are made with: 32 random bytes of this home, in a file of its own. One that is lost or that
//! others could have read is made anew; all it costs is that components are compiled again.

use std::{
    fs::{self, OpenOptions},
    io::{self, Read, Write as _},
    os::{fd::AsFd as _, unix::fs::OpenOptionsExt as _},
    path::Path,
};

use hmac::{Hmac, KeyInit as _};
use sha2::Sha256;

use super::{
    CacheNote,
    entry::Refusal,
    own::{self, NotOwn},
};

const BYTES: usize = 32;

/// The host's own. Never shown, and compared with nothing.
pub(super) struct Key([u8; BYTES]);

impl Key {
    /// The key in this file. Made where it is missing or spoilt and `make` says so.
    pub(super) fn open(path: &Path, make: bool, tell: impl Fn(CacheNote)) -> Option<Self> {
        let note = |refusal| CacheNote::Key { file: path.to_path_buf(), refusal };
        match read(path) {
            Ok(key) => return Some(key),
            Err(Refusal::NotOwn(NotOwn::Unreadable(error))) if error.kind() == io::ErrorKind::NotFound => {}
            Err(refusal) if make => tell(note(refusal.into())),
            // It will be told by who may make another.
            Err(_) => {}
        }
        if !make {
            return None;
        }
        match written(path) {
            Ok(key) => Some(key),
            // Another process was faster: that key is as good.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => read(path).ok(),
            Err(error) => {
                tell(CacheNote::NotKept { file: path.to_path_buf(), error });
                None
            }
        }
    }

    /// A tag in the making.
    pub(super) fn tag(&self) -> Hmac<Sha256> {
        // RFC 2104, section 2: a shorter key is filled up to the block with zeros.
        let mut block = [0; 64];
        block.iter_mut().zip(self.0).for_each(|(to, from)| *to = from);
        Hmac::new(&block.into())
    }
}

fn read(path: &Path) -> Result<Key, Refusal> {
    let parent = path.parent().unwrap_or(Path::new("."));
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let directory = own::directory(parent, false)?;
    let file = own::open(directory.as_fd(), name)?;
    let mut bytes = Vec::new();
    file.take(BYTES as u64 + 1).read_to_end(&mut bytes).map_err(NotOwn::from)?;
    bytes.try_into().map(Key).map_err(|_| Refusal::Length)
}

fn written(path: &Path) -> io::Result<Key> {
    let mut key = [0; BYTES];
    getrandom::fill(&mut key).map_err(io::Error::other)?;
    // A spoilt one goes first; a symlink goes itself, not what it leads to.
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(&key)?;
    file.sync_all()?;
    Ok(Key(key))
}

/// For names that nobody else has.
pub(super) fn random_number() -> io::Result<u64> {
    getrandom::u64().map_err(io::Error::other)
}
