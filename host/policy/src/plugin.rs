//! An approved plugin and its tools, with everything parsed that a call would otherwise parse again.

use std::sync::Arc;

use semver::Version;
use serde_json::{Map, Value};
use wardkeep_model::{Definition, Description, Digest, Effect, Limits, PluginName, Principal, PublishedName, ToolName};

use crate::{
    approval::HostTerms,
    document::Fault,
    grants::Grants,
    key::PublicKey,
    manifest::{Allowed, Confirm, Manifest, Only, Rates, Returns, Stage, ToolTerms},
    pointer::Pointer,
    schema::{Arguments, Mismatch, Schema},
};

/// An approved plugin whose component is the approved one.
#[derive(Debug)]
pub struct PluginTerms {
    pub(crate) manifest: Arc<Manifest>,
    pub(crate) signers: Vec<PublicKey>,
    pub(crate) tools: Vec<Arc<Tool>>,
    pub(crate) grants: Grants,
    pub(crate) notices: Vec<Fault>,
    pub(crate) description: Description,
}

impl PluginTerms {
    /// Its name.
    #[must_use]
    pub fn plugin(&self) -> &PluginName {
        self.manifest.name()
    }

    /// What was approved.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The component that was approved.
    #[must_use]
    pub fn component(&self) -> Digest {
        self.manifest.component().sha256
    }

    /// Its tools in the order of their published names.
    pub fn tools(&self) -> impl Iterator<Item = &Arc<Tool>> {
        self.tools.iter()
    }

    /// What its tools use taken together: what its linker holds. A call sees its own tool's grants only.
    #[must_use]
    pub const fn grants(&self) -> &Grants {
        &self.grants
    }

    /// What its component says of itself: the story that the manifest pins.
    #[must_use]
    pub const fn description(&self) -> &Description {
        &self.description
    }

    /// What is no fault, but what the people in charge should know.
    #[must_use]
    pub fn notices(&self) -> &[Fault] {
        &self.notices
    }
}

/// One tool of an approved plugin.
#[derive(Debug)]
pub struct Tool {
    manifest: Arc<Manifest>,
    definition: Definition,
    name: ToolName,
    published: PublishedName,
    effect: Effect,
    stage: Stage,
    pilot_groups: Vec<String>,
    rate: Rates,
    allow: Vec<(Allowed, String)>,
    limits: Limits,
    asks: bool,
    confirm: Confirm,
    side_effects: Option<String>,
    resources: Vec<Pointer>,
    only: Vec<Only>,
    returns: Returns,
    grants: Grants,
    version: String,
    input: Arc<Schema>,
    output: Option<Arc<Schema>>,
}

impl Tool {
    pub(crate) fn new(
        manifest: &Arc<Manifest>,
        terms: &ToolTerms,
        definition: Definition,
        input: Arc<Schema>,
        output: Option<Arc<Schema>>,
        host: &HostTerms,
    ) -> Self {
        Self {
            manifest: manifest.clone(),
            definition,
            name: terms.name.clone(),
            published: terms.published.clone(),
            effect: terms.effect,
            stage: terms.stage,
            pilot_groups: terms.pilot_groups.clone(),
            rate: terms.rate,
            allow: terms.allow.iter().map(|entry| (entry.clone(), format!("allow:{entry}"))).collect(),
            limits: wanted(manifest, terms).capped(&host.ceilings),
            asks: terms.asks,
            confirm: terms.confirm,
            side_effects: terms.side_effects.clone(),
            resources: terms.resources.clone(),
            only: terms.only.clone(),
            returns: terms.returns.clone(),
            grants: Grants::of(manifest, terms),
            version: manifest.version().to_string(),
            input,
            output,
        }
    }

    /// Its name for clients.
    #[must_use]
    pub const fn published(&self) -> &PublishedName {
        &self.published
    }

    /// Its name inside the plugin.
    #[must_use]
    pub const fn name(&self) -> &ToolName {
        &self.name
    }

    /// The plugin that it belongs to.
    #[must_use]
    pub fn plugin(&self) -> &PluginName {
        self.manifest.name()
    }

