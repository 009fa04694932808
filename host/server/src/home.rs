//! A home: the directory that holds one host's trust, plugins, journal and state. Finds it, checks who may write to it, and
//! reads and writes its files. Decides nothing about what the files say.

mod foreign;
mod lock;
mod ownership;
mod read;
mod turn;
mod user;
mod write;

use std::{
    env, io,
    path::{Path, PathBuf},
};

use crate::screen::Told as _;

pub(crate) use foreign::Foreign;
pub(crate) use lock::{LockError, Owner};
pub(crate) use ownership::{Unsafe, check_directory, check_file, check_parent};
pub(crate) use read::{ReadError, open_checked, read_anywhere, read_file};
pub(crate) use turn::{Turn, TurnError};
pub(crate) use user::user_name;
pub(crate) use write::{WriteError, create_directory, sync_directory, write_durable, write_new};

/// The operator's file.
pub(crate) const CONFIG: &str = "wardkeep.toml";
/// The approvers' file.
pub(crate) const TRUST: &str = "trust.toml";

/// The environment's name for the home.
const VARIABLE: &str = "WARDKEEP_HOME";

/// Sizes at which a file of a home is refused unread.
pub(crate) mod cap {
    /// Documents: the operator's file, manifests, trust and revocations.
    pub(crate) const DOCUMENT: u64 = 64 << 10;
    /// One detached signature.
    pub(crate) const SIGNATURE: u64 = 16 << 10;
    /// A component.
    pub(crate) const COMPONENT: u64 = 32 << 20;
    /// The state that the host keeps for itself.
    pub(crate) const STATE: u64 = 16 << 20;
    /// Signature files beside one document.
    pub(crate) const SIGNATURES: usize = 64;
}

/// No home where it should be.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HomeError {
    #[error("`{VARIABLE}` is set and empty\n  mend: name the home there or with `--home DIR`, or unset it")]
    EmptyVariable,
    #[error("neither `HOME` nor `XDG_DATA_HOME` is set\n  mend: name the home with `--home DIR` or `WARDKEEP_HOME`")]
    Nowhere,
    #[error("`{0}` is not an absolute path and the current directory cannot be read")]
    NoCurrentDirectory(PathBuf),
    #[error("there is no home at `{}`\n  mend: is that the one you mean (`--home DIR`, or `WARDKEEP_HOME`)? A new one, empty: `wardkeep --home {} init`", .0.told(), .0.told())]
    Absent(PathBuf),
    #[error("`{}` is no home: it has no {CONFIG}\n  mend: is that the one you mean (`--home DIR`, or `WARDKEEP_HOME`)? A new one, empty: `wardkeep --home {} init`", .0.told(), .0.told())]
    NotAHome(PathBuf),
    #[error(
        "`{}` has no {CONFIG}, and was in use\n  mend: put {CONFIG} back; with [trust] root_sha256 it pins {TRUST}", .0.told()
    )]
    NoConfig(PathBuf),
    #[error(transparent)]
    Unsafe(#[from] Unsafe),
}

/// Where a home is. Opening it has checked its owner and its parents.
#[derive(Debug, Clone)]
pub(crate) struct Home {
    directory: PathBuf,
}

impl Home {
    /// The directory that was asked for, the one that the environment names, or the default; never the current directory by itself: a client that starts the host
    /// inside a cloned repository must not load that repository's trust.
    pub(crate) fn locate(asked: Option<&Path>) -> Result<PathBuf, HomeError> {
        let path = match asked {
            Some(path) => path.to_path_buf(),
            None => match env::var_os(VARIABLE).map(PathBuf::from) {
                // Not taken for unset: who has named a home means no other.
                Some(path) if path.as_os_str().is_empty() => return Err(HomeError::EmptyVariable),
                Some(path) => path,
                None => default_home(|name| env::var_os(name).map(PathBuf::from)).ok_or(HomeError::Nowhere)?,
            },
        };
        std::path::absolute(&path).map_err(|_| HomeError::NoCurrentDirectory(path))
    }

