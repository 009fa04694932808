//! `wardkeep remove`: takes a plugin out of the home by one rename. What the home knows of its serial stays.

use std::process::ExitCode;

use anyhow::bail;
use serde::Serialize;
use wardkeep_model::PluginName;

use crate::{
    ask,
    bundle::installed,
    cli::Globals,
    home::Home,
    screen::{Ink, Told as _, escaped, note},
    staging::Staging,
};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  wardkeep remove files\n  wardkeep remove files --yes\n\n\
    The home goes on knowing its serial: a manifest with a lower one is refused for ever.")]
pub(crate) struct Args {
    /// The plugin's name
    name: String,
    /// Remove without asking
    #[arg(long)]
    yes: bool,
}

#[derive(Serialize)]
struct Removed<'a> {
    removed: &'a PluginName,
}

pub(crate) fn run(globals: &Globals, args: &Args) -> anyhow::Result<ExitCode> {
    let home = Home::open(globals.home.as_deref())?;
    let staging = Staging::open(&home)?;
    let name = args.name.parse::<PluginName>().ok();
    let Some(name) = name.filter(|name| home.plugins().join(name.as_str()).symlink_metadata().is_ok()) else {
        let there = installed(&home.plugins());
        let mend = match there.is_empty() {
            true => format!("`{}` is empty", home.plugins().told()),
            false => format!("name one of {}", there.join(", ")),
        };
        bail!("no plugin `{}` is installed\n  mend: {mend}", escaped(&args.name));
    };
    let screen = globals.screen();
    if !args.yes && !ask::yes(&format!("remove `{name}` from `{}`?", home.path().told()), "remove it with `--yes`")? {
        note("not removed");
        return Ok(ExitCode::FAILURE);
    }
    staging.remove(&name)?;
    if screen.is_json() {
        screen.document(&Removed { removed: &name })?;
    } else {
        screen.line(format!("{} `{name}`; a lower serial of it stays refused", screen.paint(Ink::Good, "removed")))?;
    }
    Ok(ExitCode::SUCCESS)
}
