//! What the calls of all plugins share: how many run at once, and how much memory they may come to need together.
//!
//! No plugin may hold more of either than it leaves free. One alone gets half of all, two get a third each, and however many
//! there are that take what they can get, something is left for the next that comes. Memory is counted as what a call may use
//! at most, before it runs: a call that was let in never fails because another one grew.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use wardkeep_model::PluginName;

/// The room of one engine. A clone is the same room.
#[derive(Debug, Clone)]
pub(crate) struct Room(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    all: Share,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    together: Share,
    /// By name, so that a plugin's new version does not get the room of the old one once more while that still runs.
    plugins: BTreeMap<PluginName, Share>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Share {
    calls: u64,
    memory: u64,
}

/// Room for one call. Given back when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    room: Room,
    plugin: PluginName,
    share: Share,
}

impl Room {
    /// For so many calls, and so many bytes that they may use together.
    pub(crate) fn new(calls: u32, memory: u64) -> Self {
        let all = Share { calls: calls.into(), memory };
        Self(Arc::new(Inner { all, taken: Mutex::default() }))
    }

    /// Room for a call of this plugin that may use so many bytes, if there is some for this plugin.
    pub(crate) fn take(&self, plugin: &PluginName, memory: u64) -> Option<Place> {
        let share = Share { calls: 1, memory };
        let Inner { all, taken } = &*self.0;
        let mut taken = taken.lock().unwrap_or_else(PoisonError::into_inner);
        let together = taken.together.with(share);
        let own = taken.plugins.get(plugin).copied().unwrap_or_default();
        let nothing = Share::default();
        let is_fair = own == nothing || own.with(share).fits(all.without(together));
        // A machine on which the call fits into no share still runs it, alone.
        let fits = taken.together == nothing || (together.fits(*all) && is_fair);
        if !fits {
            return None;
        }
        taken.together = together;
        taken.plugins.insert(plugin.clone(), own.with(share));
        Some(Place { room: self.clone(), plugin: plugin.clone(), share })
    }

    /// Calls that have room now.
    pub(crate) fn calls(&self) -> u64 {
        self.0.taken.lock().unwrap_or_else(PoisonError::into_inner).together.calls
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.room.0.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.together = taken.together.without(self.share);
        let own = taken.plugins.get(&self.plugin).copied().unwrap_or_default().without(self.share);
        if own == Share::default() {
            taken.plugins.remove(&self.plugin);
        } else {
            taken.plugins.insert(self.plugin.clone(), own);
        }
    }
}

impl Share {
    const fn with(self, other: Self) -> Self {
        Self { calls: self.calls.saturating_add(other.calls), memory: self.memory.saturating_add(other.memory) }
    }

    const fn without(self, other: Self) -> Self {
        Self { calls: self.calls.saturating_sub(other.calls), memory: self.memory.saturating_sub(other.memory) }
    }

    const fn fits(self, into: Self) -> bool {
        self.calls <= into.calls && self.memory <= into.memory
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(number: usize) -> PluginName {
        format!("p{number}").parse().unwrap()
    }

    /// Takes for one plugin until it is told no.
    fn most(room: &Room, plugin: usize, memory: u64) -> Vec<Place> {
        std::iter::from_fn(|| room.take(&name(plugin), memory)).collect()
    }

    #[test]
    fn a_plugin_alone_gets_half_of_the_calls_and_no_number_of_them_gets_all() {
        let room = Room::new(64, u64::MAX);
        let mut held: Vec<_> = (0..12).map(|plugin| most(&room, plugin, 1)).collect();
        assert_eq!(held.iter().map(Vec::len).collect::<Vec<_>>(), [32, 16, 8, 4, 2, 1, 1, 0, 0, 0, 0, 0]);
        held.remove(0);
        assert_eq!(most(&room, 20, 1).len(), 16, "half of what is free now");
        drop(held);
    }

    #[test]
    fn plugins_that_take_in_turns_leave_as_much_free_as_each_of_them_holds() {
        for plugins in 1..=15 {
            let room = Room::new(64, u64::MAX);
            let mut held = Vec::new();
            while let Some(place) = (0..plugins).find_map(|plugin| room.take(&name((plugin + held.len()) % plugins), 1))
            {
                held.push(place);
            }
            let free = 64 - held.len();
            assert!(free >= 64 / (plugins + 1) && free <= 64 / (plugins + 1) + plugins, "{plugins} leave {free}");
            assert!(room.take(&name(99), 1).is_some(), "{plugins} leave one for the next");
        }
    }

    #[test]
    fn memory_is_shared_by_the_same_rule_as_places() {
        let room = Room::new(1_000, 1 << 30);
        let large = most(&room, 0, 256 << 20);
        assert_eq!(large.len(), 2, "half a GiB of one");
        let small = most(&room, 1, 64 << 20);
        assert_eq!(small.len(), 4, "half of what was left");
        assert!(room.take(&name(2), 257 << 20).is_none(), "more than there is");
        assert!(room.take(&name(2), 256 << 20).is_some(), "a first call may take all that is left");
    }

    #[test]
    fn a_call_that_no_share_holds_runs_alone_and_one_at_a_time() {
        let room = Room::new(64, 100 << 20);
        let first = room.take(&name(0), 256 << 20);
        assert!(first.is_some());
        assert!(room.take(&name(0), 256 << 20).is_none() && room.take(&name(1), 1).is_none());
        drop(first);
        assert!(room.take(&name(1), 1).is_some());
    }

    #[test]
    fn what_is_given_back_leaves_nothing_behind() {
        let room = Room::new(64, 1 << 30);
        drop((0..5).map(|plugin| most(&room, plugin, 1 << 20)).collect::<Vec<_>>());
        let taken = room.0.taken.lock().unwrap();
        assert!(taken.plugins.is_empty() && taken.together == Share::default());
        drop(taken);
        assert_eq!(room.calls(), 0);
    }
}
