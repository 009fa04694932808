//! One guest crate, and the nested cargo that builds it.

use std::{
    env, fs,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::{Compiler, TARGET, checkout, command, compiler};

/// A crate that makes components.
#[derive(Debug, Clone)]
pub struct Guest {
    directory: PathBuf,
    package: Option<String>,
}

/// The first bytes of a component; of a core module they end in `01 00 00 00`.
const COMPONENT: [u8; 8] = [0, b'a', b's', b'm', 0x0d, 0, 1, 0];

/// `[profile.guest]` of this workspace, for crates that are not in it.
const PROFILE: [&str; 6] = [
    "profile.guest.inherits='release'",
    "profile.guest.opt-level=3",
    "profile.guest.lto=true",
    "profile.guest.codegen-units=1",
    "profile.guest.panic='abort'",
    "profile.guest.strip=true",
];

impl Guest {
    /// A member of this workspace, by its name.
    #[must_use]
    pub fn package(name: &str) -> Self {
        Self { directory: checkout().to_owned(), package: Some(name.to_owned()) }
    }

    /// The crate in that directory, in this repository or outside of it. There, `wardkeep-sdk` is this checkout's.
    #[must_use]
    pub fn directory(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into(), package: None }
    }

    /// Builds the crate's library and tells where the component is.
    ///
    /// # Errors
    ///
    /// No compiler to be had, a crate that does not compile, or one that makes no component.
    pub fn build(&self) -> Result<PathBuf> {
        let mut made = self.run("--lib", "lib")?;
        match (made.pop(), made.is_empty()) {
            (Some((_, component)), true) => Ok(component),
            (Some(_), false) => bail!("{} makes more than one component", self.name()),
            (None, _) => {
                bail!("{} makes no component: its Cargo.toml needs\n  [lib]\n  crate-type = [\"cdylib\"]", self.name())
            }
        }
    }

    /// Builds each `[[example]]` with `crate-type = ["cdylib"]`: names with their components, sorted by name.
    ///
    /// # Errors
    ///
    /// As [`Guest::build`].
    pub fn examples(&self) -> Result<Vec<(String, PathBuf)>> {
        let mut made = self.run("--examples", "example")?;
        made.sort();
        Ok(made)
    }

    fn name(&self) -> String {
        self.package
            .as_ref()
            .map_or_else(|| self.directory.display().to_string(), |name| format!("the package `{name}`"))
    }

    fn run(&self, what: &str, kind: &str) -> Result<Vec<(String, PathBuf)>> {
        let directory =
            fs::canonicalize(&self.directory).with_context(|| format!("no directory {}", self.directory.display()))?;
        if !directory.join("Cargo.toml").is_file() {
            bail!("no Cargo.toml in {}", directory.display());
        }
        let compiler = Compiler::find()?;
        let inside = directory.starts_with(fs::canonicalize(checkout())?);
        // A target folder of its own: a nested cargo would wait for ever for the one that runs it.
        let target = if inside { checkout().join("target/guests") } else { directory.join("target/guests") };

        let mut cargo = command::clean(compiler::beside_cargo("cargo"));
        cargo
            .current_dir(&directory)
            .env("RUSTC", &compiler.rustc)
            .env("CARGO_TARGET_DIR", &target)
            .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", &compiler.linker)
            // Searching is much quicker with it, and every engine of the last years has it.
            .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", "-Ctarget-feature=+simd128")
            .args([
                "build",
                what,
                "--target",
                TARGET,
                "--profile",
                "guest",
                "--message-format=json-render-diagnostics",
            ]);
        if let Some(package) = &self.package {
            cargo.args(["--package", package]);
        }
        if !inside {
            let sdk = checkout().join("sdk/rust");
            let sdk = sdk.to_str().context("the checkout's path is not UTF-8")?;
            // JSON and TOML write such a string alike.
            cargo.arg("--config").arg(format!("patch.crates-io.wardkeep-sdk.path={}", Value::from(sdk)));
            cargo.args(PROFILE.iter().flat_map(|setting| ["--config", setting]));
        }

        let mut running =
            cargo.stdout(Stdio::piped()).spawn().with_context(|| format!("cannot run {}", command::shown(&cargo)))?;
        let output = running.stdout.take().context("cargo has no output")?;
        let mut made = Vec::new();
        for line in BufReader::new(output).lines() {
            made.extend(artifact(&line?, kind));
        }
        if !running.wait()?.success() {
            bail!("{} does not build; see above", self.name());
        }
        made.iter().try_for_each(|(_, component)| check(component).and_then(|()| watch(component)))?;
        Ok(made)
    }
}

