//! The operator's kills as the file has them: what is stopped, and the last changes, each with its number.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use wardkeep_audit::Replay;
use wardkeep_policy::kill::{Kill, Stops, Target};

/// Changes that are kept for a host that has not recorded them yet.
const CHANGES: usize = 256;

/// What is stopped, and how it came to that.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Book {
    /// The number of the last change.
    pub(crate) change: u64,
    /// What is stopped, one entry a target.
    pub(crate) kills: Vec<Kill>,
    /// The last changes, the oldest first.
    pub(crate) changes: Vec<Change>,
    /// When each target was stopped last, also of kills that are over: what somebody said yes to before is good for nothing after it.
    #[serde(default)]
    pub(crate) stops: Stops,
}

/// One thing that an operator did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Change {
    pub(crate) number: u64,
    pub(crate) at: Timestamp,
    pub(crate) what: What,
    pub(crate) target: Target,
    pub(crate) by: String,
    pub(crate) reason: String,
    pub(crate) until: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum What {
    Killed,
    Revived,
}

impl Book {
    /// Stops a target from now on; in the place of what stopped it before. Never for a shorter time than it was stopped for already: whoever set the longer
    /// end meant it, and only a revival lifts it. Until when it is stopped.
    pub(crate) fn kill(&mut self, mut kill: Kill) -> Option<Timestamp> {
        if let Some(held) = self.killed(&kill.target, kill.since).filter(|held| held.outlasts(&kill)) {
            kill.until = held.until;
        }
        let Kill { target, reason, by, since, until } = kill.clone();
        self.changed(Change { number: 0, at: since, what: What::Killed, target, by, reason, until });
        self.kills.push(kill);
        until
    }

    /// Stops a target no more.
    pub(crate) fn revive(&mut self, target: Target, by: String, reason: String, now: Timestamp) {
        self.changed(Change { number: 0, at: now, what: What::Revived, target, by, reason, until: None });
    }

    fn changed(&mut self, change: Change) {
        let now = change.at;
        let (held, over): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.kills).into_iter().partition(|kill| kill.holds(now));
        self.kills = held;
        self.kills.retain(|kill| kill.target != change.target);
        self.stops.extend(ends(over));
        // until this very moment, whether it is killed now, anew or no more
        self.stops.mark(change.target.clone(), now);
        self.change += 1;
        self.changes.push(Change { number: self.change, ..change });
        let old = self.changes.len().saturating_sub(CHANGES);
        self.changes.drain(..old);
    }

    /// When each target was stopped last, with the kills that have ended since the last change.
    pub(crate) fn stops(&self, now: Timestamp) -> Stops {
        let mut stops = self.stops.clone();
        stops.extend(ends(self.kills.iter().filter(|kill| !kill.holds(now)).cloned()));
        stops
    }

    /// The kill of this target, if it holds.
    pub(crate) fn killed(&self, target: &Target, now: Timestamp) -> Option<&Kill> {
        self.kills.iter().find(|kill| kill.target == *target && kill.holds(now))
    }

    /// What was done after this change, as far as it is known.
    pub(crate) fn after(&self, change: u64) -> impl Iterator<Item = &Change> {
        self.changes.iter().filter(move |done| done.number > change)
    }

    /// Whether the target was revived at this time or later.
    pub(crate) fn revived_since(&self, target: &Target, since: Timestamp) -> bool {
        self.changes.iter().any(|done| done.what == What::Revived && done.target == *target && done.at >= since)
    }

    /// Whether it can have been written by this program.
    pub(crate) fn is_sound(&self) -> bool {
        let numbers: Vec<_> = self.changes.iter().map(|done| done.number).collect();
        let targets: BTreeSet<_> = self.kills.iter().map(|kill| &kill.target).collect();
        self.change < u64::MAX
            && numbers.windows(2).all(|pair| matches!(pair, [one, two] if one < two))
            && numbers.last().is_none_or(|last| *last == self.change)
            && targets.len() == self.kills.len()
    }

    /// What the journal remembers.
    pub(crate) fn remembered(replay: &Replay) -> Self {
        let kills = replay.kills.iter().filter_map(|(target, kill)| {
            let wardkeep_audit::Killing { reason, by, since, until } = kill.clone();
            Some(Kill { target: target.parse().ok()?, reason, by, since, until })
        });
        let stops = replay.stops.iter().filter_map(|(target, at)| Some((target.parse().ok()?, *at)));
        Self { change: replay.kill_change, kills: kills.collect(), changes: Vec::new(), stops: stops.collect() }
    }
}

