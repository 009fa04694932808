//! `[sources]`: where values of secrets come from. Manifests name them by `file:NAME` and `env:NAME`; where that is, is said here.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use wardkeep_policy::{SourceKind, document::Table};

/// Sources that are switched on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Sources {
    /// The directory of files that each hold a value.
    pub(crate) file: Option<PathBuf>,
    /// Whether variables of the host's environment count.
    pub(crate) env: bool,
}

impl Sources {
    /// Those that are switched on.
    pub(crate) fn kinds(&self) -> BTreeSet<SourceKind> {
        let file = self.file.is_some().then_some(SourceKind::File);
        file.into_iter().chain(self.env.then_some(SourceKind::Env)).collect()
    }
}

pub(super) fn read(mut table: Table<'_>, directory: &Path) -> Option<Sources> {
    let file = match table.optional("file") {
        Some(item) => item.table().and_then(|table| file(table, directory)).map(Some),
        None => Some(None),
    };
    // A table without keys: to be there is all that it says.
    let env = table.optional("env").map_or(Some(false), |item| item.table().map(drop).map(|()| true));
    drop(table);
    Some(Sources { file: file?, env: env? })
}

fn file(mut table: Table<'_>, directory: &Path) -> Option<PathBuf> {
    let item = table.required("directory", "directory = \"/run/secrets/wardkeep\"")?;
    item.line_of_text(1..=4096).map(|path| directory.join(path))
}
