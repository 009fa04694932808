//! The audit journal as a home has it: opened and read with words that say what to do when that fails.

use std::{fmt::Display, io, path::Path};

use anyhow::anyhow;
use wardkeep_audit::{Journal, OpenError, Opened, Options, ReadError, Replay};

use crate::{home::Home, screen::shell_quoted};

const MEND: &str = "\n  mend: ";

/// Opens the journal of a home whose lock this process holds.
pub(crate) async fn open(home: &Home, sync: wardkeep_audit::Sync) -> anyhow::Result<(Journal, Opened)> {
    let options = Options { sync, ..Options::new(home.audit()) };
    let opened = tokio::task::spawn_blocking(move || Journal::open(options)).await?;
    opened.map_err(|error| match &error {
        OpenError::Read(ReadError::Damaged(damaged)) => broken(home, &error, &damaged.segment),
        error => mended(home, error),
    })
}

/// What the journal mirrors of the state. The whole journal is verified on the way. Needs no lock.
pub(crate) fn replay(home: &Home) -> anyhow::Result<Replay> {
    let error = match wardkeep_audit::replay(&home.audit()) {
        Ok(replay) => return Ok(replay),
        Err(error) => error,
    };
    match &error {
        ReadError::Io { source, .. } if source.kind() == io::ErrorKind::NotFound => Ok(Replay::default()),
        ReadError::Damaged(damaged) => {
            let text = format!("the audit journal cannot be continued: {error}");
            Err(broken(home, &text, &damaged.segment))
        }
        error => Err(mended(home, error)),
    }
}

/// A journal that does not hold what was written. Nobody gets past it without a word that stays.
fn broken(home: &Home, error: &impl Display, segment: &str) -> anyhow::Error {
    let text = error.to_string();
    let message = text.split_once(MEND).map_or(text.as_str(), |(message, _)| message);
    anyhow!(
        "{message}{MEND}put `{segment}` back from a copy, or keep the damaged journal apart and begin a new one on purpose:\n        \
         mv {} {} && wardkeep --home {} state reset --reason TEXT",
        quoted(&home.audit()),
        quoted(&home.join("audit.damaged")),
        quoted(home.path())
    )
}

/// The error with its mend: its own where it names one.
fn mended(home: &Home, error: &impl Display) -> anyhow::Error {
    let text = error.to_string();
    if text.contains(MEND) {
        return anyhow!(text);
    }
    let audit = quoted(&home.audit());
    anyhow!("{text}{MEND}the user who runs the host must be able to read and write there: ls -ld {audit} {audit}/*")
}

fn quoted(path: &Path) -> String {
    shell_quoted(&path.display().to_string())
}
