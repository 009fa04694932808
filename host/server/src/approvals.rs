//! The operator's queue as it lies in a home: `state/approvals.json`, for its owner alone, replaced whole and synced at every change.

use std::{fs, io, path::PathBuf, sync::Arc};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use wardkeep_audit::{Journal, Replay};
use wardkeep_gateway::{Approval, Approvals, Keep};

use crate::{
    home::{Home, ReadError, cap, create_directory, read_file, sync_directory, write_durable},
    kills,
    screen::{Told as _, chain, note},
};

const FILE: &str = "approvals.json";
/// Where a damaged one is kept, for whoever wants to know what waited.
const ASIDE: &str = "approvals.json.damaged";
const FORMAT: u32 = 1;

/// Approvals that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApprovalsError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("`{}` is damaged: {error}\n  mend: move it away; calls that waited are asked for anew", .path.told())]
    Damaged { path: PathBuf, error: serde_json::Error },
    #[error(
        "`{}` has format {found}, this host reads {FORMAT}\n  mend: use the version of wardkeep that wrote it, or a newer one", .path.told()
    )]
    Format { path: PathBuf, found: u32 },
}

impl ApprovalsError {
    /// A file that holds nothing good, and not one that another version may read, or the next try.
    pub(crate) const fn is_damage(&self) -> bool {
        match self {
            Self::Damaged { .. } => true,
            Self::Format { .. } => false,
            Self::Read(error) => !matches!(error, ReadError::Unreadable { .. } | ReadError::Replaced(_)),
        }
    }
}

#[derive(Serialize)]
struct Writing<'a> {
    format: u32,
    approvals: &'a [Approval],
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(rename = "format")]
    _format: u32,
    approvals: Vec<Approval>,
}

/// The file. Only whoever holds the home's lock writes it.
struct File(PathBuf);

impl Keep for File {
    fn keep(&self, approvals: &[Approval]) -> io::Result<()> {
        if let Some(directory) = self.0.parent() {
            create_directory(directory).map_err(io::Error::other)?;
        }
        let mut bytes = serde_json::to_vec_pretty(&Writing { format: FORMAT, approvals })?;
        bytes.push(b'\n');
        write_durable(&self.0, &bytes, 0o600).map_err(io::Error::other)
    }
}

