//! Owning a home: the lock, the journal, the state brought up to date, the fleet. What `serve`, `call` and `demo` stand on.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use jiff::Timestamp;
use tokio::task::JoinHandle;
use wardkeep_audit::{Event, Journal, Opened, Replay};
use wardkeep_gateway::{Approvals, CancellationToken, Host, Moment, Orders, SocketServer};
use wardkeep_model::Digest;
use wardkeep_policy::{Faults, manifest::Manifest};
use wardkeep_sandbox::Engine;

use crate::{
    approvals, approved,
    compiling::{self, Keep},
    home::{self, Home, Owner, create_directory},
    journal,
    kills::{self, Keeper},
    load::{self, Loaded, Rejected, Served, Terms},
    reload::{Reloader, Told, Watch, rejection},
    screen::note,
    state::{Accepted, Known, State, Store, recover},
    stop::HangUps,
};

/// A socket's path holds 108 bytes with the final zero (`unix(7)`), on other systems 104.
const LONGEST_SOCKET: usize = 100;
/// How long calls that are cancelled at the end may take to be recorded.
const CALLS: Duration = Duration::from_secs(5);

/// A home that this process owns, with everything loaded.
pub(crate) struct Owned {
    pub(crate) host: Arc<Host>,
    pub(crate) terms: Arc<Terms>,
    pub(crate) rejected: Vec<Rejected>,
    pub(crate) strays: Faults,
    pub(crate) tools: usize,
    pub(crate) plugins: usize,
    journal: Journal,
    socket: PathBuf,
    reloader: Option<Reloader>,
    orders: Orders,
    keeping: Keeping,
    // The last to go: whoever waits for the home finds everything closed.
    _lock: Owner,
}

/// The task that keeps the kills.
struct Keeping {
    task: JoinHandle<()>,
    stop: CancellationToken,
}

impl Keeping {
    /// Begins once what is stopped is in force.
    async fn begin(home: &Home, journal: &Journal, host: &Arc<Host>, replay: &Replay) -> (Orders, Self) {
        let (orders, placed) = Orders::new();
        let keeper = Keeper::new(kills::Store::new(home.state()), journal.clone(), Arc::clone(host), replay).await;
        let stop = CancellationToken::new();
        (orders, Self { task: tokio::spawn(keeper.run(placed, stop.clone())), stop })
    }

    async fn end(self) {
        self.stop.cancel();
        if let Err(error) = self.task.await {
            note(format!("what keeps the kills ended unexpectedly: {error}"));
        }
    }
}

/// What loading a home leaves behind besides the plugins.
struct Opening {
    store: Store,
    state: State,
    engine: Engine,
    loaded: Loaded,
    approvals: Arc<Approvals>,
}

impl Owned {
    /// Opens journal and state under the lock, loads every plugin, and records what became of each.
    pub(crate) async fn open(home: &Home, lock: Owner) -> anyhow::Result<Self> {
        Self::open_with(home, lock, None).await
    }

    /// The same with an engine that has compiled the home's components already.
    pub(crate) async fn open_with(home: &Home, lock: Owner, engine: Option<Engine>) -> anyhow::Result<Self> {
        let now = Timestamp::now();
        closed_memory()?;
        // Before anything is read: what changes while it is read is found by the first look.
        let watch = Watch::new(home);
        let terms = Arc::new(Terms::read(home, now)?);
        let in_use = home.keys().exists();
        let (journal, opened) = journal::open(home, terms.config.sync).await?;
        let replay = opened.replay.clone();
        let opened_well = Self::load(home, &terms, &journal, (opened, in_use), engine, now).await;
        let Opening { store, state, engine, loaded, approvals } = match opened_well {
            Ok(opening) => opening,
            Err(error) => {
                journal.shutdown().await;
                return Err(error);
            }
        };
        let Loaded { fleet, served, rejected, strays, .. } = loaded;
        let (plugins, tools) = (fleet.snapshot().plugin_count(), fleet.snapshot().tool_count());
        let (callers, allowances) = (terms.callers(), terms.config.allowances.clone());
        let confirmation = terms.config.confirmation;
        let host = Host::new(
            Moment {
                fleet,
                callers,
                allowances,
                confirming: confirmation.confirming,
                approvals: confirmation.limits,
                brakes: terms.config.brakes,
                rejected: rejected.len(),
            },
            journal.clone(),
            approvals,
        );
        let socket = socket(home.path())?;
        let reloader = Reloader {
            home: home.clone(),
            engine,
            store,
            journal: journal.clone(),
            state,
            host: Arc::clone(&host),
            watch,
            judged: now,
            started: Arc::clone(&terms),
            terms: Arc::clone(&terms),
            serving: served.into_iter().map(|served| (served.terms.plugin().clone(), served)).collect(),
            recorded: rejected.iter().map(|rejected| (rejected.plugin.clone(), rejection(rejected))).collect(),
            rejected: rejected.clone(),
            told: Told::default(),
        };
        let reloader = Some(reloader);
        let (orders, keeping) = Keeping::begin(home, &journal, &host, &replay).await;
        Ok(Self {
            host,
            terms,
            rejected,
            strays,
            tools,
            plugins,
            journal,
            socket,
            reloader,
            orders,
            keeping,
            _lock: lock,
        })
    }

