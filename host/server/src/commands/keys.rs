//! `wardkeep keys`: API keys for callers over HTTP. The operator's file holds a key's digest; the key itself is shown once.

use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Subcommand;
use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};
use serde::Serialize;
use wardkeep_model::Digest;

use crate::{
    cli::Globals,
    config::{self, Config, KeyName, NewKey},
    home::{Home, cap, read_file, write_durable},
    screen::{Ink, escaped, note},
};

/// What secret scanners look for.
const PREFIX: &str = "wk_";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a key and show it once
    #[command(
        after_help = "Example:\n  wardkeep keys new ci --principal service:ci --group automation --expires 2027-01-31"
    )]
    New(New),
    /// List keys; their values are not known here
    #[command(after_help = "Example:\n  wardkeep keys list")]
    List,
    /// Remove a key from the operator's file
    #[command(after_help = "Example:\n  wardkeep keys revoke ci")]
    Revoke {
        /// The key's name
        name: String,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct New {
    /// The key's name in the operator's file
    name: KeyName,
    /// Whom the key stands for: `user:NAME` or `service:NAME`; by default `service:` and the key's name
    #[arg(long)]
    principal: Option<String>,
    /// A group of that principal; may be given several times
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<String>,
    /// The last day on which the key is accepted; by default a year from now
    #[arg(long, value_name = "YYYY-MM-DD")]
    expires: Option<Date>,
}

pub(crate) fn run(globals: &Globals, command: Command) -> anyhow::Result<ExitCode> {
    let home = Home::open(globals.home.as_deref())?;
    match command {
        Command::New(args) => new(globals, &home, args),
        Command::List => list(globals, &home),
        Command::Revoke { name } => revoke(globals, &home, &name),
    }
}

fn new(globals: &Globals, home: &Home, args: New) -> anyhow::Result<ExitCode> {
    let text = text(home)?;
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).context("the operating system gives no random bytes")?;
    let key = format!("{PREFIX}{}", Digest::from_bytes(secret));
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
    let expires = match args.expires {
        Some(day) if day < today => bail!("`{day}` is over already\n  mend: take a later day for --expires"),
        Some(day) => day,
        None => today.checked_add(365.days())?,
    };
    let principal = args.principal.unwrap_or_else(|| format!("service:{}", args.name));
    let added = NewKey { name: args.name, sha256: Digest::of(key.as_bytes()), principal, groups: args.groups, expires };
    write(home, &config::add_key(&text, &added)?)?;
    let screen = globals.screen();
    if screen.is_json() {
        #[derive(Serialize)]
        struct Made<'a> {
            name: &'a str,
            key: &'a str,
            principal: &'a str,
            expires: Date,
        }
        screen.document(&Made { name: added.name.as_str(), key: &key, principal: &added.principal, expires })?;
    } else {
        note(format!("key `{}` for {} until {expires}; it is shown this once:", added.name, escaped(&added.principal)));
        screen.line(&key)?;
        note("clients send it as `Authorization: Bearer KEY`; a host that runs takes it up within seconds");
    }
    Ok(ExitCode::SUCCESS)
}

fn list(globals: &Globals, home: &Home) -> anyhow::Result<ExitCode> {
    #[derive(Serialize)]
    struct Key {
        name: String,
        principal: String,
        groups: Vec<String>,
        expires: Option<Timestamp>,
        expired: bool,
    }
    let config = parse(home, &text(home)?)?;
    let now = Timestamp::now();
    let keys = config.callers.keys.into_iter().map(|key| Key {
        expired: key.expires.is_some_and(|expires| now >= expires),
        name: key.name,
        principal: key.principal.name,
        groups: key.principal.groups,
        expires: key.expires,
    });
    let keys: Vec<_> = keys.collect();
    let screen = globals.screen();
    if screen.is_json() {
        screen.document(&keys)?;
    } else if keys.is_empty() {
        note("no keys; `wardkeep keys new NAME` makes one");
    } else {
        let rows = keys.iter().map(|key| {
            let until = key.expires.map_or_else(String::new, |end| end.to_string());
            let state = if key.expired { screen.paint(Ink::Bad, "expired") } else { "valid".to_owned() };
            [key.name.clone(), escaped(&key.principal), escaped(&key.groups.join(", ")), until, state]
        });
        screen.table(["name", "principal", "groups", "until", ""], &rows.collect::<Vec<_>>())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn revoke(globals: &Globals, home: &Home, name: &str) -> anyhow::Result<ExitCode> {
    write(home, &config::remove_key(&text(home)?, name)?)?;
    let screen = globals.screen();
    if screen.is_json() {
        screen.document(&serde_json::json!({ "revoked": name }))?;
    } else {
        note(format!("key `{}` is gone; a host that runs refuses it within seconds", escaped(name)));
    }
    Ok(ExitCode::SUCCESS)
}

fn text(home: &Home) -> anyhow::Result<String> {
    let bytes = read_file(&home.config(), cap::DOCUMENT)?;
    // Nothing is added to a file that is not right already: the fault would hide behind the edit.
    Config::parse(config::FILE, &bytes, home.path())?;
    Ok(String::from_utf8(bytes)?)
}

fn parse(home: &Home, text: &str) -> anyhow::Result<Config> {
    Ok(Config::parse(config::FILE, text.as_bytes(), home.path())?)
}

/// The file as it would be is read again before it is written.
fn write(home: &Home, edited: &str) -> anyhow::Result<()> {
    parse(home, edited)?;
    Ok(write_durable(&home.config(), edited.as_bytes(), 0o600)?)
}
