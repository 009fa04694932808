//! What a home must not forget: the serial of each plugin's manifest, the trust document last accepted, every revocation. Kept in
//! `state/` and mirrored by the journal, so that losing either loses nothing; the higher of both holds, so that putting an old
//! copy of one back lowers nothing.

mod recover;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use wardkeep_audit::Revoked;
use wardkeep_model::{Digest, PluginName};

use crate::home::{ReadError, WriteError, cap, create_directory, read_file, write_durable};
use crate::screen::Told as _;

pub(crate) use recover::{Conflict, recover};

const FILE: &str = "state.json";
const TRUST: &str = "trust.toml";
const FORMAT: u32 = 1;

/// A state that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StateError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Write(#[from] WriteError),
    #[error("`{}` is damaged: {error}\n  mend: move it away; the next start writes it anew from the journal", .path.told())]
    Damaged { path: PathBuf, error: serde_json::Error },
    #[error("`{}` has format {found}, this host reads {FORMAT}\n  mend: use the version of wardkeep that wrote it, or a newer one", .path.told())]
    Format { path: PathBuf, found: u32 },
    #[error("the state cannot be written as JSON: {0}")]
    Json(serde_json::Error),
}

/// What the host remembers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct State {
    /// The manifest last taken into service, by plugin.
    pub(crate) plugins: BTreeMap<PluginName, Known>,
    /// The trust document last accepted.
    pub(crate) trust: Option<Accepted>,
    /// Everything ever revoked.
    pub(crate) revoked: BTreeSet<Revoked>,
}

/// A manifest that was taken into service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Known {
    pub(crate) serial: u64,
    pub(crate) manifest: Digest,
}

/// A trust document that was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Accepted {
    pub(crate) version: u64,
    pub(crate) digest: Digest,
}

#[derive(Serialize, Deserialize)]
struct Written {
    format: u32,
    #[serde(flatten)]
    state: State,
}

/// The state as it lies in a home's `state/`.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    directory: PathBuf,
}

impl Store {
    pub(crate) fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into() }
    }

    /// The state, or `None` where it is lost or never was.
    pub(crate) fn read(&self) -> Result<Option<State>, StateError> {
        let path = self.directory.join(FILE);
        let Some(bytes) = present(&path)? else { return Ok(None) };
        let damaged = |error| StateError::Damaged { path: path.clone(), error };
        // The format is asked first, so that a newer file is called newer and not damaged.
        #[derive(Deserialize)]
        struct Format {
            format: u32,
        }
        let Format { format } = serde_json::from_slice(&bytes).map_err(damaged)?;
        if format != FORMAT {
            return Err(StateError::Format { path, found: format });
        }
        let mut value: serde_json::Map<_, _> = serde_json::from_slice(&bytes).map_err(damaged)?;
        value.remove("format");
        Ok(Some(serde_json::from_value(value.into()).map_err(damaged)?))
    }

    /// Writes the state; on disk when this returns.
    pub(crate) fn write(&self, state: &State) -> Result<(), StateError> {
        create_directory(&self.directory)?;
        let written = Written { format: FORMAT, state: state.clone() };
        let mut bytes = serde_json::to_vec_pretty(&written).map_err(StateError::Json)?;
        bytes.push(b'\n');
        Ok(write_durable(&self.directory.join(FILE), &bytes, 0o600)?)
    }

    /// The trust document last accepted: a rotation is judged against it.
    pub(crate) fn accepted_trust(&self) -> Result<Option<Vec<u8>>, StateError> {
        Ok(present(&self.directory.join(TRUST))?)
    }

    /// Keeps a copy of an accepted trust document.
    pub(crate) fn keep_trust(&self, bytes: &[u8]) -> Result<(), StateError> {
        create_directory(&self.directory)?;
        Ok(write_durable(&self.directory.join(TRUST), bytes, 0o600)?)
    }
}

fn present(path: &Path) -> Result<Option<Vec<u8>>, ReadError> {
    match read_file(path, cap::STATE) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(ReadError::Absent(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use super::*;

    fn state() -> State {
        State {
            plugins: [("files".parse().unwrap(), Known { serial: 7, manifest: Digest::of(b"m") })].into(),
            trust: Some(Accepted { version: 1, digest: Digest::of(b"t") }),
            revoked: [Revoked::Key("SHA256:abc".into()), Revoked::Component(Digest::of(b"c"))].into(),
        }
    }

    #[test]
    fn a_state_reads_what_it_wrote_and_is_for_its_owner_alone() {
        let home = tempfile::tempdir().unwrap();
        let store = Store::new(home.path().join("state"));
        assert_eq!(store.read().unwrap(), None);
        store.write(&state()).unwrap();
        assert_eq!(store.read().unwrap(), Some(state()));
        let file = home.path().join("state").join(FILE);
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(file.parent().unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn a_damaged_state_is_not_taken_for_a_lost_one() {
        let home = tempfile::tempdir().unwrap();
        let store = Store::new(home.path());
        for text in ["", "{", r#"{"format":1,"plugins":{},"trust":null,"revoked":[],"more":1}"#] {
            fs::write(home.path().join(FILE), text).unwrap();
            assert!(matches!(store.read(), Err(StateError::Damaged { .. })), "{text}");
        }
        fs::write(home.path().join(FILE), r#"{"format":2}"#).unwrap();
        assert!(matches!(store.read(), Err(StateError::Format { found: 2, .. })));
    }
}
