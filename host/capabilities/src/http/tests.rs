//! The host functions against servers on this machine, TLS and all. Nothing between them and the guest is made up but the guest.

mod answers;
mod connections;
mod credentials;
mod decisions;
mod measure;
mod names;
mod server;

use std::{sync::Arc, time::Duration};

use serde_json::json;
use wardkeep_model::{CorrelationId, Limits, Method, Note, Scheme};
use wardkeep_policy::{Grants, HttpGrant, HttpRule};
use wasmtime::component::Resource;

pub(in crate::http) use self::server::{Certificates, Server, hello, tls};
use crate::{
    CallState, CallToken, Environment, FilePool, LogContext, Outside, OutsideOptions, Roots,
    bindings::client::{self, Error, Host as _, HostBody as _, Request, Response},
    http::Body,
};

/// What a test's calls may do and whom they trust.
struct World {
    outside: Outside,
    grants: Vec<HttpGrant>,
    limits: Limits,
    reading: bool,
}

fn grant(name: &str, host: &str, port: u16) -> HttpGrant {
    HttpGrant {
        name: name.parse().unwrap(),
        scheme: Scheme::Https,
        host: host.parse().unwrap(),
        port,
        methods: Method::ALL.to_vec(),
        paths: vec!["/".parse().unwrap()],
        secret: None,
        read_only: false,
        private: loopback(),
    }
}

fn loopback() -> Vec<ipnet::IpNet> {
    ["127.0.0.0/8", "::1/128"].map(|net| net.parse().unwrap()).into()
}

pub(super) fn options(certificates: &Certificates) -> OutsideOptions {
    OutsideOptions { authorities: vec![certificates.authority()], private: loopback(), ..OutsideOptions::default() }
}

impl World {
    fn new(certificates: &Certificates, grants: impl Into<Vec<HttpGrant>>) -> Self {
        Self::with(options(certificates), grants)
    }

    fn with(options: OutsideOptions, grants: impl Into<Vec<HttpGrant>>) -> Self {
        let outside = Outside::new(options).unwrap();
        Self { outside, grants: grants.into(), limits: Limits::DEFAULT, reading: false }
    }

    /// A call of the plugin `p`.
    fn call(&self) -> CallState {
        self.call_of("p", CallToken::new(Duration::from_secs(20)))
    }

    fn call_of(&self, plugin: &str, token: CallToken) -> CallState {
        let reach = self.outside.plugin(&plugin.parse().unwrap());
        let environment = Environment { roots: Roots::default(), pool: FilePool::new(1), reach };
        let context = LogContext {
            plugin: plugin.parse().unwrap(),
            tool: "t".parse().unwrap(),
            correlation: CorrelationId::from_bytes([1; 16]),
        };
        let rule = |grant: &HttpGrant| HttpRule {
            grant: Arc::new(grant.clone()),
            reading: self.reading,
            paths: grant.paths.iter().filter_map(|path| path.filled(&json!({}))).collect(),
        };
        let rules: Vec<HttpRule> = self.grants.iter().map(rule).collect();
        CallState::new((&Grants::default(), &rules), &self.limits, token, &environment, context)
    }
}

fn get(host: &str, path: &str) -> Request {
    Request {
        method: client::Method::Get,
        host: host.to_owned(),
        path: path.to_owned(),
        query: Vec::new(),
        headers: Vec::new(),
        body: None,
        secret: None,
    }
}

impl CallState {
    async fn ask(&mut self, request: Request) -> Result<Response, Error> {
        self.send(request).await.unwrap()
    }

    async fn read_all(&mut self, response: Response) -> Result<String, Error> {
        self.text(response.body, u32::MAX).await.unwrap()
    }

    async fn read_some(&mut self, body: &Resource<Body>, max: u32) -> Result<Vec<u8>, Error> {
        self.read(Resource::new_borrow(body.rep()), max).await.unwrap()
    }

    /// One whole request.
    async fn fetch(&mut self, request: Request) -> Result<String, Error> {
        let response = self.ask(request).await?;
        self.read_all(response).await
    }

    fn notes(&mut self) -> Vec<Note> {
        self.finish().notes
    }
}
