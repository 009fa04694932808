//! `wardkeep completions`: a script that completes the command line in a shell.

use std::{io, process::ExitCode};

use clap::CommandFactory;
use clap_complete::Shell;

use crate::cli::Cli;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  wardkeep completions bash > ~/.local/share/bash-completion/completions/wardkeep")]
pub(crate) struct Args {
    /// Which shell
    shell: Shell,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    clap_complete::generate(args.shell, &mut Cli::command(), "wardkeep", &mut io::stdout());
    Ok(ExitCode::SUCCESS)
}
