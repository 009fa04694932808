//! `wardkeep call`: one call through the same path as any client's, as the local principal.

use std::{io::Read, process::ExitCode, time::Duration};

use anyhow::{Context, bail};
use serde_json::{Map, Value};
use wardkeep_audit::Origin;
use wardkeep_gateway::{
    Answer, Caller, CancellationToken, Entrance, Line, Refused, Relay, RelayError, Response, ToolCall,
};
use wardkeep_model::{Authenticated, Principal};
use wardkeep_policy::parse_json;

use super::serve::{NO_STDIO, finish, open};
use crate::{
    cli::Globals,
    home::{Home, LockError, Owner},
    owner::{Owned, tell_rejected},
    screen::{Screen, escaped_lines, note},
    stop::on_signal,
    waiting::{Waiting, mend},
};

/// How long an owner that is just starting is waited for.
const PATIENCE: Duration = Duration::from_secs(30);
/// As deep as arguments may be that come over MCP.
const DEEPEST: usize = 64;
const MOST_ARGUMENTS: u64 = 4 << 20;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  wardkeep call files_list '{\"root\":\"reports\"}'\n  \
    wardkeep --json call files_stat '{\"root\":\"reports\",\"path\":\"a.txt\"}'\n  wardkeep call files_list - < arguments.json")]
pub(crate) struct Args {
    /// The tool's published name, as `wardkeep tools` lists it
    tool: String,
    /// Its arguments, a JSON object; `-` reads them from standard input
    #[arg(default_value = "{}")]
    arguments: String,
    /// The approval to come back with; without it, the same call finds its own
    #[arg(long, value_name = "APPROVAL")]
    approval: Option<String>,
}

pub(crate) async fn run(globals: &Globals, args: Args) -> anyhow::Result<ExitCode> {
    let arguments = arguments(&args.arguments)?;
    let home = Home::open(globals.home.as_deref())?;
    let stop = on_signal().context("cannot listen for signals")?;
    let Some(door) = Door::open(&home, &stop).await? else {
        bail!("stopped before the call was made");
    };
    let call = ToolCall { tool: args.tool, arguments, retry: None, approval: args.approval };
    let answer = door.entrance.call(door.caller(), call, Line::default(), stop).await;
    door.close().await;
    match answer {
        Ok(Response::Complete(answer)) => show(globals.screen(), Ok(answer)),
        // a line that names nobody to ask gets a failure in its place
        Ok(Response::InputRequired(_)) => bail!("the tool asks a question, which a command cannot answer"),
        Err(refused) => show(globals.screen(), Err(refused)),
    }
}

pub(crate) fn arguments(given: &str) -> anyhow::Result<Map<String, Value>> {
    let text = if given == "-" {
        let mut text = String::new();
        std::io::stdin().lock().take(MOST_ARGUMENTS).read_to_string(&mut text)?;
        text
    } else {
        given.to_owned()
    };
    match parse_json(&text, DEEPEST).context("the arguments are not valid JSON")? {
        Value::Object(arguments) => Ok(arguments),
        _ => bail!("the arguments are not a JSON object\n  mend: '{{\"name\": \"value\"}}'"),
    }
}

fn show(screen: Screen, answer: Result<Answer, Refused>) -> anyhow::Result<ExitCode> {
    let answer = match answer {
        Ok(answer) => answer,
        Err(refused) => {
            if screen.is_json() {
                screen.document(&serde_json::json!({ "error": refused }))?;
            } else {
                note(format!("error: {}", escaped_lines(&refused.message)));
            }
            return Ok(ExitCode::FAILURE);
        }
    };
    let failed = answer.is_error.unwrap_or(false);
    if screen.is_json() {
        screen.document(&answer)?;
    } else {
        let texts: Vec<_> =
            answer.content.iter().filter_map(|block| block.as_text()).map(|text| text.text.as_str()).collect();
        let shown = match (&answer.structured_content, texts.is_empty()) {
            (Some(value), true) => serde_json::to_string_pretty(value)?,
            _ => texts.join("\n"),
        };
        if failed {
            note(escaped_lines(&shown));
        } else {
            screen.line(escaped_lines(&shown))?;
        }
        let others = answer.content.len() - texts.len();
        if others > 0 {
            note(format!("and {others} blocks that are no text; `--json` has them"));
        }
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// A way to a host for one command: this process's own, or the one that owns the home.
pub(crate) struct Door {
    pub(crate) entrance: Entrance,
    principal: Principal,
    owned: Option<Own>,
}

/// The home as this process's own.
struct Own {
    owned: Owned,
    socket: tokio::task::JoinHandle<()>,
    closing: CancellationToken,
}

impl Door {
    /// Owns the home for as long as the command runs, or reaches its owner. Nothing where it was stopped meanwhile.
    pub(crate) async fn open(home: &Home, stop: &CancellationToken) -> anyhow::Result<Option<Self>> {
        let mut waiting = Waiting::new(stop.clone());
        loop {
            let taken = match Owner::of(home.path()) {
                Ok(lock) => return Self::own(home, lock, stop).await,
                Err(taken @ LockError::Taken { .. }) => taken,
                Err(failed) => return Err(failed.into()),
            };
            match waiting.knock(home, &taken).await? {
                None => return Ok(None),
                Some(Ok(relay)) => return Self::relayed(home, relay).map(Some),
                Some(Err(error @ RelayError::Version { .. })) => return Err(error.into()),
                // It may be starting: its socket comes once everything is loaded.
                Some(Err(_)) if waiting.elapsed() < PATIENCE => {}
                Some(Err(error)) => bail!("{taken}: {error}\n  mend: {}", mend(&taken)),
            }
            if !waiting.pause(&taken).await {
                return Ok(None);
            }
        }
    }

    async fn own(home: &Home, lock: Owner, stop: &CancellationToken) -> anyhow::Result<Option<Self>> {
        let Some(owned) = open(home, lock, stop).await? else { return Ok(None) };
        tell_rejected(&owned.terms, &owned.rejected, &owned.strays);
        let Some(principal) = owned.host.local_principal(Authenticated::Stdio) else {
            finish(owned, "refused").await;
            bail!(NO_STDIO);
        };
        // A call may take long, and whoever comes meanwhile finds the home owned: they are answered as by any owner.
        let closing = CancellationToken::new();
        let socket = match owned.serve_socket(closing.clone()) {
            Ok(socket) => socket,
            Err(error) => {
                finish(owned, "failed").await;
                return Err(error);
            }
        };
        let entrance = Entrance::local(owned.host.clone());
        Ok(Some(Self { entrance, principal, owned: Some(Own { owned, socket, closing }) }))
    }

    fn relayed(home: &Home, relay: Relay) -> anyhow::Result<Self> {
        let terms = crate::load::Terms::read(home, jiff::Timestamp::now())?;
        // The owner takes the principal from the socket; this one is only for what is shown.
        let Some(principal) = terms.config.callers.stdio.clone() else { bail!(NO_STDIO) };
        let (entrance, switch) = Entrance::switchable();
        switch.set_relay(relay);
        Ok(Self { entrance, principal, owned: None })
    }

    pub(crate) fn caller(&self) -> Caller {
        Caller {
            principal: self.principal.clone(),
            origin: Origin { transport: "command", ..Origin::default() },
            connection: None,
            key: None,
        }
    }

    pub(crate) async fn close(self) {
        if let Some(Own { owned, socket, closing }) = self.owned {
            closing.cancel();
            if let Err(error) = socket.await {
                note(format!("the home's socket failed: {error}"));
            }
            finish(owned, "command done").await;
        }
    }
}
