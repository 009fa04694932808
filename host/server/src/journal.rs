//! The audit journal as a home has it: opened and read with words that say what to do when that fails.

use std::{fmt::Display, io, path::Path, time::Duration};

use anyhow::anyhow;
use tokio::time::timeout;
use wardkeep_audit::{Event, Journal, OpenError, Opened, Options, ReadError, Replay};

use crate::{
    home::{Home, Owner},
    owner::tell,
    screen::shell_quoted,
};

const MEND: &str = "\n  mend: ";
/// A journal takes some seconds to be read where it has gigabytes.
const ADD: Duration = Duration::from_secs(30);

/// Opens the journal of a home whose lock this process holds.
pub(crate) async fn open(home: &Home, sync: wardkeep_audit::Sync) -> anyhow::Result<(Journal, Opened)> {
    let options = Options { sync, ..Options::new(home.audit()) };
    let opened = tokio::task::spawn_blocking(move || Journal::open(options)).await?;
    opened.map_err(|error| match &error {
        OpenError::Read(ReadError::Damaged(damaged)) => broken(home, &error, &damaged.segment),
        error => mended(home, error),
    })
}

/// Adds an event to the journal of a home that nobody serves. One that never served has no journal yet, and none is begun for it: a log that is lost is to
/// be missed.
pub(crate) async fn add(home: &Home, lock: Owner, event: Event) -> anyhow::Result<()> {
    let audit = home.audit();
    let adding = async {
        let known = tokio::task::spawn_blocking(move || {
            anyhow::Ok(audit.exists() && wardkeep_audit::scan(&audit)?.next().transpose()?.is_some())
        });
        if !known.await?? {
            return Ok(());
        }
        let (journal, opened) = open(home, wardkeep_audit::Sync::Always).await?;
        tell(&opened);
        let added = journal.event(event).await;
        journal.shutdown().await;
        Ok(added?)
    };
    let added = timeout(ADD, adding).await;
    drop(lock);
    added.unwrap_or_else(|_| Err(anyhow!("it takes too long to read")))
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
