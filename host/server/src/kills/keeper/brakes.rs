//! What the host stops by itself: put on, kept, lifted by an operator or over.

use jiff::{SignedDuration, Timestamp};
use tokio::{task::spawn_blocking, time::timeout};
use wardkeep_audit::Event;
use wardkeep_gateway::Tripped;
use wardkeep_policy::kill::Kill;

use super::{
    super::{BRAKE, book::ends},
    Keeper, READ,
};
use crate::screen::note;

impl Keeper {
    /// Takes off the brakes that an operator has revived since they were put on.
    pub(super) fn lift(&mut self) -> bool {
        let (book, brakes) = (&self.book, &mut self.brakes.get_or_insert_default().kills);
        let before = brakes.len();
        brakes.retain(|brake| !book.revived_since(&brake.target, brake.since));
        brakes.len() != before
    }

    /// Somebody has gone too far.
    pub(super) async fn brake(&mut self, tripped: Tripped) {
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

    pub(super) async fn keep_brakes(&mut self) {
        let (store, brakes) = (self.store.clone(), self.brakes.clone().unwrap_or_default());
        match timeout(READ, spawn_blocking(move || store.write_brakes(&brakes))).await {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(error))) => {
                self.tell(&format!("brakes could not be written, and hold until this host ends: {error}"))
            }
            Ok(Err(_)) | Err(_) => self.tell("brakes could not be written, and hold until this host ends"),
        }
    }

    pub(super) async fn end_brakes(&mut self) {
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
}
