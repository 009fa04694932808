//! `wardkeep serve`: MCP over HTTP, or over standard input for a client that starts it. The first process of a home owns it; a
//! later one with `--stdio` passes on to the owner, and takes over when that ends.

use std::{process::ExitCode, time::Duration};

use anyhow::{Context, bail};
use jiff::Timestamp;
use wardkeep_gateway::{CancellationToken, Entrance, EntranceSwitch, HttpOptions, HttpServer, RelayError, serve_stdio};
use wardkeep_model::Principal;

use crate::{
    cli::Globals,
    config::Listen,
    home::{Home, LockError, Owner},
    load::Terms,
    owner::{Owned, tell_rejected},
    screen::note,
    stop::{HangUps, while_serving},
    waiting::Waiting,
};

/// Everything that is closed at the end is given this long.
const LAST: Duration = Duration::from_secs(10);

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  wardkeep serve\n  wardkeep serve --stdio\n  wardkeep --home /srv/wardkeep serve\n\n\
    A client that starts servers by itself is given the command `wardkeep` with the arguments `serve --stdio`."
)]
pub(crate) struct Args {
    /// Speak MCP over standard input and output, for a client that starts this process
    #[arg(long)]
    stdio: bool,
}

impl Args {
    pub(crate) const fn is_stdio(&self) -> bool {
        self.stdio
    }
}

pub(crate) async fn run(globals: &Globals, args: Args) -> anyhow::Result<ExitCode> {
    let home = Home::open(globals.home.as_deref())?;
    let (stop, hang_ups) = while_serving().context("cannot listen for signals")?;
    if args.stdio { stdio(&home, hang_ups, stop).await } else { http(&home, hang_ups, stop).await }
}

async fn http(home: &Home, hang_ups: HangUps, stop: CancellationToken) -> anyhow::Result<ExitCode> {
    let lock = Owner::of(home.path()).map_err(|error| match error {
        LockError::Taken { .. } => {
            anyhow::anyhow!("{error}\n  mend: end that one first; HTTP is served by the owner of a home only")
        }
        failed => failed.into(),
    })?;
    let Some(mut owned) = open(home, lock, &stop).await? else { return Ok(ExitCode::SUCCESS) };
    tell_rejected(&owned.terms, &owned.rejected, &owned.strays);
    let listen = owned.terms.config.listen.clone();
    let Listen { http, public_url, origins, proxies } = listen;
    let options = HttpOptions { listen: http, public_url, origins, proxies };
    let ended = async {
        let server = HttpServer::bind(options, owned.host.clone()).await?;
        let socket = owned.serve_socket(stop.clone())?;
        let (tools, plugins) = (counted(owned.tools, "tool"), counted(owned.plugins, "plugin"));
        note(format!("serving {tools} of {plugins} on http://{}/mcp", server.address()));
        let config = &owned.terms.config;
        if config.callers.keys.is_empty() && config.issuers.is_empty() {
            note("no keys and no issuers: every call over HTTP is refused\n  mend: `wardkeep keys new NAME`");
        }
        owned.host.moment().callers.oauth.warm();
        let fresh = owned.keep_fresh(hang_ups, stop.clone());
        server.run(stop.clone()).await;
        stop.cancel();
        socket.await?;
        fresh.await?;
        anyhow::Ok(())
    }
    .await;
    finish(owned, "told to stop").await;
    ended?;
    Ok(ExitCode::SUCCESS)
}

async fn stdio(home: &Home, hang_ups: HangUps, stop: CancellationToken) -> anyhow::Result<ExitCode> {
    // Read before anybody owns the home: who may not call is told at once.
    let terms = Terms::read(home, Timestamp::now())?;
    let Some(principal) = terms.config.callers.stdio.clone() else { bail!(NO_STDIO) };
    drop(terms);
    let (entrance, switch) = Entrance::switchable();
    let keeping = tokio::spawn(keep(home.clone(), switch, hang_ups, stop.clone()));
    let served = serve(entrance, principal, &stop, keeping).await;
    served.map(|()| ExitCode::SUCCESS)
}

/// What stands between standard input and a call.
pub(crate) const NO_STDIO: &str = "nobody may call over standard input: wardkeep.toml has no [callers.stdio]\n  \
    mend: add to wardkeep.toml:\n        [callers.stdio]\n        principal = \"user:NAME\"";

async fn serve(
    entrance: Entrance,
    principal: Principal,
    stop: &CancellationToken,
    mut keeping: tokio::task::JoinHandle<anyhow::Result<()>>,
) -> anyhow::Result<()> {
    let serving = serve_stdio(entrance, principal, stop.clone());
    let served = tokio::select! {
        served = serving => served.map_err(anyhow::Error::new),
        kept = &mut keeping => {
            stop.cancel();
            return kept?;
        }
    };
    stop.cancel();
    keeping.await??;
    served
}

/// Keeps the entrance leading somewhere: to this process's own host once it owns the home, to the owner until then.
async fn keep(
    home: Home,
    switch: EntranceSwitch,
    mut hang_ups: HangUps,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut told = false;
    let mut waiting = Waiting::new(stop.clone());
    loop {
        match Owner::of(home.path()) {
            Ok(lock) => {
                let Some(mut owned) = open(&home, lock, &stop).await? else { return Ok(()) };
                tell_rejected(&owned.terms, &owned.rejected, &owned.strays);
                let socket = owned.serve_socket(stop.clone());
                switch.set_local(owned.host.clone());
                let fresh = owned.keep_fresh(hang_ups, stop.clone());
                stop.cancelled().await;
                fresh.await?;
                let ended = match socket {
                    Ok(socket) => socket.await.map_err(anyhow::Error::new),
                    Err(error) => Err(error),
                };
                finish(owned, "told to stop").await;
                return ended;
            }
            Err(taken @ LockError::Taken { .. }) => match waiting.knock(&home, &taken).await? {
                None => return Ok(()),
                Some(Ok(relay)) => {
                    switch.set_relay(relay.clone());
                    loop {
                        tokio::select! {
                            () = relay.closed() => break,
                            () = stop.cancelled() => return Ok(()),
                            () = hang_ups.asked() => note(format!("nothing to reload here: {taken}, and that one reloads")),
                        }
                    }
                    waiting = Waiting::new(stop.clone());
                }
                // The owner is just starting, or just ending. Another version of it never becomes reachable, and that is said once.
                Some(Err(error)) => {
                    if !told && matches!(error, RelayError::Version { .. } | RelayError::Greeting) {
                        note(&error);
                        told = true;
                    }
                    if !waiting.pause(&taken).await {
                        return Ok(());
                    }
                }
            },
            Err(failed) => return Err(failed.into()),
        }
    }
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// Opens the home, unless it is stopped meanwhile: compiling may take long, and what was recorded until then is with the kernel.
pub(crate) async fn open(home: &Home, lock: Owner, stop: &CancellationToken) -> anyhow::Result<Option<Owned>> {
    tokio::select! {
        owned = Owned::open(home, lock) => owned.map(Some),
        () = stop.cancelled() => Ok(None),
    }
}

/// Closes within bounded time: a device that hangs must not keep the process.
pub(crate) async fn finish(owned: Owned, reason: &str) {
    if tokio::time::timeout(LAST, owned.close(reason)).await.is_err() {
        note("the journal did not close in time");
    }
}
