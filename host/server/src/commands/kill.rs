//! `wardkeep kill`: stops calls. First on disk, then in the host that runs; whatever else is broken. Where the disk is, the host alone.

pub(super) mod meant;

use std::{process::ExitCode, time::Duration};

use clap::builder::NonEmptyStringValueParser;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use tokio::{task::spawn_blocking, time::timeout};
use wardkeep_gateway::{Done, Order};
use wardkeep_model::tidy;
use wardkeep_policy::kill::{Kill, Target};

use crate::{
    cli::Globals,
    home::{Home, Owner, user_name},
    journal,
    kills::{self, Book, Ledger, Store, StoreError},
    orders::{self, Reached},
    owner::tell,
    screen::{Screen, chain, escaped, note},
};

/// A host has this long to say that it did what it was told.
const PATIENCE: Duration = Duration::from_secs(5);
/// Where nobody serves, the audit log gets this long.
const RECORD: Duration = Duration::from_secs(5);
/// A device that has not taken the change by then hangs.
const WRITE: Duration = Duration::from_secs(4);
/// Bytes of a reason that are kept.
const REASON: usize = 256;

/// A host that has the home and answers another question.
pub(super) const OTHER: &str = "the process that owns this home answered something else than it was asked";

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  wardkeep kill plugin:github --reason 'posts to the wrong repository'\n  \
    wardkeep kill caller:service:ci --for 2h\n  wardkeep kill tool:github_create_issue\n  wardkeep kill writes\n  wardkeep kill all\n\n\
    It is on disk before a host is told, and holds across restarts until `wardkeep revive TARGET`.\n\
    A second kill of the same target never ends earlier than the first.\n\n\
    Exit status: 0 in force and on disk, 1 one of both is not so; standard error says which.")]
pub(crate) struct Args {
    /// all, writes, plugin:NAME, tool:NAME (as `wardkeep tools` lists it) or caller:NAME (such as caller:user:ada, or the name of a key)
    target: Target,
    /// Why, for those who read the audit log
    #[arg(long, default_value = "no reason given", value_parser = NonEmptyStringValueParser::new())]
    reason: String,
    /// For how long, such as 30m or 2h; without it until it is revived
    #[arg(long = "for", value_name = "TIME", value_parser = wardkeep_policy::document::duration)]
    within: Option<Duration>,
}

pub(crate) async fn run(globals: &Globals, args: Args) -> anyhow::Result<ExitCode> {
    let home = Home::open_to_stop(globals.home.as_deref())?;
    let target = meant::to_kill(&home, args.target)?;
    kills::restore(&home).await;
    let now = Timestamp::now();
    let until = args.within.map(|within| now.checked_add(SignedDuration::try_from(within)?)).transpose()?;
    let kill = Kill { target: target.clone(), reason: kept(args.reason), by: who(), since: now, until };
    let (store, written) = (Store::new(home.state()), kill.clone());
    let writing = spawn_blocking(move || store.change(|book| (book.kill(written), book.change)));
    let written = timeout(WRITE, writing).await.map_or(Ok(Err(StoreError::Late)), |joined| joined)?;
    let told = match written {
        Ok((until, change)) => Told { what: "killed", target, until, change: Ok(change) },
        Err(error) if error.is_passing() => Told { what: "killed", target, until, change: Err((kill, error)) },
        Err(error) => return Err(error.into()),
    };
    if told.until != until {
        note(
            "it was stopped for longer already: that end stays\n  mend: to end it earlier, revive it and kill it again",
        );
    }
    told.confirm(&home, globals.screen()).await
}

/// Who gives the command, as far as the operating system knows.
pub(super) fn who() -> String {
    let number = rustix::process::geteuid().as_raw();
    user_name(number).unwrap_or_else(|| format!("uid {number}"))
}

/// A reason as it is kept.
pub(super) fn kept(mut reason: String) -> String {
    tidy(&mut reason, REASON);
    reason
}

/// A change, and what is said of it.
pub(super) struct Told {
    pub(super) what: &'static str,
    pub(super) target: Target,
    pub(super) until: Option<Timestamp>,
    /// Its number on disk, or the kill that could not be written.
    pub(super) change: Result<u64, (Kill, StoreError)>,
}

/// What a script reads.
#[derive(Debug, Default, Serialize)]
struct Outcome {
    /// Whether it is in force, for all that anybody knows.
    confirmed: bool,
    /// The number under which it is on disk.
    change: Option<u64>,
    /// Whether a host serves.
    served: bool,
    ended: usize,
    ending: usize,
    recorded: bool,
    why_not: Option<String>,
}

