//! What one tool may do, or what a plugin's tools may do taken together.

use crate::manifest::{Access, FilesGrant, Grant, Manifest, ToolTerms, Wasi};
use wardkeep_model::Effect;

/// Capabilities with their bounds. A host function that is handed these and nothing else can do no more.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Grants {
    /// Directories; each root once.
    pub files: Vec<FilesGrant>,
    /// The real time.
    pub clock: bool,
    /// Random numbers.
    pub random: bool,
    /// Stubs for the usual WASI imports.
    pub wasi_inert: bool,
}

impl Grants {
    /// What this tool uses.
    pub(crate) fn of(manifest: &Manifest, tool: &ToolTerms) -> Self {
        let mut grants = Self { wasi_inert: manifest.component().wasi == Wasi::Inert, ..Self::default() };
        for grant in tool.uses.iter().filter_map(|key| manifest.grants().get(key)) {
            match grant {
                Grant::Clock => grants.clock = true,
                Grant::Random => grants.random = true,
                // A reading tool reads, even through a grant that another tool writes through.
                Grant::Files(files) if tool.effect == Effect::Read => {
                    grants.add(FilesGrant { access: Access::Read, ..files.clone() });
                }
                Grant::Files(files) => grants.add(files.clone()),
                Grant::Http { .. } => {}
            }
        }
        grants
    }

    /// Both taken together.
    #[must_use]
    pub(crate) fn with(mut self, other: &Self) -> Self {
        other.files.iter().for_each(|files| self.add(files.clone()));
        self.clock |= other.clock;
        self.random |= other.random;
        self.wasi_inert |= other.wasi_inert;
        self
    }

    fn add(&mut self, files: FilesGrant) {
        match self.files.iter_mut().find(|known| known.root == files.root) {
            Some(known) => known.access = known.access.max(files.access),
            None => self.files.push(files),
        }
    }

    /// Whether any directory is granted with this access or more.
    #[must_use]
    pub fn any_files(&self, access: Access) -> bool {
        self.files.iter().any(|files| files.access >= access)
    }
}
