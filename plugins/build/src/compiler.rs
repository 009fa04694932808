//! Which compiler builds the guests.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};

use crate::{TARGET, command, debian};

/// A rustc that has the target, and the linker that makes components.
#[derive(Debug, Clone)]
pub struct Compiler {
    /// The compiler.
    pub rustc: PathBuf,
    /// `wasm-component-ld`.
    pub linker: PathBuf,
}

const HOW: &str = "\
no compiler here can build guests for wasm32-unknown-unknown. Either
  - add the target to this toolchain: `rustup target add wasm32-unknown-unknown`, or
  - on Debian 12 with its security archive, run `apt-get update` as root and build again: `rustc-web` is then fetched into the cache folder \
(not installed) and its std built there once";

impl Compiler {
    /// Finds it, or makes it where Debian's packages are to be had.
    ///
    /// # Errors
    ///
    /// One that names the two ways to get a compiler, with why each of them does not go.
    pub fn find() -> Result<Self> {
        let own = match Self::of_the_toolchain() {
            Ok(compiler) => return Ok(compiler),
            Err(error) => error,
        };
        Self::of_debian().map_err(|debian| anyhow::anyhow!("{HOW}\n\nThe toolchain: {own:#}\nDebian: {debian:#}"))
    }

    fn of_the_toolchain() -> Result<Self> {
        let rustc = beside_cargo("rustc");
        let ask = |what: &[&str]| command::output(command::clean(&rustc).args(what)).map(|text| text.trim().to_owned());
        let libraries = ask(&["--print", "target-libdir", "--target", TARGET])?;
        if !has_std(Path::new(&libraries)) {
            bail!("{} has no std for {TARGET}", rustc.display());
        }
        let sysroot = ask(&["--print", "sysroot"])?;
        let linker = linker(Path::new(&sysroot), &host(&rustc)?).or_else(|| on_path("wasm-component-ld")).context(
            "the target is there and `wasm-component-ld` is not: it comes with the toolchains of rustup; else `cargo install wasm-component-ld`",
        )?;
        Ok(Self { rustc, linker })
    }

    fn of_debian() -> Result<Self> {
        let host = host(&beside_cargo("rustc"))?;
        let prefix = debian::prefix(&host)?;
        let rustc = debian::rustc(&prefix);
        let linker =
            linker(&prefix.join("root/usr"), &host).context("`wasm-component-ld` is not in Debian's packages")?;
        Ok(Self { rustc, linker })
    }
}

/// The host triple of a compiler.
fn host(rustc: &Path) -> Result<String> {
    let version = command::output(command::clean(rustc).arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc tells no host")?.to_owned())
}

/// A directory may be named and not be there, or hold leftovers. Official builds put a hash behind the names.
pub(crate) fn has_std(libraries: &Path) -> bool {
    let names = fs::read_dir(libraries).into_iter().flatten().flatten().map(|entry| entry.file_name());
    let names: Vec<_> = names.filter_map(|name| name.into_string().ok()).collect();
    let holds = |library: &str| {
        let rest = |name: &String| name.strip_prefix(library)?.strip_suffix(".rlib").map(str::to_owned);
        names.iter().filter_map(rest).any(|rest| rest.is_empty() || rest.starts_with('-'))
    };
    holds("libcore") && holds("libstd")
}

fn linker(sysroot: &Path, host: &str) -> Option<PathBuf> {
    let bin = sysroot.join("lib/rustlib").join(host).join("bin");
    let places = [bin.join("wasm-component-ld"), bin.join("self-contained/wasm-component-ld")];
    places.into_iter().find(|place| place.is_file())
}

/// The program of the toolchain whose cargo runs this, else the one on the path.
pub(crate) fn beside_cargo(program: &str) -> PathBuf {
    let cargo = env::var_os("CARGO").map(PathBuf::from);
    let beside = cargo.and_then(|cargo| Some(cargo.parent()?.join(program)));
    beside.filter(|path| path.is_file()).unwrap_or_else(|| program.into())
}

fn on_path(program: &str) -> Option<PathBuf> {
    let folders = env::var_os("PATH")?;
    env::split_paths(&folders).map(|folder| folder.join(program)).find(|path| path.is_file())
}
