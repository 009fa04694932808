//! `wardkeep inspect`: what a component is and asks for. It is run with nothing granted, only to describe itself.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::bail;
use serde::Serialize;
use wardkeep_model::{Ask, Digest, Effect};
use wardkeep_sandbox::{InspectError, Inspection};

use crate::{
    cli::Globals,
    compiling,
    home::{cap, read_anywhere},
    screen::{Ink, Screen, Told as _, chain, escaped, escaped_lines},
};

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  wardkeep inspect files.wasm")]
pub(crate) struct Args {
    /// A component
    file: PathBuf,
}

#[derive(Serialize)]
struct Shown<'a> {
    file: &'a Path,
    sha256: Digest,
    contract_sha256: Digest,
    bytes: u64,
    describe_fuel: u64,
    name: &'a str,
    version: &'a str,
    imports: &'a [String],
    exports: &'a [String],
    tools: Vec<Tool<'a>>,
}

#[derive(Serialize)]
struct Tool<'a> {
    name: &'a str,
    title: Option<&'a str>,
    description: &'a str,
    effect: Effect,
    idempotent: bool,
    /// The component's own bytes, as text.
    input_schema: &'a str,
    output_schema: Option<&'a str>,
    asks: Vec<String>,
}

pub(crate) async fn run(globals: &Globals, args: &Args) -> anyhow::Result<ExitCode> {
    let inspection = inspect(&args.file).await?;
    let shown = shown(&args.file, &inspection);
    let screen = globals.screen();
    if screen.is_json() {
        screen.document(&shown)?;
    } else {
        print(screen, &shown)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Inspects a file wherever it lies.
pub(crate) async fn inspect(file: &Path) -> anyhow::Result<Inspection> {
    let bytes = read_anywhere(file, cap::COMPONENT)?;
    let engine = compiling::plain()?;
    match engine.inspect(bytes.into()).await {
        Ok(inspected) => Ok(inspected.inspection().clone()),
        Err(error @ InspectError::UnknownImports { .. }) => {
            let mend =
                "no manifest can grant these; build it for the interfaces of wit/, or with `wasi` ones that are known";
            bail!("{}: {}\n  mend: {mend}", file.told(), escaped(&error.to_string()))
        }
        // On one line: names of functions, which the component chose, stand in a trap's words.
        Err(error) => bail!("{}: {}", file.told(), escaped(&chain(&error))),
    }
}

fn shown<'a>(file: &'a Path, inspection: &'a Inspection) -> Shown<'a> {
    let description = &inspection.description;
    let tools = description.tools.iter().map(|tool| Tool {
        name: &tool.name,
        title: tool.title.as_deref(),
        description: &tool.description,
        effect: tool.effect,
        idempotent: tool.idempotent,
        input_schema: &tool.input_schema,
        output_schema: tool.output_schema.as_deref(),
        asks: tool.asks.iter().map(ask).collect(),
    });
    Shown {
        file,
        sha256: inspection.digest,
        contract_sha256: description.contract_digest(),
        bytes: inspection.size,
        describe_fuel: inspection.fuel,
        name: &description.name,
        version: &description.version,
        imports: &inspection.imports,
        exports: &inspection.exports,
        tools: tools.collect(),
    }
}

fn ask(ask: &Ask) -> String {
    match ask {
        Ask::Http(http) => format!("http {} {}: {}", http.methods.join(","), http.host, http.purpose),
        Ask::Secret(secret) => format!("secret {}: {}", secret.name, secret.purpose),
        Ask::Files(files) => {
            let access = if files.write { "read and write" } else { "read" };
            format!("files {} ({access}): {}", files.root, files.purpose)
        }
        Ask::Clock(purpose) => format!("clock: {purpose}"),
        Ask::Random(purpose) => format!("random: {purpose}"),
    }
}

fn print(screen: Screen, shown: &Shown<'_>) -> std::io::Result<()> {
    let field =
        |name: &str, value: String| screen.line(format!("{}  {value}", screen.paint(Ink::Bold, format!("{name:<8}"))));
    let list = |names: &[String]| names.iter().map(|name| escaped(name)).collect::<Vec<_>>().join("\n          ");
    field("plugin", format!("{} {}", escaped(shown.name), escaped(shown.version)))?;
    field("sha256", shown.sha256.to_string())?;
    field("contract", shown.contract_sha256.to_string())?;
    field("size", format!("{} bytes; describing itself took {} fuel", shown.bytes, shown.describe_fuel))?;
    field("imports", if shown.imports.is_empty() { "nothing".to_owned() } else { list(shown.imports) })?;
    field("exports", list(shown.exports))?;
    for tool in &shown.tools {
        let again = if tool.idempotent { ", idempotent" } else { "" };
        screen.line("")?;
        screen.line(format!("{}  ({}{again})", screen.paint(Ink::Bold, escaped(tool.name)), tool.effect))?;
        if let Some(title) = tool.title {
            screen.line(format!("  title   {}", escaped(title)))?;
        }
        // Behind a bar: a line of its own words must not look like one of those below.
        for line in escaped_lines(tool.description).lines() {
            screen.line(format!("  | {line}"))?;
        }
        for ask in &tool.asks {
            screen.line(format!("  {} {}", screen.paint(Ink::Warning, "asks for"), escaped(ask)))?;
        }
        screen.line(format!("  input   {}", escaped(tool.input_schema)))?;
        if let Some(output) = tool.output_schema {
            screen.line(format!("  output  {}", escaped(output)))?;
        }
    }
    Ok(())
}
