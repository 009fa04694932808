//! `wardkeep tools`: what a principal would be shown.

use std::{process::ExitCode, sync::Arc};

use anyhow::bail;
use jiff::Timestamp;
use serde::Serialize;
use wardkeep_model::{Effect, Principal};
use wardkeep_policy::{Case, Tool};

use super::{check::loaded, serve::NO_STDIO};
use crate::{
    cli::Globals,
    config::Config,
    home::Home,
    kills::{self, Store},
    owner::tell_rejected,
    screen::{Ink, escaped, note},
};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  wardkeep tools\n  wardkeep tools --as service:ci")]
pub(crate) struct Args {
    /// A principal or the name of an API key of the operator's file; by default the local principal
    #[arg(long = "as", value_name = "PRINCIPAL")]
    principal: Option<String>,
}

#[derive(Serialize)]
struct Shown<'a> {
    name: &'a str,
    plugin: &'a str,
    version: &'a str,
    effect: Effect,
    title: Option<&'a str>,
    description: &'a str,
    input_schema: &'a serde_json::Map<String, serde_json::Value>,
    output_schema: Option<&'a serde_json::Map<String, serde_json::Value>>,
}

pub(crate) async fn run(globals: &Globals, args: Args) -> anyhow::Result<ExitCode> {
    let home = Home::open(globals.home.as_deref())?;
    let now = Timestamp::now();
    let (terms, loaded) = loaded(&home, now).await?;
    tell_rejected(&terms, &loaded.rejected, &loaded.strays);
    let principal = principal(&terms.config, args.principal.as_deref())?;
    let kills = kills::in_force(&Store::new(home.state()), now);
    let confirming = terms.config.confirmation.confirming;
    let case = Case { principal: &principal, kills: &kills, confirming, now };
    let tools: Vec<_> = loaded.fleet.snapshot().list(&case).cloned().collect();
    let screen = globals.screen();
    if screen.is_json() {
        screen.document(&tools.iter().map(|tool| shown(tool)).collect::<Vec<_>>())?;
        return Ok(ExitCode::SUCCESS);
    }
    if tools.is_empty() {
        note(format!("{} may call nothing", escaped(&principal.name)));
        return Ok(ExitCode::SUCCESS);
    }
    let rows = tools.iter().map(|tool| {
        let effect = match tool.effect() {
            Effect::Read => tool.effect().to_string(),
            Effect::Write | Effect::Destructive => screen.paint(Ink::Warning, tool.effect()),
        };
        let first = tool.definition().description.lines().next().unwrap_or_default();
        let first: String = first.chars().take(60).collect();
        [
            tool.published().to_string(),
            effect,
            format!("{} {}", tool.plugin(), escaped(tool.version())),
            escaped(&first),
        ]
    });
    screen.table(["tool", "effect", "plugin", "description"], &rows.collect::<Vec<_>>())?;
    Ok(ExitCode::SUCCESS)
}

fn shown(tool: &Arc<Tool>) -> Shown<'_> {
    Shown {
        name: tool.published().as_str(),
        plugin: tool.plugin().as_str(),
        version: tool.version(),
        effect: tool.effect(),
        title: tool.definition().title.as_deref(),
        description: &tool.definition().description,
        input_schema: tool.input_schema(),
        output_schema: tool.output_schema().map(AsRef::as_ref),
    }
}

fn principal(config: &Config, asked: Option<&str>) -> anyhow::Result<Principal> {
    let Some(asked) = asked else {
        let Some(local) = config.callers.stdio.clone() else { bail!(NO_STDIO) };
        return Ok(local);
    };
    let by_key = config.callers.keys.iter().find(|key| key.name == asked).map(|key| &key.principal);
    let known: Vec<_> =
        config.callers.stdio.iter().chain(config.callers.keys.iter().map(|key| &key.principal)).collect();
    let found = known.iter().copied().find(|principal| principal.name == asked).or(by_key);
    let Some(found) = found else {
        let names: Vec<_> = known.iter().map(|principal| format!("`{}`", principal.name)).collect();
        bail!("no caller `{}` in wardkeep.toml\n  mend: name one of {}", escaped(asked), names.join(", "));
    };
    Ok(found.clone())
}
