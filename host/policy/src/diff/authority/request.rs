//! The requests that a grant lets a tool send, one by one.

use std::collections::BTreeSet;

use serde::Serialize;
use wardkeep_model::{Effect, Method, Scheme, SecretName, ToolName};

use crate::manifest::HttpGrant;

use super::Authority;

/// Requests with one method, to one host and path or what lies below it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Request {
    /// Scheme, host and, where it is not the scheme's own, port.
    pub to: String,
    /// As the manifest writes it.
    pub path: String,
    /// The method.
    pub method: Method,
    /// The credential that they may carry.
    pub secret: Option<SecretName>,
}

pub(super) fn of(tool: &ToolName, effect: Effect, grant: &HttpGrant, all: &mut BTreeSet<Authority>) {
    let HttpGrant { name: _, scheme, host, port, methods, paths, secret, read_only: _, private } = grant;
    let port = if *port == scheme.port() { String::new() } else { format!(":{port}") };
    let to = format!("{scheme}://{host}{port}");
    if *scheme == Scheme::Http
        && let Some(secret) = secret
    {
        all.insert(Authority::SecretInTheClear { secret: secret.clone(), to: to.clone() });
    }
    let reading = effect == Effect::Read;
    for path in paths {
        for method in methods.iter().filter(|method| grant.gives(reading, **method)) {
            let request = Request { to: to.clone(), path: path.to_string(), method: *method, secret: secret.clone() };
            let tool = tool.clone();
            all.insert(match (method.is_safe(), reading) {
                (true, _) => Authority::ReadRequests { tool, request },
                (false, false) => Authority::WriteRequests { tool, request },
                (false, true) => Authority::WriteRequestsWhileReading { tool, request },
            });
        }
    }
    all.extend(private.iter().map(|network| Authority::PrivateNetwork {
        tool: tool.clone(),
        to: to.clone(),
        network: network.to_string(),
    }));
}
