//! `wardkeep check`: all that `serve` would refuse, without serving, without the lock, without writing anything.

mod memory;
mod warnings;

use std::{collections::BTreeMap, net::SocketAddr, process::ExitCode, sync::Arc};

use jiff::Timestamp;
use serde::Serialize;
use tokio::net::TcpSocket;
use wardkeep_audit::Served as OnRecord;
use wardkeep_gateway::Relay;
use wardkeep_model::{Digest, PluginName};
use wardkeep_policy::{Fault, Faults};

use memory::memory;
use warnings::warnings;

use crate::{
    cli::Globals,
    compiling::{self, Keep},
    config::{Config, Issuer, Jwks},
    home::{self, Home, Owner},
    journal,
    load::{self, Loaded, Rejected, Terms, look_further},
    owner::{closed_memory, socket},
    screen::{Ink, Told as _, chain, escaped},
    state::{State, Store, recover},
};

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  wardkeep check\n\nExit status 1 where `serve` would refuse something.")]
pub(crate) struct Args {}

#[derive(Serialize)]
struct Report<'a> {
    ok: bool,
    plugins: Vec<Passed<'a>>,
    rejected: &'a [Rejected],
    /// What the running host goes on serving although what lies there now is refused.
    serving: BTreeMap<PluginName, StillServing>,
    faults: &'a Faults,
    warnings: &'a Faults,
    /// Issuers whose keys only a host asks for, and where.
    unasked: BTreeMap<&'a str, String>,
}

#[derive(Serialize)]
struct StillServing {
    serial: u64,
    manifest: Digest,
}

#[derive(Serialize)]
struct Passed<'a> {
    plugin: &'a str,
    version: String,
    serial: u64,
    tools: Vec<&'a str>,
    signed_by: &'a [String],
}

