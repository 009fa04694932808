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

/// Threads that wait for a client's input are not waited for longer than this.
const LINGER: Duration = Duration::from_millis(500);

fn main() -> ExitCode {
    let cli = match cli::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    // Before there is a thread, a log or anything else that a child of hostile bytes should not have.
    if let Some(order) = cli.compiles() {
        return wardkeep_sandbox::compile_child(order);
    }
    wardkeep_sandbox::keep_together();
    let log = match log() {
        Ok(log) => log,
        Err(error) => return failed(&anyhow::Error::new(error).context("cannot start the log")),
    };
    if cli.serves() {
        log.takes_notes();
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("wardkeep").build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&anyhow::Error::new(error).context("cannot start the host's threads")),
    };
    let exit = match runtime.block_on(cli.run()) {
        Ok(code) => code,
        Err(error) => failed(&error),
    };
    runtime.shutdown_timeout(LINGER);
    log.flush(LINGER);
    exit
}

/// A wrong use quotes what was typed, or what a script has put there.
fn usage(error: &clap::Error) -> ExitCode {
    // clap answers as soon as it reads the word, so what stands behind it is looked for here.
    if error.kind() == clap::error::ErrorKind::DisplayVersion && std::env::args_os().any(|word| word == "--json") {
        return screen::Screen::new(true)
            .document(&versions::Versions::of_this_build())
            .map_or_else(|error| failed(&error.into()), |()| ExitCode::SUCCESS);
    }
    let text = error.render().to_string();
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

fn failed(error: &anyhow::Error) -> ExitCode {
    // `wardkeep audit query | head` has done what was wanted.
    if error
        .chain()
        .any(|cause| cause.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe))
    {
        return ExitCode::SUCCESS;
    }
    // Paths and names of others stand in it.
    screen::note(screen::escaped_lines(&format!("error: {}", screen::chain(error.as_ref()))));
    ExitCode::FAILURE
}
