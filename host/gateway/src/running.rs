//! The calls that run now, and the end of those that may not go on.
//!
//! A call is entered before it looks a last time whether it may run, and a change is put in place before the calls are gone
//! through: whichever comes first, none slips between. The lock is held for one insertion or removal in a map, and by a change
//! for a walk over at most as many calls as may run at once.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use wardkeep_policy::PluginTerms;
use wardkeep_sandbox::CallToken;

#[derive(Default)]
pub(crate) struct Running(Mutex<Calls>);

#[derive(Default)]
struct Calls {
    next: u64,
    running: HashMap<u64, Call>,
}

struct Call {
    terms: Arc<PluginTerms>,
    token: CallToken,
}

/// A call's place among those that run; left when dropped.
pub(crate) struct Entered<'r> {
    running: &'r Running,
    number: u64,
}

impl Running {
    pub(crate) fn enter(&self, terms: &Arc<PluginTerms>, token: &CallToken) -> Entered<'_> {
        let call = Call { terms: Arc::clone(terms), token: token.clone() };
        let mut calls = self.calls();
        let number = calls.next;
        calls.next += 1;
        calls.running.insert(number, call);
        Entered { running: self, number }
    }

    /// Ends every call whose plugin's terms are among those. How many.
    pub(crate) fn end(&self, may_not_go_on: impl Fn(&Arc<PluginTerms>) -> bool) -> usize {
        let mut ended = 0;
        for call in self.calls().running.values().filter(|call| may_not_go_on(&call.terms)) {
            call.token.kill();
            ended += 1;
        }
        ended
    }

    fn calls(&self) -> MutexGuard<'_, Calls> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.running.calls().running.remove(&self.number);
    }
}
