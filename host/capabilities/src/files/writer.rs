//! `wardkeep:files/writer`: who may change what. Here stands only the permission; what is done to files stands in [`super::change`].
//!
//! A root is changed only while a tool runs that is signed as one that changes things, and only if that tool's own grant of the root has
//! `access = "write"`: the grants of its neighbours do not count.
//!
//! A change that has begun is ended, whatever becomes of its call: half a change would be worse than one too many. One that has not begun
//! when its call ends does not begin.

use std::sync::Arc;

use cap_std::fs::Dir;

use super::{Holding, Work, path::GuestPath};
use crate::{
    CallState,
    bindings::{
        reader::Error,
        writer::{Host, Mode, Payload},
    },
    state::Exhausted,
};

impl CallState {
    /// Whether the running tool may change what lies in a root that it holds.
    pub(super) const fn may_write(&self, held: &Holding) -> bool {
        self.changes && held.writable
    }

    /// One root that may be changed, for one host call.
    fn writable(&mut self, function: &'static str, root: &str, path: &str) -> Result<Arc<Dir>, Error> {
        self.host_call(function).map_err(|Exhausted| Error::Exhausted)?;
        let held = self.files.iter().find(|held| held.name.as_str() == root);
        if let Some(held) = held.filter(|held| self.may_write(held)) {
            return Ok(Arc::clone(&held.directory));
        }
        let plain = held.map_or_else(|| function.to_owned(), |held| format!("{function} {}", held.name));
        self.note_denied("files", &plain, &format!("{function} {root}/{path}"));
        Err(Error::Denied)
    }

    async fn change<R: Send + 'static>(
        &mut self,
        function: &'static str,
        root: &str,
        paths: [&str; 2],
        work: impl FnOnce(&Work, &GuestPath, &GuestPath) -> Result<R, Error> + Send + 'static,
    ) -> wasmtime::Result<Result<R, Error>> {
        let [first, second] = paths;
        let found = self
            .writable(function, root, first)
            .and_then(|root| Ok((root, GuestPath::parse(first)?, GuestPath::parse(second)?)));
        match found {
            Ok((root, first, second)) => Ok(self.on_pool(root, move |it| work(it, &first, &second)).await?),
            Err(error) => Ok(Err(error)),
        }
    }
}

impl Host for CallState {
    async fn write(
        &mut self,
        root: String,
        path: String,
        data: Payload,
        mode: Mode,
    ) -> wasmtime::Result<Result<(), Error>> {
        let work = move |it: &Work, path: &GuestPath, _: &GuestPath| {
            let data = match &data {
                Payload::Text(text) => text.as_bytes(),
                Payload::Bytes(bytes) => bytes,
            };
            it.write(path, data, mode)
        };
        self.change("files.write", &root, [&path, ""], work).await
    }

    async fn remove(&mut self, root: String, path: String) -> wasmtime::Result<Result<(), Error>> {
        self.change("files.remove", &root, [&path, ""], |it, path, _| it.remove(path)).await
    }

    async fn move_(&mut self, root: String, from: String, to: String) -> wasmtime::Result<Result<(), Error>> {
        self.change("files.move", &root, [&from, &to], Work::rename).await
    }

    async fn mkdir(&mut self, root: String, path: String) -> wasmtime::Result<Result<(), Error>> {
        self.change("files.mkdir", &root, [&path, ""], |it, path, _| it.mkdir(path)).await
    }
}

#[cfg(test)]
mod tests;
