//! The operator's named directories, opened once. Nothing else here can name a path of the machine.

use std::{collections::BTreeMap, io, path::PathBuf, sync::Arc};

use cap_std::{ambient_authority, fs::Dir};
use wardkeep_model::RootName;

/// The directories that grants may name. A clone is the same directories.
#[derive(Debug, Clone, Default)]
pub struct Roots(Arc<BTreeMap<RootName, Arc<Dir>>>);

/// A root that cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("root `{name}`: cannot open the directory `{}`", path.display())]
pub struct RootsError {
    /// Which root.
    pub name: RootName,
    /// What the operator's file says it is.
    pub path: PathBuf,
    /// Why not.
    pub source: io::Error,
}

impl Roots {
    /// Opens each directory. From here on they are known by their descriptors: renaming a directory changes nothing.
    ///
    /// # Errors
    ///
    /// The first one that cannot be opened.
    pub fn open(paths: impl IntoIterator<Item = (RootName, PathBuf)>) -> Result<Self, RootsError> {
        let mut roots = BTreeMap::new();
        for (name, path) in paths {
            match Dir::open_ambient_dir(&path, ambient_authority()) {
                Ok(dir) => roots.insert(name, Arc::new(dir)),
                Err(source) => return Err(RootsError { name, path, source }),
            };
        }
        Ok(Self(Arc::new(roots)))
    }

    pub(crate) fn get(&self, name: &RootName) -> Option<Arc<Dir>> {
        self.0.get(name).cloned()
    }
}
