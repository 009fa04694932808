//! The Rust SDK for Wardkeep plugins.
//!
//! A plugin is a WebAssembly component that a Wardkeep host serves as MCP tools. Here a tool is a function from typed arguments to a
//! typed answer; both JSON Schemas come from the types:
//!
//! ```
//! use schemars::JsonSchema;
//! use serde::{Deserialize, Serialize};
//! use wardkeep_sdk::{Plugin, Result, Tool};
//!
//! #[derive(Deserialize, JsonSchema)]
//! struct Summands {
//!     /// What is added up.
//!     numbers: Vec<i64>,
//! }
//!
//! #[derive(Serialize, JsonSchema)]
//! struct Sum {
//!     sum: i64,
//! }
//!
//! fn add(arguments: Summands) -> Result<Sum> {
//!     Ok(Sum { sum: arguments.numbers.iter().sum() })
//! }
//!
//! fn plugin() -> Plugin {
//!     Plugin::new("sums", env!("CARGO_PKG_VERSION")).tool(Tool::read("add", "Adds whole numbers", add))
//! }
//!
//! wardkeep_sdk::export!(plugin);
//! # assert!(plugin().describe().tools[0].output_schema.is_some());
//! ```
//!
//! # The crate
//!
//! `Cargo.toml` needs `crate-type = ["cdylib"]`, `wardkeep-sdk`, `schemars` 1 and `serde`. `wardkeep-build DIR` makes the component;
//! `cargo test` tests the same code natively.
//!
//! # What a plugin can do
//!
//! | module | for | needs |
//! | --- | --- | --- |
//! | [`files`] | directories that the administrator granted | `[grants.files.…]` |
//! | [`http`] | requests to hosts that the administrator granted | `[grants.http.…]` |
//! | [`secrets`] | credentials for them, used and never read | `secret = "…"` in that grant, `[secrets.…]` |
//! | [`log`] | lines for the operator; clients never see them | nothing |
//! | [`progress`] | how far a call is, for the client | nothing |
//! | [`clock`] | what time it is | `[grants.clock.…]` |
//! | [`random`] | random numbers | `[grants.random.…]` |
//! | [`questions`] | forms to the person who calls | `asks = true` |
//!
//! There is nothing else: no environment, no sockets, no process. Say with [`Tool::asks`] what a tool would like to have, so that
//! `wardkeep draft` can propose the grant. A component imports only what its code calls, and a host refuses to load one that imports more
//! than its manifest grants.
//!
//! Every call runs in a fresh instance. A `static` that one call changes is as it was for the next.
//!
//! # Answers and failures
//!
//! What a function returns becomes the structured result, with its schema as the tool's output schema, and as text beside it. Use [`Answer`]
//! to choose the text, to add media, or to name what was touched for the audit log. A `String` is plain text without a schema.
//!
//! A failure is one of the kinds of [`Failure`]; the client is told which. A panic ends the call: its message goes to the operator's log and
//! the client learns only that the plugin failed.
//!
//! # Tests
//!
//! Off WebAssembly the modules answer from [`fake`], so `cargo test` needs no host:
//!
//! ```
//! use wardkeep_sdk::{fake::Fakes, files};
//!
//! let _fakes = Fakes::new().file("docs", "guide/intro.md", "# Hello").install();
//! assert_eq!(files::read_text("docs", "guide/intro.md", 1 << 20).unwrap(), "# Hello");
//! ```

mod answer;
mod failure;
mod host;
mod plugin;
mod schema;
mod tool;

pub mod clock;
pub mod files;
pub mod http;
pub mod log;
pub mod progress;
pub mod questions;
pub mod random;
pub mod raw;
pub mod secrets;

#[cfg(not(target_arch = "wasm32"))]
pub mod fake;

/// What `wit/` gives, written beforehand by `wardkeep-build bindings`. Not for use by hand: see [`raw`].
#[allow(clippy::all, clippy::indexing_slicing, clippy::panic, clippy::undocumented_unsafe_blocks, clippy::unwrap_used)]
#[allow(missing_docs, unreachable_pub, unsafe_code, unused, reason = "generated")]
#[doc(hidden)]
#[rustfmt::skip]
pub mod bindings;

pub use answer::{Answer, IntoAnswer};
pub use host::enter;
pub use plugin::Plugin;
pub use raw::{Ask, Content, Effect, Failure};
pub use tool::{NoArguments, Tool};

/// What a tool's function returns.
pub type Result<T, E = Failure> = std::result::Result<T, E>;

/// Makes a component out of a function that returns a [`Plugin`]. Once in a crate, at the top level.
///
/// It expands to exports on WebAssembly only, so the crate builds, lints and tests natively too.
#[macro_export]
macro_rules! export {
    ($plugin:path) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            struct Exported;

            impl $crate::raw::Handler for Exported {
                fn describe() -> $crate::raw::Description {
                    $crate::enter(|| $plugin().describe())
                }

                fn call(request: $crate::raw::Request) -> $crate::Result<$crate::raw::Reply> {
                    $crate::enter(|| $plugin().call(request))
                }
            }

            $crate::export_raw!(Exported);
        };
        #[cfg(not(target_arch = "wasm32"))]
        const _: fn() -> $crate::Plugin = $plugin;
    };
}

/// Makes a component out of a type that implements [`raw::Handler`], for what [`Plugin`] does not reach.
#[macro_export]
macro_rules! export_raw {
    ($handler:ident) => {
        #[cfg(target_arch = "wasm32")]
        $crate::bindings::export_handler!($handler with_types_in $crate::bindings);
        #[cfg(not(target_arch = "wasm32"))]
        const _: fn() -> $crate::raw::Description = <$handler as $crate::raw::Handler>::describe;
    };
}
