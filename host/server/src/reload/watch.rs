//! Notices that something in a home has changed, by looking at it once a second: no event can be lost, and network file systems
//! are looked at like any other (docs/decisions/005-reload.md). Reads no file's content.

use std::{
    fs::{self, Metadata},
    os::unix::{ffi::OsStrExt as _, fs::MetadataExt as _},
    path::Path,
    time::Duration,
};

use tokio::{
    task::spawn_blocking,
    time::{Instant, sleep},
};
use wardkeep_model::Digest;

use crate::{document::signature_directory, home::Home};

/// Between two looks while nothing happens.
const EVERY: Duration = Duration::from_secs(1);
/// Between two looks while something happens.
const SOON: Duration = Duration::from_millis(50);
/// A plugin is written in several steps: nothing is read before all has been quiet for so long,
const QUIET: Duration = Duration::from_millis(200);
/// or something has been going on for so long.
const LONGEST: Duration = Duration::from_secs(5);
/// Files that are looked at. Beyond it, only a signal reloads.
const MOST: usize = 20_000;
/// `plugins/NAME/manifest.toml.sigs/KEY.sig`.
const DEEPEST: usize = 3;

/// What a home looked like when it was last read.
pub(crate) struct Watch {
    home: Home,
    seen: Digest,
}

impl Watch {
    /// From what the home looks like now: take it before anything is read.
    pub(crate) fn new(home: &Home) -> Self {
        Self { home: home.clone(), seen: look(home) }
    }

    /// What is there now counts as seen.
    pub(crate) async fn mark(&mut self) {
        self.seen = self.look().await;
    }

    /// Waits until something has changed and is quiet again. May be dropped: then the change is found anew.
    pub(crate) async fn changed(&mut self) {
        let mut last = loop {
            sleep(EVERY).await;
            let now = self.look().await;
            if now != self.seen {
                break now;
            }
        };
        let begun = Instant::now();
        let mut since = begun;
        while since.elapsed() < QUIET && begun.elapsed() < LONGEST {
            sleep(SOON).await;
            let now = self.look().await;
            if now != last {
                (last, since) = (now, Instant::now());
            }
        }
        self.seen = last;
    }

    async fn look(&self) -> Digest {
        let home = self.home.clone();
        // A look that fails is one that sees nothing new.
        spawn_blocking(move || look(&home)).await.unwrap_or(self.seen)
    }
}

fn look(home: &Home) -> Digest {
    let mut seen = Vec::new();
    let mut left = MOST;
    for path in [home.config(), home.trust(), signature_directory(&home.trust()), home.revoked(), home.plugins()] {
        walk(&path, 0, &mut left, &mut seen);
    }
    Digest::of(&seen)
}

fn walk(path: &Path, depth: usize, left: &mut usize, seen: &mut Vec<u8>) {
    if *left == 0 {
        return;
    }
    *left -= 1;
    seen.extend_from_slice(path.as_os_str().as_bytes());
    seen.push(0);
    // What a symlink leads to may change as well as where it leads.
    let Ok(metadata) = path.metadata() else { return };
    stamp(&metadata, seen);
    if let Ok(link) = path.symlink_metadata()
        && link.is_symlink()
    {
        stamp(&link, seen);
    }
    if !metadata.is_dir() || depth == DEEPEST {
        return;
    }
    let Ok(entries) = fs::read_dir(path) else { return };
    let mut names: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.file_name())).collect();
    // Hidden names are nobody's plugin and no revocation: what is staged there is not looked at.
    names.retain(|name| depth > 0 || !name.as_bytes().starts_with(b"."));
    names.sort();
    for name in names {
        walk(&path.join(name), depth + 1, left, seen);
    }
}

/// The time of the last change to the inode is among it: it cannot be set back, as that of the content can.
fn stamp(metadata: &Metadata, seen: &mut Vec<u8>) {
    let signed = [metadata.mtime(), metadata.mtime_nsec(), metadata.ctime(), metadata.ctime_nsec()];
    let unsigned = [metadata.dev(), metadata.ino(), metadata.size(), metadata.mode().into(), metadata.uid().into()];
    // A directory's own times change with every hidden name in it; what matters of it are its names and its mode.
    if !metadata.is_dir() {
        signed.iter().for_each(|value| seen.extend_from_slice(&value.to_le_bytes()));
        unsigned.iter().for_each(|value| seen.extend_from_slice(&value.to_le_bytes()));
    } else {
        seen.extend_from_slice(&metadata.ino().to_le_bytes());
        seen.extend_from_slice(&metadata.mode().to_le_bytes());
        seen.extend_from_slice(&metadata.uid().to_le_bytes());
    }
}
