//! One plugin, one store, one call: everything that runs a guest.
//!
//! The way of a component: [`Engine::inspect`] has it checked, compiled and asked to describe itself with nothing granted, in a
//! child process and once, for the result is kept in a [`CodeCache`];
//! [`Engine::load`] links it with what its approved manifest grants and nothing else; a [`Fleet`] of such plugins runs calls.
//! A call enters with a `Permit`, a [`Ticket`] and a `Recorded`, each made only by the step that grants it, and gets a store
//! of its own that ends with it.
//!
//! Two things bound a guest: fuel, the same number for the same call every time, and the call's token, which an epoch
//! callback looks at while the guest runs and which host functions race while it waits. A future of a running guest is never
//! dropped: what has to end is told so.

mod admission;
mod bindings;
mod cache;
mod code;
mod compile;
mod convert;
mod ended;
mod engine;
mod fleet;
mod inspect;
mod instance;
mod lanes;
mod limiter;
mod memory;
mod plugin;
mod room;
mod validate;
mod versions;

pub use admission::{NotAdmitted, Ticket};
pub use cache::{CacheNote, CodeCache};
pub use compile::{ChildError, Children, Compiling, compile_child};
pub use ended::Stopped;
pub use engine::{Engine, EngineError, EngineOptions};
pub use fleet::{Fleet, Leg, Ran, Remains};
pub use inspect::{Broken, InspectError, Inspected, Inspection};
pub use memory::keep_together;
pub use plugin::{LoadError, Plugin};
pub use versions::{WASMTIME, WIT_PACKAGES};
pub use wardkeep_capabilities::{
    CallToken, Guard, InvalidPage, LONGEST_SECRET, NetworkError, Outside, OutsideError, OutsideOptions, Page, Reading,
    Reporter, Reports, Roots, RootsError, SecretSources, SourceError, Stop, Unfetched, Unguardable, examine_secret,
};

#[cfg(test)]
mod tests;
