//! From the files of a home to a fleet. Reads, and asks policy and sandbox; decides nothing itself. One bad plugin never stops the
//! others, and never starts.

mod admit;
mod candidate;
mod progress;
mod served;
mod terms;
mod together;
mod tokens;
mod unapproved;
mod world;

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use serde::Serialize;
use tokio::{
    sync::Semaphore,
    task::{JoinSet, spawn_blocking},
};
use wardkeep_audit::Event;
use wardkeep_model::{Digest, PluginName};
use wardkeep_policy::{Approved, Evidence, Fault, Faults, PluginTerms, Revocations, Snapshot};
use wardkeep_sandbox::{Engine, Fleet, Inspected};

use crate::{
    home::Home,
    screen::chain,
    state::{State, Store},
};

use progress::Progress;

pub(crate) use admit::admit;
pub(crate) use candidate::{Found, find};
pub(crate) use served::Served;
pub(crate) use terms::Terms;
pub(crate) use together::{Contender, together};
pub(crate) use tokens::{Tokens, doubtful};
pub(crate) use unapproved::{look_further, refusals};
pub(crate) use world::World;

/// A plugin that is not served, and all that is wrong with it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Rejected {
    /// Its directory's name.
    pub(crate) plugin: String,
    /// The digest of its manifest, if that could be read.
    pub(crate) manifest: Option<Digest>,
    /// All that is wrong.
    pub(crate) faults: Faults,
}

impl Rejected {
    /// For the record.
    pub(crate) fn event(&self) -> Event {
        let reason = self.faults.iter().next().map(|fault| fault.message.clone()).unwrap_or_default();
        Event::PluginRejected { plugin: self.plugin.clone(), reason, manifest: self.manifest }
    }
}

/// What became of the plugins of a home.
pub(crate) struct Loaded {
    pub(crate) fleet: Arc<Fleet>,
    pub(crate) served: Vec<Served>,
    pub(crate) rejected: Vec<Rejected>,
    /// What lies among the plugins and is none.
    pub(crate) strays: Faults,
}

/// Each directory under `plugins/`, loaded or refused, and not put together yet.
pub(crate) struct Candidates {
    pub(crate) results: Vec<Result<Served, Rejected>>,
    pub(crate) strays: Faults,
}

/// What serves while others are loaded: what has not changed is taken from there and not made again.
#[derive(Default)]
pub(crate) struct Before {
    pub(crate) serving: BTreeMap<PluginName, Served>,
    /// Whether those that are out of service are linked anew.
    pub(crate) refresh: bool,
}

/// Loads every plugin of the home.
pub(crate) async fn load(
    home: &Home,
    terms: &Arc<Terms>,
    state: &State,
    engine: &Engine,
    now: Timestamp,
) -> anyhow::Result<Loaded> {
    let Candidates { results, strays } = candidates(home, terms, state, engine, Before::default(), now).await?;
    let (mut contenders, mut rejected) = (Vec::new(), Vec::new());
    for result in results {
        match result {
            Ok(served) => contenders.push(Contender::new(served)),
            Err(refused) => rejected.push(refused),
        }
    }
    // What served last is put first: a start comes to the same answer as the reload before it.
    contenders.sort_by_key(|contender| !contender.served.is_known(state));
    let (snapshot, served) = together(contenders, &mut rejected, &terms.trust, &terms.revocations(state))?;
    let fleet = fleet(engine, &snapshot, &served, terms);
    Ok(Loaded { fleet, served, rejected, strays })
}

/// The plugins of a snapshot, ready to be called.
pub(crate) fn fleet(engine: &Engine, snapshot: &Arc<Snapshot>, served: &[Served], terms: &Terms) -> Arc<Fleet> {
    let plugins = served.iter().map(|served| served.plugin.clone()).collect();
    Arc::new(Fleet::new(engine, Arc::clone(snapshot), plugins, terms.roots.clone(), &terms.world.outside))
}

