//! Compiled code on disk. A file counts only if this host's key made its tag, over the component's digest, the engine's binding,
//! the story and the code; anything else is refused, told, and compiled again. Nothing that lies here can be worth more than the
//! time that it saves: whatever is wrong with the cache, the host goes on without it.

mod entry;
mod key;
mod own;
mod sweep;

use std::{
    fmt, io,
    os::fd::{AsFd as _, OwnedFd},
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use rustix::fs::{AtFlags, Mode, OFlags};
use wardkeep_model::Digest;

use self::{entry::Refusal, key::Key, own::NotOwn};
use crate::{InspectError, code::Code, compile::Described};

/// Compiled code of one home. A clone is the same cache.
#[derive(Clone)]
pub struct CodeCache(Arc<Inner>);

struct Inner {
    path: PathBuf,
    directory: OwnedFd,
    key: Key,
    /// May anything be written.
    keeps: bool,
    tell: Box<dyn Fn(CacheNote) + Send + Sync>,
}

impl fmt::Debug for CodeCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CodeCache").field(&self.0.path).finish()
    }
}

/// What an operator should know of the cache. Never a reason to stop.
#[derive(Debug, thiserror::Error)]
pub enum CacheNote {
    /// A file is not what this host left there.
    #[error("the compiled code `{}` is not used and made anew: {refusal}", .file.display())]
    #[allow(missing_docs, reason = "said in the message")]
    Refused { file: PathBuf, refusal: CacheRefusal },
    /// A key that is not this host's alone.
    #[error("the key `{}` is made anew, and with it all compiled code: {refusal}", .file.display())]
    #[allow(missing_docs, reason = "said in the message")]
    Key { file: PathBuf, refusal: CacheRefusal },
    /// Nothing can be kept.
    #[error("compiled code cannot be kept in `{}`, so that the next start compiles again: {error}", .file.display())]
    #[allow(missing_docs, reason = "said in the message")]
    NotKept { file: PathBuf, error: io::Error },
    /// There is no cache.
    #[error("`{}` is not used for compiled code: {refusal}", .file.display())]
    #[allow(missing_docs, reason = "said in the message")]
    NoCache { file: PathBuf, refusal: CacheRefusal },
}

/// Why a file of the cache is refused.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct CacheRefusal(#[from] Refusal);

impl From<NotOwn> for CacheRefusal {
    fn from(not_own: NotOwn) -> Self {
        Self(not_own.into())
    }
}

impl CodeCache {
    /// Opens the cache in `path` with the key in the file `key`; where `keeps` says so, makes what is missing of both and later
    /// writes. Nothing where that cannot be had, and then `tell` knows why: a host without a cache compiles.
    pub fn open(
        path: &Path,
        key: &Path,
        keeps: bool,
        tell: impl Fn(CacheNote) + Send + Sync + 'static,
    ) -> Option<Self> {
        let directory = match own::directory(path, keeps) {
            Ok(directory) => directory,
            // Nobody has written anything yet, and this one must not.
            Err(NotOwn::Unreadable(error)) if !keeps && error.kind() == io::ErrorKind::NotFound => return None,
            Err(not_own) => {
                tell(CacheNote::NoCache { file: path.to_path_buf(), refusal: not_own.into() });
                return None;
            }
        };
        let key = Key::open(key, keeps, &tell)?;
        Some(Self(Arc::new(Inner { path: path.to_path_buf(), directory, key, keeps, tell: Box::new(tell) })))
    }

    /// The code and story of this component for this engine, if they were kept and nobody touched them.
    pub(crate) fn find(&self, component: Digest, binding: Digest) -> Option<(Described, Code)> {
        let name = entry::name(component, binding);
        let found = own::open(self.0.directory.as_fd(), &name)
            .map_err(Refusal::from)
            .and_then(|file| entry::read(&file, &self.0.key, component, binding).map(|found| (file, found)));
        match found {
            Ok((file, found)) => {
                if self.0.keeps {
                    sweep::used(&file);
                }
                Some(found)
            }
            Err(Refusal::NotOwn(NotOwn::Unreadable(error))) if error.kind() == io::ErrorKind::NotFound => None,
            Err(refusal) => {
                self.refused(&name, refusal);
                None
            }
        }
    }

    /// Something about the entry shows only when it is used.
    pub(crate) fn refuse(&self, component: Digest, binding: Digest, error: &InspectError) {
        self.refused(&entry::name(component, binding), Refusal::Unusable { error: error.to_string() });
    }

    fn refused(&self, name: &str, refusal: Refusal) {
        (self.0.tell)(CacheNote::Refused { file: self.0.path.join(name), refusal: refusal.into() });
    }

    /// Keeps what was compiled, in place of what lay there.
    pub(crate) fn keep(&self, component: Digest, binding: Digest, described: &Described, code: &Code) {
        if !self.0.keeps {
            return;
        }
        let name = entry::name(component, binding);
        if let Err(error) = self.write(&name, component, binding, described, code) {
            (self.0.tell)(CacheNote::NotKept { file: self.0.path.clone(), error });
        }
    }

    fn write(
        &self,
        name: &str,
        component: Digest,
        binding: Digest,
        described: &Described,
        code: &Code,
    ) -> io::Result<()> {
        let directory = &self.0.directory;
        // Two that compile the same component do not meet: each has its own, and the last rename wins.
        let aside = format!(".{name}.{}.{:x}.new", std::process::id(), key::random_number()?);
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = std::fs::File::from(rustix::fs::openat(directory, &aside, flags, Mode::RUSR | Mode::WUSR)?);
        // Whatever the umask left of them.
        rustix::fs::fchmod(&file, Mode::RUSR | Mode::WUSR)?;
        let written = entry::write(&file, &self.0.key, component, binding, described, code)
            .and_then(|()| Ok(rustix::fs::renameat(directory, &aside, directory, name)?));
        if written.is_err() {
            // The error above is the one worth telling.
            let _ = rustix::fs::unlinkat(directory, &aside, AtFlags::empty());
        }
        written
    }

    /// Removes what nobody has used for a month, and beyond that the oldest if there is too much; what does not look like a file
    /// of the cache is left alone.
    pub fn sweep(&self) {
        if self.0.keeps
            && let Err(error) = sweep::sweep(&self.0.directory, SystemTime::now())
        {
            (self.0.tell)(CacheNote::NotKept { file: self.0.path.clone(), error });
        }
    }
}

#[cfg(test)]
mod tests;
