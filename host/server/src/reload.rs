//! Reloading while calls run: a change on disk, SIGHUP or the clock (docs/decisions/005-reload.md).
//!
//! Two steps. The first only takes away, at once, whatever else is wrong: revocations, removed plugins, callers that are gone, what
//! has expired; running calls of those end. The second loads what is new beside what serves, which may take long, and puts it in
//! place whole; what is wrong with a newcomer leaves in service what it would have replaced.

mod adopt;
mod story;
mod watch;

use std::{collections::BTreeMap, io, sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::task::{JoinHandle, block_in_place};
use wardkeep_audit::{Event, Journal};
use wardkeep_gateway::{CancellationToken, Host, Moment};
use wardkeep_model::{Digest, PluginName};
use wardkeep_policy::Snapshot;
use wardkeep_sandbox::Engine;

use crate::{
    config,
    document::MANIFEST,
    home::Home,
    load::{self, Before, Candidates, Rejected, Served, Terms},
    owner::remember,
    screen::{chain, escaped_lines, note},
    state::{State, Store},
    stop::HangUps,
};

use story::Story;
pub(crate) use watch::Watch;

/// The clock is looked at this often: it may be set, and a machine may sleep.
const CLOCK: Duration = Duration::from_secs(1);

/// What asks for a reload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Why {
    Clock,
    Disk,
    /// Somebody sent SIGHUP: they are told what came of it even if nothing did.
    Asked,
}

type Loading = JoinHandle<anyhow::Result<Candidates>>;

/// Everything that a reload changes, owned by the one task that reloads.
pub(crate) struct Reloader {
    pub(crate) home: Home,
    pub(crate) engine: Engine,
    pub(crate) store: Store,
    pub(crate) journal: Journal,
    pub(crate) state: State,
    pub(crate) host: Arc<Host>,
    pub(crate) watch: Watch,
    /// When it was last asked what the clock takes away.
    pub(crate) judged: Timestamp,
    /// What the host started with: what cannot change while it runs is held at this.
    pub(crate) started: Arc<Terms>,
    pub(crate) terms: Arc<Terms>,
    pub(crate) serving: BTreeMap<PluginName, Served>,
    pub(crate) rejected: Vec<Rejected>,
    /// What is on record of the rejected ones, so that the same bytes are recorded once.
    pub(crate) recorded: BTreeMap<String, Rejection>,
    /// The same for documents that could not be read, and for what waits for a restart.
    pub(crate) told: Told,
}

/// A rejection, in so far as it tells one from another.
pub(crate) type Rejection = (Option<Digest>, String);

/// What was said already and would only be repeated.
#[derive(Default)]
pub(crate) struct Told {
    broken: Option<String>,
    waiting: Vec<&'static str>,
    faults: String,
    /// The terms that are in force as far as anybody was told; at first those that the host started with.
    settings: Option<Arc<Terms>>,
}

/// What tells this rejection from another. Mends are left out: they may name the day.
pub(crate) fn rejection(rejected: &Rejected) -> Rejection {
    let messages: Vec<_> = rejected.faults.iter().map(|fault| format!("{}: {}", fault.key, fault.message)).collect();
    (rejected.manifest, messages.join("\n"))
}

impl Reloader {
    /// Reloads whenever there is a reason, until it is stopped.
    pub(crate) async fn run(mut self, mut hang_ups: HangUps, stop: CancellationToken) {
        let mut loading: Option<Loading> = None;
        let mut again: Option<Why> = None;
        let mut asked = false;
        loop {
            // From when it was looked last, so that nothing expires unseen while a reload is busy.
            let due = self.host.next_change(self.judged);
            let why = tokio::select! {
                () = stop.cancelled() => break,
                () = hang_ups.asked() => {
                    // Taken before anything is read: what changes from here on is found by the next look.
                    self.watch.mark().await;
                    Why::Asked
                }
                () = self.watch.changed() => Why::Disk,
                () = until(due) => Why::Clock,
                loaded = done(&mut loading) => {
                    loading = None;
                    self.adopt(loaded, std::mem::take(&mut asked)).await;
                    let Some(why) = again.take() else { continue };
                    asked = why == Why::Asked;
                    loading = Some(self.load(why));
                    continue;
                }
            };
            self.narrow().await;
            if loading.is_none() {
                asked = why == Why::Asked;
                loading = Some(self.load(why));
            } else {
                // What is being loaded is loaded to its end, or a home that changes all the time would never load anything.
                again = again.max(Some(why));
            }
        }
        if let Some(loading) = loading {
            loading.abort();
        }
    }

