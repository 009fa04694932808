//! Which kills are in the journal: what of a file is to be recorded still, and what has ended since.

use std::collections::BTreeMap;

use jiff::Timestamp;
use wardkeep_audit::{Event, Journal, NotRecorded, Replay};
use wardkeep_policy::kill::{Kill, Target};

use super::{Book, Change, What};

/// What the journal knows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Ledger {
    /// Up to which change.
    recorded: u64,
    /// What is killed as far as it knows, and until when.
    active: BTreeMap<Target, Option<Timestamp>>,
}

impl Ledger {
    pub(crate) fn new(replay: &Replay) -> Self {
        let active = replay.kills.iter().filter_map(|(target, kill)| Some((target.parse().ok()?, kill.until)));
        Self { recorded: replay.kill_change, active: active.collect() }
    }

    /// Whether all of these kills stand in the journal, and all that has ended by now.
    pub(crate) fn is_whole(&self, book: &Book, now: Timestamp) -> bool {
        self.due(book, now).is_empty()
    }

    /// Records what is missing, in the order in which it happened.
    pub(crate) async fn record(&mut self, journal: &Journal, book: &Book, now: Timestamp) -> Result<(), NotRecorded> {
        for event in self.due(book, now) {
            journal.event(event.clone()).await?;
            self.learn(&event);
        }
        Ok(())
    }

    /// What is missing.
    fn due(&self, book: &Book, now: Timestamp) -> Vec<Event> {
        let mut after = self.clone();
        let mut due = Vec::new();
        let mut add = |after: &mut Self, event: Event| {
            after.learn(&event);
            due.push(event);
        };
        for change in book.after(self.recorded) {
            add(&mut after, event(change));
        }
        // Changes that nobody has kept: a journal that was begun anew, or a file that outlived it.
        for kill in book.kills.iter().filter(|kill| kill.holds(now)) {
            if after.active.get(&kill.target) != Some(&kill.until) {
                add(&mut after, killed(book.change, kill));
            }
        }
        for (target, until) in after.active.clone() {
            if until.is_some_and(|until| until <= now) {
                add(&mut after, Event::KillEnded { target: target.to_string(), brake: false });
            } else if !book.kills.iter().any(|kill| kill.target == target) {
                let (by, reason) = ("unknown".to_owned(), "not known any more".to_owned());
                add(&mut after, Event::Revived { change: book.change, target: target.to_string(), by, reason });
            }
        }
        due
    }

    fn learn(&mut self, event: &Event) {
        match event {
            Event::Killed { change, target, until, .. } => {
                self.recorded = self.recorded.max(*change);
                self.active.extend(target.parse().ok().map(|target| (target, *until)));
            }
            Event::Revived { change, target, .. } => {
                self.recorded = self.recorded.max(*change);
                self.forget(target);
            }
            Event::KillEnded { target, brake: false } => self.forget(target),
            _ => {}
        }
    }

    fn forget(&mut self, target: &str) {
        self.active.retain(|known, _| known.to_string() != target);
    }
}

fn event(change: &Change) -> Event {
    let Change { number, target, by, reason, until, .. } = change.clone();
    match change.what {
        What::Killed => Event::Killed { change: number, target: target.to_string(), by, reason, until },
        What::Revived => Event::Revived { change: number, target: target.to_string(), by, reason },
    }
}

fn killed(change: u64, kill: &Kill) -> Event {
    let Kill { target, reason, by, until, .. } = kill.clone();
    Event::Killed { change, target: target.to_string(), by, reason, until }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn kill(target: &str, since: i64, until: Option<i64>) -> Kill {
        let target = target.parse().unwrap();
        Kill { target, reason: "r".into(), by: "me".into(), since: at(since), until: until.map(at) }
    }

    fn told(due: &[Event]) -> Vec<String> {
        let text = |event: &Event| match event {
            Event::Killed { change, target, .. } => format!("{change} killed {target}"),
            Event::Revived { change, target, by, .. } => format!("{change} revived {target} by {by}"),
            Event::KillEnded { target, .. } => format!("ended {target}"),
            other => other.code().to_owned(),
        };
        due.iter().map(text).collect()
    }

    fn due(ledger: &Ledger, book: &Book, now: i64) -> Vec<String> {
        told(&ledger.due(book, at(now)))
    }

    #[test]
    fn each_change_is_recorded_once_also_those_that_nobody_saw_in_force() {
        let (mut ledger, mut book) = (Ledger::default(), Book::default());
        book.kill(kill("all", 1, None));
        book.revive("all".parse().unwrap(), "me".into(), "r".into(), at(2));
        book.kill(kill("writes", 3, Some(10)));
        assert_eq!(due(&ledger, &book, 4), ["1 killed all", "2 revived all by me", "3 killed writes"]);
        ledger.due(&book, at(4)).iter().for_each(|event| ledger.learn(event));
        assert!(ledger.is_whole(&book, at(4)) && !ledger.is_whole(&book, at(10)));
        assert_eq!(due(&ledger, &book, 10), ["ended writes"]);
        ledger.due(&book, at(10)).iter().for_each(|event| ledger.learn(event));
        assert!(ledger.is_whole(&book, at(11)), "ended is told once, whether the file still has it");
    }

    #[test]
    fn a_kill_that_came_and_ended_while_nobody_served_is_told_whole() {
        let mut book = Book::default();
        book.kill(kill("all", 1, Some(5)));
        assert_eq!(due(&Ledger::default(), &book, 9), ["1 killed all", "ended all"]);
    }

    #[test]
    fn a_journal_begun_anew_is_told_what_holds_and_one_that_knows_more_is_not_believed() {
        let mut book = Book::default();
        book.kill(kill("all", 1, None));
        book.changes.clear();
        assert_eq!(due(&Ledger::default(), &book, 9), ["1 killed all"]);
        let mut ledger = Ledger::default();
        ledger.learn(&killed(1, &kill("writes", 1, None)));
        ledger.learn(&killed(1, &kill("all", 1, None)));
        assert_eq!(due(&ledger, &book, 9), ["1 revived writes by unknown"]);
    }
}
