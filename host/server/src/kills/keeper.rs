//! Keeps the kills of a host that owns its home: takes them up from the files when a command says so, or when it sees them change, ends
//! them when their time is over, and puts brakes on. A task of its own, apart from reloads: a document that cannot be read, or a disk that
//! hangs in one, holds up no kill.
//!
//! First a kill is in force, then it is recorded: a journal that hangs keeps nobody from being stopped, and what could not be recorded is
//! tried again until it is.

mod brakes;
mod orders;

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::{
    sync::mpsc,
    task::spawn_blocking,
    time::{Instant, MissedTickBehavior, interval, sleep, timeout},
};
use wardkeep_audit::{Event, Journal, Replay};
use wardkeep_gateway::{CancellationToken, Host, Placed, Tripped};
use wardkeep_policy::kill::Kill;

use super::{Book, Brakes, Change, Ledger, Store, StoreError, What, everything, store::Stamp, together};
use crate::screen::note;

/// How often the files are looked at: for a command that could not reach this process.
const LOOK: Duration = Duration::from_millis(500);
/// A file that is not read by then is on a device that hangs.
const READ: Duration = Duration::from_secs(5);
/// So long the journal is waited for before the order is answered without it.
const RECORD: Duration = Duration::from_secs(1);
/// The kills of one host.
pub(crate) struct Keeper {
    store: Store,
    journal: Journal,
    host: Arc<Host>,
    ledger: Ledger,
    /// The operator's kills as they were read last.
    book: Book,
    /// What this host has stopped by itself. Nobody else writes them, so they are read once.
    brakes: Option<Brakes>,
    /// Up to when it was asked what has ended by itself.
    judged: Timestamp,
    /// Set while a file cannot be read: everything is stopped.
    damaged: Option<Kill>,
    /// What a command could not write, until this host has.
    unwritten: Vec<Kill>,
    /// Their device hangs: it is not asked again before then.
    write_after: Instant,
    seen: Stamp,
    /// What could not be read or recorded was said already.
    told: Option<String>,
    /// The last change that was taken up, and how many running calls that ended.
    taken: (u64, usize),
}

impl Keeper {
    /// Takes up what is stopped, before anything is served.
    pub(crate) async fn new(store: Store, journal: Journal, host: Arc<Host>, replay: &Replay) -> Self {
        let mut keeper = Self {
            store,
            journal,
            host,
            ledger: Ledger::new(replay),
            book: Book::remembered(replay),
            brakes: None,
            judged: Timestamp::now(),
            damaged: None,
            unwritten: Vec::new(),
            write_after: Instant::now(),
            seen: Stamp::default(),
            told: None,
            taken: (0, 0),
        };
        // In force before a file is read: one that hangs lifts nothing.
        keeper.apply();
        if let Err(error) = keeper.take().await {
            // Nobody knows what it says, and nothing serves yet that could go on as before.
            keeper.stop_everything(&error).await;
        }
        let holding = keeper.holding();
        if !holding.is_empty() {
            let targets: Vec<_> = holding.iter().map(|kill| kill.target.to_string()).collect();
            note(format!(
                "stopped: {}\n  mend: `wardkeep kills` tells why; `wardkeep revive TARGET` lifts one",
                targets.join(", ")
            ));
        }
        keeper
    }