    /// Reads the home's own documents again and takes away what they, a missing manifest or the clock take away.
    async fn narrow(&mut self) {
        // First, since nothing has to be read for it: what has expired ends, whatever hangs afterwards.
        let mut ended = self.host.settle();
        let now = Timestamp::now();
        self.judged = now;
        self.terms = Arc::new(self.documents(now).await);
        let revocations = self.terms.revocations(&self.state);
        let mut story = Story::default();
        let mut stopped = Vec::new();
        let (home, serving) = (&self.home, &self.serving);
        let gone: Vec<_> = block_in_place(|| serving.keys().filter(|name| is_gone(home, name)).cloned().collect());
        for name in gone {
            stopped.push((name, "removed"));
        }
        let left = self.serving.iter().filter(|(name, _)| !stopped.iter().any(|(gone, _)| gone == *name));
        let left: Vec<_> = left.map(|(_, served)| served.clone()).collect();
        let Some(snapshot) = self.snapshot(&left, &revocations) else { return };
        for served in &left {
            let name = served.terms.plugin();
            stopped.extend(snapshot.out_of_service(name, now).map(|rule| (name.clone(), rule.as_str())));
        }
        self.serving.retain(|name, _| !stopped.iter().any(|(gone, _)| gone == name));
        let left: Vec<_> = self.serving.values().cloned().collect();
        let Some(snapshot) = self.snapshot(&left, &revocations) else { return };
        ended += self.swap(&Arc::new(snapshot), &left);
        for (plugin, reason) in stopped {
            story.stopped(&plugin, reason);
            self.event(Event::PluginRemoved { plugin, reason: reason.to_owned() }).await;
        }
        story.ended = ended;
        if !story.is_empty() {
            note(&story);
        }
        self.tell_settings().await;
    }

    /// Tells and records what the operator's file says otherwise than the one before of callers, and of what they may.
    async fn tell_settings(&mut self) {
        let before = self.told.settings.replace(Arc::clone(&self.terms)).unwrap_or_else(|| Arc::clone(&self.started));
        let changes = config::changes(&before.config, &self.terms.config);
        if !changes.is_empty() {
            note(escaped_lines(&format!("wardkeep.toml: taken up: {}", changes.join("; "))));
            self.event(Event::SettingsChanged { changes }).await;
        }
    }

    /// The snapshot of plugins that served together before, and so cannot collide.
    fn snapshot(&self, served: &[Served], revocations: &wardkeep_policy::Revocations) -> Option<Snapshot> {
        let plugins = served.iter().map(|served| Arc::clone(&served.terms)).collect();
        match Snapshot::new(plugins, &self.terms.trust, revocations) {
            Ok(snapshot) => Some(snapshot),
            Err(faults) => {
                note(format!("what serves does not go together any more, and stays as it is:\n{faults}"));
                None
            }
        }
    }

    /// Puts these plugins and the callers of this moment in place. How many running calls ended by it.
    fn swap(&self, snapshot: &Arc<Snapshot>, served: &[Served]) -> usize {
        let fleet = load::fleet(&self.engine, snapshot, served, &self.terms);
        let config = &self.terms.config;
        self.host.replace(Moment {
            fleet,
            callers: self.terms.callers(),
            allowances: config.allowances.clone(),
            confirming: config.confirmation.confirming,
            approvals: config.confirmation.limits,
            brakes: config.brakes,
            rejected: self.rejected.len(),
        })
    }

