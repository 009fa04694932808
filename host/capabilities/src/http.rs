//! `wardkeep:http/client`: requests by the grants of the running tool.
//!
//! Three parts that do not know each other's work: [`policy`] decides and touches nothing, [`transport`] dials what was decided and nothing
//! else, and here the one is asked before the other, for every request.

mod target;
mod transport;

pub use self::transport::NetworkError;
pub(crate) use self::{
    target::{Target, TransportError},
    transport::{Network, Transport},
};

use std::sync::Arc;

use wardkeep_model::{Egress, Limits};
use wardkeep_policy::{HttpRule, SecretTerms};
use wasmtime::component::Resource;

use crate::{
    CallState,
    bindings::client::{Error, Host, HostBody, Request, Response},
};

/// What one call holds of this capability.
#[derive(Debug, Default)]
pub(crate) struct HttpCall {
    rules: Vec<HttpRule>,
    secrets: Vec<Arc<SecretTerms>>,
}

impl HttpCall {
    pub(crate) fn new(rules: &[HttpRule], secrets: &[Arc<SecretTerms>], _: &Limits) -> Self {
        Self { rules: rules.to_vec(), secrets: secrets.to_vec() }
    }

    pub(crate) fn egress(&mut self) -> Vec<Egress> {
        Vec::new()
    }
}

/// The body of a response.
#[derive(Debug)]
pub struct Body {}

impl Host for CallState {
    async fn send(&mut self, _: Request) -> wasmtime::Result<Result<Response, Error>> {
        Ok(Err(Error::Denied("not yet".into())))
    }
}

impl HostBody for CallState {
    async fn read(&mut self, _: Resource<Body>, _: u32) -> wasmtime::Result<Result<Vec<u8>, Error>> {
        Ok(Ok(Vec::new()))
    }

    async fn text(&mut self, _: Resource<Body>, _: u32) -> wasmtime::Result<Result<String, Error>> {
        Ok(Ok(String::new()))
    }

    async fn drop(&mut self, body: Resource<Body>) -> wasmtime::Result<()> {
        self.table.delete(body)?;
        Ok(())
    }
}
