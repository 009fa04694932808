//! The command line: names, options and help. What a command does stands in `commands`.

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

use crate::{
    commands::{
        approvals, audit, call, check, client_config, completions, diff, draft, init, inspect, install, keys, kill,
        kills, remove, revive, secrets, serve, sign, state, tools, verify, why,
    },
    compiling, demo,
    screen::Screen,
    versions,
};

/// One MCP endpoint in front of many sandboxed tools: each call allowed by a signed manifest, bounded, and written down.
#[derive(Debug, Parser)]
#[command(
    name = "wardkeep",
    version,
    long_version = versions::long(),
    propagate_version = true,
    subcommand_required = true,
    arg_required_else_help = true
)]
#[command(after_help = "Examples:\n  wardkeep demo\n  wardkeep init\n  wardkeep serve --stdio\n\n\
    Exit status: 0 done, 1 refused or failed, 2 wrong usage.")]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) globals: Globals,
    #[command(subcommand)]
    command: Command,
}

/// What every command takes.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Globals {
    /// The home; by default `$WARDKEEP_HOME`, else `$XDG_DATA_HOME/wardkeep`, which is `~/.local/share/wardkeep`
    // Not clap's `env`: its usage lines show what the environment sets as if it had to be written.
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) home: Option<PathBuf>,
    /// Print JSON for scripts
    #[arg(long, global = true)]
    json: bool,
}

impl Globals {
    pub(crate) fn screen(&self) -> Screen {
        Screen::new(self.json)
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show the whole story in a throwaway home, against real components
    Demo(demo::Args),
    /// Make a new home with its first approver
    Init(init::Args),
    /// Show what a component is and asks for; nothing is granted
    Inspect(inspect::Args),
    /// Write a manifest that grants nothing yet and lists, commented, what is asked for
    Draft(draft::Args),
    /// Show what approving a manifest would change: what is added first, then what is taken away, the contract, limits
    Diff(diff::Args),
    /// Show a manifest, trust or revocation file whole, and sign it with an SSH key
    Sign(sign::Args),
    /// Check the signatures of a manifest, trust or revocation file against the home's trust
    Verify(verify::Args),
    /// Put a signed plugin into the home, if the home would serve it
    Install(install::Args),
    /// Take a plugin out of the home
    Remove(remove::Args),
    /// Tell all that `serve` would refuse, without serving
    Check(check::Args),
    /// Serve MCP: streamable HTTP, or standard input for a client that starts it
    Serve(serve::Args),
    /// Make one call through the same path as any client, as the local principal
    Call(call::Args),
    /// List what a principal may call
    Tools(tools::Args),
    /// Explain whether a principal may call a tool, rule by rule, without running anything
    Why(why::Args),
    /// Show what to paste into a client: Claude, VS Code, Cursor
    ClientConfig(client_config::Args),
    /// Show secrets: where they come from, when they are due, who uses them; never a value
    Secrets(secrets::Args),
    /// Calls that wait for the operator's yes: list, show, approve, deny
    #[command(
        subcommand,
        after_help = "Examples:\n  wardkeep approvals list\n  wardkeep approvals show apv-3f9c2a7be01d4c55\n  \
        wardkeep approvals approve apv-3f9c2a7be01d4c55 --reason 'change 4711'"
    )]
    Approvals(approvals::Command),
    /// API keys for callers over HTTP
    #[command(
        subcommand,
        after_help = "Examples:\n  wardkeep keys new ci --group automation\n  wardkeep keys list\n  wardkeep keys revoke ci"
    )]
    Keys(keys::Command),
    /// Stop calls at once: all, all writes, a plugin, a tool or a caller
    Kill(kill::Args),
    /// Lift a kill or a brake
    Revive(revive::Args),
    /// Show what is stopped, by whom, why and until when
    Kills(kills::Args),
    /// The host's own memory of serials and revocations
    #[command(
        subcommand,
        after_help = "Example:\n  wardkeep state reset --reason 'disk replaced, backup was from May'"
    )]
    State(state::Command),
    /// Read and verify the audit log
    #[command(
        subcommand,
        after_help = "Examples:\n  wardkeep audit tail\n  wardkeep audit query --outcome denied --since 2h\n  wardkeep audit verify"
    )]
    Audit(audit::Command),
    /// Print a completion script for a shell
    Completions(completions::Args),
    /// Compile one component from standard input; the host starts this by itself
    #[command(hide = true, name = compiling::COMMAND, after_help = "`wardkeep serve` starts it for each component.")]
    CompileComponent {
        /// Written by the host
        order: String,
    },
}

impl Cli {
    /// The order of a compiling child, which runs before all else and instead of it.
    pub(crate) fn compiles(&self) -> Option<&str> {
        match &self.command {
            Command::CompileComponent { order } => Some(order),
            _ => None,
        }
    }

    /// Does it serve until it is stopped.
    pub(crate) const fn serves(&self) -> bool {
        matches!(self.command, Command::Serve(_))
    }

    /// Where an error of this command goes: with `serve --stdio`, standard output is the protocol's.
    pub(crate) fn for_errors(&self) -> Screen {
        match &self.command {
            Command::Serve(args) if args.is_stdio() => Screen::new(false),
            _ => self.globals.screen(),
        }
    }

    /// Runs the command.
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        let globals = &self.globals;
        match self.command {
            Command::Demo(args) => demo::run(globals, args).await,
            Command::Init(args) => init::run(globals, &args),
            Command::Inspect(args) => inspect::run(globals, &args).await,
            Command::Draft(args) => draft::run(globals, &args).await,
            Command::Diff(args) => diff::run(globals, &args).await,
            Command::Sign(args) => sign::run(globals, &args).await,
            Command::Verify(args) => verify::run(globals, &args),
            Command::Install(args) => install::run(globals, &args).await,
            Command::Remove(args) => remove::run(globals, &args),
            Command::Check(_) => check::run(globals).await,
            Command::Serve(args) => serve::run(globals, args).await,
            Command::Call(args) => call::run(globals, args).await,
            Command::Tools(args) => tools::run(globals, args).await,
            Command::Why(args) => why::run(globals, args).await,
            Command::ClientConfig(args) => client_config::run(globals, &args),
            Command::Secrets(_) => secrets::run(globals).await,
            Command::Approvals(command) => approvals::run(globals, command).await,
            Command::Keys(command) => keys::run(globals, command).await,
            Command::Kill(args) => kill::run(globals, args).await,
            Command::Revive(args) => revive::run(globals, args).await,
            Command::Kills(_) => kills::run(globals).await,
            Command::State(command) => state::run(globals, command).await,
            Command::Audit(command) => audit::run(globals, command).await,
            Command::Completions(args) => completions::run(&args),
            // Done before there was a runtime.
            Command::CompileComponent { .. } => Ok(ExitCode::FAILURE),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_shows_an_example() {
        fn look(command: &clap::Command, path: &str) {
            let path = format!("{path} {}", command.get_name());
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("wardkeep"), "no example:{path}");
            command.get_subcommands().for_each(|sub| look(sub, &path));
        }
        look(&Cli::command(), "");
    }
}
