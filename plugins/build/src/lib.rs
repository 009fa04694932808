//! Builds components from Rust guests with whatever compiler this machine can have.
//!
//! A guest is built for `wasm32-unknown-unknown` and linked by `wasm-component-ld`: the component then imports what its code calls and nothing
//! else. The compiler is
//!
//! 1. the toolchain's own, if it has the target (`rustup target add wasm32-unknown-unknown`);
//! 2. else Debian's `rustc-web`, unpacked into the user's cache folder, with its std built there once: about two minutes the first time,
//!    nothing after that. Neither rustup nor the installed packages are touched;
//! 3. else there is one error that names both ways.
//!
//! From a build script or a test:
//!
//! ```no_run
//! let component = wardkeep_build::Guest::package("wardkeep-files").build()?;
//! # anyhow::Ok(())
//! ```
//!
//! By hand: `cargo run -p wardkeep-build -- DIR -o OUT.wasm`, also for a crate outside of this repository.

mod cache;
mod command;
mod compiler;
mod debian;
mod guest;
#[cfg(test)]
mod released;

#[cfg(feature = "bindings")]
pub mod bindings;

pub use compiler::Compiler;
pub use guest::Guest;

use std::path::Path;

/// The target of all guests.
pub const TARGET: &str = "wasm32-unknown-unknown";

/// The checkout that this program was built from: its SDK and its WIT are the ones that guests get.
#[must_use]
pub fn checkout() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here)
}
