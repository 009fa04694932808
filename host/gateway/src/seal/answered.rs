//! Which rounds of questions were answered, so that none is answered twice. Each is remembered until its state has expired, and never forgotten
//! before: where there is no room for one more answer, it does not count, and has to come later.
//!
//! No caller fills more of that room than it leaves free: one that answers without end comes to its own share, and everybody else's answers
//! count all the same.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    time::Duration,
};

use wardkeep_model::may_take;

use super::{EXPIRY, Nonce};
use crate::{Limit, Throttled};

/// Answers that are remembered: more than 300 a second. Some 8 MB.
const REMEMBERED: usize = 100_000;
/// So many at least are remembered before any is forgotten.
const FEW: usize = 1_024;
/// When it is worth coming again where others' answers are in the way.
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// Why an answer does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unspent {
    /// The round was answered before.
    Used,
    /// Too many were answered lately to remember one more.
    Full(Throttled),
}

/// What was answered, by whom.
#[derive(Debug)]
pub(super) struct Answered {
    of: HashMap<Box<str>, Own>,
    /// Of all together.
    count: usize,
    /// At most.
    most: usize,
    /// How many may be there before those are looked for that have expired: twice as many as the last look has left.
    due: usize,
    /// When all of them were looked through last.
    looked: i64,
}

/// What one caller answered.
#[derive(Debug, Default)]
struct Own {
    used: HashSet<Nonce>,
    /// The same, in the order in which they expire.
    until: VecDeque<(i64, Nonce)>,
}

impl Default for Answered {
    fn default() -> Self {
        Self::of(REMEMBERED)
    }
}

impl Answered {
    pub(super) fn of(most: usize) -> Self {
        Self { of: HashMap::new(), count: 0, most, due: FEW, looked: i64::MIN }
    }

    /// Remembers that this caller has answered this round, unless it has already.
    pub(super) fn spend(&mut self, by: &str, nonce: &Nonce, now: i64) -> Result<(), Unspent> {
        if self.of.get(by).is_some_and(|own| own.used.contains(nonce)) {
            return Err(Unspent::Used);
        }
        self.room(by, now).map_err(Unspent::Full)?;
        if !self.of.contains_key(by) {
            self.of.insert(by.into(), Own::default());
        }
        let Some(own) = self.of.get_mut(by) else { return Ok(()) };
        own.used.insert(*nonce);
        // whatever was sealed before this moment has expired by then
        own.until.push_back((now.saturating_add(EXPIRY + 1), *nonce));
        self.count += 1;
        Ok(())
    }

    /// Whether one more answer of this caller can be remembered.
    pub(super) fn room(&mut self, by: &str, now: i64) -> Result<(), Throttled> {
        if self.count >= self.due {
            self.forget(now);
        }
        if self.has_room(by) {
            return Ok(());
        }
        // once a second at most, so that who is refused cannot make it look for ever
        if self.looked < now {
            self.forget(now);
        }
        if self.has_room(by) {
            return Ok(());
        }
        let own = self.of.get(by).and_then(|own| own.until.front());
        let wait = own.map(|(until, _)| Duration::from_secs(until.saturating_sub(now).max(1).unsigned_abs()));
        Err(Throttled { limit: Limit::Answers, retry_after: wait.unwrap_or(RETRY_AFTER) })
    }

    fn has_room(&self, by: &str) -> bool {
        let own = self.of.get(by).map_or(0, |own| own.used.len());
        may_take(own as u64, 1, self.most.saturating_sub(self.count) as u64)
    }

    /// Forgets what has expired.
    fn forget(&mut self, now: i64) {
        self.of.retain(|_, own| {
            while let Some((_, nonce)) = own.until.pop_front_if(|(until, _)| *until <= now) {
                own.used.remove(&nonce);
            }
            own.until.shrink_to(own.used.len().saturating_mul(2));
            own.used.shrink_to(own.used.len().saturating_mul(2));
            !own.used.is_empty()
        });
        self.count = self.of.values().map(|own| own.used.len()).sum();
        self.due = self.count.saturating_mul(2).clamp(FEW, self.most.max(FEW));
        self.of.shrink_to(self.of.len().saturating_mul(2));
        self.looked = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nonce(number: u64) -> Nonce {
        let mut nonce = Nonce::default();
        nonce[..8].copy_from_slice(&number.to_le_bytes());
        nonce
    }

    /// Answers until it may not; how many.
    fn most(answered: &mut Answered, by: &str, now: i64) -> u64 {
        let first = by.len() as u64 * 1_000_000_000 + now.unsigned_abs() * 1_000_000;
        (0..).take_while(|number| answered.spend(by, &nonce(first + number), now).is_ok()).count() as u64
    }

    #[test]
    fn one_caller_answers_without_end_and_everybody_elses_answers_count_all_the_same() {
        let mut answered = Answered::default();
        assert_eq!(most(&mut answered, "user:endless", 0), REMEMBERED as u64 / 2);
        let Err(Unspent::Full(full)) = answered.spend("user:endless", &nonce(u64::MAX), 10) else { panic!() };
        assert_eq!(
            (full.limit, full.retry_after),
            (Limit::Answers, Duration::from_secs(EXPIRY.unsigned_abs() + 1 - 10))
        );
        assert_eq!(answered.room("user:endless", 10), Err(full), "and it is asked nothing more");
        // a thousand others, each with more answers than anybody gives in five minutes
        for other in 0..1_000 {
            for number in 0..20 {
                let number = nonce(1_000_000 + other * 20 + number);
                assert_eq!(answered.spend(&format!("user:{other}"), &number, 10), Ok(()), "{other}");
                assert_eq!(answered.spend(&format!("user:{other}"), &number, 10), Err(Unspent::Used), "and count once");
            }
        }
        // it has room again when its own have expired, and not before
        assert!(answered.room("user:endless", EXPIRY).is_err());
        assert!(answered.room("user:endless", EXPIRY + 1).is_ok());
    }

    #[test]
    fn so_many_answers_are_remembered_of_all_and_who_has_answered_nothing_gets_in_to_the_last() {
        let mut answered = Answered::of(64);
        let taken: Vec<_> = (1..9).map(|caller| most(&mut answered, &"x".repeat(caller), 0)).collect();
        assert_eq!(taken, [32, 16, 8, 4, 2, 1, 1, 0]);
        let Err(Unspent::Full(full)) = answered.spend("late", &nonce(7), 0) else { panic!() };
        assert_eq!(full.retry_after, RETRY_AFTER);
        // what was answered is told from what finds no room
        let first = nonce(1_000_000_000);
        assert_eq!(answered.spend("x", &first, EXPIRY), Err(Unspent::Used));
        assert_eq!(answered.spend("late", &first, EXPIRY + 1), Ok(()));
        assert_eq!((answered.count, answered.of.len()), (1, 1), "nothing is kept of who is gone");
    }

    #[test]
    fn an_answer_is_remembered_until_it_has_expired_and_not_long_after() {
        let mut answered = Answered::default();
        // one a second, for a day
        for second in 0..86_400_i64 {
            let number = second.unsigned_abs();
            assert!(answered.spend("user:me", &nonce(number), second).is_ok());
            let used = second - EXPIRY;
            assert!(used < 0 || answered.spend("user:me", &nonce(used.unsigned_abs()), second) == Err(Unspent::Used));
        }
        let own = &answered.of["user:me"];
        assert!(answered.count <= FEW && own.used.len() == own.until.len(), "{}", answered.count);
        assert!(own.used.capacity() <= 4 * FEW && own.until.capacity() <= 4 * FEW, "{}", own.used.capacity());
    }
}