    /// Opens a home to stop something in it: also one whose own documents are gone while a host goes on with those that it has read.
    /// Only what is written to is asked who else may write there.
    pub(crate) fn open_to_stop(asked: Option<&Path>) -> Result<Self, HomeError> {
        let directory = Self::locate(asked)?;
        if directory.symlink_metadata().is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
            return Err(HomeError::Absent(directory));
        }
        let directory = check_directory(&directory)?;
        let there = |name: &&str| directory.join(name).symlink_metadata().is_ok();
        if ![CONFIG, TRUST, "state", "audit", "keys"].iter().any(there) {
            return Err(HomeError::NotAHome(directory));
        }
        if there(&"state") {
            check_directory(&directory.join("state"))?;
        }
        Ok(Self { directory })
    }

    /// Opens an existing home: refused where anybody else could write to it or to a directory above it.
    pub(crate) fn open(asked: Option<&Path>) -> Result<Self, HomeError> {
        let directory = Self::locate(asked)?;
        // A symlink that leads nowhere is there, and is told as such.
        if directory.symlink_metadata().is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
            return Err(HomeError::Absent(directory));
        }
        let directory = check_directory(&directory)?;
        let there = |name: &&str| directory.join(name).symlink_metadata().is_ok();
        if !there(&CONFIG) {
            let used = [TRUST, "state", "audit", "keys"].iter().any(there);
            return Err(if used { HomeError::NoConfig(directory) } else { HomeError::NotAHome(directory) });
        }
        // Each by itself: a sticky directory may be a parent of a home, never a part of one. `revoked` is not among them: a
        // revocation counts however its directory stands, and what is wrong with that is told beside it.
        for name in ["plugins", "staging", "audit", "state", "keys", "cache"].iter().filter(|name| there(name)) {
            check_directory(&directory.join(name))?;
        }
        Ok(Self { directory })
    }

    /// The home's own path, symlinks resolved.
    pub(crate) fn path(&self) -> &Path {
        &self.directory
    }

    /// A path inside the home.
    pub(crate) fn join(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.directory.join(relative)
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.join(CONFIG)
    }

    pub(crate) fn trust(&self) -> PathBuf {
        self.join(TRUST)
    }

    pub(crate) fn plugins(&self) -> PathBuf {
        self.join("plugins")
    }

    pub(crate) fn revoked(&self) -> PathBuf {
        self.join("revoked")
    }

    pub(crate) fn audit(&self) -> PathBuf {
        self.join("audit")
    }

    /// Where plugins are put together before they are renamed into place; on the same file system, and never served from.
    pub(crate) fn staging(&self) -> PathBuf {
        self.join("staging")
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.join("state")
    }

    pub(crate) fn cache(&self) -> PathBuf {
        self.join("cache")
    }

    pub(crate) fn keys(&self) -> PathBuf {
        self.join("keys")
    }

    /// A path as messages show it: relative to the home where it lies inside.
    pub(crate) fn display(&self, path: &Path) -> String {
        path.strip_prefix(&self.directory).unwrap_or(path).told()
    }
}

/// `$XDG_DATA_HOME/wardkeep`, or `~/.local/share/wardkeep`; a relative `XDG_DATA_HOME` is ignored, as its specification says.
fn default_home(variable: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    let data = variable("XDG_DATA_HOME").filter(|path| path.is_absolute());
    let data = data.or_else(|| Some(variable("HOME").filter(|path| path.is_absolute())?.join(".local/share")))?;
    Some(data.join("wardkeep"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_home_is_never_relative() {
        let home = |xdg: Option<&str>, home: Option<&str>| {
            default_home(|name| if name == "HOME" { home.map(Into::into) } else { xdg.map(Into::into) })
        };
        assert_eq!(home(Some("/data"), Some("/home/me")), Some("/data/wardkeep".into()));
        assert_eq!(home(Some("data"), Some("/home/me")), Some("/home/me/.local/share/wardkeep".into()));
        assert_eq!(home(None, None), None);
        assert_eq!(home(Some("."), Some("")), None);
    }

    #[test]
    fn a_directory_without_an_operators_file_is_no_home() {
        let directory = tempfile::tempdir().unwrap();
        assert!(matches!(Home::open(Some(directory.path())), Err(HomeError::NotAHome(_))));
        assert!(matches!(Home::open(Some(&directory.path().join("x"))), Err(HomeError::Absent(_))));
    }
}
