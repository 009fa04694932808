//! The places of one tool. No caller holds more of them than stay free, and of its queue neither: one alone has half, and however many calls it
//! makes, another that holds none finds a place, or gets the next that is given back.

use std::{
    collections::VecDeque,
    hash::{BuildHasher as _, RandomState},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::oneshot, time::timeout};
use wardkeep_model::may_take;

/// A call waits this long for a place of its tool: a burst of short calls is served, one after the other, and not refused.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);
/// Calls of one tool that wait: of one caller alone half, which is as many as it may have under way by default. They hold their arguments
/// meanwhile.
const WAITING: u64 = 256;

/// Tells callers apart for as long as the process lives. Of their names, which may be long, nothing is kept.
#[derive(Debug, Default)]
pub(crate) struct Callers(RandomState);

/// One caller. Two are the same once in 2^64, and nobody can look for such a pair: the hash is keyed at random.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Caller(u64);

impl Callers {
    pub(crate) fn of(&self, name: &str) -> Caller {
        Caller(self.0.hash_one(name))
    }
}

#[derive(Debug)]
pub(crate) struct Places {
    all: u64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    taken: Shares,
    waiting: VecDeque<Waiting>,
    /// Names the next that waits.
    next: u64,
}

/// How many each holds. There are no more of them than places, so they are looked through.
#[derive(Debug, Default)]
struct Shares {
    all: u64,
    of: Vec<(Caller, u64)>,
}

#[derive(Debug)]
struct Waiting {
    number: u64,
    caller: Caller,
    turn: oneshot::Sender<Taken>,
}

/// One of the places. Given back when dropped.
#[derive(Debug)]
pub(crate) struct Taken {
    places: Arc<Places>,
    caller: Caller,
}

impl Places {
    pub(crate) fn new(calls: u32) -> Arc<Self> {
        Arc::new(Self { all: calls.into(), state: Mutex::default() })
    }

    /// One of them for this caller, now or within a moment.
    pub(super) async fn take(self: &Arc<Self>, caller: Caller) -> Option<Taken> {
        let (number, mine) = {
            let mut state = self.state();
            // Where this one may have a place, nobody who waits for longer may: they had theirs when it became free.
            if state.taken.may_take(caller, self.all) {
                state.taken.add(caller);
                return Some(self.taken(caller));
            }
            let own = state.waiting.iter().filter(|waiting| waiting.caller == caller).count();
            let free = WAITING.saturating_sub(state.waiting.len() as u64);
            if !may_take(own as u64, 1, free) {
                return None;
            }
            let (turn, mine) = oneshot::channel();
            let number = state.next;
            state.next += 1;
            state.waiting.push_back(Waiting { number, caller, turn });
            (number, mine)
        };
        let _leaves = Leaves { places: self, number };
        timeout(PATIENCE, mine).await.ok()?.ok()
    }

    /// Gives what is free to who waits, as far as they may have it.
    fn give(self: &Arc<Self>) {
        // One whose caller went away gives its place back at once. Outside of the lock, since that takes it.
        while let Some((turn, taken)) = self.next() {
            let _ = turn.send(taken);
        }
    }

    /// Who is next: the one that waits longest of those that may have a place. One whose caller holds none may have any, so it waits only while
    /// there is none, and for no caller that holds some.
    fn next(self: &Arc<Self>) -> Option<(oneshot::Sender<Taken>, Taken)> {
        let mut state = self.state();
        let State { taken, waiting, .. } = &mut *state;
        let at = waiting.iter().position(|waiting| taken.may_take(waiting.caller, self.all))?;
        let Waiting { caller, turn, .. } = waiting.remove(at)?;
        taken.add(caller);
        drop(state);
        Some((turn, self.taken(caller)))
    }

    fn taken(self: &Arc<Self>, caller: Caller) -> Taken {
        Taken { places: Arc::clone(self), caller }
    }

    /// Held for a few hundred instructions; with many that wait for a few thousand.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shares {
    fn of(&self, caller: Caller) -> u64 {
        self.of.iter().find(|(of, _)| *of == caller).map_or(0, |(_, held)| *held)
    }

    fn may_take(&self, caller: Caller, all: u64) -> bool {
        let free = all.saturating_sub(self.all);
        // most that wait find none
        free > 0 && may_take(self.of(caller), 1, free)
    }

    fn add(&mut self, caller: Caller) {
        self.all += 1;
        match self.of.iter_mut().find(|(of, _)| *of == caller) {
            Some((_, held)) => *held += 1,
            None => self.of.push((caller, 1)),
        }
    }

    fn remove(&mut self, caller: Caller) {
        self.all = self.all.saturating_sub(1);
        if let Some(at) = self.of.iter().position(|(of, _)| *of == caller)
            && let Some((_, held)) = self.of.get_mut(at)
        {
            *held = held.saturating_sub(1);
            if *held == 0 {
                self.of.swap_remove(at);
            }
        }
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let waits = {
            let mut state = self.places.state();
            state.taken.remove(self.caller);
            !state.waiting.is_empty()
        };
        if waits {
            self.places.give();
        }
    }
}

