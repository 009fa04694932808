//! demo
use std::process::ExitCode;
use crate::cli::Globals;
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  wardkeep demo")]
pub(crate) struct Args {}
pub(crate) async fn run(_globals: &Globals, _args: Args) -> anyhow::Result<ExitCode> { Ok(ExitCode::SUCCESS) }