pub(crate) async fn run(globals: &Globals) -> anyhow::Result<ExitCode> {
    closed_memory()?;
    let home = Home::open(globals.home.as_deref())?;
    let now = Timestamp::now();
    let terms = Arc::new(Terms::read(&home, now)?);
    let mut faults = terms.faults.clone();
    // A start would refuse; the plugins are checked all the same, by what is known.
    let (store, state, wrong) = memory(&home);
    faults.extend(wrong);
    if let Err(error) = terms.may_follow(&store, &state, now) {
        match error.downcast::<Faults>() {
            Ok(wrong) => faults.extend(wrong),
            Err(error) => faults.push(fault("state/trust.toml", &error)),
        }
    }
    let alive = match socket(home.path()) {
        Ok(path) => Relay::connect(&path).await.is_ok(),
        Err(_) => false,
    };
    faults.extend(hindrances(&home, &terms, alive));
    let mut loaded = load_with(&home, &terms, &state, now).await?;
    // Who is about to sign is told all at once.
    look_further(&load::find(&home)?.0, &mut loaded.rejected, &terms, &state, now).await;
    let mut warnings = warnings(&home, &terms, &loaded, now);
    warnings.extend(loaded.strays.iter().cloned());
    let unasked = unasked(&terms.config);
    let ok = loaded.rejected.is_empty() && faults.is_empty();
    let plugins = loaded.served.iter().map(|served| {
        let manifest = served.terms.manifest();
        Passed {
            plugin: manifest.name().as_str(),
            version: manifest.version().to_string(),
            serial: manifest.serial(),
            tools: served.terms.tools().map(|tool| tool.published().as_str()).collect(),
            signed_by: &served.signed_by,
        }
    });
    let report = Report {
        ok,
        plugins: plugins.collect(),
        rejected: &loaded.rejected,
        serving: if alive { still_serving(&home, &loaded.rejected) } else { BTreeMap::new() },
        faults: &faults,
        warnings: &warnings,
        unasked,
    };
    let screen = globals.screen();
    if screen.is_json() {
        screen.document(&report)?;
    } else {
        for passed in &report.plugins {
            let Passed { plugin, version, serial, tools, .. } = passed;
            screen.line(format!(
                "{}  {plugin} {version}, serial {serial}: {}",
                screen.paint(Ink::Good, "passed "),
                tools.join(", ")
            ))?;
        }
        for Rejected { plugin, faults, .. } in report.rejected {
            screen.line(format!("{}  {}\n{faults}", screen.paint(Ink::Bad, "refused"), escaped(plugin)))?;
        }
        for (plugin, StillServing { serial, .. }) in &report.serving {
            screen.line(format!(
                "{}   {plugin}: the running host goes on with serial {serial}, by its journal",
                screen.paint(Ink::Warning, "serves")
            ))?;
        }
        for fault in report.faults {
            screen.line(format!("{}  {fault}", screen.paint(Ink::Bad, "fault  ")))?;
        }
        for warning in report.warnings {
            screen.line(format!("{}  {warning}", screen.paint(Ink::Warning, "warning")))?;
        }
        for (issuer, page) in &report.unasked {
            let word = screen.paint(Ink::Dim, "unasked");
            screen.line(format!(
                "{word}  issuer {issuer}: only a host that serves asks for its keys, at {}",
                escaped(page)
            ))?;
        }
        if report.plugins.is_empty() && report.rejected.is_empty() {
            screen.line(format!("no plugins in `{}`", home.plugins().told()))?;
        }
    }
    Ok(if ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What the process that owns the home, which answers, serves of the refused plugins. Its journal says so, since the
/// fleet of another process cannot be seen from here.
fn still_serving(home: &Home, rejected: &[Rejected]) -> BTreeMap<PluginName, StillServing> {
    let serving = journal::replay(home).map(|replay| replay.serving).unwrap_or_default();
    let refused = |name: &PluginName| rejected.iter().any(|rejected| rejected.plugin == name.as_str());
    let serving = serving.into_iter().filter(|(name, _)| refused(name));
    serving.map(|(name, OnRecord { serial, manifest })| (name, StillServing { serial, manifest })).collect()
}

/// Loads a home as its owner would, and leaves it as it is.
pub(crate) async fn loaded(home: &Home, now: Timestamp) -> anyhow::Result<(Arc<Terms>, Loaded)> {
    let terms = Arc::new(Terms::read(home, now)?);
    let (store, state) = known(home)?;
    terms.may_follow(&store, &state, now)?;
    let loaded = load_with(home, &terms, &state, now).await?;
    Ok((terms, loaded))
}

async fn load_with(home: &Home, terms: &Arc<Terms>, state: &State, now: Timestamp) -> anyhow::Result<Loaded> {
    let engine = compiling::engine(home, terms, Keep::Reads)?;
    load::load(home, terms, state, &engine, now).await
}

/// Keys that are not looked at: to check a home is no reason to ask the network.
fn unasked(config: &Config) -> BTreeMap<&str, String> {
    let page = |issuer: &'_ Issuer| match &issuer.keys {
        Jwks::Page(page) => Some(page.to_string()),
        Jwks::File(_) => None,
    };
    config.issuers.iter().filter_map(|issuer| Some((issuer.terms.name.as_str(), page(issuer)?))).collect()
}

/// What keeps a start from writing and listening where it must.
fn hindrances(home: &Home, terms: &Terms, alive: bool) -> Faults {
    let mut faults = Faults::none();
    if let Err(error) = socket(home.path()) {
        faults.push(fault("relay.sock", &error));
    }
    // A host of this home that answers listens already.
    if !alive && let Err(error) = bindable(terms.config.listen.http) {
        let (key, mend) = ("listen.http", "end what listens there, or name another address");
        let message = format!("`{}` cannot be listened on: {error}", terms.config.listen.http);
        faults.push(Fault::of(home::CONFIG, message).at(terms.config.lines.of_key(key), key).mend(mend));
    }
    if let Err(error) = Owner::hindered(home.path()) {
        faults.push(fault("lock", &error.into()));
    }
    for directory in [home.path().to_path_buf(), home.audit(), home.state(), home.keys()] {
        let denied = rustix::fs::access(&directory, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK)
            .is_err_and(|error| error != rustix::io::Errno::NOENT);
        if denied {
            let path = crate::screen::shell_quoted(&directory.display().to_string());
            let mend = format!("let the user who runs the host write there: chmod u+rwx {path}");
            faults.push(Fault::of(&directory.told(), "the host cannot write there").mend(mend));
        }
    }
    faults
}

/// Whether somebody else listens there. It is bound and not listened on, so that a host which starts now is not in the way of this.
fn bindable(address: SocketAddr) -> std::io::Result<()> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)
}

fn fault(file: &str, error: &anyhow::Error) -> Fault {
    let text = chain(error.as_ref());
    match text.split_once("\n  mend: ") {
        Some((message, mend)) => Fault::of(file, message).mend(mend),
        None => Fault::of(file, text),
    }
}

/// The state as a start would find it: file and journal put together.
pub(crate) fn known(home: &Home) -> anyhow::Result<(Store, State)> {
    let store = Store::new(home.state());
    let recovered = recover(store.read()?, &journal::replay(home)?, home.keys().exists())?;
    Ok((store, recovered.state))
}
