//! The journal's files: their names, their order, and reading their lines whether or not somebody still writes.

use std::{
    fs::{File, Metadata},
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

use rustix::fs::{CWD, Mode, OFlags, openat};

use crate::{
    chain::{Damage, MAX_LINE},
    trust::{self, Untrusted},
};

const PREFIX: &str = "segment-";
const SUFFIX: &str = ".jsonl";

/// Damage, and where it is.
#[derive(Debug, thiserror::Error)]
#[error(
    "{segment}:{line}: {damage}\n  mend: restore this segment from a copy; to begin anew move the directory away and run \
     `wardkeep state reset --reason TEXT`"
)]
pub struct Damaged {
    /// The segment's file name.
    pub segment: String,
    /// Which line, from 1.
    pub line: u64,
    /// What is wrong there.
    pub damage: Damage,
}

/// Why the log cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It does not hold what was written.
    #[error(transparent)]
    Damaged(#[from] Damaged),
    /// The file or the directory cannot be read.
    #[error("cannot read `{}`: {source}{}", path.display(), mend(source.kind()))]
    Io {
        /// What cannot be read.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is no file that a log may consist of.
    #[error(transparent)]
    Untrusted(#[from] Untrusted),
}

/// What helps against an error of the system, as the end of its message; nothing where nobody can say.
pub(crate) const fn mend(kind: io::ErrorKind) -> &'static str {
    match kind {
        io::ErrorKind::PermissionDenied => "\n  mend: run it as the user who runs the host",
        io::ErrorKind::NotFound => "\n  mend: look whether this is the right home; restore what is missing from a copy",
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "\n  mend: make room on its device, then start again"
        }
        io::ErrorKind::ReadOnlyFilesystem => "\n  mend: mount its file system so that it can be written to",
        _ => "",
    }
}

/// Decides by what an open file is whether it is read.
pub(crate) type Judge = fn(&Path, &Metadata) -> Result<(), Untrusted>;

/// The file name of a segment; eight digits so that names sort as numbers do.
pub(crate) fn name(number: u64) -> String {
    format!("{PREFIX}{number:08}{SUFFIX}")
}

fn number(name: &str) -> Option<u64> {
    let digits = name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?;
    let number = digits.parse().ok()?;
    // `+1`, `1` and `0001` are files of somebody else.
    (self::name(number) == name && number > 0).then_some(number)
}

/// How many segments there are. They are numbered from 1 without a gap.
pub(crate) fn count(directory: &Path) -> Result<u64, ReadError> {
    let failed = |source| ReadError::Io { path: directory.to_owned(), source };
    let mut numbers = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        numbers.extend(name.to_str().and_then(number));
    }
    numbers.sort_unstable();
    let gap = (1..).zip(&numbers).find(|(expected, found)| *expected != **found);
    match gap {
        None => Ok(numbers.len() as u64),
        Some((missing, _)) => Err(Damaged { segment: name(missing), line: 0, damage: Damage::MissingSegment }.into()),
    }
}

/// Opens a segment and refuses what the judge does, a link above all.
fn open(directory: &Path, number: u64, judge: Judge) -> Result<File, ReadError> {
    let path = directory.join(name(number));
    let failed = |source| ReadError::Io { path: path.clone(), source };
    // Not blocking: a FIFO in the place of a segment would wait for a writer for ever.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = match openat(CWD, &path, flags, Mode::empty()) {
        Ok(file) => File::from(file),
        Err(error) => {
            return Err(trust::unopened(&path, false).map_or_else(|| failed(error.into()), ReadError::from));
        }
    };
    judge(&path, &file.metadata().map_err(failed)?)?;
    Ok(file)
}

/// What comes next in a segment.
#[derive(Debug)]
pub(crate) enum Next<'a> {
    /// A whole line with its line feed.
    Line(&'a [u8]),
    /// The bytes after the last line feed. Asked again, it reads on: a writer may be in the middle of it.
    Partial(&'a [u8]),
    /// Nothing more for now.
    End,
}

/// Reads one segment line by line.
#[derive(Debug)]
pub(crate) struct Lines {
    directory: PathBuf,
    number: u64,
    reader: BufReader<File>,
    line: u64,
    bytes: Vec<u8>,
    partial: bool,
}

impl Lines {
    pub(crate) fn open(directory: &Path, number: u64, judge: Judge) -> Result<Self, ReadError> {
        let reader = BufReader::with_capacity(64 << 10, open(directory, number, judge)?);
        Ok(Self { directory: directory.to_owned(), number, reader, line: 0, bytes: Vec::new(), partial: false })
    }

    /// The segment's file name.
    pub(crate) fn segment(&self) -> String {
        name(self.number)
    }

    pub(crate) const fn number(&self) -> u64 {
        self.number
    }

    /// The number of the line that [`Self::next`] gave last, from 1.
    pub(crate) const fn line(&self) -> u64 {
        self.line
    }

    pub(crate) fn damaged(&self, damage: Damage) -> Damaged {
        Damaged { segment: self.segment(), line: self.line, damage }
    }

    pub(crate) fn next(&mut self) -> Result<Next<'_>, ReadError> {
        // A line is counted when it begins, and once: what was partial, or not there yet, is the same line when asked again.
        if !self.partial {
            self.bytes.clear();
            self.line += 1;
        }
        let room = (MAX_LINE + 1).saturating_sub(self.bytes.len()) as u64;
        if let Err(source) = self.reader.by_ref().take(room).read_until(b'\n', &mut self.bytes) {
            return Err(ReadError::Io { path: self.directory.join(self.segment()), source });
        }
        self.partial = !self.bytes.ends_with(b"\n");
        if !self.partial {
            return Ok(Next::Line(&self.bytes));
        }
        if self.bytes.len() > MAX_LINE {
            return Err(self.damaged(Damage::TooLong).into());
        }
        Ok(if self.bytes.is_empty() { Next::End } else { Next::Partial(&self.bytes) })
    }
}