    async fn load(
        home: &Home,
        terms: &Arc<Terms>,
        journal: &Journal,
        (opened, in_use): (Opened, bool),
        engine: Option<Engine>,
        now: Timestamp,
    ) -> anyhow::Result<Opening> {
        tell(&opened);
        let store = Store::new(home.state());
        let recovered = recover(store.read()?, &opened.replay, in_use)?;
        if recovered.rebuilt {
            note("the state was lost and has been rebuilt from the audit journal");
        }
        if !recovered.missing.is_empty() {
            // The journal is written first: one that knows less than the state was cut, or begun anew.
            note(
                "the audit journal does not hold all that the state knows: it was cut or begun anew; what is missing is recorded again",
            );
        }
        terms.may_follow(&store, &recovered.state, now)?;
        journal.event(Event::Started { version: env!("CARGO_PKG_VERSION").to_owned() }).await?;
        // After the first record: a crash between the two must not look like a home that lost everything.
        create_directory(&home.keys())?;
        for event in recovered.missing {
            journal.event(event).await?;
        }
        let mut state = recovered.state.clone();
        remember(terms, &store, journal, &mut state).await?;
        if recovered.changed || state != recovered.state {
            store.write(&state)?;
        }
        // Anything that is said of plugins stands on trust and revocations that are remembered already.
        let engine = match engine {
            Some(engine) => engine,
            None => compiling::engine(home, terms, Keep::Writes)?,
        };
        let loaded = load::load(home, terms, &state, &engine, now).await?;
        let before = state.clone();
        record(journal, &loaded, &mut state).await?;
        approved::keep(home, loaded.served.iter().map(|served| served.terms.as_ref()));
        if state != before {
            store.write(&state)?;
        }
        approvals::set_aside(home)?;
        let approvals = Arc::new(approvals::open(home, journal, &opened.replay)?);
        Ok(Opening { store, state, engine, loaded, approvals })
    }

    /// Reloads whenever there is a reason, until it is stopped. A command that ends soon does without.
    pub(crate) fn keep_fresh(&mut self, hang_ups: HangUps, stop: CancellationToken) -> tokio::task::JoinHandle<()> {
        let reloader = self.reloader.take();
        tokio::spawn(async move {
            if let Some(reloader) = reloader {
                reloader.run(hang_ups, stop).await;
            }
        })
    }

    /// Answers other processes of this user until it is stopped.
    pub(crate) fn serve_socket(&self, stop: CancellationToken) -> anyhow::Result<tokio::task::JoinHandle<()>> {
        if let Some(parent) = self.socket.parent() {
            create_directory(parent)?;
            home::check_directory(parent)?;
        }
        let server = SocketServer::bind(&self.socket, Arc::clone(&self.host), self.orders.clone())?;
        let approvals = Arc::clone(self.host.approvals());
        Ok(tokio::spawn(async move {
            tokio::select! {
                () = server.run(stop) => {}
                // what expires is on record soon, also where nobody asks
                () = approvals.watch() => {}
            }
        }))
    }

    /// Ends the calls, then closes the journal; then the lock is given back.
    pub(crate) async fn close(self, reason: &str) {
        // First, so that each call's outcome stands in the journal before the word that all is over.
        if !self.host.close(CALLS).await {
            note("some calls did not end in time: they stand in the audit log without outcome");
        }
        self.keeping.end().await;
        if let Err(error) = self.journal.event(Event::Stopped { reason: reason.to_owned() }).await {
            note(format!("the end could not be recorded: {error}"));
        }
        self.journal.shutdown().await;
    }
}

/// Nobody but root looks into this process from now on, with a debugger or in what a crash leaves: values of secrets are in it.
pub(crate) fn closed_memory() -> anyhow::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, dumpable_behavior, set_dumpable_behavior};
        set_dumpable_behavior(DumpableBehavior::NotDumpable).context("the host cannot close its memory to others")?;
        anyhow::ensure!(
            dumpable_behavior()? == DumpableBehavior::NotDumpable,
            "the host's memory stays open to others"
        );
    }
    Ok(())
}

