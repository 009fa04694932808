//! `wardkeep:files`: reading and changing what lies in the operator's named directories, by the grants of the running tool.
//!
//! Every path goes through [`path::GuestPath`] and then through a `cap_std` directory: no symbolic link and no `..` leads out
//! of it, whatever a guest sends and whatever lies in the tree. Only regular files are opened. What changes something stands in
//! [`writer`] and below it; nothing of the reader does.

mod batch;
mod change;
mod ignored;
mod path;
mod read;
mod temporary;
mod walk;
mod writer;

use std::sync::{Arc, atomic::AtomicUsize};

use cap_std::fs::Dir;
use wardkeep_model::RootName;

pub(crate) use self::ignored::PATTERNS_OF_A_CALL;
use self::path::GuestPath;
use crate::{
    CallState, CallToken, EndCall,
    bindings::reader::{BatchItem, Entry, Error, Host, Root, WalkOptions, WalkPage},
    state::Exhausted,
};

/// Bytes that one answer carries at most.
const ANSWER: u32 = 2 << 20;
/// Entries that `list` answers with at most.
const LISTED: usize = 10_000;
/// Paths of one batch.
const BATCH: usize = 4_096;

/// A directory that the running tool holds.
#[derive(Debug, Clone)]
pub(crate) struct Holding {
    pub(crate) name: RootName,
    pub(crate) directory: Arc<Dir>,
    /// By its grant, which a tool whose effect is `read` has for reading only.
    pub(crate) writable: bool,
}

/// What a piece of file work needs; it leaves the store and runs on the pool.
struct Work {
    root: Arc<Dir>,
    token: CallToken,
    /// Patterns of ignore files that the call may still heed.
    patterns: Arc<AtomicUsize>,
}

impl CallState {
    /// One granted root, for one host call.
    fn root(&mut self, function: &'static str, root: &str, detail: &str) -> Result<Arc<Dir>, Error> {
        self.host_call(function).map_err(|Exhausted| Error::Exhausted)?;
        if let Some(held) = self.files.iter().find(|held| held.name.as_str() == root) {
            return Ok(Arc::clone(&held.directory));
        }
        // The record says so, whatever the guest makes of it: no root is named to it that it does not hold.
        self.note_denied("files", function, &format!("{root}/{detail}"));
        Err(Error::Denied)
    }

    async fn on_pool<R: Send + 'static>(
        &mut self,
        root: Arc<Dir>,
        work: impl FnOnce(&Work) -> Result<R, Error> + Send + 'static,
    ) -> Result<Result<R, Error>, EndCall> {
        let it = Work { root, token: self.token.clone(), patterns: Arc::clone(&self.patterns) };
        self.pool.run(&self.token, move || work(&it)).await
    }

    async fn at_path<R: Send + 'static>(
        &mut self,
        function: &'static str,
        root: &str,
        path: &str,
        work: impl FnOnce(&Work, &GuestPath) -> Result<R, Error> + Send + 'static,
    ) -> wasmtime::Result<Result<R, Error>> {
        let found = self.root(function, root, path).and_then(|root| Ok((root, GuestPath::parse(path)?)));
        match found {
            Ok((root, path)) => Ok(self.on_pool(root, move |it| work(it, &path)).await?),
            Err(error) => Ok(Err(error)),
        }
    }
}

impl Host for CallState {
    async fn granted(&mut self) -> wasmtime::Result<Vec<Root>> {
        self.host_call_or_end("files.granted")?;
        let told = |held: &Holding| Root { name: held.name.to_string(), writable: self.may_write(held) };
        Ok(self.files.iter().map(told).collect())
    }

    async fn list(&mut self, root: String, path: String) -> wasmtime::Result<Result<Vec<Entry>, Error>> {
        self.at_path("files.list", &root, &path, |it, path| it.list(path)).await
    }

    async fn stat(&mut self, root: String, path: String) -> wasmtime::Result<Result<Entry, Error>> {
        let asked = path.clone();
        self.at_path("files.stat", &root, &path, move |it, path| it.stat(path, asked)).await
    }

    async fn read(
        &mut self,
        root: String,
        path: String,
        offset: u32,
        length: u32,
    ) -> wasmtime::Result<Result<Vec<u8>, Error>> {
        self.at_path("files.read", &root, &path, move |it, path| it.read(path, offset, length)).await
    }

    async fn read_text(&mut self, root: String, path: String, max: u32) -> wasmtime::Result<Result<String, Error>> {
        self.at_path("files.read-text", &root, &path, move |it, path| it.read_text(path, max)).await
    }

    async fn read_batch(
        &mut self,
        root: String,
        paths: Vec<String>,
        per_file: u32,
        budget: u32,
    ) -> wasmtime::Result<Result<Vec<BatchItem>, Error>> {
        let first = paths.first().cloned().unwrap_or_default();
        match self.root("files.read-batch", &root, &first) {
            Ok(root) => Ok(self.on_pool(root, move |it| it.read_batch(&paths, per_file, budget)).await?),
            Err(error) => Ok(Err(error)),
        }
    }

    async fn walk(
        &mut self,
        root: String,
        path: String,
        options: WalkOptions,
        cursor: Option<String>,
    ) -> wasmtime::Result<Result<WalkPage, Error>> {
        self.at_path("files.walk", &root, &path, move |it, path| it.walk(path, options, cursor.as_deref())).await
    }
}

#[cfg(test)]
mod tests;
