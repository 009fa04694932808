//! `wardkeep state reset`: giving up lost state, on purpose and recorded.

use std::process::ExitCode;

use anyhow::bail;
use clap::Subcommand;
use wardkeep_audit::{Event, Journal, Options};

use crate::{
    cli::Globals,
    home::{Home, Owner, user_name},
    screen::note,
    state::{State, Store, recover},
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
    let (journal, opened) = tokio::task::spawn_blocking({
        let directory = home.audit();
        move || Journal::open(Options::new(directory))
    })
    .await??;
    let done = reset(&home, &store, &journal, &opened.replay, &reason).await;
    journal.shutdown().await;
    done?;
    let screen = globals.screen();
    if screen.is_json() {
        screen.document(&serde_json::json!({ "reset": true }))?;
    } else {
        note(
            "the state begins anew; revocations that the journal knew still hold. Put revocation files back that are missing",
        );
    }
    Ok(ExitCode::SUCCESS)
}

async fn reset(
    home: &Home,
    store: &Store,
    journal: &Journal,
    replay: &wardkeep_audit::Replay,
    reason: &str,
) -> anyhow::Result<()> {
    let file = store.read();
    let kept = match &file {
        Ok(Some(state)) => state.revoked.clone(),
        Ok(None) | Err(_) => Default::default(),
    };
    let trust_lost = |state: &State| {
        state.trust.is_some_and(|accepted| {
            let copy = store.accepted_trust().ok().flatten();
            copy.is_none_or(|bytes| wardkeep_model::Digest::of(&bytes) != accepted.digest)
        })
    };
    // What is whole is not thrown away: a lower serial is what an attacker would want.
    let whole = match file {
        Ok(file) => recover(file, replay, home.keys().exists()).ok().filter(|recovered| !trust_lost(&recovered.state)),
        Err(_) => None,
    };
    if whole.is_some() {
        bail!("the state is neither lost nor contradicted by the journal: there is nothing to reset");
    }
    let by = user_name(rustix::process::geteuid().as_raw()).unwrap_or_else(|| "unknown".to_owned());
    journal.event(Event::StateReset { by, reason: reason.to_owned() }).await?;
    let revoked = replay.revoked.iter().cloned().chain(kept).collect();
    store.write(&State { revoked, ..State::default() })?;
    Ok(())
}