/// Remembers new revocations and a new trust document: in the journal first, so that no crash forgets what was acted on.
pub(crate) async fn remember(terms: &Terms, store: &Store, journal: &Journal, state: &mut State) -> anyhow::Result<()> {
    for revoking in &terms.revoking {
        for target in &revoking.targets {
            if !state.revoked.contains(target) {
                journal.event(Event::Revoked { target: target.clone(), document: revoking.document }).await?;
                state.revoked.insert(target.clone());
            }
        }
    }
    let accepted = Accepted { version: terms.trust.version(), digest: terms.trust.digest() };
    if state.trust != Some(accepted) {
        journal.event(Event::TrustAccepted { version: accepted.version, document: accepted.digest }).await?;
        state.trust = Some(accepted);
    }
    if store.accepted_trust()?.is_none_or(|bytes| Digest::of(&bytes) != accepted.digest) {
        store.keep_trust(&terms.trust_bytes)?;
    }
    Ok(())
}

async fn record(journal: &Journal, loaded: &Loaded, state: &mut State) -> anyhow::Result<()> {
    for served in &loaded.served {
        let manifest = served.terms.manifest();
        journal.event(loaded_event(served)).await?;
        let known = Known { serial: manifest.serial(), manifest: manifest.digest() };
        state.plugins.insert(manifest.name().clone(), known);
    }
    for rejected in &loaded.rejected {
        journal.event(rejected.event()).await?;
    }
    Ok(())
}

/// For the record: this plugin serves from now on.
pub(crate) fn loaded_event(served: &Served) -> Event {
    let manifest = served.terms.manifest();
    Event::PluginLoaded {
        plugin: manifest.name().clone(),
        version: manifest.version().to_string(),
        serial: manifest.serial(),
        manifest: manifest.digest(),
        component: served.terms.component(),
        signed_by: served.signed_by.clone(),
    }
}

/// Tells what the end of the journal says of the host before.
pub(crate) fn tell(opened: &Opened) {
    if let Some(torn) = &opened.torn {
        note(format!(
            "the audit journal ended in an incomplete line ({} bytes): it was cut, and the cut recorded",
            torn.bytes
        ));
    }
    for call in &opened.unfinished {
        note(format!(
            "call {} of {} by {} has no outcome: the host died while it ran; whether it had its effect is not known",
            call.correlation, call.tool, call.user
        ));
    }
}

/// The socket of a home: inside it where the path is short enough, else in a directory of this user's own.
pub(crate) fn socket(home: &Path) -> anyhow::Result<PathBuf> {
    let inside = home.join("relay.sock");
    if inside.as_os_str().len() <= LONGEST_SOCKET {
        return Ok(inside);
    }
    let name = Digest::of(home.as_os_str().as_encoded_bytes()).to_string();
    let short: String = name.chars().take(16).collect();
    // Not from the environment: owner and relays must come to the same path.
    let directory = PathBuf::from(format!("/tmp/wardkeep-{}", rustix::process::geteuid().as_raw()));
    if directory.exists() {
        home::check_directory(&directory).context("the directory of the home's socket")?;
    }
    Ok(directory.join(format!("{short}.sock")))
}

/// Prints what was refused, and what was ignored, each with its mend.
pub(crate) fn tell_rejected(terms: &Terms, rejected: &[Rejected], strays: &Faults) {
    for faults in [&terms.faults, strays].into_iter().filter(|faults| !faults.is_empty()) {
        note(faults);
    }
    for refused in rejected {
        tell_refused(refused, None);
    }
}

/// Prints one refusal, and what serves in its place.
pub(crate) fn tell_refused(refused: &Rejected, kept: Option<&Manifest>) {
    let Rejected { plugin, faults, .. } = refused;
    let kept = kept.map(|kept| format!("; {}, serial {}, goes on serving", kept.version(), kept.serial()));
    note(format!("plugin `{}` is refused{}:\n{faults}", crate::screen::escaped(plugin), kept.unwrap_or_default()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deep_home_has_a_short_socket() {
        let deep = PathBuf::from("/").join("a".repeat(200));
        let path = socket(&deep).unwrap();
        assert!(path.as_os_str().len() <= LONGEST_SOCKET && path.starts_with("/tmp"), "{}", path.display());
        assert_eq!(socket(Path::new("/home/me/h")).unwrap(), Path::new("/home/me/h/relay.sock"));
        assert_ne!(path, socket(&PathBuf::from("/").join("b".repeat(200))).unwrap());
    }
}
