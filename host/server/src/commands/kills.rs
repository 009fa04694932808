//! `wardkeep kills`: what is stopped. A word of its own and not an option of `kill`: whoever looks must not be one typing error away from
//! stopping something.

use std::{process::ExitCode, time::Duration};

use jiff::Timestamp;
use serde::Serialize;
use wardkeep_gateway::{Done, Order};
use wardkeep_policy::kill::Kill;

use crate::{
    cli::Globals,
    home::Home,
    kills::{self, BRAKE, Store},
    orders::{self, Reached},
    screen::{Ink, chain, escaped, note},
};

/// Whoever only looks waits less than who stops something.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  wardkeep kills\n  wardkeep --json kills\n\n\
    It reads the home's own files, whatever the host does, and asks the host whether it has them in force. Where none serves, a file that\n    was lost is written anew from the audit log.")]
pub(crate) struct Args;

#[derive(Debug, Serialize)]
struct Shown {
    #[serde(flatten)]
    kill: Kill,
    /// Whether the host did it by itself.
    brake: bool,
}

#[derive(Debug, Serialize)]
struct All {
    change: u64,
    /// Whether the host has them in force; nothing where none serves.
    confirmed: Option<bool>,
    kills: Vec<Shown>,
}

pub(crate) async fn run(globals: &Globals) -> anyhow::Result<ExitCode> {
    let home = Home::open_to_stop(globals.home.as_deref())?;
    kills::restore(&home).await;
    let store = Store::new(home.state());
    let change = store.read()?.map_or(0, |book| book.change);
    // No lock is kept: a host that starts now is not held up.
    let confirmed = match orders::give(home.path(), Order::Kills { change }, PATIENCE).await {
        Reached::Done(Done::Kills { .. }) => Some(true),
        // an answer to something else confirms nothing
        Reached::Done(_) => Some(false),
        Reached::Free(_) => None,
        Reached::Unconfirmed(why) => {
            note(format!("not confirmed by the host: {}", chain(why.as_ref())));
            Some(false)
        }
    };
    // After the host's word: a brake that it was putting on is written by then.
    let (book, now) = (store.read()?.unwrap_or_default(), Timestamp::now());
    let all = book.kills.into_iter().chain(store.brakes()?.kills).filter(|kill| kill.holds(now));
    let kills: Vec<_> = all.map(|kill| Shown { brake: kill.by == BRAKE, kill }).collect();
    let screen = globals.screen();
    if screen.is_json() {
        screen.document(&All { change: book.change, confirmed, kills })?;
        return Ok(ExitCode::SUCCESS);
    }
    if kills.is_empty() {
        note("nothing is stopped");
        return Ok(ExitCode::SUCCESS);
    }
    let rows = kills.iter().map(|Shown { kill, .. }| {
        let until = kill.until.map_or_else(|| "it is revived".to_owned(), |until| until.to_string());
        let target = screen.paint(Ink::Bad, escaped(&kill.target.to_string()));
        [target, until, escaped(&kill.by), kill.since.to_string(), escaped(&kill.reason)]
    });
    screen.table(["target", "until", "by", "since", "reason"], &rows.collect::<Vec<_>>())?;
    Ok(ExitCode::SUCCESS)
}
