//! Which callers are remembered. A caller is forgotten only once nothing is counted of it any more, so that to be forgotten fills nobody's
//! bucket. Where too many have something counted, who comes new is told to come later: to forget somebody early would be a way around limits.

use std::{
    borrow::Borrow,
    collections::HashSet,
    hash::{BuildHasher as _, Hash, Hasher, RandomState},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use super::state::State;

/// Each is locked by itself, so that callers seldom wait for each other, and never for a look at all of them.
const SHARDS: usize = 64;
/// Callers that are remembered at most: about 80 MB.
const MOST: usize = 256 << 10;
/// Buckets of callers and tools that are remembered at most: about 50 MB.
const MOST_BUCKETS: usize = 1 << 20;
/// So many in a shard are remembered before any is forgotten.
const FEW: usize = 64;
/// Nanoseconds between two looks at all of them.
const SELDOM: u64 = 1_000_000_000;

/// The callers that something is counted of.
#[derive(Debug)]
pub(super) struct Callers {
    shards: [Mutex<Shard>; SHARDS],
    hasher: RandomState,
    /// Callers of one shard at most.
    most: usize,
    buckets: AtomicUsize,
    /// Of them at most.
    most_buckets: usize,
    /// When all of them may be looked at again.
    next_look: AtomicU64,
}

#[derive(Debug)]
struct Shard {
    known: HashSet<ByName>,
    /// How many may be there before those are looked for that can be forgotten: twice as many as the last look has left.
    due: usize,
    /// When a full one may be looked through again.
    again: u64,
}

/// One caller. Who holds it keeps it from being forgotten.
#[derive(Debug)]
pub(super) struct Known {
    name: Box<str>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct ByName(Arc<Known>);

impl Callers {
    pub(super) fn new() -> Self {
        Self::of(MOST, MOST_BUCKETS)
    }

    pub(super) fn of(most: usize, most_buckets: usize) -> Self {
        let shard = || Mutex::new(Shard { known: HashSet::new(), due: FEW, again: 0 });
        Self {
            shards: std::array::from_fn(|_| shard()),
            hasher: RandomState::new(),
            most: most / SHARDS,
            most_buckets,
            buckets: AtomicUsize::new(0),
            next_look: AtomicU64::new(0),
        }
    }

    /// This caller; nothing if it is new and there is no room.
    pub(super) fn known(&self, name: &str, now: u64) -> Option<Arc<Known>> {
        let mut shard = self.shard(name)?;
        if let Some(known) = shard.known.get(name) {
            return Some(Arc::clone(&known.0));
        }
        let full = shard.known.len() >= self.most;
        if shard.known.len() >= shard.due || (full && now >= shard.again) {
            self.look(&mut shard, now);
        }
        if shard.known.len() >= self.most {
            return None;
        }
        let known = Arc::new(Known { name: name.into(), state: Mutex::new(State::new()) });
        shard.known.insert(ByName(Arc::clone(&known)));
        Some(known)
    }

    /// Whether there is room for one more bucket of a caller and a tool. Asked while no caller is locked.
    pub(super) fn room_for_a_bucket(&self, now: u64) -> bool {
        let full = || self.buckets.load(Ordering::Relaxed) >= self.most_buckets;
        if !full() {
            return true;
        }
        let next = self.next_look.load(Ordering::Relaxed);
        let looks = now >= next
            && self
                .next_look
                .compare_exchange(next, now.saturating_add(SELDOM), Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        if looks {
            for shard in &self.shards {
                self.look(&mut shard.lock().unwrap_or_else(PoisonError::into_inner), now);
            }
        }
        !full()
    }

    /// A caller had so many buckets before, and has so many now.
    pub(super) fn grew(&self, before: usize, after: usize) {
        if after > before {
            self.buckets.fetch_add(after - before, Ordering::Relaxed);
        } else {
            self.buckets.fetch_sub(before - after, Ordering::Relaxed);
        }
    }

    fn shard(&self, name: &str) -> Option<MutexGuard<'_, Shard>> {
        let hash = usize::try_from(self.hasher.hash_one(name) % SHARDS as u64).ok()?;
        Some(self.shards.get(hash)?.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Forgets whom nobody could tell from somebody new.
    fn look(&self, shard: &mut Shard, now: u64) {
        shard.known.retain(|ByName(known)| {
            // handed out under this very lock, so who holds none now cannot come by one before it is gone
            let in_use = Arc::strong_count(known) > 1;
            let mut state = known.state();
            let before = state.buckets();
            let forgotten = state.forget(now);
            self.grew(before, state.buckets());
            in_use || !forgotten
        });
        shard.due = shard.known.len().saturating_mul(2).max(FEW);
        shard.again = now.saturating_add(SELDOM);
        shard.known.shrink_to(shard.due);
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> (usize, usize) {
        let callers = self.shards.iter().map(|shard| shard.lock().unwrap().known.len()).sum();
        (callers, self.buckets.load(Ordering::Relaxed))
    }
}

impl Known {
    /// Held for a few hundred instructions, never over anything that waits.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Borrow<str> for ByName {
    fn borrow(&self) -> &str {
        &self.0.name
    }
}

impl Hash for ByName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.name.hash(state);
    }
}

impl PartialEq for ByName {
    fn eq(&self, other: &Self) -> bool {
        self.0.name == other.0.name
    }
}

impl Eq for ByName {}
