//! Bytes that may be held at once, in all and for one holder. Nobody waits: who finds no room is told to come again, so that bytes
//! that are held cannot wait for bytes that are held.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

/// How many bytes are held now, by whom.
#[derive(Clone)]
pub(super) struct Room(Arc<Inner>);

struct Inner {
    all: usize,
    each: usize,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    all: usize,
    by: HashMap<Arc<str>, usize>,
}

/// The bytes that one body holds; given back when dropped.
pub(super) struct Share {
    room: Room,
    holder: Arc<str>,
    bytes: usize,
}

impl Room {
    pub(super) fn new(all: usize, each: usize) -> Self {
        Self(Arc::new(Inner { all, each, held: Mutex::default() }))
    }

    /// A share that holds nothing yet.
    pub(super) fn share(&self, holder: &str) -> Share {
        Share { room: self.clone(), holder: holder.into(), bytes: 0 }
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Held> {
        self.0.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(super) fn taken(&self) -> (usize, usize) {
        let held = self.held();
        (held.all, held.by.len())
    }
}

impl Share {
    /// So many bytes more, if there is room for them.
    #[must_use]
    pub(super) fn grow(&mut self, bytes: usize) -> bool {
        let mut held = self.room.held();
        let by = held.by.get(&self.holder).copied().unwrap_or(0);
        let (all, by) = (held.all.saturating_add(bytes), by.saturating_add(bytes));
        if all > self.room.0.all || by > self.room.0.each {
            return false;
        }
        held.all = all;
        held.by.insert(Arc::clone(&self.holder), by);
        self.bytes += bytes;
        true
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut held = self.room.held();
        held.all = held.all.saturating_sub(self.bytes);
        if let Some(by) = held.by.get_mut(&self.holder) {
            *by = by.saturating_sub(self.bytes);
            if *by == 0 {
                held.by.remove(&self.holder);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_holder_has_its_part_and_all_have_theirs_and_not_a_byte_more() {
        let room = Room::new(10, 6);
        let (mut mine, mut more, mut yours) = (room.share("me"), room.share("me"), room.share("you"));
        assert!(mine.grow(4) && more.grow(2));
        assert!(!more.grow(1), "two bodies of one holder are one holder's");
        assert!(yours.grow(4));
        assert!(!yours.grow(1), "all of it is taken");
        drop(mine);
        assert!(yours.grow(2) && !yours.grow(1));
        assert!(more.grow(2));
        drop((more, yours));
        assert_eq!(room.taken(), (0, 0), "nothing is kept of who is gone");
    }
}
