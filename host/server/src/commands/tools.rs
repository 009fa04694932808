//! `wardkeep tools`: what a principal would be shown.

use std::{process::ExitCode, sync::Arc};

use jiff::Timestamp;
use serde::Serialize;
use wardkeep_model::Effect;
use wardkeep_policy::Tool;

use super::check::loaded;
use crate::{
    cli::Globals,
    home::Home,
    owner::tell_rejected,
    screen::{Ink, escaped, note},
    subject::{self, Subject},
};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  wardkeep tools\n  wardkeep tools --as service:ci\n  \
    wardkeep tools --as oauth:corp/alice --group engineering --scope tools:read")]
pub(crate) struct Args {
    /// A principal or the name of an API key of the operator's file; by default the local principal
    #[arg(long = "as", value_name = "PRINCIPAL")]
    principal: Option<String>,
    #[command(flatten)]
    shown: subject::Shown,
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
    let subject = Subject::find(&home, &terms.config, args.principal.as_deref(), &args.shown)?;
    let tools: Vec<_> = loaded.fleet.snapshot().list(&subject.case(now)).cloned().collect();
    let screen = globals.screen();
    if screen.is_json() {
        screen.document(&tools.iter().map(|tool| shown(tool)).collect::<Vec<_>>())?;
        return Ok(ExitCode::SUCCESS);
    }
    if tools.is_empty() {
        note(format!("{} may call nothing", escaped(&subject.principal.name)));
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
        // As in `tools/list`: what leaves need not fit it where the manifest cuts or hides.
        output_schema: tool.output_schema().filter(|_| tool.returns().is_whole()).map(AsRef::as_ref),
    }
}