/// Reads and asks everything anew; compiles what has not been compiled, links what is not linked.
pub(crate) async fn candidates(
    home: &Home,
    terms: &Arc<Terms>,
    state: &State,
    engine: &Engine,
    before: Before,
    now: Timestamp,
) -> anyhow::Result<Candidates> {
    let revocations = Arc::new(terms.revocations(state));
    let (found, strays) = {
        let home = home.clone();
        spawn_blocking(move || find(&home)).await??
    };
    let progress = Progress::of(found.len());
    // As many as compile at once: more would only be components in memory that wait.
    let room = Arc::new(Semaphore::new(std::thread::available_parallelism().map_or(2, usize::from)));
    let before = Arc::new(before);
    let mut loading = JoinSet::new();
    for (index, found) in found.into_iter().enumerate() {
        let known = found.name.parse().ok().and_then(|name| state.plugins.get(&name).copied());
        let (terms, revocations, engine) = (Arc::clone(terms), Arc::clone(&revocations), engine.clone());
        let (room, before, progress) = (Arc::clone(&room), Arc::clone(&before), Arc::clone(&progress));
        loading.spawn(async move {
            let _place = room.acquire_owned().await;
            let known = known.map(|known| (known.serial, known.manifest));
            let found = Arc::new(found);
            let one = One { found: Arc::clone(&found), terms, revocations };
            let loaded = one.load(known, &engine, &progress, &before, now).await;
            (index, loaded.map_err(|faults| found.rejected(faults)))
        });
    }
    let mut results = loading.join_all().await;
    // Now that what is used has been used.
    engine.tidy();
    results.sort_by_key(|(index, _)| *index);
    Ok(Candidates { results: results.into_iter().map(|(_, result)| result).collect(), strays })
}

/// One directory and what it is judged by.
struct One {
    found: Arc<Found>,
    terms: Arc<Terms>,
    revocations: Arc<Revocations>,
}

impl One {
    async fn load(
        self,
        known: Option<(u64, Digest)>,
        engine: &Engine,
        progress: &Progress,
        before: &Before,
        now: Timestamp,
    ) -> Result<Served, Faults> {
        let found = Arc::clone(&self.found);
        let fault = |text: String| {
            let (message, mend) = text.split_once("\n  mend: ").unwrap_or((&text, ""));
            let fault = found.fault("component.file", message.to_owned());
            Faults::from(if mend.is_empty() { fault } else { fault.mend(mend) })
        };
        let (terms, revocations) = (Arc::clone(&self.terms), Arc::clone(&self.revocations));
        // Signatures and digests take time that the host's own threads have not got while calls come in.
        let read = spawn_blocking(move || self.approved(known, now)).await;
        let (approved, bytes) = read.map_err(|error| fault(chain(&error)))??;
        let old = before.serving.get(approved.manifest().name());
        if let Some(old) = old
            && old.is_same(&approved, &terms)
            && !(before.refresh && old.plugin.is_out_of_service())
        {
            return Ok(old.clone());
        }
        let inspected = match old.filter(|old| old.terms.component() == approved.manifest().component().sha256) {
            // The bytes that were compiled are the approved ones still: their digest was asked again.
            Some(old) => Arc::clone(&old.inspected),
            None => {
                let _compiling = progress.begin(&found.name, bytes.len());
                Arc::new(engine.inspect(bytes.into()).await.map_err(|error| fault(chain(&error)))?)
            }
        };
        Served::link(engine, approved, inspected, &terms, &revocations, &fault)
    }

    /// All that can be asked before anything is compiled.
    fn approved(self, known: Option<(u64, Digest)>, now: Timestamp) -> Result<(Approved, Vec<u8>), Faults> {
        let approved = self.found.approve(&self.terms, &self.revocations, known, now)?;
        let bytes = self.found.component(&approved.manifest().component().file)?;
        approved.admits(Digest::of(&bytes), &self.revocations)?;
        Ok((approved, bytes))
    }
}

fn terms_of(
    approved: Approved,
    inspected: &Inspected,
    terms: &Terms,
    revocations: &Revocations,
) -> Result<PluginTerms, Faults> {
    let seen = inspected.inspection();
    let evidence = Evidence { component: seen.digest, imports: &seen.imports, description: &seen.description };
    approved.with_component(evidence, &terms.host, revocations)
}

impl Terms {
    /// Asks whether this trust may follow the one that the home accepted last.
    pub(crate) fn may_follow(&self, store: &Store, state: &State, now: Timestamp) -> anyhow::Result<()> {
        let Some(accepted) = state.trust else { return Ok(()) };
        if accepted.digest == self.trust.digest() {
            return Ok(());
        }
        let old = store.accepted_trust()?.filter(|bytes| Digest::of(bytes) == accepted.digest);
        let Some(old) = old else {
            let message = format!(
                "follows version {}, whose copy in `state/trust.toml` is lost, so nobody can tell whether it may",
                accepted.version
            );
            let mend = "put that copy back, or give the state up on purpose with `wardkeep state reset --reason TEXT`";
            return Err(Faults::from(Fault::of(self.trust.file(), message).mend(mend)).into());
        };
        let old = wardkeep_policy::Trust::parse("state/trust.toml", &old)?;
        let revocations = self.revocations(state);
        wardkeep_policy::check_rotation(
            &old,
            &self.trust,
            &self.trust_bytes,
            &self.trust_signatures,
            &revocations,
            now,
        )?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
