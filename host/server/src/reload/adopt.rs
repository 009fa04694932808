//! The second step of a reload: what was loaded takes the place of what served, whole, once it is on record.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use tokio::{runtime::Handle, task::block_in_place};
use wardkeep_model::PluginName;

use super::{Reloader, is_gone, rejection, story::Story};
use crate::{
    approved,
    load::{Candidates, Contender, Served, together},
    owner::{loaded_event, tell_refused},
    screen::{chain, note},
    state::{Known, State},
};

impl Reloader {
    /// Puts in place what has been loaded, unless it was taken away meanwhile.
    pub(super) async fn adopt(&mut self, loaded: anyhow::Result<Candidates>, asked: bool) {
        let Candidates { results, strays: _ } = match loaded {
            Ok(candidates) => candidates,
            Err(error) => {
                return note(format!("the plugins cannot be read and stay as they are: {}", chain(error.as_ref())));
            }
        };
        let now = Timestamp::now();
        // Of this moment, and not of when the loading began.
        let revocations = self.terms.revocations(&self.state);
        let mut rejected = Vec::new();
        let mut ranked = Vec::new();
        for result in results {
            match result {
                Ok(new) if block_in_place(|| is_gone(&self.home, new.terms.plugin())) => {}
                Ok(new) => {
                    let old = self.serving.get(new.terms.plugin());
                    let same = old.is_some_and(|old| Arc::ptr_eq(&old.terms, &new.terms));
                    let fallback = old.filter(|_| !same).and_then(|old| self.kept(old, &revocations));
                    ranked.push((
                        if same { 0 } else { 1 + u8::from(old.is_none()) },
                        Contender { served: new, fallback },
                    ));
                }
                Err(refused) => {
                    let name = refused.plugin.parse().ok();
                    let old = name.as_ref().and_then(|name: &PluginName| self.serving.get(name));
                    ranked.extend(old.and_then(|old| self.kept(old, &revocations)).map(|old| (0, Contender::new(old))));
                    rejected.push(refused);
                }
            }
        }
        // What serves has precedence over what would take its place, and that over what is new.
        ranked.sort_by_key(|(rank, _)| *rank);
        let contenders = ranked.into_iter().map(|(_, contender)| contender).collect();
        let (snapshot, served) = match together(contenders, &mut rejected, &self.terms.trust, &revocations) {
            Ok(together) => together,
            Err(faults) => return note(format!("the plugins do not go together and stay as they are:\n{faults}")),
        };
        // Revoked or expired while it was loaded: its calls are refused, and the next reload takes it out.
        let standing = |served: &&Served| snapshot.out_of_service(served.terms.plugin(), now).is_none();
        let mut story = Story::default();
        let mut known = self.state.clone();
        for new in served.iter().filter(standing) {
            if let Err(error) = self.record(new, &mut known, &mut story).await {
                return note(format!("what was loaded cannot be recorded, and does not serve: {error}"));
            }
        }
        if known != self.state {
            self.state = known;
            self.write_state();
            let terms = served.iter().map(|served| served.terms.as_ref());
            block_in_place(|| approved::keep(&self.home, terms));
        }
        self.serving = served.iter().map(|served| (served.terms.plugin().clone(), served.clone())).collect();
        self.rejected = rejected;
        story.ended = self.swap(&snapshot, &served);
        let new = self.tell_rejected().await;
        story.refused = if asked { self.rejected.len() } else { new };
        if asked || !story.is_empty() {
            note(&story);
        }
        if asked {
            let (calls, guests) = self.engine.busy();
            let tasks = Handle::current().metrics().num_alive_tasks();
            // For who looks for what is never given back (tests/soak.rs).
            tracing::debug!(calls, guests, tasks, "alive");
        }
    }

    /// A plugin that goes on serving, under the ceilings of this moment.
    fn kept(&self, old: &Served, revocations: &wardkeep_policy::Revocations) -> Option<Served> {
        match old.under(&self.engine, &self.terms, revocations) {
            Ok(old) => Some(old),
            Err(faults) => {
                note(format!(
                    "plugin `{}` cannot go on under the ceilings of this moment:\n{faults}",
                    old.terms.plugin()
                ));
                None
            }
        }
    }

    /// Records a plugin that is newly served, before it serves.
    async fn record(
        &self,
        new: &Served,
        known: &mut State,
        story: &mut Story,
    ) -> Result<(), wardkeep_audit::NotRecorded> {
        let manifest = new.terms.manifest();
        let old = self.serving.get(manifest.name());
        match old {
            Some(old) if Arc::ptr_eq(&old.terms, &new.terms) => return Ok(()),
            Some(old) if old.terms.manifest().digest() != manifest.digest() => story.replaced(&old.terms, &new.terms),
            Some(old) if old.is_out_of_service() => story.again.push(manifest.name().to_string()),
            Some(_) => return Ok(()),
            None => story.added(&new.terms),
        }
        self.journal.event(loaded_event(new)).await?;
        known.plugins.insert(manifest.name().clone(), Known { serial: manifest.serial(), manifest: manifest.digest() });
        Ok(())
    }

    /// Tells and records the rejections that are not on record yet. How many those were.
    async fn tell_rejected(&mut self) -> usize {
        let mut recorded = BTreeMap::new();
        let mut new = 0;
        for rejected in std::mem::take(&mut self.rejected) {
            let rejection = rejection(&rejected);
            if self.recorded.get(&rejected.plugin) != Some(&rejection) {
                new += 1;
                let name = rejected.plugin.parse().ok();
                let old = name.as_ref().and_then(|name: &PluginName| self.serving.get(name));
                tell_refused(&rejected, old.map(|old| old.terms.manifest()));
                self.event(rejected.event()).await;
            }
            recorded.insert(rejected.plugin.clone(), rejection);
            self.rejected.push(rejected);
        }
        self.recorded = recorded;
        new
    }
}