    /// The documents that hold from now on: those of the home, or the old ones with the home's revocations where something is wrong
    /// with the operator's file or the trust that it pins. Nothing is widened by what cannot be read.
    async fn documents(&mut self, now: Timestamp) -> Terms {
        let (mut terms, broken) = match block_in_place(|| self.read(now)) {
            Ok(terms) => (terms, None),
            Err(error) => (self.old_documents(now), Some(chain(error.as_ref()))),
        };
        self.broken(broken).await;
        let known = self.state.clone();
        if let Err(error) = remember(&terms, &self.store, &self.journal, &mut self.state).await {
            note(format!("what the home says now could not be remembered: {}", chain(error.as_ref())));
            // Revocations count all the same; a trust that is not remembered does not.
            terms = self.old_documents(now);
        }
        if self.state != known {
            self.write_state();
        }
        let waiting = terms.hold(&self.started, &self.terms);
        if waiting != self.told.waiting && !waiting.is_empty() {
            note(format!("wardkeep.toml: {} changed: that takes effect after a restart", waiting.join(", ")));
        }
        self.told.waiting = waiting;
        let faults = terms.faults.to_string();
        if faults != self.told.faults && !faults.is_empty() {
            note(escaped_lines(&faults));
        }
        self.told.faults = faults;
        terms
    }

    fn read(&self, now: Timestamp) -> anyhow::Result<Terms> {
        let terms = Terms::read(&self.home, now)?.after(&self.terms);
        terms.may_follow(&self.store, &self.state, now)?;
        Ok(terms)
    }

    /// What was read before, with the revocations of the home; and with its callers if the operator's file is in order and the trust
    /// is not: they do not depend on it, and a key that was revoked must not wait for another document to be mended.
    fn old_documents(&self, now: Timestamp) -> Terms {
        let again = block_in_place(|| self.terms.revoked_again(&self.home, now));
        let mut terms = again.unwrap_or_else(|error| {
            // Those that were read before are remembered.
            note(format!("revocations cannot be read: {}", chain(error.as_ref())));
            Terms::clone(&self.terms)
        });
        if let Ok(config) = block_in_place(|| Terms::config(&self.home)) {
            terms.take_callers(config);
        }
        terms
    }

    /// Says once what is wrong with the home's documents, and once that it is mended.
    async fn broken(&mut self, broken: Option<String>) {
        if broken == self.told.broken {
            return;
        }
        match &broken {
            Some(error) => {
                note(escaped_lines(&format!(
                    "the home's documents are refused; those that were read before hold:\n{error}"
                )));
                let reason = error.lines().next().unwrap_or_default().to_owned();
                self.event(Event::ReloadRefused { reason }).await;
            }
            None => note("the home's documents are in order again"),
        }
        self.told.broken = broken;
    }

    /// Loads beside what serves.
    fn load(&self, why: Why) -> Loading {
        let before = Before { serving: self.serving.clone(), refresh: why == Why::Asked };
        let (home, terms, state, engine) =
            (self.home.clone(), Arc::clone(&self.terms), self.state.clone(), self.engine.clone());
        tokio::spawn(async move { load::candidates(&home, &terms, &state, &engine, before, Timestamp::now()).await })
    }

    async fn event(&self, event: Event) {
        if let Err(error) = self.journal.event(event).await {
            note(format!("a change could not be recorded: {error}"));
        }
    }

    /// The journal has it already, and the higher of both holds: a state that cannot be written is written by the next reload.
    fn write_state(&self) {
        if let Err(error) = block_in_place(|| self.store.write(&self.state)) {
            note(format!("the state could not be written; the journal holds it: {error}"));
        }
    }
}

/// A plugin is removed when its manifest is gone: what was approved is not there any more. One that cannot be read is not gone.
fn is_gone(home: &Home, plugin: &PluginName) -> bool {
    let manifest = home.plugins().join(plugin.as_str()).join(MANIFEST);
    let gone = |error: &io::Error| matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory);
    manifest.symlink_metadata().is_err_and(|error| gone(&error))
}

async fn until(due: Option<Timestamp>) {
    let Some(due) = due else { return std::future::pending().await };
    loop {
        let left = due.duration_since(Timestamp::now());
        let Ok(left) = Duration::try_from(left) else { return };
        if left.is_zero() {
            return;
        }
        tokio::time::sleep(left.min(CLOCK)).await;
    }
}

async fn done(loading: &mut Option<Loading>) -> anyhow::Result<Candidates> {
    match loading {
        Some(loading) => loading.await?,
        None => std::future::pending().await,
    }
}
