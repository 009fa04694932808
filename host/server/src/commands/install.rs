//! `wardkeep install`: a plugin into the home, if the home would serve it. What was verified is what is written, and it is in place by one
//! rename.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::bail;
use jiff::Timestamp;
use serde::Serialize;
use wardkeep_model::PluginName;

use super::check::known;
use crate::{
    ask,
    bundle::Bundle,
    cli::Globals,
    comparison::{Comparison, Report, Seen, until_now},
    home::Home,
    load::{Terms, admit},
    screen::{Ink, Told as _, note},
    staging::Staging,
};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  wardkeep install ./files-1.5.0\n  wardkeep install ./files-1.5.0 --yes\n\n\
    The directory holds a manifest.toml, its manifest.toml.sigs/ and the component; anything else in it is left there.\n\
    A host that serves this home takes the plugin into service by itself.")]
pub(crate) struct Args {
    /// A plugin's directory, wherever it lies
    directory: PathBuf,
    /// Install without asking
    #[arg(long)]
    yes: bool,
}

#[derive(Serialize)]
struct Installed<'a> {
    installed: &'a PluginName,
    replaced: bool,
    signed_by: &'a [String],
    notices: Vec<String>,
    #[serde(flatten)]
    report: Report<'a>,
}

pub(crate) async fn run(globals: &Globals, args: &Args) -> anyhow::Result<ExitCode> {
    let home = Home::open(globals.home.as_deref())?;
    let directory = source(&args.directory)?;
    // Held to the end: what was compared is what is replaced.
    let staging = Staging::open(&home)?;
    let now = Timestamp::now();
    let terms = Terms::read(&home, now)?;
    let (store, state) = known(&home)?;
    terms.may_follow(&store, &state, now)?;
    let bundle = Bundle::read(directory)?;
    let admitted = admit(&home, &bundle, &terms, &state, now).await?;
    let new = Seen {
        origin: directory.told(),
        manifest: admitted.terms.manifest().clone(),
        description: Some(admitted.terms.description().clone()),
        beside: None,
    };
    let old = until_now(&home, &state, &new, directory).await?;
    let comparison = Comparison::of(old, new);
    let name = admitted.terms.plugin();
    let screen = globals.screen();
    if !screen.is_json() {
        comparison.print(screen)?;
        for notice in admitted.terms.notices() {
            screen.line(format!("{}  {notice}", screen.paint(Ink::Warning, "warning")))?;
        }
    }
    if !args.yes
        && !ask::yes(&format!("install `{name}`?"), "read what `wardkeep diff` shows, then install with `--yes`")?
    {
        note("not installed");
        return Ok(ExitCode::FAILURE);
    }
    let replaced = staging.put(name, &bundle)?;
    if screen.is_json() {
        let notices = admitted.terms.notices().iter().map(ToString::to_string).collect();
        let (signed_by, report) = (admitted.signed_by.as_slice(), comparison.report());
        screen.document(&Installed { installed: name, replaced, signed_by, notices, report })?;
    } else {
        let words = if replaced { "installed, in place of what was there:" } else { "installed" };
        screen.line(format!("{} {}", screen.paint(Ink::Good, words), home.plugins().join(name.as_str()).told()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The directory itself: a single file is only a part of a plugin.
fn source(path: &Path) -> anyhow::Result<&Path> {
    if path.is_dir() {
        return Ok(path);
    }
    if path.symlink_metadata().is_err() {
        bail!("`{}` does not exist\n  mend: name the directory that holds the plugin's manifest.toml", path.told());
    }
    bail!("`{}` is no directory\n  mend: name the directory that holds the plugin's manifest.toml", path.told());
}
