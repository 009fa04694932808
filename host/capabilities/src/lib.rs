//! Everything that does, each no more than its grant says: the host functions that a guest can be linked to.
//!
//! A capability has the same parts in the same order: what its grant is, what a call holds of it, the host functions, how it
//! is linked. Host functions see the grants of the one tool that is running and nothing else of its plugin. What they
//! answer is one of two kinds, kept apart by type: a WIT error tells the guest, an [`EndCall`] ends the call.
//!
//! Nothing here comes from `wasmtime-wasi`: what components of other languages import from WASI is answered by [`wasi`]'s own
//! inert functions, so that no implementation with files or sockets is ever in reach.

mod bindings;
mod end;
mod files;
mod http;
mod interface;
mod link;
mod log;
mod notes;
mod outside;
mod pool;
mod progress;
mod reactor;
mod roots;
mod secrets;
mod state;
mod token;
mod wasi;

pub use end::EndCall;
pub use http::{InvalidPage, NetworkError, Page, Unfetched};
pub use interface::{Interface, Served, Wasi};
pub use link::{link, link_for_description};
pub use log::{LogContext, escaped as shown};
pub use outside::{Outside, OutsideError, OutsideOptions, Reach};
pub use pool::FilePool;
pub use progress::{Reporter, Reports};
pub use reactor::wait_here;
pub use roots::{Roots, RootsError};
pub use secrets::{
    Guard, Held, LONGEST as LONGEST_SECRET, Reading, SecretSources, SourceError, Unguardable, examine as examine_secret,
};
pub use state::{CallState, Environment, Used};
pub use token::{CallToken, Stop};
