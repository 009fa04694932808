//! `wardkeep keys`: API keys for callers over HTTP. The operator's file holds a key's digest; the key itself is shown once.

use std::{process::ExitCode, time::Duration};

use anyhow::{Context, bail};
use clap::Subcommand;
use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};
use serde::Serialize;
use wardkeep_gateway::{Done, Order};
use wardkeep_model::Digest;

use super::kill::{OTHER, who};
use crate::{
    cli::Globals,
    config::{self, Config, KeyName, NewKey},
    home::{Home, cap, read_file, write_durable},
    orders::{self, Reached},
    screen::{Ink, chain, escaped, note},
};

/// What secret scanners look for.
const PREFIX: &str = "wk_";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a key and show it once
    #[command(after_help = "Examples:\n  wardkeep keys new ci --group automation\n  \
        wardkeep keys new ada --principal user:ada --group oncall --owner ada@example.com --writes --human --expires 2027-01-31\n\n\
        A flag is an upper bound and grants nothing: manifests do.")]
    New(New),
    /// List keys; their values are not known here
    #[command(after_help = "Examples:\n  wardkeep keys list\n  wardkeep --json keys list")]
    List,
    /// Remove a key from the operator's file; a host that runs refuses it at once and ends its calls
    #[command(after_help = "Example:\n  wardkeep keys revoke ci\n\n\
        Exit status: 0 refused from now on, 1 nothing was changed, or it is gone from the file and the host did not confirm it.")]
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
    /// Whom to ask about it, such as a mail address; by default you
    #[arg(long)]
    owner: Option<String>,
    /// The last day on which the key is accepted; by default a year from now
    #[arg(long, value_name = "YYYY-MM-DD")]
    expires: Option<Date>,
    /// It may be used for tools that write
    #[arg(long)]
    writes: bool,
    /// There is a person behind it who can answer a confirmation
    #[arg(long)]
    human: bool,
    /// Tools with `confirm = "none"` may write for it
    #[arg(long, requires = "writes")]
    unconfirmed_writes: bool,
}

/// A host has this long to say that it refuses a key.
const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) async fn run(globals: &Globals, command: Command) -> anyhow::Result<ExitCode> {
    let home = Home::open(globals.home.as_deref())?;
    match command {
        Command::New(args) => new(globals, &home, args),
        Command::List => list(globals, &home),
        Command::Revoke { name } => revoke(globals, &home, &name).await,
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
    let flags = [("writes", args.writes), ("human", args.human), ("unconfirmed_writes", args.unconfirmed_writes)];
    let added = NewKey {
        name: args.name,
        sha256: Digest::of(key.as_bytes()),
        principal,
        groups: args.groups,
        owner: args.owner.unwrap_or_else(who),
        expires,
        flags: flags.into_iter().filter(|(_, set)| *set).map(|(flag, _)| flag).collect(),
    };
    write(home, &config::add_key(&text, &added)?)?;
    let screen = globals.screen();
    if screen.is_json() {
        #[derive(Serialize)]
        struct Made<'a> {
            name: &'a str,
            key: &'a str,
            principal: &'a str,
            owner: &'a str,
            expires: Date,
        }
        let (name, principal, owner) = (added.name.as_str(), &added.principal, &added.owner);
        screen.document(&Made { name, key: &key, principal, owner, expires })?;
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
        owner: Option<String>,
        writes: bool,
        human: bool,
        unconfirmed_writes: bool,
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
        owner: key.owner,
        writes: key.principal.writes,
        human: key.principal.human,
        unconfirmed_writes: key.principal.unconfirmed_writes,
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
            let may = [("writes", key.writes), ("human", key.human), ("unconfirmed", key.unconfirmed_writes)];
            let may: Vec<_> = may.into_iter().filter(|(_, set)| *set).map(|(flag, _)| flag).collect();
            let (groups, owner) = (escaped(&key.groups.join(", ")), escaped(key.owner.as_deref().unwrap_or_default()));
            [key.name.clone(), escaped(&key.principal), groups, may.join(", "), owner, until, state]
        });
        let header = ["name", "principal", "groups", "may", "owner", "until", ""];
        screen.table(header, &rows.collect::<Vec<_>>())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// First on disk, then in the host that runs.
async fn revoke(globals: &Globals, home: &Home, name: &str) -> anyhow::Result<ExitCode> {
    let before = text(home)?;
    let edited = config::remove_key(&before, name)?;
    let key = parse(home, &before)?.callers.keys.into_iter().find(|key| key.name == name).map(|key| key.sha256);
    write(home, &edited)?;
    let reached = match key {
        Some(key) => orders::give(home.path(), Order::Revoke { key }, PATIENCE).await,
        None => bail!("the key `{}` has no digest", escaped(name)),
    };
    let (served, ended, why_not) = match reached {
        Reached::Done(Done::Revoked { ended, .. }) => (true, ended, None),
        Reached::Done(_) => (true, 0, Some(OTHER.to_owned())),
        Reached::Free(_) => (false, 0, None),
        Reached::Unconfirmed(why) => (true, 0, Some(chain(why.as_ref()))),
    };
    let screen = globals.screen();
    if screen.is_json() {
        let confirmed = why_not.is_none();
        screen.document(&serde_json::json!({
            "revoked": name, "served": served, "confirmed": confirmed, "ended": ended,
        }))?;
    }
    let name = escaped(name);
    match &why_not {
        Some(why) => note(format!(
            "key `{name}` is gone from the file; the host did not confirm that it refuses it: {why}\n  \
             it takes the file up within seconds"
        )),
        None if served => {
            let ended = match ended {
                0 => String::new(),
                1 => "; 1 running call of it was ended".to_owned(),
                ended => format!("; {ended} running calls of it were ended"),
            };
            note(format!("key `{name}` is gone, and the host that runs refuses it from now on{ended}"));
        }
        None => note(format!("key `{name}` is gone; no host serves this home")),
    }
    Ok(if why_not.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
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
