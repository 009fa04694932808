//! Builds the components that `wardkeep demo` runs, and puts them where the binary embeds them.

use std::{env, fs, path::PathBuf};

use anyhow::Context as _;
use wardkeep_build::Guest;

/// Package, the name of its component, and the folder whose change makes another.
const GUESTS: [(&str, &str, &str); 2] =
    [("wardkeep-files", "files.wasm", "plugins/files"), ("wardkeep-demo-guest", "spinner.wasm", "host/server/guest")];

fn main() -> anyhow::Result<()> {
    let out = PathBuf::from(env::var_os("OUT_DIR").context("cargo sets OUT_DIR")?);
    let checkout = wardkeep_build::checkout();
    for (package, component, folder) in GUESTS {
        let built = Guest::package(package).build()?;
        fs::copy(&built, out.join(component)).with_context(|| format!("cannot copy {}", built.display()))?;
        println!("cargo::rerun-if-changed={}", checkout.join(folder).display());
    }
    for folder in ["sdk/rust", "wit", "plugins/build/src", "Cargo.lock"] {
        println!("cargo::rerun-if-changed={}", checkout.join(folder).display());
    }
    Ok(())
}
