//! `wardkeep diff`: what approving one manifest in place of another would change. Decides nothing and needs no signature.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use wardkeep_model::PluginName;

use super::check::known;
use crate::{
    cli::Globals,
    comparison::{Comparison, Seen, directory_of, until_now},
    home::Home,
};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  wardkeep diff ./files-1.5.0\n  wardkeep diff old/manifest.toml new/manifest.toml\n  wardkeep diff files ./files-1.5.0\n\n\
    With one of them, it is compared with what the home last took into service, or else with what is installed.\n\
    Exit status 0 whether they differ or not; with --exit-code 1 where they do."
)]
pub(crate) struct Args {
    /// A plugin's directory, a manifest, or the name of an installed plugin
    old: PathBuf,
    /// The same; without it, OLD is the new one
    new: Option<PathBuf>,
    /// Exit with 1 where they differ
    #[arg(long)]
    exit_code: bool,
}

pub(crate) async fn run(globals: &Globals, args: &Args) -> anyhow::Result<ExitCode> {
    let comparison = match &args.new {
        Some(new) => {
            let (old, new) = (path(globals, &args.old)?, path(globals, new)?);
            Comparison::of(Some(Seen::read(&old).await?), Seen::read(&new).await?)
        }
        None => {
            let home = Home::open(globals.home.as_deref())?;
            let new_path = path(globals, &args.old)?;
            let new = Seen::read(&new_path).await?;
            let (_, state) = known(&home)?;
            let old = until_now(&home, &state, &new, &directory_of(&new_path)).await?;
            Comparison::of(old, new)
        }
    };
    let screen = globals.screen();
    if screen.is_json() {
        screen.document(&comparison.report())?;
    } else {
        comparison.print(screen)?;
    }
    let differs = args.exit_code && !comparison.difference.is_empty();
    Ok(if differs { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// A path, or the name of a plugin in the home where nothing else has that name.
fn path(globals: &Globals, asked: &Path) -> anyhow::Result<PathBuf> {
    let name = asked.to_str().and_then(|text| text.parse::<PluginName>().ok());
    let Some(name) = name.filter(|_| asked.symlink_metadata().is_err()) else { return Ok(asked.to_path_buf()) };
    let installed = Home::open(globals.home.as_deref()).map(|home| home.plugins().join(name.as_str()));
    Ok(installed.ok().filter(|path| path.is_dir()).unwrap_or_else(|| asked.to_path_buf()))
}