impl Told {
    /// Tells the host, and says what came of it.
    pub(super) async fn confirm(self, home: &Home, screen: Screen) -> anyhow::Result<ExitCode> {
        let (order, change) = match &self.change {
            Ok(change) => (Order::Kills { change: *change }, Some(*change)),
            Err((kill, _)) => (Order::Stop(kill.clone()), None),
        };
        let outcome = match orders::give(home.path(), order, PATIENCE).await {
            Reached::Done(Done::Kills { change: written, ended, ending, recorded, unserved }) => {
                if unserved {
                    note(format!(
                        "nothing of the name `{}` is served now; it holds for whatever comes to be",
                        self.target
                    ));
                }
                Outcome {
                    confirmed: true,
                    change: change.or(written),
                    served: true,
                    ended,
                    ending,
                    recorded,
                    why_not: None,
                }
            }
            Reached::Done(_) => Outcome { change, served: true, why_not: Some(OTHER.to_owned()), ..Outcome::default() },
            Reached::Free(lock) => match self.change {
                Ok(_) => {
                    let recorded = record(home, lock).await;
                    Outcome { confirmed: true, change, recorded, ..Outcome::default() }
                }
                Err((_, error)) => {
                    return Err(anyhow::Error::new(error).context("not killed, and no host serves this home"));
                }
            },
            Reached::Unconfirmed(why) => {
                Outcome { change, served: true, why_not: Some(chain(why.as_ref())), ..Outcome::default() }
            }
        };
        self.say(screen, &outcome)?;
        Ok(if outcome.confirmed && outcome.change.is_some() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn say(&self, screen: Screen, outcome: &Outcome) -> anyhow::Result<()> {
        let Self { what, target, until, change } = self;
        let unwritten = change.as_ref().err().map(|(_, error)| chain(error));
        if screen.is_json() {
            let mut document = serde_json::to_value(outcome)?;
            if let Some(document) = document.as_object_mut() {
                document.insert((*what).to_owned(), serde_json::to_value(target)?);
                document.insert("until".to_owned(), serde_json::to_value(until)?);
                document.insert("unwritten".to_owned(), unwritten.clone().into());
            }
            screen.document(&document)?;
        }
        let name = escaped(&target.to_string());
        if let Some(why) = &outcome.why_not {
            note(match &unwritten {
                None => format!(
                    "recorded, not confirmed: {what} {name}: {why}\n  it is on disk, and a host that runs takes it up within a second"
                ),
                Some(unwritten) => format!(
                    "neither on disk nor confirmed: {name}: {why}\n  and it could not be written: {unwritten}\n  \
                     mend: end the host, which ends every call: its process id stands in `lock` of the home"
                ),
            });
            return Ok(());
        }
        if !screen.is_json() {
            let until = until.map(|until| format!(" until {until}")).unwrap_or_default();
            let effect = match (outcome.served, outcome.ended) {
                (false, _) => "; no host serves this home, and it holds for the next".to_owned(),
                (true, 0) => String::new(),
                (true, 1) => "; 1 running call was ended".to_owned(),
                (true, ended) => format!("; {ended} running calls were ended"),
            };
            screen.line(format!("{what} {name}{until}{effect}"))?;
        }
        match (unwritten, outcome.change) {
            (None, _) => {}
            (Some(why), Some(_)) => note(format!("the host wrote it; this command could not: {why}")),
            (Some(why), None) => note(format!(
                "in force, NOT on disk: it ends with the host, which tries to write it until it can: {why}"
            )),
        }
        if outcome.ending > 0 {
            note(format!("{} of them have not come to their end yet", outcome.ending));
        }
        if !outcome.recorded {
            note("it is not in the audit log yet: the host records it as soon as it can");
        }
        Ok(())
    }
}

/// Records what is missing where nobody serves. A home that never served has no log to record it in, and its first start does.
async fn record(home: &Home, lock: Owner) -> bool {
    let recording = async {
        let audit = home.audit();
        // Never begins one anew: a log that is lost is to be missed.
        let known = tokio::task::spawn_blocking(move || {
            audit.exists() && wardkeep_audit::replay(&audit).is_ok_and(|replay| replay.records > 0)
        });
        if !known.await? {
            return anyhow::Ok(false);
        }
        let (journal, opened) = journal::open(home, wardkeep_audit::Sync::Always).await?;
        tell(&opened);
        let book: Book = Store::new(home.state()).read()?.unwrap_or_default();
        let recorded = Ledger::new(&opened.replay).record(&journal, &book, Timestamp::now()).await;
        journal.shutdown().await;
        recorded?;
        Ok(true)
    };
    let recorded = tokio::time::timeout(RECORD, recording).await;
    drop(lock);
    match recorded {
        Ok(Ok(recorded)) => recorded,
        Ok(Err(error)) => {
            note(format!("it could not be recorded: {}", chain(error.as_ref())));
            false
        }
        Err(_) => {
            note("it could not be recorded yet: the audit log takes too long to read");
            false
        }
    }
}
