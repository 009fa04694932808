//! How often something happened lately, by name: a sliding window of six parts for each, and no more names than there is room for.

use std::{borrow::Borrow, collections::HashMap, hash::Hash, time::Duration};

/// Parts of a window. A count forgets a part at a time, so it reaches back between five sixths of the window and all of it.
const PARTS: usize = 6;
const PARTS_64: u64 = PARTS as u64;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// Calls that were refused, or that tried what they may not.
    Denials,
    /// Calls of tools that write or destroy.
    Writes,
}

/// Names and their counts.
#[derive(Debug)]
pub(super) struct Counts<K> {
    most: usize,
    of: HashMap<K, Window>,
}

#[derive(Debug, Default)]
struct Window {
    parts: [[u32; 2]; PARTS],
    /// Which part was counted into last, from the beginning of time.
    last: u64,
}

impl Window {
    /// Forgets what has left the window.
    fn turn(&mut self, now: u64) {
        let gone = now.saturating_sub(self.last).min(PARTS_64);
        for part in 0..gone {
            let at = index(now.saturating_sub(part));
            if let Some(part) = self.parts.get_mut(at) {
                *part = [0; 2];
            }
        }
        self.last = self.last.max(now);
    }

    fn add(&mut self, what: Counted, times: u32) {
        if let Some(part) = self.parts.get_mut(index(self.last)) {
            let [denials, writes] = part;
            let count = match what {
                Counted::Denials => denials,
                Counted::Writes => writes,
            };
            *count = count.saturating_add(times);
        }
    }

    fn sum(&self, what: Counted) -> u32 {
        let of = |[denials, writes]: &[u32; 2]| match what {
            Counted::Denials => *denials,
            Counted::Writes => *writes,
        };
        self.parts.iter().map(of).fold(0, u32::saturating_add)
    }

    fn all(&self) -> u32 {
        self.sum(Counted::Denials).saturating_add(self.sum(Counted::Writes))
    }
}

fn index(part: u64) -> usize {
    // below six
    usize::try_from(part % PARTS_64).unwrap_or(0)
}

impl<K: Eq + Hash> Counts<K> {
    pub(super) fn new(most: usize) -> Self {
        Self { most, of: HashMap::new() }
    }

    /// Counts so many, at this time since the beginning. How many it makes within the window.
    pub(super) fn add<Q>(&mut self, name: &Q, what: Counted, times: u32, at: Duration, window: Duration) -> u32
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ToOwned<Owned = K> + ?Sized,
    {
        let now = part(at, window);
        if !self.of.contains_key(name) && self.of.len() >= self.most {
            self.make_room(now);
        }
        if let Some(counted) = self.of.get_mut(name) {
            counted.turn(now);
            counted.add(what, times);
            return counted.sum(what);
        }
        let mut counted = Window { last: now, ..Window::default() };
        counted.add(what, times);
        self.of.insert(name.to_owned(), counted);
        times
    }

    pub(super) fn forget<Q: Eq + Hash + ?Sized>(&mut self, name: &Q)
    where
        K: Borrow<Q>,
    {
        self.of.remove(name);
    }

    /// Forgets all others.
    pub(super) fn retain(&mut self, keep: impl Fn(&K) -> bool) {
        self.of.retain(|name, _| keep(name));
    }

    /// Takes out whoever did nothing lately; and if all did something, the half that did least: a crowd of names must not push out the
    /// one that is nearest to its limit. What it costs is paid for by as many new names as it takes out.
    fn make_room(&mut self, now: u64) {
        self.of.retain(|_, window| now.saturating_sub(window.last) < PARTS_64);
        if self.of.len() < self.most {
            return;
        }
        let mut counts: Vec<_> = self.of.values().map(Window::all).collect();
        let middle = counts.len() / 2;
        let (_, middle, _) = counts.select_nth_unstable(middle);
        let middle = *middle;
        self.of.retain(|_, window| window.all() > middle);
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.of.len()
    }
}

/// Which part of all time this is.
fn part(at: Duration, window: Duration) -> u64 {
    let each = (window.as_millis() / u128::from(PARTS_64)).max(1);
    u64::try_from(at.as_millis() / each).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::{Counted::*, *};

    const WINDOW: Duration = Duration::from_secs(60);

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_window_forgets_a_part_at_a_time_and_each_kind_counts_for_itself() {
        let mut counts: Counts<String> = Counts::new(10);
        assert_eq!(counts.add("a", Denials, 2, at(0), WINDOW), 2);
        assert_eq!(counts.add("a", Writes, 1, at(9), WINDOW), 1);
        assert_eq!(counts.add("a", Denials, 1, at(59), WINDOW), 3);
        assert_eq!(counts.add("a", Denials, 1, at(60), WINDOW), 2, "those of the first ten seconds are over");
        assert_eq!(counts.add("a", Writes, 1, at(60), WINDOW), 1);
        assert_eq!(counts.add("a", Denials, 1, at(10_000), WINDOW), 1);
        assert_eq!(counts.add("b", Denials, 1, at(10_000), WINDOW), 1);
        counts.forget("a");
        assert_eq!(counts.add("a", Denials, 1, at(10_000), WINDOW), 1);
    }

    #[test]
    fn a_hundred_thousand_names_have_bounded_room_and_push_nobody_out_who_is_near_the_limit() {
        let mut counts: Counts<String> = Counts::new(1_000);
        for n in 0..100_000_u32 {
            if n % 50 == 0 {
                let count = counts.add("loud", Denials, 1, at(1), WINDOW);
                assert_eq!(count, n / 50 + 1);
            }
            counts.add(format!("quiet{n}").as_str(), Denials, 1, at(1), WINDOW);
            assert!(counts.len() <= 1_000);
        }
    }
}
