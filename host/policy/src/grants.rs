//! What one tool may do, or what a plugin's tools may do taken together.

use std::sync::Arc;

use serde_json::Value;

use crate::manifest::{Access, FilesGrant, Grant, HttpGrant, HttpRule, Manifest, SecretTerms, ToolTerms, Wasi};
use wardkeep_model::Effect;

/// Capabilities with their bounds. A host function that is handed these and nothing else can do no more.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Grants {
    /// Directories; each root once.
    pub files: Vec<FilesGrant>,
    /// Requests; in the order of the grants' names.
    pub http: Vec<Arc<HttpGrant>>,
    /// Credentials that those may carry.
    pub secrets: Vec<Arc<SecretTerms>>,
    /// The real time.
    pub clock: bool,
    /// Random numbers.
    pub random: bool,
    /// Stubs for the usual WASI imports.
    pub wasi_inert: bool,
}

impl Grants {
    /// What this tool uses.
    pub(crate) fn of(manifest: &Manifest, tool: &ToolTerms) -> Self {
        let mut grants = Self { wasi_inert: manifest.component().wasi == Wasi::Inert, ..Self::default() };
        for grant in tool.uses.iter().filter_map(|key| manifest.grants().get(key)) {
            match grant {
                Grant::Clock => grants.clock = true,
                Grant::Random => grants.random = true,
                // A reading tool reads, even through a grant that another tool writes through.
                Grant::Files(files) if tool.effect == Effect::Read => {
                    grants.add(FilesGrant { access: Access::Read, ..files.clone() });
                }
                Grant::Files(files) => grants.add(files.clone()),
                Grant::Http(http) => {
                    let secret = http.secret.as_ref().and_then(|name| manifest.secrets().get(name));
                    grants.add_http(http, secret);
                }
            }
        }
        grants
    }

    /// Both taken together.
    #[must_use]
    pub(crate) fn with(mut self, other: &Self) -> Self {
        other.files.iter().for_each(|files| self.add(files.clone()));
        other.http.iter().for_each(|http| self.add_http(http, None));
        other.secrets.iter().for_each(|secret| self.add_secret(secret));
        self.clock |= other.clock;
        self.random |= other.random;
        self.wasi_inert |= other.wasi_inert;
        self
    }

    fn add(&mut self, files: FilesGrant) {
        match self.files.iter_mut().find(|known| known.root == files.root) {
            Some(known) => known.access = known.access.max(files.access),
            None => self.files.push(files),
        }
    }

    fn add_http(&mut self, http: &Arc<HttpGrant>, secret: Option<&Arc<SecretTerms>>) {
        if !self.http.iter().any(|known| known.name == http.name) {
            self.http.push(http.clone());
        }
        secret.into_iter().for_each(|secret| self.add_secret(secret));
    }

    fn add_secret(&mut self, secret: &Arc<SecretTerms>) {
        if !self.secrets.iter().any(|known| known.name == secret.name) {
            self.secrets.push(secret.clone());
        }
    }

    /// Its requests for one call: paths filled from the checked arguments. A path that they cannot fill is left out, and a grant without a path
    /// lets nothing through.
    #[must_use]
    pub fn requests(&self, effect: Effect, arguments: &Value) -> Vec<HttpRule> {
        let reading = effect == Effect::Read;
        let rule = |grant: &Arc<HttpGrant>| HttpRule {
            grant: grant.clone(),
            reading,
            paths: grant.paths.iter().filter_map(|path| path.filled(arguments)).collect(),
        };
        self.http.iter().map(rule).collect()
    }

    /// Whether any directory is granted with this access or more.
    #[must_use]
    pub fn any_files(&self, access: Access) -> bool {
        self.files.iter().any(|files| files.access >= access)
    }
}
