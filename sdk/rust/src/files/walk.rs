//! A walk as an iterator: it asks for the next page when one is used up.

use std::vec;

use super::{Entry, Error, WalkOptions, walk_page};

/// The entries of a tree; made by [`super::walk`]. After an error it is at its end.
#[derive(Debug)]
pub struct Walk {
    root: String,
    path: String,
    options: WalkOptions,
    page: vec::IntoIter<Entry>,
    next: Next,
    skipped: u32,
}

#[derive(Debug)]
enum Next {
    Page(Option<String>),
    End,
}

impl Walk {
    pub(super) fn new(root: &str, path: &str, options: WalkOptions) -> Self {
        let (root, path) = (root.to_owned(), path.to_owned());
        Self { root, path, options, page: Vec::new().into_iter(), next: Next::Page(None), skipped: 0 }
    }

    /// How much was left out so far: directories that could not be read, and entries beyond the host's bounds.
    #[must_use]
    pub fn skipped(&self) -> u32 {
        self.skipped
    }
}

impl Iterator for Walk {
    type Item = Result<Entry, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(entry) = self.page.next() {
                return Some(Ok(entry));
            }
            let Next::Page(cursor) = std::mem::replace(&mut self.next, Next::End) else { return None };
            match walk_page(&self.root, &self.path, self.options, cursor.as_deref()) {
                Ok(page) => {
                    self.skipped = self.skipped.saturating_add(page.skipped);
                    self.page = page.entries.into_iter();
                    self.next = page.cursor.map_or(Next::End, |cursor| Next::Page(Some(cursor)));
                }
                Err(error) => return Some(Err(error)),
            }
        }
    }
}
