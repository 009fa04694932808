//! `wardkeep revive`: lifts a kill, or a brake that the host has put on.

use std::process::ExitCode;

use anyhow::bail;
use clap::builder::NonEmptyStringValueParser;
use jiff::Timestamp;
use wardkeep_policy::kill::Target;

use super::kill::{Told, kept, meant, who};
use crate::{
    cli::Globals,
    home::Home,
    kills::{self, Store},
    screen::note,
};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  wardkeep revive plugin:github --reason 'fixed in 1.4.1'\n  wardkeep revive caller:service:ci\n  \
    wardkeep revive all\n\n\
    It lifts what `wardkeep kills` lists under exactly this target: `revive all` lifts `all` and leaves a plugin's kill in force."
)]
pub(crate) struct Args {
    /// As it was killed: all, writes, plugin:NAME, tool:NAME or caller:NAME
    target: Target,
    /// Why, for those who read the audit log
    #[arg(long, default_value = "no reason given", value_parser = NonEmptyStringValueParser::new())]
    reason: String,
}

pub(crate) async fn run(globals: &Globals, args: Args) -> anyhow::Result<ExitCode> {
    let home = Home::open_to_stop(globals.home.as_deref())?;
    kills::restore(&home).await;
    let (store, now) = (Store::new(home.state()), Timestamp::now());
    let Args { mut target, reason } = args;
    let brakes = store.brakes()?.kills;
    let is_braked = |target: &Target| brakes.iter().any(|brake| brake.target == *target && brake.holds(now));
    if !is_braked(&target) && store.read()?.is_none_or(|book| book.killed(&target, now).is_none()) {
        target = meant::to_revive(&home, &target).unwrap_or(target);
    }
    let braked = is_braked(&target);
    let (change, left) = store.change(|book| {
        let killed = book.killed(&target, now).is_some();
        let change = (killed || braked).then(|| {
            book.revive(target.clone(), who(), kept(reason), now);
            book.change
        });
        let left: Vec<_> =
            book.kills.iter().filter(|kill| kill.holds(now)).map(|kill| kill.target.to_string()).collect();
        (change, left)
    })?;
    let Some(change) = change else {
        let rest =
            if left.is_empty() { "nothing is killed".to_owned() } else { format!("killed is: {}", left.join(", ")) };
        bail!(
            "`{target}` is not killed, so there is nothing to revive; {rest}\n  mend: `wardkeep kills` lists what is stopped"
        );
    };
    let told = Told { what: "revived", target, until: None, change: Ok(change) };
    let code = told.confirm(&home, globals.screen()).await?;
    if !left.is_empty() {
        note(format!("still killed: {}", left.join(", ")));
    }
    Ok(code)
}