    /// Keeps them until it is stopped.
    pub(crate) async fn run(mut self, mut orders: mpsc::Receiver<Placed>, stop: CancellationToken) {
        let mut tripped = self.host.tripped();
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                Some(placed) = orders.recv() => self.obey(placed).await,
                Some(tripped) = next(&mut tripped) => self.brake(tripped).await,
                () = until(self.next_end()) => self.end().await,
                _ = look.tick() => self.look().await,
            }
        }
    }

    /// Looks whether a file has changed, and tries again what could not be done.
    async fn look(&mut self) {
        if !self.unwritten.is_empty() && Instant::now() >= self.write_after {
            self.write().await;
        }
        let store = self.store.clone();
        let Ok(Ok(stamp)) = timeout(READ, spawn_blocking(move || store.stamp())).await else { return };
        if stamp != self.seen || self.damaged.is_some() {
            if let Err(error) = self.take().await {
                self.tell(&format!("what is stopped stays as it is: {error}"));
            }
        } else if !self.ledger.is_whole(&self.book, Timestamp::now()) {
            self.record().await;
        }
    }

    /// Takes up what the files say. They may be on a device that hangs: then what is in force stays.
    async fn take(&mut self) -> Result<(), StoreError> {
        let (store, known) = (self.store.clone(), self.brakes.clone());
        let reading = spawn_blocking(move || {
            // Before they are read: what changes meanwhile is found by the next look.
            let stamp = store.stamp();
            let brakes = known.map_or_else(|| store.brakes(), Ok);
            (stamp, store.read().and_then(|book| Ok((book, brakes?))))
        });
        let (stamp, read) = match timeout(READ, reading).await {
            Ok(Ok(read)) => read,
            Ok(Err(_)) | Err(_) => return Err(StoreError::Late),
        };
        let (book, brakes) = match read {
            Ok(read) => read,
            Err(error) if error.is_passing() => return Err(error),
            Err(error) => {
                self.seen = stamp;
                self.stop_everything(&error).await;
                return Ok(());
            }
        };
        self.seen = stamp;
        self.brakes = Some(brakes);
        let known = self.book.change;
        match book {
            Some(book) if book.change >= known => {
                let before = std::mem::replace(&mut self.book, book);
                // of what the file does not tell, what the journal remembers
                self.book.stops.learn(&before.stops);
            }
            None if known == 0 => {}
            // What was put back, or taken away, must not lift what this host knows of.
            _ => self.restore().await,
        }
        let lifted = self.lift();
        let mended = self.damaged.take();
        let ended = self.apply();
        if self.book.change > known || mended.is_some() {
            self.taken = (self.book.change, ended);
        }
        self.story(known, ended);
        if let Some(Kill { target, .. }) = mended {
            note("what is stopped can be read again");
            let (by, reason) = ("wardkeep".to_owned(), "what is stopped can be read again".to_owned());
            self.event(Event::Revived { change: 0, target: target.to_string(), by, reason }).await;
        }
        if lifted {
            self.keep_brakes().await;
        }
        self.end_brakes().await;
        self.record().await;
        Ok(())
    }

    /// Puts in force what is known. How many running calls ended by it.
    fn apply(&mut self) -> usize {
        self.judged = Timestamp::now();
        let none = Brakes::default();
        let brakes = self.brakes.as_ref().unwrap_or(&none);
        self.host.stop(together(&self.book, brakes, self.damaged.iter().chain(&self.unwritten), self.judged))
    }

    fn all(&self) -> impl Iterator<Item = &Kill> {
        let brakes = self.brakes.iter().flat_map(|brakes| &brakes.kills);
        self.book.kills.iter().chain(brakes).chain(&self.damaged).chain(&self.unwritten)
    }

    fn holding(&self) -> Vec<Kill> {
        let now = Timestamp::now();
        self.all().filter(|kill| kill.holds(now)).cloned().collect()
    }

    async fn stop_everything(&mut self, error: &StoreError) {
        let kill = everything(error, Timestamp::now());
        let again = self.damaged.as_ref().is_some_and(|before| before.reason == kill.reason);
        self.damaged = Some(kill.clone());
        let ended = self.apply();
        if again {
            return;
        }
        note(format!("everything is stopped, and {ended} running calls were ended: {error}"));
        let Kill { target, by, reason, until, .. } = kill;
        self.event(Event::Killed { change: 0, target: target.to_string(), by, reason, until }).await;
    }

    /// Writes anew what was lost, or put back as it was before.
    async fn restore(&mut self) {
        note("state/kills.json is older than what this host knows of, or gone: it is written anew, and lifts nothing");
        let (store, known) = (self.store.clone(), self.book.clone());
        let restoring = spawn_blocking(move || {
            store.change(|book| {
                if book.change < known.change {
                    book.clone_from(&known);
                }
            })
        });
        match timeout(READ, restoring).await {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(error))) => self.tell(&format!("state/kills.json could not be written: {error}")),
            Ok(Err(_)) | Err(_) => self.tell("state/kills.json could not be written: its device hangs"),
        }
    }

    /// When one of them ends by itself: from when it was asked last, so that none ends unseen while this is busy.
    fn next_end(&self) -> Option<Timestamp> {
        self.all().filter_map(|kill| kill.until).filter(|until| *until > self.judged).min()
    }

    /// The time of one of them is over: lists have it again.
    async fn end(&mut self) {
        let before = self.judged;
        self.apply();
        let over = |kill: &&Kill| kill.until.is_some_and(|until| (before..=self.judged).contains(&until));
        for kill in self.book.kills.iter().filter(over) {
            note(format!("{} is stopped no more: its time is over", kill.target));
        }
        self.end_brakes().await;
        self.record().await;
    }

    async fn record(&mut self) {
        let now = Timestamp::now();
        let recording = self.ledger.record(&self.journal, &self.book, now);
        match timeout(RECORD, recording).await {
            Ok(Ok(())) => self.told = None,
            Ok(Err(error)) => self.tell(&format!("what is stopped could not be recorded: {error}")),
            Err(_) => self.tell("what is stopped could not be recorded yet: the audit log does not answer"),
        }
    }

    /// Whether it is on record.
    async fn event(&mut self, event: Event) -> bool {
        let recorded = timeout(RECORD, self.journal.event(event)).await;
        match &recorded {
            Ok(Ok(())) => {}
            Ok(Err(error)) => self.tell(&format!("what is stopped could not be recorded: {error}")),
            Err(_) => self.tell("what is stopped could not be recorded: the audit log does not answer"),
        }
        matches!(recorded, Ok(Ok(())))
    }

    /// Tells what an operator did since, on standard error.
    fn story(&self, since: u64, ended: usize) {
        let mut ended = Some(ended).filter(|ended| *ended > 0);
        for Change { what, target, by, reason, until, .. } in self.book.after(since) {
            let until = until.map(|until| format!(" until {until}")).unwrap_or_default();
            let what = match what {
                What::Killed => "killed",
                What::Revived => "revived",
            };
            let ended = ended.take().map(|ended| format!("; {ended} running calls were ended")).unwrap_or_default();
            note(format!("{what}: {target}{until}, by {by}: {reason}{ended}"));
        }
    }

    /// Says it once.
    fn tell(&mut self, text: &str) {
        if self.told.as_deref() != Some(text) {
            note(text);
            self.told = Some(text.to_owned());
        }
    }
}

async fn next(tripped: &mut Option<mpsc::Receiver<Tripped>>) -> Option<Tripped> {
    match tripped {
        Some(tripped) => tripped.recv().await,
        None => std::future::pending().await,
    }
}

/// The clock is looked at every second: it may be set, and a machine may sleep.
async fn until(end: Option<Timestamp>) {
    let Some(end) = end else { return std::future::pending().await };
    while let Ok(left) = Duration::try_from(end.duration_since(Timestamp::now()))
        && !left.is_zero()
    {
        sleep(left.min(Duration::from_secs(1))).await;
    }
}
