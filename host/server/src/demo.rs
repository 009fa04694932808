//! `wardkeep demo`: the whole story in a throwaway home, against real components and with a real MCP client.

mod stage;
mod story;

use std::process::ExitCode;

use anyhow::Context;
use serde::Serialize;

use crate::{
    cli::Globals,
    screen::{Ink, Screen, note},
    stop::on_signal,
};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  wardkeep demo\n\nNothing is left behind. Exit status 1 if any step does not behave."
)]
pub(crate) struct Args {}

/// One step of the story as it went.
#[derive(Debug, Serialize)]
struct Step {
    /// What is shown, in a word.
    title: &'static str,
    /// One line for somebody who sees it for the first time.
    explanation: String,
    /// What was seen.
    seen: String,
    ok: bool,
}

/// The steps so far, each shown when it is done.
struct Steps {
    screen: Screen,
    done: Vec<Step>,
}

impl Steps {
    fn show(
        &mut self,
        title: &'static str,
        explanation: impl Into<String>,
        seen: Result<String, String>,
    ) -> anyhow::Result<()> {
        let ok = seen.is_ok();
        let step = Step { title, explanation: explanation.into(), seen: seen.unwrap_or_else(|wrong| wrong), ok };
        if !self.screen.is_json() {
            let mark = if ok { self.screen.paint(Ink::Good, "✓") } else { self.screen.paint(Ink::Bad, "✗") };
            let title = self.screen.paint(Ink::Bold, format!("{title:<9}"));
            self.screen.line(format!("{mark} {title} {}", step.explanation))?;
            for line in step.seen.lines() {
                self.screen.line(format!("            {}", self.screen.paint(Ink::Dim, line)))?;
            }
        }
        self.done.push(step);
        Ok(())
    }
}

pub(crate) async fn run(globals: &Globals, _args: Args) -> anyhow::Result<ExitCode> {
    let screen = globals.screen();
    let stop = on_signal().context("cannot listen for signals")?;
    // Removed when it is dropped: at the end, after an error, and after Ctrl-C.
    let directory = tempfile::Builder::new().prefix("wardkeep-demo-").tempdir().context("no temporary directory")?;
    let mut steps = Steps { screen, done: Vec::new() };
    let told = tokio::select! {
        told = story::tell(directory.path(), &mut steps) => told,
        () = stop.cancelled() => {
            note("interrupted; nothing is left behind");
            return Ok(ExitCode::FAILURE);
        }
    };
    let ok = told.is_ok() && steps.done.iter().all(|step| step.ok);
    if screen.is_json() {
        screen.document(&serde_json::json!({ "ok": ok, "steps": steps.done }))?;
    }
    told?;
    directory.close().context("the throwaway home could not be removed")?;
    if !screen.is_json() {
        let end = if ok {
            "Nothing is left of it. Your own home: `wardkeep init`"
        } else {
            "Something did not behave as it should."
        };
        screen.line(format!("\n{end}"))?;
    }
    Ok(if ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
