//! `wardkeep client-config`: what to paste into a client's own settings. It writes nothing, and holds no key.

use std::{env, process::ExitCode};

use anyhow::Context as _;
use clap::ValueEnum;
use serde_json::{Value, json};

use crate::{
    cli::Globals,
    config::Config,
    home::{self, Home, cap, read_file},
    screen::note,
};

/// The name under which clients list this host.
const NAME: &str = "wardkeep";

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Client {
    /// Claude Desktop and Claude Code
    Claude,
    /// Visual Studio Code
    Vscode,
    /// Cursor
    Cursor,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  wardkeep client-config claude\n  wardkeep client-config vscode --http\n  \
    wardkeep client-config cursor --json > ~/.cursor/mcp.json")]
pub(crate) struct Args {
    /// The client
    client: Client,
    /// Over HTTP, to a host that serves already, with a key; by default the client starts `wardkeep serve --stdio` itself
    #[arg(long)]
    http: bool,
}

pub(crate) fn run(globals: &Globals, args: &Args) -> anyhow::Result<ExitCode> {
    let home = Home::open(globals.home.as_deref())?;
    let screen = globals.screen();
    let (server, more) = if args.http {
        let url = url(&home)?;
        (over_http(args.client, &url), "the key is not in it: `wardkeep keys new` makes one")
    } else {
        let program = env::current_exe().context("cannot tell where this program is")?;
        let program = program.to_str().context("the path of this program is not UTF-8")?;
        let path = home.path().to_str().context("the path of the home is not UTF-8")?;
        (over_stdio(args.client, program, path), "calls are made as the principal of [callers.stdio]")
    };
    screen.document(&document(args.client, server, args.http))?;
    if !screen.is_json() {
        note(format!("put it into {}; {more}", file(args.client, args.http)));
    }
    Ok(ExitCode::SUCCESS)
}

fn url(home: &Home) -> anyhow::Result<String> {
    let config = Config::parse(home::CONFIG, &read_file(&home.config(), cap::DOCUMENT)?, home.path())?;
    let listen = config.listen;
    Ok(listen.public_url.unwrap_or_else(|| format!("http://{}/mcp", listen.http)))
}

fn over_stdio(client: Client, program: &str, home: &str) -> Value {
    let arguments = ["--home", home, "serve", "--stdio"];
    match client {
        Client::Vscode => json!({ "type": "stdio", "command": program, "args": arguments }),
        Client::Claude | Client::Cursor => json!({ "command": program, "args": arguments }),
    }
}

/// Each client has a way of its own to keep a key out of the file.
fn over_http(client: Client, url: &str) -> Value {
    let bearer = match client {
        Client::Vscode => "Bearer ${input:wardkeep-key}",
        Client::Cursor => "Bearer ${env:WARDKEEP_KEY}",
        Client::Claude => "Bearer ${WARDKEEP_KEY}",
    };
    match client {
        Client::Cursor => json!({ "url": url, "headers": { "Authorization": bearer } }),
        Client::Claude | Client::Vscode => {
            json!({ "type": "http", "url": url, "headers": { "Authorization": bearer } })
        }
    }
}

fn document(client: Client, server: Value, http: bool) -> Value {
    let servers = json!({ NAME: server });
    match client {
        Client::Vscode if http => json!({
            "inputs": [{
                "type": "promptString",
                "id": "wardkeep-key",
                "description": "API key of Wardkeep",
                "password": true,
            }],
            "servers": servers,
        }),
        Client::Vscode => json!({ "servers": servers }),
        Client::Claude | Client::Cursor => json!({ "mcpServers": servers }),
    }
}

fn file(client: Client, http: bool) -> &'static str {
    match client {
        Client::Claude if http => {
            "`.mcp.json` of a project (Claude Code), with the key in the environment as WARDKEEP_KEY"
        }
        Client::Claude => {
            "`claude_desktop_config.json` (Claude Desktop: Settings, Developer, Edit Config) or `.mcp.json` of a project (Claude Code)"
        }
        Client::Vscode => "`.vscode/mcp.json` of a workspace, or the user's own (command MCP: Open User Configuration)",
        Client::Cursor if http => "`~/.cursor/mcp.json`, with the key in the environment as WARDKEEP_KEY",
        Client::Cursor => "`~/.cursor/mcp.json`, or `.cursor/mcp.json` of a project",
    }
}
