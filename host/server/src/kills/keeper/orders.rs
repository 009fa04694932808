//! What commands order: that what they have written is in force, or that what they could not write is all the same.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::{
    sync::oneshot,
    task::spawn_blocking,
    time::{Instant, sleep, timeout},
};
use wardkeep_audit::Event;
use wardkeep_gateway::{Done, Host, Order, Placed, Undone};
use wardkeep_policy::kill::{Kill, Target};

use super::{
    super::{Change, StoreError, What},
    Keeper,
};
use crate::screen::note;

/// What a command could not write is written by then, or its device hangs too; and how long such a device is left alone.
const WRITE: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(30));
/// So long calls that were ended are waited for before the order is answered, and how often it is looked.
const ENDING: (Duration, Duration) = (Duration::from_millis(800), Duration::from_millis(5));

type Answer = oneshot::Sender<Result<Done, Undone>>;

/// What a host says of a kill once its calls have ended.
struct InForce {
    change: Option<u64>,
    ended: usize,
    recorded: bool,
    unserved: bool,
}

impl Keeper {
    pub(super) async fn obey(&mut self, Placed { order, answer }: Placed) {
        match order {
            Order::Kills { change } => self.confirm(change, answer).await,
            Order::Stop(kill) => self.stop(kill, answer).await,
            _ => drop(answer.send(Err(Undone::Nobody))),
        }
    }

    /// What a command has written is in force.
    async fn confirm(&mut self, change: u64, answer: Answer) {
        if let Err(error) = self.take().await {
            let _ = answer.send(Err(Undone::Failed { what: error.to_string() }));
            return;
        }
        if let Some(damaged) = &self.damaged {
            let what = format!("everything is stopped: {}", damaged.reason);
            let _ = answer.send(Err(Undone::Failed { what }));
            return;
        }
        if self.book.change < change {
            let what = "the process that owns this home does not see the change".to_owned();
            let _ = answer.send(Err(Undone::Failed { what }));
            return;
        }
        let ended = if self.taken.0 == self.book.change { self.taken.1 } else { 0 };
        let recorded = self.ledger.is_whole(&self.book, Timestamp::now());
        let unserved = self.book.changes.iter().any(|done| done.number == change && self.is_unserved(done));
        self.done(InForce { change: Some(self.book.change), ended, recorded, unserved }, answer);
    }

    /// What a command could not write is in force, and written as soon as it can be.
    async fn stop(&mut self, kill: Kill, answer: Answer) {
        let Kill { target, reason, by, since: _, until } = kill.clone();
        let unserved = !self.is_served(&target);
        self.unwritten.push(kill);
        let ended = self.apply();
        let written = self.write().await;
        let (change, recorded) = if written {
            (Some(self.book.change), self.ledger.is_whole(&self.book, Timestamp::now()))
        } else {
            note(format!(
                "killed: {target}, by {by}: {reason}; {ended} running calls were ended; it is not on disk yet"
            ));
            (None, self.event(Event::Killed { change: 0, target: target.to_string(), by, reason, until }).await)
        };
        self.done(InForce { change, ended, recorded, unserved }, answer);
    }

    /// Says so once the calls have ended, or after a moment. Others may give their orders meanwhile.
    fn done(&self, InForce { change, ended, recorded, unserved }: InForce, answer: Answer) {
        let host = Arc::clone(&self.host);
        tokio::spawn(async move {
            let ending = ending(&host, &answer).await;
            let _ = answer.send(Ok(Done::Kills { change, ended, ending, recorded, unserved }));
        });
    }

    /// Writes what commands could not write. Whether that is done.
    pub(super) async fn write(&mut self) -> bool {
        let (store, kills) = (self.store.clone(), self.unwritten.clone());
        let writing = spawn_blocking(move || {
            store.change(|book| {
                for kill in kills {
                    if !book.revived_since(&kill.target, kill.since) {
                        book.kill(kill);
                    }
                }
            })
        });
        let (longest, pause) = WRITE;
        let written = timeout(longest, writing).await;
        if written.is_err() {
            self.write_after = Instant::now() + pause;
        }
        match written.map_or(Err(StoreError::Late), |joined| joined.unwrap_or(Err(StoreError::Late))) {
            Ok(()) => {
                let held = std::mem::take(&mut self.unwritten);
                if let Err(error) = self.take().await {
                    self.unwritten = held;
                    self.tell(&format!("what is stopped stays as it is: {error}"));
                    return false;
                }
                true
            }
            Err(error) => {
                self.tell(&format!("what is stopped could not be written, and holds until this host ends: {error}"));
                false
            }
        }
    }

    fn is_unserved(&self, Change { target, what, .. }: &Change) -> bool {
        *what == What::Killed && !self.is_served(target)
    }

    fn is_served(&self, target: &Target) -> bool {
        let fleet = self.host.fleet();
        match target {
            Target::Plugin(name) => fleet.snapshot().plugin(name).is_some(),
            Target::Tool(name) => {
                fleet.snapshot().plugins().any(|plugin| plugin.tools().any(|tool| tool.published() == name))
            }
            Target::All | Target::Writes | Target::Caller(_) => true,
        }
    }
}

/// How many calls that were ended are not at their end after a moment.
async fn ending(host: &Host, answer: &Answer) -> usize {
    let (longest, pause) = ENDING;
    let begun = Instant::now();
    loop {
        let ending = host.ending();
        if ending == 0 || begun.elapsed() > longest || answer.is_closed() {
            return ending;
        }
        sleep(pause).await;
    }
}
