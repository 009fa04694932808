//! The manifest: what an administrator signs. Its raw bytes are digested and parsed once, strictly, into plain values; every key of
//! the format is read here and documented in `docs/manifest.md`.
//!
//! A key that would bound nothing where it stands is refused: a word in a policy that nobody enforces is worse than none.

mod allow;
mod clash;
mod component;
mod grant;
mod http;
mod limits;
mod path;
mod rate;
mod read;
mod secret;
mod sketch;
mod terms;
mod tool;

use std::{collections::BTreeMap, sync::Arc};

use jiff::{Timestamp, civil::Date};
use semver::Version;
use wardkeep_model::{Digest, Effect, LimitsPatch, PluginName, SecretName, ToolName};

pub use allow::{Allowed, InvalidAllowed};
pub use component::{Component, Wasi};
pub use grant::{Access, FilesGrant, Grant, GrantKey, GrantKind};
pub use http::{HostPattern, HttpGrant, HttpRule, InvalidHost};
pub use limits::limits_patch;
pub use path::{CanonicalPath, InvalidPath, Path, PathPattern};
pub use rate::{InvalidRate, Rate, Rates};
pub use secret::{Credential, Endpoint, Inject, SecretTerms, SourceKey, SourceKind};
pub(crate) use sketch::Sketch;
pub use terms::{Confirm, Keep, Only, Pattern, Returns};
pub use tool::{Stage, ToolTerms};

use crate::{
    day,
    document::{Fault, Faults, Lines},
};
use secret::Secrets;

/// The days that a manifest may last from today.
pub const LONGEST_DAYS: i32 = 400;

/// A manifest whose words are all understood. Whether it is approved is another question: see `approve`.
#[derive(Debug, Clone)]
pub struct Manifest {
    pub(crate) file: String,
    pub(crate) digest: Digest,
    pub(crate) lines: Lines,
    pub(crate) plugin: Plugin,
    pub(crate) component: Component,
    pub(crate) limits: LimitsPatch,
    pub(crate) grants: BTreeMap<GrantKey, Grant>,
    pub(crate) secrets: BTreeMap<SecretName, Arc<SecretTerms>>,
    pub(crate) tools: BTreeMap<ToolName, ToolTerms>,
}

/// The table `[plugin]`.
#[derive(Debug, Clone)]
pub(crate) struct Plugin {
    pub(crate) name: PluginName,
    pub(crate) version: Version,
    pub(crate) serial: u64,
    pub(crate) expires: Date,
    pub(crate) owner: String,
    pub(crate) purpose: Option<String>,
    pub(crate) out_of_scope: Vec<String>,
    pub(crate) deployment: Option<String>,
}

impl Manifest {
    /// The `format` that this host reads.
    pub const FORMAT: u64 = 1;

    /// Reads a manifest. `file` is how faults name it.
    ///
    /// # Errors
    /// All its faults.
    pub fn parse(file: &str, bytes: &[u8]) -> Result<Self, Faults> {
        match Self::parse_further(file, bytes) {
            (_, Some(manifest), faults) if faults.is_empty() => Ok(manifest),
            (_, _, faults) => Err(faults),
        }
    }

    /// The digest of its raw bytes.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// How faults name the document.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The plugin's name, and its directory's.
    #[must_use]
    pub const fn name(&self) -> &PluginName {
        &self.plugin.name
    }

    /// The version of the contract.
    #[must_use]
    pub const fn version(&self) -> &Version {
        &self.plugin.version
    }

    /// Only goes up.
    #[must_use]
    pub const fn serial(&self) -> u64 {
        self.plugin.serial
    }

    /// The last day.
    #[must_use]
    pub const fn expires(&self) -> Date {
        self.plugin.expires
    }

    /// The first instant at which it holds no more.
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        day::end(self.plugin.expires)
    }

    /// Who answers for it.
    #[must_use]
    pub fn owner(&self) -> &str {
        &self.plugin.owner
    }

    /// What it is for.
    #[must_use]
    pub fn purpose(&self) -> Option<&str> {
        self.plugin.purpose.as_deref()
    }

    /// What it is not for.
    #[must_use]
    pub fn out_of_scope(&self) -> &[String] {
        &self.plugin.out_of_scope
    }

    /// The one deployment that it is meant for.
    #[must_use]
    pub fn deployment(&self) -> Option<&str> {
        self.plugin.deployment.as_deref()
    }

    /// The component that it approves.
    #[must_use]
    pub const fn component(&self) -> &Component {
        &self.component
    }

    /// What it asks for as limits of each call.
    #[must_use]
    pub const fn limits(&self) -> &LimitsPatch {
        &self.limits
    }

    /// Its grants by their names.
    #[must_use]
    pub const fn grants(&self) -> &BTreeMap<GrantKey, Grant> {
        &self.grants
    }

    /// Its secrets by their names.
    #[must_use]
    pub const fn secrets(&self) -> &BTreeMap<SecretName, Arc<SecretTerms>> {
        &self.secrets
    }

    /// The tools that it lists, by name.
    #[must_use]
    pub const fn tools(&self) -> &BTreeMap<ToolName, ToolTerms> {
        &self.tools
    }

    /// The gravest thing that it allows: its signatures must reach that effect's threshold. A signed exception for a reading tool
    /// counts as a write.
    #[must_use]
    pub fn gravest(&self) -> Effect {
        sketch::gravest(&self.grants, sketch::gravest_tool(self.tools.values()))
    }

    /// A fault at one of its keys.
    pub fn fault(&self, key: &str, message: impl Into<String>) -> Fault {
        Fault::of(&self.file, message).at(self.lines.of_key(key), key)
    }
}
