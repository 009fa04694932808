//! What the calls of all plugins share: how many run at once, and how much memory they may come to need together.
//!
//! By [one rule](may_take), twice. No plugin may hold more of either than it leaves free: one alone gets half of all, two get a third each, and
//! however many there are that take what they can get, something is left for the next that comes. And of what a plugin may have no caller
//! holds more than it leaves free there, so that no caller takes a plugin away from the others. Memory is counted as what a call may use at
//! most, before it runs: a call that was let in never fails because another one grew.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use wardkeep_model::{PluginName, may_take};

use crate::admission::{Caller, Callers};

/// The room of one engine. A clone is the same room.
#[derive(Debug, Clone)]
pub(crate) struct Room(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    all: Share,
    callers: Callers,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    together: Share,
    /// By name, so that a plugin's new version does not get the room of the old one once more while that still runs.
    plugins: BTreeMap<PluginName, OfPlugin>,
}

#[derive(Debug, Default)]
struct OfPlugin {
    together: Share,
    /// No more than there are calls.
    callers: Vec<(Caller, Share)>,
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
    caller: Caller,
    share: Share,
}

impl Room {
    /// For so many calls, and so many bytes that they may use together.
    pub(crate) fn new(calls: u32, memory: u64) -> Self {
        let all = Share { calls: calls.into(), memory };
        Self(Arc::new(Inner { all, callers: Callers::default(), taken: Mutex::default() }))
    }

    /// Who it is, as places know it.
    pub(crate) fn caller(&self, name: &str) -> Caller {
        self.0.callers.of(name)
    }

    /// Room for a call of this plugin by this caller that may use so many bytes, if there is some for them.
    pub(crate) fn take(&self, plugin: &PluginName, caller: Caller, memory: u64) -> Option<Place> {
        let share = Share { calls: 1, memory };
        let Inner { all, taken, .. } = &*self.0;
        let mut taken = taken.lock().unwrap_or_else(PoisonError::into_inner);
        let Taken { together, plugins } = &mut *taken;
        let free = all.without(*together);
        let of_plugin = plugins.get(plugin);
        let held = of_plugin.map_or(Share::default(), |of| of.together);
        let mine = of_plugin.map_or(Share::default(), |of| of.held(caller));
        // what the plugin could still take: as much of it and of what is free as leaves both alike
        let left = free.without(held).half();
        let fits = held.may_take(share, free) && (mine == Share::default() || mine.may_take(share, left));
        // A machine on which the call fits into no share still runs it, alone.
        if !fits && *together != Share::default() {
            return None;
        }
        *together = together.with(share);
        if of_plugin.is_none() {
            plugins.insert(plugin.clone(), OfPlugin::default());
        }
        plugins.get_mut(plugin)?.add(caller, share);
        Some(Place { room: self.clone(), plugin: plugin.clone(), caller, share })
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
        if let Some(of_plugin) = taken.plugins.get_mut(&self.plugin) {
            of_plugin.remove(self.caller, self.share);
            if of_plugin.callers.is_empty() {
                taken.plugins.remove(&self.plugin);
            }
        }
    }
}

impl OfPlugin {
    fn held(&self, caller: Caller) -> Share {
        self.callers.iter().find(|(of, _)| *of == caller).map_or(Share::default(), |(_, held)| *held)
    }

    fn add(&mut self, caller: Caller, share: Share) {
        self.together = self.together.with(share);
        match self.callers.iter_mut().find(|(of, _)| *of == caller) {
            Some((_, held)) => *held = held.with(share),
            None => self.callers.push((caller, share)),
        }
    }

    fn remove(&mut self, caller: Caller, share: Share) {
        self.together = self.together.without(share);
        if let Some((_, held)) = self.callers.iter_mut().find(|(of, _)| *of == caller) {
            *held = held.without(share);
        }
        self.callers.retain(|(_, held)| *held != Share::default());
    }
}

impl Share {
    const fn with(self, other: Self) -> Self {
        Self { calls: self.calls.saturating_add(other.calls), memory: self.memory.saturating_add(other.memory) }
    }

    const fn without(self, other: Self) -> Self {
        Self { calls: self.calls.saturating_sub(other.calls), memory: self.memory.saturating_sub(other.memory) }
    }

    const fn half(self) -> Self {
        Self { calls: self.calls / 2, memory: self.memory / 2 }
    }

    /// Whether who holds this may take so much more of what is free.
    const fn may_take(self, more: Self, free: Self) -> bool {
        may_take(self.calls, more.calls, free.calls) && may_take(self.memory, more.memory, free.memory)
    }
}

#[cfg(test)]
mod tests;