/// The `.wasm` that one line of cargo's JSON tells of.
fn artifact(line: &str, kind: &str) -> Option<(String, PathBuf)> {
    let message: Value = serde_json::from_str(line).ok()?;
    let target = message.get("target")?;
    let has = |key: &str, wanted: &str| target.get(key)?.as_array()?.iter().any(|one| one == wanted).then_some(());
    if message.get("reason")? != "compiler-artifact" {
        return None;
    }
    has("crate_types", "cdylib")?;
    // A library's kinds are its crate types; an example's is always `example`.
    if has("kind", "example").is_some() != (kind == "example") {
        return None;
    }
    let files = message.get("filenames")?.as_array()?;
    let wasm = files.iter().filter_map(Value::as_str).find(|file| file.ends_with(".wasm"))?;
    Some((target.get("name")?.as_str()?.to_owned(), wasm.into()))
}

fn check(component: &Path) -> Result<()> {
    let bytes = fs::read(component).with_context(|| format!("cannot read {}", component.display()))?;
    if !bytes.starts_with(&COMPONENT) {
        bail!("{} is no component", component.display());
    }
    if !bytes.windows(b"wardkeep:tool/handler".len()).any(|window| window == b"wardkeep:tool/handler") {
        bail!("{} exports no tools: `wardkeep_sdk::export!(…)` is missing", component.display());
    }
    Ok(())
}

/// Tells cargo, if a build script asks, which files the component is made from: cargo has written them beside it.
fn watch(component: &Path) -> Result<()> {
    // set for build scripts, and not for tests, which have an `OUT_DIR` too
    if env::var_os("NUM_JOBS").is_none() {
        return Ok(());
    }
    let list = fs::read_to_string(component.with_extension("d")).unwrap_or_default();
    let mut output = std::io::stdout().lock();
    for source in sources(&list) {
        writeln!(output, "cargo:rerun-if-changed={source}")?;
    }
    for file in ["Cargo.toml", "Cargo.lock", "sdk/rust/Cargo.toml"] {
        writeln!(output, "cargo:rerun-if-changed={}", checkout().join(file).display())?;
    }
    Ok(())
}

/// The right side of a Makefile's rule, where a space in a name is escaped.
fn sources(rule: &str) -> Vec<String> {
    let right = rule.split_once(": ").map_or("", |(_, right)| right);
    let joined = right.trim().replace("\\ ", "\0");
    joined.split_whitespace().map(|name| name.replace('\0', " ")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sources_of_a_component_are_read_with_their_spaces() {
        assert_eq!(sources("/t/a.wasm: /w/a\\ b/lib.rs /w/c.rs\n"), ["/w/a b/lib.rs", "/w/c.rs"]);
        assert_eq!(sources(""), Vec::<String>::new());
    }

    #[test]
    fn an_example_is_told_from_a_library() {
        let line = |kind: &str| {
            format!(
                r#"{{"reason":"compiler-artifact","target":{{"name":"x","kind":["{kind}"],"crate_types":["cdylib"]}},"filenames":["/t/x.wasm"]}}"#
            )
        };
        let made = Some(("x".to_owned(), PathBuf::from("/t/x.wasm")));
        assert_eq!(artifact(&line("cdylib"), "lib"), made);
        assert_eq!(artifact(&line("example"), "example"), made);
        assert_eq!(artifact(&line("example"), "lib"), None);
        assert_eq!(artifact(&line("cdylib"), "example"), None);
    }

    #[test]
    fn a_module_that_is_no_component_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let module = folder.path().join("m.wasm");
        fs::write(&module, b"\0asm\x01\0\0\0").unwrap();
        let error = check(&module).unwrap_err().to_string();
        assert!(error.ends_with("m.wasm is no component"), "{error}");
    }
}
