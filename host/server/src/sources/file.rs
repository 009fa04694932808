//! One file of the directory of secrets. It belongs to root or to the user who runs the host, and nobody else can read it or change what
//! leads to it. Links are followed inside of the directory: so Kubernetes mounts secrets.

use std::{
    fs::{File, Metadata},
    io::Read as _,
    os::unix::fs::MetadataExt as _,
    path::Path,
    sync::Arc,
};

use wardkeep_sandbox::{LONGEST_SECRET, Reading, SourceError};
use zeroize::Zeroize as _;

use crate::home::{ReadError, Unsafe, check_parent, open_checked};

/// How often it is tried again while the link that leads to it is being changed.
const TRIES: usize = 3;

pub(super) fn read(directory: &Path, name: &str) -> Result<Reading, SourceError> {
    let mut last = SourceError::Absent;
    for _ in 0..TRIES {
        match once(directory, name) {
            // Kubernetes replaces the link `..data` at once, but not between our looking at it and our opening what it leads to.
            Err(Failed::Changing(error)) => last = error,
            Err(Failed::For(error)) => return Err(error),
            Ok(reading) => return Ok(reading),
        }
    }
    Err(last)
}

enum Failed {
    Changing(SourceError),
    For(SourceError),
}

fn once(directory: &Path, name: &str) -> Result<Reading, Failed> {
    // A sticky directory of root's will do: the file's own owner is asked below, and nobody else can replace what is his.
    let inside = check_parent(directory).map_err(|error| Failed::For(not_safe(error)))?;
    let (file, real) = open_checked(&inside.join(name)).map_err(|error| match error {
        ReadError::Absent(_) => Failed::For(SourceError::Absent),
        ReadError::Unsafe(error @ Unsafe::Dangling { .. }) => Failed::Changing(not_safe(error)),
        ReadError::Unsafe(error) => Failed::For(not_safe(error)),
        ReadError::Unreadable { error, .. } => Failed::For(SourceError::Unreadable(Arc::new(error))),
        error => Failed::Changing(SourceError::Untrusted(Arc::new(error))),
    })?;
    if !real.starts_with(&inside) {
        return Err(Failed::For(SourceError::LeadsOut));
    }
    let unreadable = |error| Failed::For(SourceError::Unreadable(Arc::new(error)));
    let metadata = file.metadata().map_err(unreadable)?;
    private(&metadata).map_err(Failed::For)?;
    let bytes = whole(&file).map_err(unreadable)?;
    Reading::new(bytes, metadata.modified().ok()).map_err(Failed::For)
}

fn not_safe(error: Unsafe) -> SourceError {
    match error {
        Unsafe::Unreadable { error, .. } if error.kind() == std::io::ErrorKind::NotFound => SourceError::Absent,
        Unsafe::Unreadable { error, .. } => SourceError::Unreadable(Arc::new(error)),
        error => SourceError::Untrusted(Arc::new(error)),
    }
}

/// Nobody but its owner reads it; or, where root has given it to the group that the host runs in, that group (systemd's credentials, Kubernetes'
/// `fsGroup`).
fn private(metadata: &Metadata) -> Result<(), SourceError> {
    let mode = metadata.mode() & 0o7777;
    let given = metadata.uid() == 0 && !rustix::process::geteuid().is_root();
    let others = if given { 0o037 } else { 0o077 };
    if mode & others == 0 { Ok(()) } else { Err(SourceError::OpenToOthers { mode }) }
}

/// All of it, or one byte more than it may have. Into room that is there from the beginning: a buffer that grows leaves copies behind.
fn whole(file: &File) -> std::io::Result<Vec<u8>> {
    let most = LONGEST_SECRET + "\r\n".len() + 1;
    let mut bytes = Vec::with_capacity(most + 1);
    match file.take(most as u64).read_to_end(&mut bytes) {
        Ok(_) => Ok(bytes),
        Err(error) => {
            bytes.zeroize();
            Err(error)
        }
    }
}

#[cfg(test)]
mod tests;
