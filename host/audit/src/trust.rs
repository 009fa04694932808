//! Whose files a journal may continue: a log that others can write to proves nothing. The directories above are the home's to check.

use std::{
    fmt,
    fs::Metadata,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

const PERMISSIONS: u32 = 0o7777;
const OTHERS_WRITE: u32 = 0o022;
const ROOT: u32 = 0;

/// A segment, or the directory, that a journal does not continue.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` {fault} (owner {owner}, mode {mode:04o})\n  mend: {}", path.display(), self.mend())]
pub struct Untrusted {
    /// Which.
    pub path: PathBuf,
    /// The user id that owns it.
    pub owner: u32,
    /// Its permission bits.
    pub mode: u32,
    /// Why not.
    pub fault: Fault,
}

/// Why a file is not trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It belongs to neither root nor the effective user, whose id this is.
    Owner {
        /// Who may own it, besides root.
        effective: u32,
    },
    /// Its group or everybody may write to it.
    Writable,
    /// It has other names, through which it may be changed.
    Linked {
        /// How many names it has.
        names: u64,
    },
    /// It is a symbolic link, and may lead anywhere tomorrow.
    Symlink,
    /// It is a directory, a pipe or something else in the place of a segment.
    NotAFile,
    /// It is something else in the place of the directory.
    NotADirectory,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Owner { .. } => f.write_str("belongs to another: only root or the user who runs the host may own it"),
            Self::Writable => f.write_str("is not safe: others may write to it"),
            Self::Linked { names } => write!(f, "has {names} names, and may be changed through each"),
            Self::Symlink => f.write_str("is a symlink"),
            Self::NotAFile => f.write_str("is not a regular file"),
            Self::NotADirectory => f.write_str("is not a directory"),
        }
    }
}

impl Untrusted {
    fn new(path: &Path, metadata: &Metadata, fault: Fault) -> Self {
        Self { path: path.to_owned(), owner: metadata.uid(), mode: metadata.mode() & PERMISSIONS, fault }
    }

    fn mend(&self) -> String {
        let path = quoted(&self.path);
        match self.fault {
            Fault::Owner { effective } => format!("chown {effective} {path}"),
            Fault::Writable => format!("chmod go-w {path}"),
            Fault::Linked { .. } => {
                let copy = quoted(&self.path.with_extension("copy"));
                format!("cp -p {path} {copy} && mv {copy} {path}")
            }
            Fault::Symlink => "put what it leads to in its place".to_owned(),
            Fault::NotAFile => "move it away, and restore this segment from a copy".to_owned(),
            Fault::NotADirectory => "move it away, and restore the directory from a copy".to_owned(),
        }
    }
}

/// A regular file, whoever owns it: what readers ask for.
pub(crate) fn regular(path: &Path, metadata: &Metadata) -> Result<(), Untrusted> {
    if metadata.is_file() { Ok(()) } else { Err(Untrusted::new(path, metadata, Fault::NotAFile)) }
}

/// A regular file that nobody else can change: what a journal goes on from.
pub(crate) fn owned(path: &Path, metadata: &Metadata) -> Result<(), Untrusted> {
    regular(path, metadata)?;
    ours(path, metadata)?;
    match metadata.nlink() {
        // No name at all: it was removed since it was opened, which the writer finds.
        0 | 1 => Ok(()),
        names => Err(Untrusted::new(path, metadata, Fault::Linked { names })),
    }
}

/// Nobody else may put anything there, or change it.
pub(crate) fn ours(path: &Path, metadata: &Metadata) -> Result<(), Untrusted> {
    let effective = rustix::process::geteuid().as_raw();
    if ![ROOT, effective].contains(&metadata.uid()) {
        return Err(Untrusted::new(path, metadata, Fault::Owner { effective }));
    }
    if metadata.mode() & OTHERS_WRITE != 0 {
        return Err(Untrusted::new(path, metadata, Fault::Writable));
    }
    Ok(())
}

/// Is it a link, or no directory, that kept this path from being opened without following it.
pub(crate) fn unopened(path: &Path, wants_directory: bool) -> Option<Untrusted> {
    let metadata = path.symlink_metadata().ok()?;
    if metadata.is_symlink() {
        return Some(Untrusted::new(path, &metadata, Fault::Symlink));
    }
    (wants_directory && !metadata.is_dir()).then(|| Untrusted::new(path, &metadata, Fault::NotADirectory))
}

/// The path as a shell takes it, so that a mend can be pasted.
fn quoted(path: &Path) -> String {
    let word = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@=+,%".contains(c);
    if word.chars().all(plain) { word } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests;
