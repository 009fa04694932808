//! `wardkeep:secrets`: credentials that a guest uses and never reads.
//!
//! A guest gets a handle. What stands behind it is read from the operator's [`source`] when it is opened, may be exchanged for a short-lived
//! [`token`], and is put into a request after the guest has let go of it. The [`guard`] looks for values in what comes back and in what leaves.
//! Nothing in here shows a value: none of these types has a `Debug` or a `Serialize` that could.

mod exchange;
mod guard;
mod handle;
mod plugin;
mod source;
mod token;
mod value;

pub(crate) use guard::GuardStream;
pub use guard::{Guard, Unguardable};
pub use handle::Held;
pub(crate) use handle::{Injection, SecretsCall};
pub(crate) use plugin::PluginSecrets;
pub use source::{LONGEST, Reading, SecretSources, SourceError};
pub(crate) use source::{NoSources, SHORTEST};
pub use value::examine;
