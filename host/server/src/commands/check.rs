//! `wardkeep check`: all that `serve` would refuse, without serving, without the lock, without writing anything.

use std::{collections::BTreeMap, process::ExitCode, sync::Arc};

use jiff::{Timestamp, ToSpan};
use serde::Serialize;
use wardkeep_audit::Served as OnRecord;
use wardkeep_gateway::Relay;
use wardkeep_model::{Digest, PluginName};
use wardkeep_policy::{Fault, Faults};

use crate::{
    cli::Globals,
    compiling::{self, Keep},
    home::{self, Home, Owner},
    journal,
    load::{self, Loaded, Rejected, Terms},
    owner::{closed_memory, socket},
    rollout::{unserved, unwatched},
    screen::{Ink, Told as _, chain, escaped},
    secrets::survey,
    state::{State, Store, recover},
};

/// What runs out within this many days is worth a word.
const SOON_DAYS: i64 = 30;

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
    // A start would refuse; the plugins are checked all the same, by what the file in `state/` knows.
    let (store, state) = known(&home).or_else(|error| {
        faults.push(fault("audit", &error));
        let store = Store::new(home.state());
        anyhow::Ok((store.clone(), store.read().unwrap_or_default().unwrap_or_default()))
    })?;
    if let Err(error) = terms.may_follow(&store, &state, now) {
        match error.downcast::<Faults>() {
            Ok(wrong) => faults.extend(wrong),
            Err(error) => faults.push(fault("state/trust.toml", &error)),
        }
    }
    faults.extend(hindrances(&home));
    let loaded = load_with(&home, &terms, &state, now).await?;
    let mut warnings = warnings(&home, &terms, &loaded, now);
    warnings.extend(loaded.strays.iter().cloned());
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
        serving: still_serving(&home, &loaded.rejected).await,
        faults: &faults,
        warnings: &warnings,
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
        if report.plugins.is_empty() && report.rejected.is_empty() {
            screen.line(format!("no plugins in `{}`", home.plugins().told()))?;
        }
    }
    Ok(if ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What the process that owns the home serves of the refused plugins: nothing where none answers. Its journal says so, since the
/// fleet of another process cannot be seen from here.
async fn still_serving(home: &Home, rejected: &[Rejected]) -> BTreeMap<PluginName, StillServing> {
    let alive = match socket(home.path()) {
        Ok(path) => Relay::connect(&path).await.is_ok(),
        Err(_) => false,
    };
    let serving =
        if alive { journal::replay(home).map(|replay| replay.serving).unwrap_or_default() } else { BTreeMap::new() };
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

/// What keeps a start from writing where it must.
fn hindrances(home: &Home) -> Faults {
    let mut faults = Faults::none();
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

fn warnings(home: &Home, terms: &Terms, loaded: &Loaded, now: Timestamp) -> Faults {
    let mut warnings = Faults::none();
    for served in &loaded.served {
        warnings.extend(served.terms.notices().iter().cloned());
        let manifest = served.terms.manifest();
        for secret in survey(manifest, &terms.config.sources, now) {
            warnings.extend(secret.warnings(manifest));
        }
        warnings.extend(unserved(manifest, &terms.callers()));
        if is_soon(manifest.expires_at(), now) {
            let message = format!("ends with {}", manifest.expires());
            warnings.push(
                Fault::of(manifest.file(), message)
                    .at(None, "plugin.expires")
                    .mend("a later day, a higher serial, and signatures"),
            );
        }
    }
    let manifests = loaded.served.iter().map(|served| served.terms.manifest());
    warnings.extend(unwatched(&home.audit(), manifests, now));
    if is_soon(terms.trust.expires_at(), now) {
        let message = format!("ends with {}; then nothing is served", terms.trust.expires());
        warnings.push(Fault::of(home::TRUST, message).at(None, "expires"));
    }
    let config = &terms.config;
    let at = |key: &str, message: String| Fault::of(home::CONFIG, message).at(config.lines.of_key(key), key);
    for key in &config.callers.keys {
        if key.owner.is_none() {
            let path = format!("callers.keys.{}", key.name);
            warnings
                .push(at(&path, "says nothing of who answers for it".to_owned()).mend("owner = \"ops@example.com\""));
        }
        if key.expires.is_none() {
            let path = format!("callers.keys.{}", key.name);
            warnings.push(at(&path, "never expires".to_owned()).mend("expires = 2027-01-31"));
        }
        if key.expires.is_some_and(|expires| is_soon(expires, now)) {
            let path = format!("callers.keys.{}.expires", key.name);
            let what = if key.expires.is_some_and(|expires| now >= expires) { "has expired" } else { "expires soon" };
            warnings
                .push(at(&path, what.to_owned()).mend(format!("`wardkeep keys revoke {}`, and a new one", key.name)));
        }
    }
    if config.callers.stdio.is_none() && config.callers.keys.is_empty() && config.issuers.is_empty() {
        warnings.push(
            Fault::of(home::CONFIG, "nobody may call")
                .at(None, "callers")
                .mend("[callers.stdio], `wardkeep keys new NAME`, or [callers.oauth.NAME]"),
        );
    }
    warnings
}

fn is_soon(end: Timestamp, now: Timestamp) -> bool {
    now.checked_add((SOON_DAYS * 24).hours()).is_ok_and(|soon| end <= soon)
}
