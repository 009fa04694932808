//! Opening a journal: the lock, the walk through all of it, the cut of a torn tail, the findings.

use std::{
    fs::DirBuilder,
    io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use jiff::Timestamp;

use super::{
    Opened, Options, Torn, Unfinished,
    writer::{Current, write_all},
};
use crate::{
    Changed, Event, ReadError,
    line::Line,
    segment::mend,
    sink::{Files, Locked, Sink},
    verify::Walk,
};

/// Why a journal cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process, or another journal of this one, writes there.
    #[error(
        "the audit journal `{0}` is being written by another wardkeep process\n  mend: stop that one; `fuser {0}` finds it",
        directory.display()
    )]
    Locked {
        /// The directory.
        directory: PathBuf,
    },
    /// It does not hold what was written, or cannot be read.
    #[error("the audit journal cannot be continued: {0}")]
    Read(#[from] ReadError),
    /// Another wrote to it, or removed it, while it was being opened.
    #[error(
        "the audit journal `{}` was changed while it was opened: {changed}\n  mend: find what else writes there, then start again",
        directory.display()
    )]
    Changed {
        /// The directory.
        directory: PathBuf,
        /// What was changed.
        changed: Changed,
    },
    /// A step of opening it failed.
    #[error("cannot {step} in `{}`: {source}{}", directory.display(), mend(source.kind()))]
    Io {
        /// Which step.
        step: &'static str,
        /// The directory.
        directory: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// How long a journal of this process that was just dropped may take to give up its lock.
const HANDOVER: Duration = Duration::from_millis(500);

pub(super) fn open(
    options: &Options,
    wrap: impl FnOnce(Files) -> Box<dyn Sink>,
) -> Result<(Current, Opened), OpenError> {
    let directory = &options.directory;
    let failed = |step| move |source| OpenError::Io { step, directory: directory.clone(), source };
    make(directory).map_err(failed("make the directory"))?;
    let lock = lock(directory)?;
    let Walk { chain, segments, open, replay, length, torn } = Walk::owned(directory)?;
    let files = lock.append_to(segments.max(1), segments > 0, length).map_err(failed("open the last segment"))?;
    if torn.is_some() {
        files.cut().map_err(failed("cut the incomplete last line"))?;
    }
    let unfinished = open.unfinished();
    let mut current = Current { sink: wrap(files), chain, length };
    // Before anything is added: what was read must be what is built upon.
    if let Some(changed) = current.sink.changed().map_err(failed("look at the last segment"))? {
        return Err(OpenError::Changed { directory: directory.clone(), changed });
    }
    // Found things are written and synced before anything else may be: a second crash must not find them anew, nor lose them.
    let mut lines = Vec::new();
    for event in findings(torn.as_ref(), &unfinished) {
        let line = Line::event(&event, Timestamp::now());
        current.chain.seal(line, &mut lines).map_err(io::Error::from).map_err(failed("record what was found"))?;
    }
    write_all(&mut *current.sink, &lines).map_err(failed("record what was found"))?;
    current.length += lines.len() as u64;
    // Also makes durable what the last run wrote to the kernel only: it is built upon from here.
    current.sink.sync().map_err(failed("sync the journal"))?;
    Ok((current, Opened { torn, unfinished, replay }))
}

fn findings(torn: Option<&Torn>, unfinished: &[Unfinished]) -> impl Iterator<Item = Event> {
    let torn =
        torn.cloned().map(|Torn { segment, line, bytes, digest }| Event::TornTail { segment, line, bytes, digest });
    let unfinished = unfinished.iter().cloned();
    torn.into_iter().chain(unfinished.map(|Unfinished { correlation, tool, user }| Event::Unfinished {
        correlation,
        tool,
        user,
    }))
}

fn make(directory: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(directory) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        made => made?,
    }
    // The directory's own name is on the device before anything in it counts as recorded.
    let parent = directory.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::File::open(parent)?.sync_all()
}

fn lock(directory: &Path) -> Result<Locked, OpenError> {
    let until = Instant::now() + HANDOVER;
    loop {
        match Locked::new(directory) {
            Ok(Some(lock)) => return Ok(lock),
            Ok(None) if Instant::now() < until => std::thread::sleep(Duration::from_millis(5)),
            Ok(None) => return Err(OpenError::Locked { directory: directory.to_owned() }),
            Err(error) => return Err(error.into()),
        }
    }
}
