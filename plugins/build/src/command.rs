//! Running other programs: none of the caller's own build settings reach them, and an error shows what they said.

use std::{
    env,
    ffi::OsStr,
    io::Write,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};

/// Cargo's settings that say where crates come from, not how they are built.
const KEPT: [&str; 6] =
    ["CARGO_HOME", "CARGO_HTTP_", "CARGO_NET_", "CARGO_REGISTRIES_", "CARGO_REGISTRY_", "CARGO_SOURCE_"];

/// What cargo sets for a build script, which would otherwise bend the nested build.
const OF_BUILD_SCRIPTS: [&str; 9] =
    ["OUT_DIR", "TARGET", "HOST", "NUM_JOBS", "OPT_LEVEL", "DEBUG", "PROFILE", "MAKEFLAGS", "MFLAGS"];

/// A command without the caller's `RUSTC*`, `RUSTFLAGS` and `CARGO_*`: clippy's driver must not wrap another compiler, and host flags mean
/// nothing on WebAssembly. rustup stays offline.
pub(crate) fn clean(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    for (name, _) in env::vars_os() {
        let Some(text) = name.to_str() else { continue };
        let bends = ["RUSTC", "RUSTFLAGS", "RUSTDOC", "CARGO_"].iter().any(|prefix| text.starts_with(prefix))
            && !KEPT.iter().any(|prefix| text.starts_with(prefix));
        if bends || OF_BUILD_SCRIPTS.contains(&text) {
            command.env_remove(name);
        }
    }
    command.env("RUSTUP_AUTO_INSTALL", "0").stdin(Stdio::null());
    command
}

/// Its standard output, if it ends well.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let done = command.output().with_context(|| format!("cannot run {}", shown(command)))?;
    if !done.status.success() {
        bail!("{} failed ({}):\n{}", shown(command), done.status, String::from_utf8_lossy(&done.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}

/// The command as a person would type it, shortened.
pub(crate) fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let text: Vec<_> = words.map(|word| word.to_string_lossy()).take(8).collect();
    format!("`{}`", text.join(" "))
}

/// Progress for whoever waits. Standard output belongs to cargo's directives.
pub(crate) fn say(message: &str) {
    // Nobody to tell is no reason to stop.
    let _ = writeln!(std::io::stderr(), "wardkeep-build: {message}");
}
