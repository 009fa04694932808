//! `wardkeep keys`: API keys for callers over HTTP. The operator's file holds a key's digest; the key itself is shown once.

use std::{process::ExitCode, time::Duration};

use anyhow::{Context, bail};
use clap::Subcommand;
use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};
use serde::Serialize;
use wardkeep_gateway::{ApiKey, Done, KeyChange, Keyed, Order};
use wardkeep_model::Digest;
use wardkeep_policy::{Fault, Faults};

use super::kill::{OTHER, who};
use crate::{
    cli::Globals,
    config::{self, Config, KeyName, NewKey},
    home::{Home, Turn, cap, create_directory, read_file, write_durable},
    journal,
    orders::{self, Reached},
    screen::{Ink, chain, escaped, note, shell_quoted},
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
        Command::New(args) => new(globals, &home, args).await,
        Command::List => list(globals, &home),
        Command::Revoke { name } => revoke(globals, &home, &name).await,
    }
}

async fn new(globals: &Globals, home: &Home, args: New) -> anyhow::Result<ExitCode> {
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
    let turn = turn(home)?;
    let edited = config::add_key(&text(home)?, &added)?;
    // Whoever typed it sees options, and a line of a file that is not written would send them to look for it.
    if let Err(faults) = Config::parse(config::FILE, edited.as_bytes(), home.path()) {
        return Err(of_options(&faults, &added.name).into());
    }
    write(home, &edited)?;
    record(home, Keyed::Made, added.name.as_str(), &added.principal).await;
    drop(turn);
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
        note(format!(
            "key `{}` for {} until the end of {expires}, UTC; it is shown this once:",
            added.name,
            escaped(&added.principal)
        ));
        screen.line(&key)?;
        note("clients send it as `Authorization: Bearer KEY`; a host that runs takes it up within seconds");
    }
    Ok(ExitCode::SUCCESS)
}

/// The faults of a key that was to be added, at the options that they came from.
fn of_options(faults: &Faults, name: &KeyName) -> Faults {
    let table = format!("callers.keys.{name}.");
    let of_option = |fault: &Fault| {
        let Some(key) = fault.key.strip_prefix(&table) else { return fault.clone() };
        let key = key.split('[').next().unwrap_or(key);
        let option = if key == "groups" { "--group".to_owned() } else { format!("--{}", key.replace('_', "-")) };
        let mend =
            fault.mend.as_ref().map(|mend| match mend.strip_prefix(key).and_then(|rest| rest.strip_prefix(" = ")) {
                Some(values) => format!("{option} {}", values.replace('"', "")),
                None => mend.clone(),
            });
        Fault { mend, ..Fault::of(&option, fault.message.clone()) }
    };
    let mut told = Faults::none();
    told.extend(faults.iter().map(of_option));
    told
}