    /// The plugin's version.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The plugin's version, as semver reads it.
    #[must_use]
    pub fn semver(&self) -> &Version {
        self.manifest.version()
    }

    /// Of the manifest's raw bytes.
    #[must_use]
    pub fn manifest_digest(&self) -> Digest {
        self.manifest.digest()
    }

    /// The manifest's serial.
    #[must_use]
    pub fn manifest_serial(&self) -> u64 {
        self.manifest.serial()
    }

    /// Of the plugin's contract.
    #[must_use]
    pub fn contract_digest(&self) -> Digest {
        self.manifest.component().contract_sha256
    }

    /// What the component says of it; the effect there may be milder than the signed one.
    #[must_use]
    pub const fn definition(&self) -> &Definition {
        &self.definition
    }

    /// Its signed class.
    #[must_use]
    pub const fn effect(&self) -> Effect {
        self.effect
    }

    /// Whether a second call with the same arguments changes nothing more.
    #[must_use]
    pub const fn idempotent(&self) -> bool {
        self.definition.idempotent
    }

    /// What a call may use: what the manifest asks, under the host's ceilings.
    #[must_use]
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Whether its plugin may put questions of its own to the person who calls.
    #[must_use]
    pub const fn asks(&self) -> bool {
        self.asks
    }

    /// Who has to say yes before it runs.
    #[must_use]
    pub const fn confirm(&self) -> Confirm {
        self.confirm
    }

    /// How often it may be called.
    #[must_use]
    pub const fn rate(&self) -> &Rates {
        &self.rate
    }

    /// What it does to the world, in the words of the manifest; nothing is said of a tool that only reads.
    #[must_use]
    pub fn side_effects(&self) -> &str {
        self.side_effects.as_deref().unwrap_or_default()
    }

    /// What of its answers leaves the host.
    #[must_use]
    pub const fn returns(&self) -> &Returns {
        &self.returns
    }

    /// The schema of its arguments.
    #[must_use]
    pub fn input_schema(&self) -> &Arc<Map<String, Value>> {
        self.input.value()
    }

    /// The schema of its structured results.
    #[must_use]
    pub fn output_schema(&self) -> Option<&Arc<Map<String, Value>>> {
        self.output.as_ref().map(|schema| schema.value())
    }

    /// The same, compiled.
    #[must_use]
    pub fn output(&self) -> Option<&Schema> {
        self.output.as_deref()
    }

    /// What [`check`](Self::check) may cost for these arguments, in the units of [`Schema::effort`].
    #[must_use]
    pub fn effort(&self, arguments: &Map<String, Value>) -> u64 {
        self.input.effort_of(arguments)
    }

    /// Checks arguments against the tool's schema.
    ///
    /// # Errors
    /// The first place where they do not fit.
    pub fn check(&self, arguments: Map<String, Value>) -> Result<Arguments, Mismatch> {
        Arguments::checked(&self.input, arguments)
    }

    pub(crate) const fn input(&self) -> &Arc<Schema> {
        &self.input
    }

    /// Where its arguments name what it touches.
    pub(crate) fn resources(&self) -> &[Pointer] {
        &self.resources
    }

    /// What its arguments may name.
    pub(crate) fn only(&self) -> &[Only] {
        &self.only
    }

    pub(crate) const fn stage(&self) -> Stage {
        self.stage
    }

    /// Whether the principal is in one of its pilot groups.
    pub(crate) fn pilots(&self, principal: &Principal) -> bool {
        principal.groups.iter().any(|group| self.pilot_groups.contains(group))
    }

    pub(crate) const fn grants(&self) -> &Grants {
        &self.grants
    }

    pub(crate) fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The entries of `allow`, each with its words in records.
    pub(crate) fn allow(&self) -> &[(Allowed, String)] {
        &self.allow
    }
}

/// What the manifest asks for a tool, before any ceiling.
pub(crate) fn wanted(manifest: &Manifest, terms: &ToolTerms) -> Limits {
    Limits::DEFAULT.with(manifest.limits()).with(&terms.limits)
}
