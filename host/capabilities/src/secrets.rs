//! `wardkeep:secrets`: credentials that a guest uses and never reads.

use std::sync::Arc;

use http::{HeaderName, HeaderValue};
use secrecy::SecretString;
use wardkeep_model::{PluginName, SecretName};
use wardkeep_policy::manifest::SourceKey;

/// Where values of secrets are read.
pub trait SecretSources: Send + Sync + std::fmt::Debug {
    /// The value as it is now. Blocks; cheap where nothing has changed.
    ///
    /// # Errors
    ///
    /// There is no value.
    fn read(&self, key: &SourceKey) -> Result<Reading, SourceError>;
}

/// A value as it was read.
#[derive(Debug)]
pub struct Reading {
    /// The value.
    pub value: SecretString,
}

/// No value.
#[derive(Debug, thiserror::Error)]
#[error("no such source")]
pub struct SourceError;

/// A host without sources.
#[derive(Debug)]
pub(crate) struct NoSources;

impl SecretSources for NoSources {
    fn read(&self, _: &SourceKey) -> Result<Reading, SourceError> {
        Err(SourceError)
    }
}

/// What one plugin has of the sources.
#[derive(Debug)]
pub(crate) struct PluginSecrets {}

impl PluginSecrets {
    pub(crate) fn new(_: &PluginName, _: &Arc<dyn SecretSources>) -> Self {
        Self {}
    }

    /// None at all.
    pub(crate) fn none() -> Self {
        Self {}
    }
}

/// What the resource `secret` stands for.
#[derive(Debug)]
pub struct Held {
    name: SecretName,
}

/// What the host puts into a request.
#[derive(Debug)]
pub(crate) enum Injection {
    /// A header.
    Header(HeaderName, HeaderValue),
    /// A query parameter.
    Query(String, SecretString),
}

impl Held {
    pub(crate) fn name(&self) -> &SecretName {
        &self.name
    }

    /// What goes into a request.
    pub(crate) fn injection(&self) -> Injection {
        Injection::Header(http::header::AUTHORIZATION, HeaderValue::from_static(""))
    }
}

/// Finds the values of one plugin's secrets.
#[derive(Debug)]
pub struct Guard {}

impl Guard {
    /// Which secret's value stands there.
    #[must_use]
    pub fn finds(&self, _: &[u8]) -> Option<&SecretName> {
        None
    }

    /// For bytes that come in pieces.
    pub(crate) fn stream(self: &Arc<Self>) -> GuardStream {
        GuardStream {}
    }
}

/// Replaces values by `[secret]`, across the borders of pieces too.
#[derive(Debug)]
pub(crate) struct GuardStream {}

impl GuardStream {
    /// What of it may go on.
    pub(crate) fn push(&mut self, chunk: &[u8]) -> Vec<u8> {
        chunk.to_vec()
    }

    /// The rest.
    pub(crate) fn finish(&mut self) -> Vec<u8> {
        Vec::new()
    }
}

impl crate::bindings::handle::Host for crate::CallState {}

impl crate::bindings::handle::HostSecret for crate::CallState {
    async fn name(&mut self, secret: wasmtime::component::Resource<Held>) -> wasmtime::Result<String> {
        Ok(self.table.get(&secret)?.name.to_string())
    }

    async fn drop(&mut self, secret: wasmtime::component::Resource<Held>) -> wasmtime::Result<()> {
        self.table.delete(secret)?;
        Ok(())
    }
}

impl crate::bindings::store::Host for crate::CallState {
    async fn open(
        &mut self,
        _: String,
    ) -> wasmtime::Result<Result<wasmtime::component::Resource<Held>, crate::bindings::store::Error>> {
        Ok(Err(crate::bindings::store::Error::Denied))
    }
}