/// The last day on which a key that ends at this moment is good, as the file and `keys new` say it.
fn last_day(end: Timestamp) -> Date {
    let day = end.to_zoned(TimeZone::UTC).date();
    // It ends with the day, so the moment is the first of the next one.
    day.yesterday().unwrap_or(day)
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
        /// The last day on which it is good, UTC.
        expires: Option<Date>,
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
        expires: key.expires.map(last_day),
    });
    let keys: Vec<_> = keys.collect();
    let screen = globals.screen();
    if screen.is_json() {
        screen.document(&keys)?;
    } else if keys.is_empty() {
        note("no keys; `wardkeep keys new NAME` makes one");
    } else {
        let rows = keys.iter().map(|key| {
            let until = key.expires.map_or_else(String::new, |day| day.to_string());
            let state = if key.expired { screen.paint(Ink::Bad, "expired") } else { "valid".to_owned() };
            let may = [("writes", key.writes), ("human", key.human), ("unconfirmed", key.unconfirmed_writes)];
            let may: Vec<_> = may.into_iter().filter(|(_, set)| *set).map(|(flag, _)| flag).collect();
            let (groups, owner) = (escaped(&key.groups.join(", ")), escaped(key.owner.as_deref().unwrap_or_default()));
            [key.name.clone(), escaped(&key.principal), groups, may.join(", "), owner, until, state]
        });
        let header = ["name", "principal", "groups", "may", "owner", "last day, UTC", ""];
        screen.table(header, &rows.collect::<Vec<_>>())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// First on disk, then in the host that runs. Nobody else edits the file before the host has confirmed it: what a command read before and
/// wrote after would bring the key back.
async fn revoke(globals: &Globals, home: &Home, name: &str) -> anyhow::Result<ExitCode> {
    let _turn = turn(home)?;
    let before = text(home).map_err(|error| {
        // Nobody should have to mend a file first to stop who has a stolen key.
        let caller = principal_of(home, name).unwrap_or_else(|| "PRINCIPAL".to_owned());
        let kill = format!("wardkeep kill {}", shell_quoted(&format!("caller:{caller}")));
        error.context(format!(
            "the key is not revoked\n  mend: to stop its caller at once, whatever the file says: {kill}"
        ))
    })?;
    let edited = config::remove_key(&before, name)?;
    let known = parse(home, &before)?.callers.keys.into_iter().find(|key| key.name == name);
    let Some(ApiKey { sha256: key, principal, .. }) = known else {
        bail!("the key `{}` has no digest", escaped(name));
    };
    write(home, &edited)?;
    let reached = orders::give(home.path(), Order::Revoke { key }, PATIENCE).await;
    let (served, ended, why_not) = match reached {
        Reached::Done(Done::Revoked { ended, .. }) => (true, ended, None),
        Reached::Done(_) => (true, 0, Some(OTHER.to_owned())),
        Reached::Free(lock) => {
            // Who records it takes the home again.
            drop(lock);
            (false, 0, None)
        }
        Reached::Unconfirmed(why) => (true, 0, Some(chain(why.as_ref()))),
    };
    if why_not.is_none() {
        record(home, Keyed::Revoked, name, &principal.name).await;
    }
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

/// Commands that edit the operator's file do it one after the other.
fn turn(home: &Home) -> anyhow::Result<Turn> {
    create_directory(&home.state())?;
    // whoever is before waits for the host, and for the log's device
    Ok(Turn::take(&home.state().join("config.lock"), 4 * PATIENCE)?)
}

/// Records who did it. What the key may from now on does not wait for that: a host that runs records besides what it takes up.
async fn record(home: &Home, what: Keyed, key: &str, user: &str) {
    let change = KeyChange { what, key: key.to_owned(), user: user.to_owned(), by: who() };
    let unrecorded = match orders::give(home.path(), Order::Record(change.clone()), PATIENCE).await {
        Reached::Done(_) => return,
        Reached::Free(lock) => journal::add(home, lock, change.event()).await.err(),
        Reached::Unconfirmed(why) => Some(why),
    };
    if let Some(why) = unrecorded {
        note(format!("that is not in the audit log: {}", chain(why.as_ref())));
    }
}

fn text(home: &Home) -> anyhow::Result<String> {
    let bytes = read_file(&home.config(), cap::DOCUMENT)?;
    // Nothing is added to a file that is not right already: the fault would hide behind the edit.
    Config::parse(config::FILE, &bytes, home.path())?;
    Ok(String::from_utf8(bytes)?)
}

/// Whom a key stands for, by a file that may be faulty elsewhere.
fn principal_of(home: &Home, name: &str) -> Option<String> {
    let text = String::from_utf8(read_file(&home.config(), cap::DOCUMENT).ok()?).ok()?;
    let file: toml::Table = text.parse().ok()?;
    Some(file.get("callers")?.get("keys")?.get(name)?.get("principal")?.as_str()?.to_owned())
}

fn parse(home: &Home, text: &str) -> anyhow::Result<Config> {
    Ok(Config::parse(config::FILE, text.as_bytes(), home.path())?)
}

/// The file as it would be is read again before it is written.
fn write(home: &Home, edited: &str) -> anyhow::Result<()> {
    parse(home, edited)?;
    Ok(write_durable(&home.config(), edited.as_bytes(), 0o600)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_s_last_day_is_the_one_that_was_asked_for() {
        assert_eq!(last_day("2027-11-24T00:00:00Z".parse().unwrap()), "2027-11-23".parse().unwrap());
    }

    #[test]
    fn what_is_wrong_with_a_new_key_is_told_of_the_option_and_not_of_a_line_that_is_not_there() {
        let text = format!(
            "format = 1\n[trust]\nroot_sha256 = \"{0}\"\n[callers.keys.bad]\nsha256 = \"{0}\"\nprincipal = \"bob\"\n\
             groups = [\"a\", \"group:b\"]\nowner = \"\"\n",
            Digest::of(b"t")
        );
        let faults = Config::parse(config::FILE, text.as_bytes(), "/home".as_ref()).unwrap_err();
        let told = of_options(&faults, &"bad".parse().unwrap());
        assert_eq!(
            told.to_string(),
            "--group: `group:b` has a prefix that belongs into manifests\n  mend: \"b\"\n\
             --owner: `` is not valid here\n  mend: write 1 to 128 bytes, not only blanks\n\
             --principal: `bob` is no caller's name: `user:NAME` or `service:NAME`, without blanks\n  \
             mend: --principal user:me or service:ci"
        );
    }
}
