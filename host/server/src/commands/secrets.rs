//! `wardkeep secrets`: which secrets there are, where they come from, when they are due and who may use them. Never a value.

use std::process::ExitCode;

use jiff::{Timestamp, tz::TimeZone};
use serde::Serialize;

use super::check::loaded;
use crate::{
    cli::Globals,
    home::Home,
    owner::{closed_memory, tell_rejected},
    screen::{Ink, Screen, escaped, note},
    secrets::{Surveyed, period, survey},
};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  wardkeep secrets\n  wardkeep secrets --json\n\n\
    Each value is read to see whether it could be used, and never shown. Exit status 1 where one cannot be used.")]
pub(crate) struct Args {}

#[derive(Serialize)]
struct Report {
    secrets: Vec<Surveyed>,
}

pub(crate) async fn run(globals: &Globals) -> anyhow::Result<ExitCode> {
    closed_memory()?;
    let home = Home::open(globals.home.as_deref())?;
    let now = Timestamp::now();
    let (terms, loaded) = loaded(&home, now).await?;
    tell_rejected(&terms, &loaded.rejected, &loaded.strays);
    let manifests = loaded.served.iter().map(|served| served.terms.manifest());
    let secrets: Vec<_> = manifests.flat_map(|manifest| survey(manifest, &terms.config.sources, now)).collect();
    let exit = if secrets.iter().all(|secret| secret.usable) { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    let screen = globals.screen();
    if screen.is_json() {
        screen.document(&Report { secrets })?;
        return Ok(exit);
    }
    if secrets.is_empty() {
        note("no plugin has secrets");
        return Ok(exit);
    }
    let rows: Vec<_> = secrets.iter().map(|secret| row(screen, secret)).collect();
    screen.table(["plugin", "secret", "source", "kind", "goes into", "age", "due"], &rows)?;
    for secret in &secrets {
        screen.line(format!("\n{}", screen.paint(Ink::Bold, format!("{}/{}", secret.plugin, secret.secret))))?;
        lines(screen, secret)?;
    }
    Ok(exit)
}

fn row(screen: Screen, secret: &Surveyed) -> [String; 7] {
    let age = secret.age_seconds.map_or_else(|| "-".to_owned(), period);
    let day = |moment: Timestamp| moment.to_zoned(TimeZone::UTC).date().to_string();
    let due = match secret.due.map(day) {
        Some(due) if secret.overdue => screen.paint(Ink::Bad, format!("{due} overdue")),
        Some(due) => due,
        None => "-".to_owned(),
    };
    let age = if secret.usable { age } else { screen.paint(Ink::Bad, "unusable") };
    let plain = |text: &str| escaped(text);
    [
        secret.plugin.to_string(),
        secret.secret.to_string(),
        plain(&secret.source),
        secret.kind.to_owned(),
        plain(&secret.goes_into),
        age,
        due,
    ]
}

fn lines(screen: Screen, secret: &Surveyed) -> std::io::Result<()> {
    if let Some(problem) = &secret.problem {
        screen.line(format!("  {}  {}", screen.paint(Ink::Bad, "unusable  "), escaped(problem)))?;
    }
    for used in &secret.used_by {
        screen.line(format!("  used by     {} through {}", used.tool, used.grants.join(", ")))?;
    }
    if secret.used_by.is_empty() {
        screen.line("  used by     no tool")?;
    }
    if let Some(words) = &secret.if_it_fails {
        screen.line(format!("  without it  {}", escaped(words)))?;
    }
    let every = secret.every_seconds.map(|every| format!("every {}", period(every)));
    let rotation: Vec<_> =
        every.into_iter().chain(secret.rotated_by.as_deref().map(|by| format!("by {}", escaped(by)))).collect();
    if !rotation.is_empty() {
        screen.line(format!("  changed     {}", rotation.join(" ")))?;
    }
    Ok(())
}