/// Takes who waits out of the queue, however its waiting ends.
struct Leaves<'a> {
    places: &'a Places,
    number: u64,
}

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        self.places.state().waiting.retain(|waiting| waiting.number != self.number);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    const ME: Caller = Caller(1);
    const YOU: Caller = Caller(2);

    impl Places {
        /// One of them, if that is to be had without waiting.
        fn now(self: &Arc<Self>, caller: Caller) -> Option<Taken> {
            let mut taking = Box::pin(self.take(caller));
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            match taking.as_mut().poll(&mut context) {
                std::task::Poll::Ready(taken) => taken,
                std::task::Poll::Pending => None,
            }
        }

        fn waiting(&self) -> usize {
            self.state().waiting.len()
        }
    }

    /// Waits for a place in a task of its own; says its number when it has it, and gives it back when it is told to.
    async fn waits(places: &Arc<Places>, caller: Caller) -> tokio::task::JoinHandle<Option<Taken>> {
        let (before, own) = (places.waiting(), Arc::clone(places));
        let task = tokio::spawn(async move { own.take(caller).await });
        while places.waiting() == before && !task.is_finished() {
            tokio::task::yield_now().await;
        }
        task
    }

    #[tokio::test]
    async fn one_caller_has_half_of_the_places_and_another_finds_one_whatever_the_first_does() {
        let places = Places::new(8);
        // twenty-four at once: four have a place, the others wait for one
        let held: Vec<_> = std::iter::from_fn(|| places.now(ME)).collect();
        assert_eq!(held.len(), 4);
        let mut more = Vec::new();
        for _ in 4..24 {
            more.push(waits(&places, ME).await);
        }
        assert_eq!(places.waiting(), 20);
        let second: Vec<_> = std::iter::from_fn(|| places.now(YOU)).collect();
        assert_eq!(second.len(), 2, "half of what was left, at once");
        let others: Vec<_> = (3..9).map_while(|other| places.now(Caller(other))).collect();
        assert_eq!(others.len(), 2, "and whoever holds none gets in to the last");
        assert!(more.iter().all(|one| !one.is_finished()));
        drop((held, second, others));
        for one in more {
            one.abort();
            assert!(one.await.is_err_and(|error| error.is_cancelled()) || places.waiting() < 20);
        }
        assert_eq!((places.waiting(), places.state().taken.of.len()), (0, 0), "nothing is kept of who is gone");
    }

    #[tokio::test]
    async fn who_holds_none_goes_before_who_holds_some_and_who_waits_longest_before_its_like() {
        let places = Places::new(2);
        let (mine, other) = (places.now(ME).unwrap(), places.now(Caller(3)).unwrap());
        let first = waits(&places, ME).await;
        let (second, third) = (waits(&places, YOU).await, waits(&places, YOU).await);
        let fourth = waits(&places, Caller(4)).await;
        drop(other);
        let yours = second.await.unwrap().unwrap();
        assert!(!first.is_finished() && !third.is_finished() && !fourth.is_finished());
        drop(mine);
        let mine = first.await.unwrap().unwrap();
        drop(mine);
        // mine again holds none, but `fourth` has waited for longer; `third` waits for longest, and its caller holds one
        let again = waits(&places, ME).await;
        let fourth = fourth.await.unwrap().unwrap();
        assert!(!again.is_finished() && !third.is_finished());
        drop(fourth);
        drop(again.await.unwrap().unwrap());
        drop(yours);
        assert!(third.await.unwrap().is_some());
        assert_eq!((places.waiting(), places.state().taken.all), (0, 0));
    }

    #[tokio::test]
    async fn one_place_is_everybodys_in_turn() {
        let places = Places::new(1);
        let mine = places.now(ME);
        assert!(mine.is_some());
        let second = waits(&places, ME).await;
        drop(mine);
        assert!(second.await.unwrap().is_some());
        assert_eq!(places.state().taken.all, 0);
    }

    #[tokio::test]
    async fn a_place_that_was_given_to_who_went_away_meanwhile_is_not_lost() {
        let places = Places::new(1);
        let mine = places.now(ME).unwrap();
        let mut gone = Box::pin(places.take(YOU));
        assert!(timeout(Duration::ZERO, &mut gone).await.is_err());
        let behind = waits(&places, Caller(3)).await;
        drop(mine);
        assert!(!behind.is_finished(), "it was given to the one before");
        drop(gone);
        assert!(behind.await.unwrap().is_some());
        assert_eq!((places.waiting(), places.state().taken.all), (0, 0));
    }

    #[tokio::test]
    async fn nobody_waits_longer_than_a_moment_and_one_caller_leaves_as_much_of_the_queue_as_it_fills() {
        let places = Places::new(1);
        let _first = places.now(ME);
        let mut waiting = Vec::new();
        for _ in 0..WAITING / 2 {
            waiting.push(waits(&places, ME).await);
        }
        let asked = Instant::now();
        assert!(places.take(ME).await.is_none(), "one too many");
        assert!(asked.elapsed() < PATIENCE, "and is refused at once");
        let yours = waits(&places, YOU).await;
        assert_eq!(places.waiting(), waiting.len() + 1, "another may wait");
        for one in waiting.into_iter().chain([yours]) {
            assert!(one.await.unwrap().is_none());
        }
        assert!(asked.elapsed() < 10 * PATIENCE, "{:?}", asked.elapsed());
        assert_eq!(places.waiting(), 0);
    }
}
