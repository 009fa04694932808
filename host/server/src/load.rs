//! From the files of a home to a fleet. Reads, and asks policy and sandbox; decides nothing itself. One bad plugin never stops the
//! others, and never starts.

mod admit;
mod candidate;
mod progress;
mod terms;

use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;
use tokio::{sync::Semaphore, task::JoinSet};
use wardkeep_model::Digest;
use wardkeep_policy::{Approved, Evidence, Fault, Faults, PluginTerms, Snapshot};
use wardkeep_sandbox::{Engine, Fleet, Inspected, Plugin};

use crate::{
    home::Home,
    screen::chain,
    state::{State, Store},
};

use progress::Progress;

pub(crate) use admit::admit;
pub(crate) use candidate::{Found, find};
pub(crate) use terms::Terms;

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

/// What became of the plugins of a home.
pub(crate) struct Loaded {
    pub(crate) fleet: Arc<Fleet>,
    pub(crate) served: Vec<Served>,
    pub(crate) rejected: Vec<Rejected>,
    /// What lies among the plugins and is none.
    pub(crate) strays: Faults,
}

/// A plugin that is served.
#[derive(Debug, Clone)]
pub(crate) struct Served {
    pub(crate) terms: Arc<PluginTerms>,
    /// Fingerprints of the keys that signed.
    pub(crate) signed_by: Vec<String>,
}

struct Ready {
    served: Served,
    plugin: Plugin,
}

/// Loads every plugin of the home.
pub(crate) async fn load(
    home: &Home,
    terms: &Arc<Terms>,
    state: &State,
    engine: &Engine,
    now: Timestamp,
) -> anyhow::Result<Loaded> {
    let revocations = Arc::new(terms.revocations(state));
    let (found, strays) = find(home)?;
    let progress = Progress::of(found.len());
    // As many as compile at once: more would only be components in memory that wait.
    let room = Arc::new(Semaphore::new(std::thread::available_parallelism().map_or(2, usize::from)));
    let mut loading = JoinSet::new();
    for (index, found) in found.into_iter().enumerate() {
        let known = found.name.parse().ok().and_then(|name| state.plugins.get(&name).copied());
        let (terms, revocations, engine, room, progress) =
            (Arc::clone(terms), Arc::clone(&revocations), engine.clone(), Arc::clone(&room), Arc::clone(&progress));
        loading.spawn(async move {
            let _place = room.acquire_owned().await;
            let known = known.map(|known| (known.serial, known.manifest));
            let ready = match found.approve(&terms, &revocations, known, now) {
                Ok(approved) => inspect(&found, approved, &terms, &revocations, (&engine, &progress)).await,
                Err(faults) => Err(faults),
            };
            (index, ready.map_err(|faults| found.rejected(faults)))
        });
    }
    let mut results = loading.join_all().await;
    results.sort_by_key(|(index, _)| *index);
    let (mut ready, mut rejected) = (Vec::new(), Vec::new());
    for (_, result) in results {
        match result {
            Ok(one) => ready.push(one),
            Err(one) => rejected.push(one),
        }
    }
    let snapshot = snapshot(&mut ready, &mut rejected, terms, &revocations)?;
    let (served, plugins) = ready.into_iter().map(|ready| (ready.served, ready.plugin)).unzip();
    let fleet = Fleet::new(engine, Arc::new(snapshot), plugins, terms.roots.clone());
    // Now that what is used has been used.
    engine.tidy();
    Ok(Loaded { fleet: Arc::new(fleet), served, rejected, strays })
}

async fn inspect(
    found: &Found,
    approved: Approved,
    terms: &Terms,
    revocations: &wardkeep_policy::Revocations,
    (engine, progress): (&Engine, &Progress),
) -> Result<Ready, Faults> {
    let manifest = approved.manifest();
    let fault = |text: String| {
        let (message, mend) = text.split_once("\n  mend: ").unwrap_or((&text, ""));
        let fault = found.fault("component.file", message.to_owned());
        Faults::from(if mend.is_empty() { fault } else { fault.mend(mend) })
    };
    let bytes = found.component(&manifest.component().file)?;
    approved.admits(Digest::of(&bytes), revocations)?;
    let signed_by = approved.signers().iter().map(|key| key.fingerprint().to_owned()).collect();
    let compiling = progress.begin(&found.name, bytes.len());
    let inspected = engine.inspect(bytes.into()).await.map_err(|error| fault(chain(&error)))?;
    drop(compiling);
    let plugin = terms_of(approved, &inspected, terms, revocations)?;
    let plugin = Arc::new(plugin);
    let linked = engine.load(&inspected, &plugin).map_err(|error| fault(chain(&error)))?;
    Ok(Ready { served: Served { terms: plugin, signed_by }, plugin: linked })
}

fn terms_of(
    approved: Approved,
    inspected: &Inspected,
    terms: &Terms,
    revocations: &wardkeep_policy::Revocations,
) -> Result<PluginTerms, Faults> {
    let seen = inspected.inspection();
    let evidence = Evidence { component: seen.digest, imports: &seen.imports, description: &seen.description };
    approved.with_component(evidence, &terms.host, revocations)
}

/// The snapshot of those that go together: where two publish one name, the later one is out, and all others stay.
fn snapshot(
    ready: &mut Vec<Ready>,
    rejected: &mut Vec<Rejected>,
    terms: &Terms,
    revocations: &wardkeep_policy::Revocations,
) -> Result<Snapshot, Faults> {
    loop {
        let plugins = ready.iter().map(|ready| Arc::clone(&ready.served.terms)).collect();
        let faults = match Snapshot::new(plugins, &terms.trust, revocations) {
            Ok(snapshot) => return Ok(snapshot),
            Err(faults) => faults,
        };
        let at_fault = ready
            .iter()
            .position(|ready| faults.iter().any(|fault| fault.file == ready.served.terms.manifest().file()));
        let Some(index) = at_fault else { return Err(faults) };
        let out = ready.remove(index);
        let file = out.served.terms.manifest().file().to_owned();
        let mut own = Faults::none();
        own.extend(faults.into_iter().filter(|fault| fault.file == file));
        rejected.push(Rejected {
            plugin: out.served.terms.plugin().to_string(),
            manifest: Some(out.served.terms.manifest().digest()),
            faults: own,
        });
    }
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
