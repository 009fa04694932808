//! The `wardkeep` binary: wiring and commands. The only place that makes concrete journals, engines and servers.

mod approvals;
mod approved;
mod ask;
mod bundle;
mod cli;
mod commands;
mod comparison;
mod compiling;
mod config;
mod demo;
mod document;
mod home;
mod journal;
mod kills;
mod load;
mod log;
mod orders;
mod owner;
mod reload;
mod rollout;
mod screen;
mod secrets;
mod sources;
mod staging;
mod state;
mod stop;
mod subject;
mod versions;
mod waiting;

use std::{io, process::ExitCode, time::Duration};

use clap::Parser;
use tracing_subscriber::EnvFilter;

use screen::{Failure, Screen};

/// Threads that wait for a client's input are not waited for longer than this.
const LINGER: Duration = Duration::from_millis(500);

fn main() -> ExitCode {
    let cli = match cli::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let screen = cli.for_errors();
    // Before there is a thread, a log or anything else that a child of hostile bytes should not have.
    if let Some(order) = cli.compiles() {
        return wardkeep_sandbox::compile_child(order);
    }
    wardkeep_sandbox::keep_together();
    let log = match log() {
        Ok(log) => log,
        Err(error) => return failed(screen, &anyhow::Error::new(error).context("cannot start the log")),
    };
    if cli.serves() {
        log.takes_notes();
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("wardkeep").build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(screen, &anyhow::Error::new(error).context("cannot start the host's threads")),
    };
    let exit = match runtime.block_on(cli.run()) {
        Ok(code) => code,
        Err(error) => failed(screen, &error),
    };
    runtime.shutdown_timeout(LINGER);
    log.flush(LINGER);
    exit
}

/// A wrong use quotes what was typed, or what a script has put there.
fn usage(error: &clap::Error) -> ExitCode {
    // clap answers as soon as it reads the word, so what stands behind it is looked for here.
    let asked = |option: &str| std::env::args_os().take_while(|word| word != "--").any(|word| word == option);
    let json = Screen::new(true);
    let said = |done: io::Result<()>, code| done.map_or_else(|error| failed(json, &error.into()), |()| code);
    if error.kind() == clap::error::ErrorKind::DisplayVersion && asked("--json") {
        return said(json.document(&versions::Versions::of_this_build()), ExitCode::SUCCESS);
    }
    let text = error.render().to_string();
    // Standard output of `serve --stdio` is the protocol's, and a client is waiting there.
    if error.use_stderr() && asked("--json") && !asked("--stdio") {
        let text = text.strip_prefix("error: ").unwrap_or(&text);
        let (message, usage) = text.split_once("\n\n").unwrap_or((text, ""));
        let usage = usage.lines().find(|line| line.starts_with("Usage: ")).map(|line| format!("\n  mend: {line}"));
        return said(json.error(&Failure::of(&format!("{message}{}", usage.unwrap_or_default()))), ExitCode::from(2));
    }
    if !error.use_stderr() || !text.chars().any(|c| c != '\n' && wardkeep_policy::document::hidden(c)) {
        error.exit();
    }
    screen::note(text.trim_end());
    ExitCode::from(2)
}

/// Logs go to standard error only: standard output belongs to answers, and with `--stdio` to the protocol.
fn log() -> io::Result<log::Log> {
    let wanted = std::env::var("WARDKEEP_LOG").or_else(|_| std::env::var("RUST_LOG")).unwrap_or_default();
    // rmcp logs whole messages below `warn`, which nothing of ours keeps, and each refused request at `warn`, which the audit
    // log tells better. What carries requests logs their heads, and a credential may stand in a query.
    let kept = |directive: &&str| !["rmcp", "hyper", "h2"].iter().any(|name| directive.trim_start().starts_with(name));
    let wanted: Vec<_> = wanted.split(',').filter(kept).collect();
    let filter =
        EnvFilter::new(format!("warn,guest=info,{},rmcp=error,hyper=warn,hyper_util=warn,h2=warn", wanted.join(",")));
    let colour =
        io::IsTerminal::is_terminal(&io::stderr()) && std::env::var_os("NO_COLOR").is_none_or(|no| no.is_empty());
    let log = log::Log::to_stderr()?;
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(log.clone()).with_ansi(colour).init();
    Ok(log)
}

/// The end of a command that has no result.
fn failed(screen: Screen, error: &anyhow::Error) -> ExitCode {
    // `wardkeep audit query | head` has done what was wanted.
    if error
        .chain()
        .any(|cause| cause.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe))
    {
        return ExitCode::SUCCESS;
    }
    if screen.is_json() && screen.error(&Failure::from(error)).is_ok() {
        return ExitCode::FAILURE;
    }
    // Paths and names of others stand in it.
    screen::note(screen::escaped_lines(&format!("error: {}", screen::chain(error.as_ref()))));
    ExitCode::FAILURE
}
