//! Who gets how much, whoever comes and in whatever order.

use std::sync::atomic::{AtomicU64, Ordering};

use super::*;

fn name(number: usize) -> PluginName {
    format!("p{number}").parse().unwrap()
}

/// One that nobody has met.
fn anybody() -> Caller {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    Callers::default().of(&NEXT.fetch_add(1, Ordering::Relaxed).to_string())
}

impl Room {
    /// For a call of a caller that has no other.
    fn first(&self, plugin: usize, memory: u64) -> Option<Place> {
        self.take(&name(plugin), anybody(), memory)
    }
}

/// Takes for one plugin and many callers until it is told no.
fn most(room: &Room, plugin: usize, memory: u64) -> Vec<Place> {
    std::iter::from_fn(|| room.first(plugin, memory)).collect()
}

/// Takes for one plugin and one caller until it is told no.
fn most_of(room: &Room, plugin: usize, caller: Caller, memory: u64) -> Vec<Place> {
    std::iter::from_fn(|| room.take(&name(plugin), caller, memory)).collect()
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
        while let Some(place) = (0..plugins).find_map(|plugin| room.first((plugin + held.len()) % plugins, 1)) {
            held.push(place);
        }
        let free = 64 - held.len();
        assert!(free >= 64 / (plugins + 1) && free <= 64 / (plugins + 1) + plugins, "{plugins} leave {free}");
        assert!(room.first(99, 1).is_some(), "{plugins} leave one for the next");
    }
}

#[test]
fn memory_is_shared_by_the_same_rule_as_places() {
    let room = Room::new(1_000, 1 << 30);
    let large = most(&room, 0, 256 << 20);
    assert_eq!(large.len(), 2, "half a GiB of one");
    let small = most(&room, 1, 64 << 20);
    assert_eq!(small.len(), 4, "half of what was left");
    assert!(room.first(2, 257 << 20).is_none(), "more than there is");
    assert!(room.first(2, 256 << 20).is_some(), "a first call may take all that is left");
}

#[test]
fn a_call_that_no_share_holds_runs_alone_and_one_at_a_time() {
    let room = Room::new(64, 100 << 20);
    let first = room.first(0, 256 << 20);
    assert!(first.is_some());
    assert!(room.first(0, 256 << 20).is_none() && room.first(1, 1).is_none());
    drop(first);
    assert!(room.first(1, 1).is_some());
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

#[test]
fn no_caller_takes_a_plugin_away_from_the_others() {
    let room = Room::new(64, u64::MAX);
    let (me, you) = (anybody(), anybody());
    let mine = most_of(&room, 0, me, 1);
    assert_eq!(mine.len(), 16, "half of what the plugin may have");
    let yours = most_of(&room, 0, you, 1);
    assert_eq!(yours.len(), 8, "half of what it may still have");
    // who holds none gets in until the plugin has its share
    let others: Vec<_> = std::iter::from_fn(|| room.first(0, 1)).collect();
    assert_eq!(mine.len() + yours.len() + others.len(), 32);
    assert_eq!(
        most_of(&room, 1, me, 1).len(),
        8,
        "of another plugin a caller has its share, whatever it holds of the first"
    );
    drop((mine, yours, others));
    assert!(room.0.taken.lock().unwrap().plugins.is_empty());
}

#[test]
fn of_a_plugins_memory_a_caller_has_half_too() {
    let room = Room::new(1_000, 1 << 30);
    let (me, you) = (anybody(), anybody());
    let mine = most_of(&room, 0, me, 64 << 20);
    assert_eq!(mine.len(), 4, "of half a GiB");
    let large = room.take(&name(0), you, 256 << 20);
    assert!(large.is_some(), "a first call may take all that the plugin may still have");
    assert!(room.take(&name(0), me, 1).is_none() && room.take(&name(0), you, 1).is_none());
}
