//! `wardkeep audit`: reading the log. Needs no lock and works on a live journal.

mod names;
mod show;

use std::{process::ExitCode, time::Duration};

use anyhow::{Context, bail};
use clap::{Subcommand, builder::PossibleValuesParser};
use jiff::{SignedDuration, Timestamp};
use wardkeep_audit::{Query, Record};
use wardkeep_model::{CorrelationId, Outcome};

use crate::{
    cli::Globals,
    home::{Home, check_directory},
    orders,
    screen::{Ink, Screen, Told as _, note},
    stop::on_signal,
};

/// Records of which the names are known, to tell one that was written wrong.
const NAMES_OF: usize = 10_000;
/// How often `--follow` looks for more.
const LOOK: Duration = Duration::from_millis(200);

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show the last records
    #[command(after_help = "Examples:\n  wardkeep audit tail\n  wardkeep audit tail --limit 100 --follow")]
    Tail {
        /// How many
        #[arg(short = 'n', long, default_value_t = 20)]
        limit: usize,
        /// Go on with those that are still to come, until Ctrl-C
        #[arg(short, long)]
        follow: bool,
    },
    /// Find records
    #[command(after_help = "Examples:\n  wardkeep audit query --user user:ada --since 2026-11-01\n  \
        wardkeep audit query --outcome denied --since 2h --limit 50\n  wardkeep audit query --resource acme/web --since 7d\n  \
        wardkeep --json audit query --correlation-id ID\n\n\
        With --json each record is one line, as it stands in the log.")]
    Query(Asked),
    /// Check the whole log: chain, order, an intent for each outcome
    #[command(after_help = "Example:\n  wardkeep audit verify")]
    Verify,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Asked {
    /// Who called, such as `user:ada`
    #[arg(long)]
    user: Option<String>,
    /// A tool's published name, or its name inside its plugin
    #[arg(long)]
    tool: Option<String>,
    /// How it ended
    #[arg(long, value_parser = PossibleValuesParser::new(Outcome::names()))]
    outcome: Option<String>,
    /// One call, by the id that its caller was told
    #[arg(long, value_name = "ID")]
    correlation_id: Option<CorrelationId>,
    /// An id that a manifest's `resources` found in the arguments, such as a repository's name
    #[arg(long, value_name = "ID")]
    resource: Option<String>,
    /// Nothing before: a time, a day, or how long ago, such as `2h` or `7d`
    #[arg(long, value_parser = since)]
    since: Option<Timestamp>,
    /// The last so many
    #[arg(short = 'n', long)]
    limit: Option<usize>,
}

pub(crate) async fn run(globals: &Globals, command: Command) -> anyhow::Result<ExitCode> {
    let home = Home::open(globals.home.as_deref())?;
    let directory = home.audit();
    if directory.exists() {
        check_directory(&directory)?;
    } else if matches!(command, Command::Verify) {
        bail!("`{}` does not exist: this home has not served yet, or its log was taken away", directory.told());
    }
    let screen = globals.screen();
    if !matches!(command, Command::Verify) {
        orders::write_counts(home.path()).await;
    }
    match command {
        Command::Tail { limit, follow } => tail(screen, &directory, limit, follow).await,
        Command::Query(asked) => query(screen, &directory, asked),
        Command::Verify => verify(screen, &directory),
    }
}

async fn tail(screen: Screen, directory: &std::path::Path, limit: usize, follow: bool) -> anyhow::Result<ExitCode> {
    let (last, mut more) = wardkeep_audit::tail(directory, limit)?;
    last.iter().try_for_each(|record| print(screen, record))?;
    if !follow {
        return Ok(ExitCode::SUCCESS);
    }
    let stop = on_signal().context("cannot listen for signals")?;
    while !stop.is_cancelled() {
        while let Some(record) = more.next()? {
            print(screen, &record)?;
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            () = stop.cancelled() => {}
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn query(screen: Screen, directory: &std::path::Path, asked: Asked) -> anyhow::Result<ExitCode> {
    let Asked { user, tool, outcome, correlation_id, resource, since, limit } = asked;
    let outcome = outcome.as_deref().and_then(Outcome::parse);
    let query = Query { user, tool, outcome, correlation: correlation_id, resource, since, limit };
    let found = wardkeep_audit::query(directory, &query)?;
    found.iter().try_for_each(|record| print(screen, record))?;
    if found.is_empty() && !screen.is_json() {
        let last = wardkeep_audit::query(directory, &Query { limit: Some(NAMES_OF), ..Query::default() })?;
        note(format!("nothing found{}", names::unknown(&query, &last)));
    }
    Ok(ExitCode::SUCCESS)
}

fn verify(screen: Screen, directory: &std::path::Path) -> anyhow::Result<ExitCode> {
    let verified = wardkeep_audit::verify(directory)?;
    if screen.is_json() {
        screen.document(&serde_json::json!({
            "records": verified.records,
            "segments": verified.segments,
            "head": verified.head,
            "unfinished": verified.unfinished.iter().map(|call| &call.correlation).collect::<Vec<_>>(),
            "incomplete_bytes": verified.incomplete.as_ref().map(|torn| torn.bytes),
            "not_proven": wardkeep_audit::Verified::NOT_PROVEN,
        }))?;
    } else {
        screen.line(format!("{} {verified}", screen.paint(Ink::Good, "verified")))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// One record: its own line of the log for scripts, one aligned line for people.
fn print(screen: Screen, record: &Record) -> std::io::Result<()> {
    if screen.is_json() { screen.line(&record.raw) } else { screen.line(show::line(screen, record)) }
}

/// A time (RFC 3339), a day (UTC), or how long ago.
fn since(text: &str) -> Result<Timestamp, String> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time);
    }
    if let Ok(day) = text.parse::<jiff::civil::Date>() {
        let start = day.to_zoned(jiff::tz::TimeZone::UTC).map_err(|error| error.to_string())?;
        return Ok(start.timestamp());
    }
    let ago = wardkeep_policy::document::duration(text).map_err(|_| {
        "a time such as 2026-11-22T10:00:00Z, a day such as 2026-11-22, or how long ago, such as 2h or 7d".to_owned()
    })?;
    let ago = SignedDuration::try_from(ago).map_err(|error| error.to_string())?;
    Timestamp::now().checked_sub(ago).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn since_takes_a_time_a_day_or_an_age() {
        assert_eq!(since("2026-11-22T10:00:00Z"), Ok("2026-11-22T10:00:00Z".parse().unwrap()));
        assert_eq!(since("2026-11-22"), Ok("2026-11-22T00:00:00Z".parse().unwrap()));
        let ago = Timestamp::now().duration_since(since("2h").unwrap());
        assert!((7195..7205).contains(&ago.as_secs()), "{ago}");
        assert!(since("yesterday").unwrap_err().starts_with("a time such as"));
    }
}
