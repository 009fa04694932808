//! Reading many files: batches as an iterator that asks again for what a batch had no room for.

use std::{collections::VecDeque, vec};

use super::{BatchItem, Error, read_batch};

/// One file of a [`ReadMany`].
#[derive(Debug, PartialEq)]
pub struct FileBytes {
    /// As it was asked for.
    pub path: String,
    /// Its first bytes, or why there are none.
    pub bytes: Result<Vec<u8>, Error>,
}

/// Files in the order of their paths; made by [`super::read_many`]. After an error it is at its end.
#[derive(Debug)]
pub struct ReadMany {
    root: String,
    waiting: VecDeque<String>,
    ready: vec::IntoIter<FileBytes>,
    per_file: u32,
    window: usize,
}

/// Paths named in one host call. Naming more than one answer has room for only costs time.
const WINDOW: std::ops::RangeInclusive<usize> = 64..=4_096;

impl ReadMany {
    pub(super) fn new(root: &str, paths: Vec<String>, per_file: u32) -> Self {
        Self { root: root.to_owned(), waiting: paths.into(), ready: Vec::new().into_iter(), per_file, window: 1_024 }
    }

    fn fetch(&mut self) -> Result<(), Error> {
        let count = self.window.min(self.waiting.len());
        let paths: Vec<String> = self.waiting.drain(..count).collect();
        let items = read_batch(&self.root, &paths, self.per_file, 0)?;
        let mut ready = Vec::with_capacity(count);
        let mut left = Vec::new();
        // A path that the host told nothing of is asked for again too.
        for (path, item) in paths.into_iter().zip(items.into_iter().map(Some).chain(std::iter::repeat_with(|| None))) {
            match item {
                Some(BatchItem::Bytes(bytes)) => ready.push(FileBytes { path, bytes: Ok(bytes) }),
                Some(BatchItem::Failed(error)) => ready.push(FileBytes { path, bytes: Err(error) }),
                Some(BatchItem::Left) | None => left.push(path),
            }
        }
        if ready.is_empty() && !left.is_empty() {
            return Err(Error::Failed);
        }
        self.window = ready.len().saturating_mul(2).clamp(*WINDOW.start(), *WINDOW.end());
        left.into_iter().rev().for_each(|path| self.waiting.push_front(path));
        self.ready = ready.into_iter();
        Ok(())
    }
}

impl Iterator for ReadMany {
    type Item = Result<FileBytes, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(file) = self.ready.next() {
            return Some(Ok(file));
        }
        if self.waiting.is_empty() {
            return None;
        }
        match self.fetch() {
            Ok(()) => self.ready.next().map(Ok),
            Err(error) => {
                self.waiting.clear();
                Some(Err(error))
            }
        }
    }
}