/// The moments at which kills that are over have ended.
pub(crate) fn ends(over: impl IntoIterator<Item = Kill>) -> impl Iterator<Item = (Target, Timestamp)> {
    over.into_iter().filter_map(|kill| Some((kill.target, kill.until?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn kill(target: &str, since: i64, until: Option<i64>) -> Kill {
        Kill {
            target: target.parse().unwrap(),
            reason: "r".into(),
            by: "me".into(),
            since: at(since),
            until: until.map(at),
        }
    }

    #[test]
    fn a_second_kill_takes_the_place_of_the_first_and_ends_no_earlier_and_a_revive_lifts_it() {
        let mut book = Book::default();
        let all: Target = "all".parse().unwrap();
        assert_eq!(book.kill(kill("all", 1, Some(8))), Some(at(8)));
        assert_eq!(book.kill(kill("all", 2, Some(9))), Some(at(9)), "longer");
        assert_eq!(book.kill(kill("all", 3, Some(7))), Some(at(9)), "shorter");
        assert_eq!(book.kill(kill("writes", 3, Some(5))), Some(at(5)));
        assert_eq!(book.kill(kill("writes", 5, Some(6))), Some(at(6)), "the first is over");
        assert_eq!((book.change, book.kills.len()), (5, 2));
        let held = book.killed(&all, at(4)).unwrap();
        assert_eq!((held.since, held.until), (at(3), Some(at(9))));
        assert_eq!(book.changes.get(2).and_then(|change| change.until), Some(at(9)), "as it is in force");
        assert!(book.killed(&all, at(9)).is_none(), "it ends by itself");
        let mut for_good = book.clone();
        assert_eq!(for_good.kill(kill("all", 4, None)), None);
        assert_eq!(for_good.kill(kill("all", 5, Some(100))), None, "for good is longest");
        book.revive(all.clone(), "me".into(), "r".into(), at(6));
        assert!(book.kills.is_empty(), "what has ended is not kept");
        assert!(book.revived_since(&all, at(6)) && !book.revived_since(&all, at(7)));
        assert_eq!(book.after(4).map(|done| done.what).collect::<Vec<_>>(), [What::Killed, What::Revived]);
        assert!(book.is_sound());
    }

    #[test]
    fn so_many_changes_are_kept_and_no_more() {
        let mut book = Book::default();
        for second in 0..300 {
            book.kill(kill("all", second, None));
        }
        assert_eq!((book.change, book.changes.len(), book.kills.len()), (300, CHANGES, 1));
        assert_eq!(book.changes.first().map(|done| done.number), Some(45));
        assert!(book.is_sound());
    }

    #[test]
    fn a_book_that_nobody_here_wrote_is_not_sound() {
        let mut book = Book::default();
        book.kill(kill("all", 1, None));
        book.kill(kill("writes", 1, None));
        let twice = Book { kills: vec![kill("all", 1, None), kill("all", 2, None)], ..book.clone() };
        let ahead = Book { change: 7, ..book.clone() };
        let mut turned = book.clone();
        turned.changes.reverse();
        for book in [twice, ahead, turned] {
            assert!(!book.is_sound(), "{book:?}");
        }
    }

    #[test]
    fn when_a_target_was_stopped_last_is_remembered_whether_it_was_revived_replaced_or_ended_by_itself() {
        let mut book = Book::default();
        let stops = |book: &Book, now| -> Vec<_> {
            book.stops(at(now)).iter().map(|(target, at)| (target.to_string(), at.as_second())).collect()
        };
        book.kill(kill("all", 1, None));
        book.kill(kill("writes", 2, Some(5)));
        book.kill(kill("caller:user:me", 3, Some(50)));
        assert_eq!(stops(&book, 6), [("all".into(), 1), ("writes".into(), 5), ("caller:user:me".into(), 3)]);
        book.revive("all".parse().unwrap(), "me".into(), "r".into(), at(9));
        // a brake, which is none of its kills
        book.revive("plugin:x".parse().unwrap(), "me".into(), "r".into(), at(10));
        let all = [("all".into(), 9), ("writes".into(), 5), ("plugin:x".into(), 10), ("caller:user:me".into(), 50)];
        assert_eq!(stops(&book, 60), all);
        let read: Book = serde_json::from_str(&serde_json::to_string(&book).unwrap()).unwrap();
        assert_eq!(read, book);
    }
}
