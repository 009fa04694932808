//! Builds the components that `wardkeep demo` runs, and puts them where the binary embeds them. The builder tells cargo itself what a
//! component was made from.

use std::{env, fs, path::PathBuf};

use anyhow::Context as _;
use wardkeep_build::Guest;

/// Packages, and the names of their components.
const GUESTS: [(&str, &str); 2] = [("wardkeep-files", "files.wasm"), ("wardkeep-demo-guest", "spinner.wasm")];

fn main() -> anyhow::Result<()> {
    let out = PathBuf::from(env::var_os("OUT_DIR").context("cargo sets OUT_DIR")?);
    for (package, component) in GUESTS {
        let built = Guest::package(package).build()?;
        fs::copy(&built, out.join(component)).with_context(|| format!("cannot copy {}", built.display()))?;
    }
    Ok(())
}
