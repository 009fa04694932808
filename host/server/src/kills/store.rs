//! The kills as they lie in a home's `state/`. Whoever changes them does so under a lock, so that two commands do not lose each other's,
//! and what is written is on the device before it counts.

use std::{
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use wardkeep_policy::kill::{Kill, Stops};

use super::Book;
use crate::{
    home::{ReadError, Turn, TurnError, WriteError, cap, create_directory, read_file, write_durable},
    screen::Told as _,
};

const KILLS: &str = "kills.json";
const BRAKES: &str = "brakes.json";
const LOCK: &str = "kills.lock";
const FORMAT: u32 = 1;
/// Another command holds the lock for a few milliseconds.
const PATIENCE: Duration = Duration::from_secs(3);
/// A file that is replaced while it is read is read again so often.
const AGAIN: usize = 5;

/// Kills that cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    #[error("`{}` is damaged: {what}\n  mend: move it away; {}", .path.told(), without(.path))]
    Damaged { path: PathBuf, what: String },
    #[error("`{}` has format {found}, this version reads {FORMAT}\n  mend: use the version of wardkeep that wrote it, or a newer one", .path.told())]
    Format { path: PathBuf, found: u32 },
    #[error(transparent)]
    Unsafe(ReadError),
    /// Nobody can say what it holds; it may be well.
    #[error(transparent)]
    Unreadable(ReadError),
    #[error(transparent)]
    Write(#[from] WriteError),
    #[error("the device of the home's state does not answer")]
    Late,
    #[error(transparent)]
    Turn(#[from] TurnError),
}

/// What comes of moving the file away.
fn without(path: &Path) -> &'static str {
    if path.ends_with(BRAKES) {
        "what it held is braked no more, and until then everything stays stopped"
    } else {
        "a host writes it anew from its audit log, and until then everything stays stopped"
    }
}

impl StoreError {
    /// Whether trying again may help, as opposed to a file that holds nothing good.
    pub(crate) const fn is_passing(&self) -> bool {
        matches!(self, Self::Unreadable(_) | Self::Late | Self::Turn(_) | Self::Write(_))
    }
}

#[derive(Serialize, Deserialize)]
struct Written<T> {
    format: u32,
    #[serde(flatten)]
    holds: T,
}

/// What the host stopped by itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Brakes {
    /// Whether it still holds or not.
    pub(crate) kills: Vec<Kill>,
    /// As in [`Book`].
    #[serde(default)]
    pub(crate) stops: Stops,
}

/// What tells one state of the operator's file from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Stamp(Option<(u64, u64, i64, i64)>);

/// Where the kills lie.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    directory: PathBuf,
}

