//! `wardkeep state reset`: giving up lost state, on purpose and recorded.

use std::process::ExitCode;

use anyhow::bail;
use clap::Subcommand;
use wardkeep_audit::{Event, Journal, Sync};
use wardkeep_model::Digest;

use crate::{
    cli::Globals,
    home::{Home, Owner, cap, read_file, user_name},
    journal,
    screen::note,
    state::{Conflict, State, Store, recover},
};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Begin anew after state and journal were lost, or contradict each other: serials and trust version are forgotten
    #[command(after_help = "Example:\n  wardkeep state reset --reason 'disk replaced, backup was from May'")]
    Reset {
        /// Why; kept in the audit log
        #[arg(long)]
        reason: String,
    },
}

pub(crate) async fn run(globals: &Globals, command: Command) -> anyhow::Result<ExitCode> {
    let Command::Reset { reason } = command;
    if reason.trim().is_empty() {
        bail!("the reason is empty\n  mend: say why, for those who read the audit log");
    }
    let home = Home::open(globals.home.as_deref())?;
    let _lock = Owner::of(home.path())?;
    let store = Store::new(home.state());
    let (journal, opened) = journal::open(&home, Sync::Always).await?;
    let done = reset(&home, &store, &journal, &opened.replay, &reason).await;
    journal.shutdown().await;
    let kept = done?;
    let screen = globals.screen();
    if screen.is_json() {
        screen.document(&serde_json::json!({ "reset": true }))?;
    } else {
        note(if kept {
            "the journal begins anew; the state is kept, and the next start records what it knows"
        } else {
            "the state begins anew; revocations that the journal knew still hold. Put revocation files back that are missing"
        });
    }
    Ok(ExitCode::SUCCESS)
}

/// Gives up what is lost; whether the state itself could be kept.
async fn reset(
    home: &Home,
    store: &Store,
    journal: &Journal,
    replay: &wardkeep_audit::Replay,
    reason: &str,
) -> anyhow::Result<bool> {
    let file = store.read();
    let kept = match &file {
        Ok(Some(state)) => state.revoked.clone(),
        Ok(None) | Err(_) => Default::default(),
    };
    // What is whole is not thrown away: a lower serial is what an attacker would want.
    let damaged = file.is_err();
    let file = file.unwrap_or(None);
    let recovered = recover(file.clone(), replay, home.keys().exists());
    let journal_lost = recovered == Err(Conflict::JournalLost);
    let whole = recovered.is_ok_and(|known| !trust_lost(home, store, &known.state));
    if whole && damaged {
        bail!(
            "`state/state.json` is damaged, and the journal has what it said\n  mend: move it away; the next start writes it anew"
        );
    }
    if whole {
        bail!("the state is neither lost nor contradicted by the journal: there is nothing to reset");
    }
    let by = user_name(rustix::process::geteuid().as_raw()).unwrap_or_else(|| "unknown".to_owned());
    journal.event(Event::StateReset { by, reason: reason.to_owned() }).await?;
    // Serials are given up with the state only; here it is whole, and only the journal begins anew.
    if journal_lost && file.is_some_and(|state| !trust_lost(home, store, &state)) {
        return Ok(true);
    }
    let revoked = replay.revoked.iter().cloned().chain(kept).collect();
    store.write(&State { revoked, ..State::default() })?;
    Ok(false)
}

/// Another trust document than the accepted one, and no copy of that one to judge it by.
fn trust_lost(home: &Home, store: &Store, state: &State) -> bool {
    let Some(accepted) = state.trust else { return false };
    let is_accepted = |bytes: Vec<u8>| Digest::of(&bytes) == accepted.digest;
    let copy = store.accepted_trust().ok().flatten().is_some_and(is_accepted);
    let unchanged = read_file(&home.trust(), cap::DOCUMENT).is_ok_and(is_accepted);
    !copy && !unchanged
}