/// What was kept, oldest first. One that was lost approves nothing: what waited is asked for anew.
pub(crate) fn read(home: &Home) -> Result<Vec<Approval>, ApprovalsError> {
    let path = home.state().join(FILE);
    let bytes = match read_file(&path, cap::STATE) {
        Ok(bytes) => bytes,
        Err(ReadError::Absent(_)) => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    #[derive(Deserialize)]
    struct Format {
        format: u32,
    }
    let damaged = |error| ApprovalsError::Damaged { path: path.clone(), error };
    // The format is asked first, so that a newer file is called newer and not damaged.
    let Format { format } = serde_json::from_slice(&bytes).map_err(damaged)?;
    if format != FORMAT {
        return Err(ApprovalsError::Format { path, found: format });
    }
    let Written { approvals, .. } = serde_json::from_slice(&bytes).map_err(damaged)?;
    Ok(approvals)
}

/// Moves a queue away that holds nothing good, so that a start goes on without it. Unlike kills it need not stop anything: what is not known
/// to be approved is not, and the calls that waited are asked for anew. What was used stays used by the journal, whatever comes back.
pub(crate) fn set_aside(home: &Home) -> Result<(), ApprovalsError> {
    let Err(damaged) = read(home) else { return Ok(()) };
    if !damaged.is_damage() {
        return Err(damaged);
    }
    let (path, aside) = (home.state().join(FILE), home.state().join(ASIDE));
    if fs::rename(&path, &aside).and_then(|()| sync_directory(&home.state()).map_err(io::Error::other)).is_err() {
        return Err(damaged);
    }
    let message = chain(&damaged);
    let message = message.split("\n  mend: ").next().unwrap_or_default();
    note(format!(
        "no approval is known any more: {message}; the file is kept as `{}`, and calls that waited are asked for anew",
        aside.told()
    ));
    Ok(())
}

/// The same as they count now: those that a kill has stopped since are told so.
pub(crate) fn read_now(home: &Home) -> Result<Vec<Approval>, ApprovalsError> {
    let now = Timestamp::now();
    let (mut known, kills) = (read(home)?, kills::in_force(&kills::Store::new(home.state()), now));
    for approval in &mut known {
        approval.withdraw(&kills, now);
    }
    Ok(known)
}

/// The queue of a home whose lock this process holds. What the journal knows to be used is used, also where an old copy of the file says otherwise.
pub(crate) fn open(home: &Home, journal: &Journal, replay: &Replay) -> Result<Approvals, ApprovalsError> {
    let file = File(home.state().join(FILE));
    let mut approvals = read(home)?;
    for approval in &mut approvals {
        if let Some((call, at)) = replay.approvals_used.get(approval.id.as_str()) {
            approval.used_before(call, *at);
        }
    }
    let approvals = Approvals::new(approvals, Box::new(file), journal.clone());
    // a host is told more by whoever keeps its kills, before it serves
    approvals.stop(Arc::new(kills::in_force(&kills::Store::new(home.state()), Timestamp::now())));
    Ok(approvals)
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use super::*;

    fn home() -> (tempfile::TempDir, Home) {
        let directory = tempfile::tempdir().unwrap();
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o700)).unwrap();
        fs::write(directory.path().join("wardkeep.toml"), "").unwrap();
        let home = Home::open(Some(directory.path())).unwrap();
        (directory, home)
    }

    const ONE: &str = r#"{ "format": 1, "approvals": [{
        "id": "apv-00000000000000ff",
        "matter": { "principal": "service:ci", "tool": "files_write", "plugin": "files", "version": "1.0.0",
            "contract": "0000000000000000000000000000000000000000000000000000000000000001",
            "manifest": "0000000000000000000000000000000000000000000000000000000000000002",
            "arguments": "0000000000000000000000000000000000000000000000000000000000000003" },
        "shown": { "effect": "write", "side_effects": "writes", "resources": [], "arguments": ["path: \"a\""] },
        "correlation": "00000000000000000000000000000001",
        "asked": "2026-11-23T06:00:00Z", "until": "2026-11-23T07:00:00Z",
        "standing": { "is": "pending" } }] }"#;

    #[test]
    fn approvals_are_read_as_they_were_written_for_their_owner_alone() {
        let (directory, home) = home();
        assert!(read(&home).unwrap().is_empty());
        fs::create_dir(home.state()).unwrap();
        let path = home.state().join(FILE);
        fs::write(&path, ONE).unwrap();
        let known = read(&home).unwrap();
        assert_eq!(known[0].id.as_str(), "apv-00000000000000ff");
        fs::remove_file(&path).unwrap();
        File(path.clone()).keep(&known).unwrap();
        assert_eq!(read(&home).unwrap(), known);
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        drop(directory);
    }

    #[test]
    fn a_damaged_queue_is_not_taken_for_an_empty_one() {
        let (_directory, home) = home();
        fs::create_dir(home.state()).unwrap();
        let path = home.state().join(FILE);
        for text in ["", "{", r#"{"format":1}"#, &ONE.replace("pending", "yes")] {
            fs::write(&path, text).unwrap();
            assert!(matches!(read(&home), Err(ApprovalsError::Damaged { .. })), "{text}");
        }
        fs::write(&path, ONE.replace("\"format\": 1", "\"format\": 2")).unwrap();
        assert!(matches!(read(&home), Err(ApprovalsError::Format { found: 2, .. })));
        assert!(set_aside(&home).is_err() && path.exists(), "what a newer version can read is not thrown away");
    }

    #[test]
    fn a_damaged_queue_is_set_aside_and_a_good_one_stays() {
        let (_directory, home) = home();
        set_aside(&home).unwrap();
        fs::create_dir(home.state()).unwrap();
        let path = home.state().join(FILE);
        fs::write(&path, ONE).unwrap();
        set_aside(&home).unwrap();
        assert!(path.exists());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o622)).unwrap();
        for text in [ONE, "{"] {
            fs::write(&path, text).unwrap();
            set_aside(&home).unwrap();
            assert!(
                !path.exists() && read(&home).unwrap().is_empty(),
                "others may have written it, or half of it is gone"
            );
            assert_eq!(fs::read_to_string(home.state().join(ASIDE)).unwrap(), text);
        }
    }
}