impl Store {
    pub(crate) fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into() }
    }

    /// The operator's kills, if there is a file of them.
    pub(crate) fn read(&self) -> Result<Option<Book>, StoreError> {
        let path = self.directory.join(KILLS);
        let Some(book) = self.file::<Book>(&path)? else { return Ok(None) };
        if !book.is_sound() {
            return Err(StoreError::Damaged { path, what: "its changes do not follow each other".to_owned() });
        }
        Ok(Some(book))
    }

    /// What the host stopped by itself.
    pub(crate) fn brakes(&self) -> Result<Brakes, StoreError> {
        Ok(self.file(&self.directory.join(BRAKES))?.unwrap_or_default())
    }

    /// Only the owner of the home writes them.
    pub(crate) fn write_brakes(&self, brakes: &Brakes) -> Result<(), StoreError> {
        self.put(BRAKES, brakes)
    }

    /// Changes the operator's kills; on the device when this returns. Nothing is written where the change leaves them as they are.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut Book) -> T) -> Result<T, StoreError> {
        create_directory(&self.directory)?;
        let _turn = Turn::take(&self.directory.join(LOCK), PATIENCE)?;
        let before = self.read()?.unwrap_or_default();
        let mut book = before.clone();
        let done = change(&mut book);
        if book != before {
            self.put(KILLS, &book)?;
        }
        Ok(done)
    }

    /// Whether anything has changed since is seen by this. Reads no file.
    pub(crate) fn stamp(&self) -> Stamp {
        let found = self.directory.join(KILLS).symlink_metadata().ok();
        Stamp(found.map(|found| (found.ino(), found.size(), found.ctime(), found.ctime_nsec())))
    }

    fn put(&self, name: &str, holds: &impl Serialize) -> Result<(), StoreError> {
        create_directory(&self.directory)?;
        let path = self.directory.join(name);
        let mut bytes = serde_json::to_vec_pretty(&Written { format: FORMAT, holds })
            .map_err(|error| StoreError::Damaged { path: path.clone(), what: error.to_string() })?;
        bytes.push(b'\n');
        Ok(write_durable(&path, &bytes, 0o600)?)
    }

    fn file<T: DeserializeOwned>(&self, path: &Path) -> Result<Option<T>, StoreError> {
        let mut left = AGAIN;
        let bytes = loop {
            match read_file(path, cap::STATE) {
                Ok(bytes) => break bytes,
                Err(ReadError::Absent(_)) => return Ok(None),
                Err(ReadError::Replaced(_)) if left > 0 => left -= 1,
                Err(error @ (ReadError::Replaced(_) | ReadError::Unreadable { .. })) => {
                    return Err(StoreError::Unreadable(error));
                }
                Err(error) => return Err(StoreError::Unsafe(error)),
            }
        };
        let damaged = |error: serde_json::Error| StoreError::Damaged { path: path.to_owned(), what: error.to_string() };
        // The format is asked first, so that a newer file is called newer and not damaged.
        #[derive(Deserialize)]
        struct Format {
            format: u32,
        }
        let Format { format } = serde_json::from_slice(&bytes).map_err(damaged)?;
        if format != FORMAT {
            return Err(StoreError::Format { path: path.to_owned(), found: format });
        }
        let mut value: serde_json::Map<_, _> = serde_json::from_slice(&bytes).map_err(damaged)?;
        value.remove("format");
        Ok(Some(serde_json::from_value(value.into()).map_err(damaged)?))
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _, sync::Arc, thread};

    use jiff::Timestamp;

    use super::*;

    fn kill(target: &str) -> Kill {
        let since = Timestamp::from_second(1).unwrap();
        Kill { target: target.parse().unwrap(), reason: "r".into(), by: "me".into(), since, until: None }
    }

    #[test]
    fn commands_at_the_same_time_do_not_lose_each_others_kills() {
        let home = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::new(home.path().join("state")));
        assert!(store.read().unwrap().is_none());
        let commands: Vec<_> = (0..16)
            .map(|n| {
                let store = Arc::clone(&store);
                thread::spawn(move || {
                    store.change(|book| book.kill(kill(&format!("caller:user:{n}")))).unwrap();
                })
            })
            .collect();
        for command in commands {
            command.join().unwrap();
        }
        let book = store.read().unwrap().unwrap();
        assert_eq!((book.change, book.kills.len(), book.changes.len()), (16, 16, 16));
        let file = home.path().join("state").join(KILLS);
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let brakes = Brakes { kills: vec![kill("plugin:x")], ..Brakes::default() };
        store.write_brakes(&brakes).unwrap();
        assert_eq!(store.brakes().unwrap(), brakes);
    }

    #[test]
    fn what_cannot_be_read_stops_everything_and_says_what_to_do() {
        let home = tempfile::tempdir().unwrap();
        let store = Store::new(home.path());
        let now = Timestamp::now();
        assert_eq!(super::super::in_force(&store, now).iter().count(), 0);
        store.change(|book| book.kill(kill("plugin:x"))).unwrap();
        let whole = fs::read_to_string(home.path().join(KILLS)).unwrap();
        for (text, why) in [
            (String::new(), "damaged"),
            (whole.chars().take(whole.len() / 2).collect(), "damaged"),
            (whole.replace("\"change\"", "\"chance\""), "damaged"),
            (whole.replace("plugin:x", "plugin:X Y"), "a target is all, writes"),
            (whole.replacen("\"change\": 1", "\"change\": 2", 1), "do not follow"),
            (whole.replace("\"format\": 1", "\"format\": 2"), "has format 2"),
        ] {
            fs::write(home.path().join(KILLS), &text).unwrap();
            let error = store.read().unwrap_err();
            assert!(!error.is_passing() && error.to_string().contains(why), "{text}: {error}");
            assert!(error.to_string().contains("\n  mend: "), "{error}");
            assert!(store.change(|book| book.kill(kill("writes"))).is_err(), "and is not written over");
            let kills = super::super::in_force(&store, now);
            assert_eq!(kills.iter().map(|kill| kill.target.to_string()).collect::<Vec<_>>(), ["all"], "{text}");
        }
        fs::write(home.path().join(KILLS), &whole).unwrap();
        fs::set_permissions(home.path().join(KILLS), fs::Permissions::from_mode(0o622)).unwrap();
        assert!(!store.read().unwrap_err().is_passing(), "others may have written it");
    }

    #[test]
    fn a_command_that_hangs_holds_another_up_for_a_moment_only() {
        let home = tempfile::tempdir().unwrap();
        let store = Store::new(home.path());
        let _held = Turn::take(&store.directory.join(LOCK), PATIENCE).unwrap();
        let error = store.change(|book| book.kill(kill("all"))).unwrap_err();
        assert!(matches!(error, StoreError::Turn(TurnError::Held(_))), "{error}");
    }
}
