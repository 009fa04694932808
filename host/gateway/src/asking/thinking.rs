//! How many calls of older clients may wait for a person. They hold no place in the sandbox, so nothing else bounds them.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// In all.
const MOST: usize = 256;
/// Of one principal.
const MOST_EACH: usize = 16;

/// Calls that wait for a person, by principal.
#[derive(Debug, Default)]
pub(crate) struct Thinking(Mutex<HashMap<String, usize>>);

/// One of them. Given back when dropped.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    thinking: &'a Thinking,
    principal: String,
}

impl Thinking {
    /// A place for one more, if there is one.
    pub(crate) fn enter(&self, principal: &str) -> Option<Place<'_>> {
        let mut waiting = self.waiting();
        if waiting.values().sum::<usize>() >= MOST || waiting.get(principal).is_some_and(|each| *each >= MOST_EACH) {
            return None;
        }
        *waiting.entry(principal.to_owned()).or_default() += 1;
        Some(Place { thinking: self, principal: principal.to_owned() })
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut waiting = self.thinking.waiting();
        if let Some(each) = waiting.get_mut(&self.principal) {
            *each -= 1;
            if *each == 0 {
                waiting.remove(&self.principal);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_principal_leaves_places_to_others_and_gives_its_own_back() {
        let thinking = Thinking::default();
        let mut held: Vec<_> = (0..MOST_EACH).map(|_| thinking.enter("user:me").unwrap()).collect();
        assert!(thinking.enter("user:me").is_none());
        let others: Vec<_> = (MOST_EACH..MOST).map(|n| thinking.enter(&format!("user:{n}")).unwrap()).collect();
        held.pop();
        assert!(thinking.enter("user:me").is_some());
        held.push(thinking.enter("user:me").unwrap());
        assert!(thinking.enter("user:you").is_none(), "all are taken");
        drop((held, others));
        assert!(thinking.waiting().is_empty());
    }
}
