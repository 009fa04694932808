//! `wardkeep draft`: a manifest to start from. It grants nothing; what the component asks for stands there as comments.

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context, bail};
use jiff::Timestamp;
use serde::Serialize;
use wardkeep_policy::{Draft, draft};

use super::inspect::inspect;
use crate::{
    cli::Globals,
    home::{user_name, write_new},
    screen::{Told as _, note},
};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  wardkeep draft files.wasm\n  wardkeep draft plugins/files/files.wasm -o plugins/files/manifest.toml"
)]
pub(crate) struct Args {
    /// A component
    file: PathBuf,
    /// Where to write the draft; an existing file is left alone. By default standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Who will answer for the plugin; by default the operating-system user
    #[arg(long)]
    owner: Option<String>,
}

pub(crate) async fn run(globals: &Globals, args: &Args) -> anyhow::Result<ExitCode> {
    let Some(file) = args.file.file_name().and_then(|name| name.to_str()) else {
        bail!("`{}` is no name of a component", args.file.told());
    };
    let inspection = inspect(&args.file).await?;
    let uid = rustix::process::geteuid().as_raw();
    let owner = args.owner.clone().or_else(|| user_name(uid)).context("no owner\n  mend: name one with `--owner`")?;
    let text = draft(&Draft {
        file,
        component: inspection.digest,
        description: &inspection.description,
        imports: &inspection.imports,
        owner: &owner,
        now: Timestamp::now(),
    });
    let screen = globals.screen();
    if let Some(output) = &args.output {
        write_new(output, text.as_bytes(), 0o644)?;
        note(format!("`{}` grants nothing yet: edit it, then `wardkeep sign {}`", output.told(), output.told()));
    }
    if screen.is_json() {
        #[derive(Serialize)]
        struct Drafted<'a> {
            manifest: &'a str,
            file: Option<&'a PathBuf>,
        }
        screen.document(&Drafted { manifest: &text, file: args.output.as_ref() })?;
    } else if args.output.is_none() {
        screen.line(text.trim_end_matches('\n'))?;
    }
    Ok(ExitCode::SUCCESS)
}
