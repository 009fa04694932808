//! Keeps the kills of a host that owns its home: takes them up from the files when a command says so, or when it sees them change, ends
//! them when their time is over, and puts brakes on. A task of its own, apart from reloads: a document that cannot be read, or a disk that
//! hangs in one, holds up no kill.
//!
//! First a kill is in force, then it is recorded: a journal that hangs keeps nobody from being stopped, and what could not be recorded is
//! tried again until it is.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use tokio::{
    sync::{mpsc, oneshot},
    task::spawn_blocking,
    time::{Instant, MissedTickBehavior, interval, sleep, timeout},
};
use wardkeep_audit::{Event, Journal, Replay};
use wardkeep_gateway::{CancellationToken, Done, Host, Order, Placed, Tripped, Undone};
use wardkeep_policy::kill::{Kill, Target};

use super::{
    BRAKE, Book, Brakes, Change, Ledger, Store, StoreError, What, book::ends, everything, store::Stamp, together,
};
use crate::screen::note;

/// How often the files are looked at: for a command that could not reach this process.
const LOOK: Duration = Duration::from_millis(500);
/// A file that is not read by then is on a device that hangs.
const READ: Duration = Duration::from_secs(5);
/// What a command could not write is written by then, or its device hangs too; and how long such a device is left alone.
const WRITE: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(30));
/// So long the journal is waited for before the order is answered without it.
const RECORD: Duration = Duration::from_secs(1);
/// So long calls that were ended are waited for before the order is answered, and how often it is looked.
const ENDING: (Duration, Duration) = (Duration::from_millis(800), Duration::from_millis(5));

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

    async fn obey(&mut self, Placed { order, answer }: Placed) {
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
    async fn write(&mut self) -> bool {
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

    /// Takes off the brakes that an operator has revived since they were put on.
    fn lift(&mut self) -> bool {
        let (book, brakes) = (&self.book, &mut self.brakes.get_or_insert_default().kills);
        let before = brakes.len();
        brakes.retain(|brake| !book.revived_since(&brake.target, brake.since));
        brakes.len() != before
    }

    /// Somebody has gone too far.
    async fn brake(&mut self, tripped: Tripped) {
        let now = Timestamp::now();
        let hold = SignedDuration::try_from(tripped.hold).unwrap_or(SignedDuration::MAX);
        let until = now.checked_add(hold).unwrap_or(Timestamp::MAX);
        let reason = tripped.to_string();
        let Tripped { target, .. } = tripped;
        let brakes = &mut self.brakes.get_or_insert_default().kills;
        brakes.retain(|brake| brake.target != target);
        let (kept, by) = (target.clone(), BRAKE.to_owned());
        brakes.push(Kill { target: kept, reason: reason.clone(), by, since: now, until: Some(until) });
        let ended = self.apply();
        note(format!(
            "brake: {target} is stopped until {until}: {reason}; {ended} running calls were ended\n  mend: `wardkeep revive {target}` lifts it; [brakes] in wardkeep.toml sets how much is too much"
        ));
        self.keep_brakes().await;
        self.event(Event::Braked { target: target.to_string(), reason, until }).await;
    }

    async fn keep_brakes(&mut self) {
        let (store, brakes) = (self.store.clone(), self.brakes.clone().unwrap_or_default());
        match timeout(READ, spawn_blocking(move || store.write_brakes(&brakes))).await {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(error))) => {
                self.tell(&format!("brakes could not be written, and hold until this host ends: {error}"))
            }
            Ok(Err(_)) | Err(_) => self.tell("brakes could not be written, and hold until this host ends"),
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

    async fn end_brakes(&mut self) {
        let now = Timestamp::now();
        let brakes = self.brakes.get_or_insert_default();
        let (holding, over): (Vec<_>, Vec<_>) =
            std::mem::take(&mut brakes.kills).into_iter().partition(|brake| brake.holds(now));
        brakes.kills = holding;
        brakes.stops.extend(ends(over.iter().cloned()));
        if over.is_empty() {
            return;
        }
        self.keep_brakes().await;
        for Kill { target, .. } in over {
            note(format!("brake: {target} is stopped no more: its time is over"));
            self.event(Event::KillEnded { target: target.to_string(), brake: true }).await;
        }
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

type Answer = oneshot::Sender<Result<Done, Undone>>;

/// What a host says of a kill once its calls have ended.
struct InForce {
    change: Option<u64>,
    ended: usize,
    recorded: bool,
    unserved: bool,
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
