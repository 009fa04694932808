//! The SDK's bindings, written beforehand: it spares every plugin the generator, which takes minutes to build.

use std::{fs, path::PathBuf};

use anyhow::{Context, Result};
use wit_bindgen_core::{Files, WorldGenerator, wit_parser::Resolve};

use crate::checkout;

/// Where they are kept.
#[must_use]
pub fn place() -> PathBuf {
    checkout().join("sdk/rust/src/bindings.rs")
}

/// What `wit/` gives today.
///
/// # Errors
///
/// WIT that does not parse.
pub fn generate() -> Result<String> {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_path(checkout().join("wit"))?;
    let world = resolve.select_world(&[package], Some("plugin"))?;
    let options = wit_bindgen_rust::Opts {
        format: true,
        generate_all: true,
        pub_export_macro: true,
        export_macro_name: Some("export_handler".into()),
        default_bindings_module: Some("wardkeep_sdk::bindings".into()),
        additional_derive_attributes: vec!["PartialEq".into()],
        ..Default::default()
    };
    let mut files = Files::default();
    options.build().generate(&mut resolve, world, &mut files)?;
    let (_, contents) = files.iter().next().context("the generator wrote no file")?;
    Ok(String::from_utf8(contents.to_vec())?)
}

/// Writes them.
///
/// # Errors
///
/// As [`generate`], or the file cannot be written.
pub fn write() -> Result<()> {
    Ok(fs::write(place(), generate()?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_bindings_are_what_the_wit_gives() {
        let committed = fs::read_to_string(place()).unwrap();
        assert!(committed == generate().unwrap(), "run `cargo run -p wardkeep-build --features bindings -- bindings`");
    }
}
