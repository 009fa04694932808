//! Plugin `reaches`: sends whatever it is told to, wherever it is told to, and answers with what each request came to.
//!
//! | tool | does |
//! | --- | --- |
//! | `look {owner, repo, requests}` | calls itself a read |
//! | `change {owner, repo, requests}` | calls itself a write |

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wardkeep_sdk::{
    Answer, Plugin, Result, Tool,
    http::{Error, Method, Request},
    secrets,
};

#[derive(Deserialize, JsonSchema)]
#[allow(dead_code, reason = "owner and repo are read by the host: they fill the places of a grant's path")]
struct Look {
    owner: String,
    repo: String,
    requests: Vec<Ask>,
}

#[derive(Deserialize, JsonSchema)]
struct Ask {
    method: Option<String>,
    host: String,
    path: String,
    #[serde(default)]
    query: Vec<(String, String)>,
    #[serde(default)]
    headers: Vec<(String, String)>,
    secret: Option<String>,
    body: Option<String>,
}

#[derive(Serialize, JsonSchema)]
struct Came {
    /// A status and the text behind it, or the name of the error.
    to: Vec<String>,
}

fn came_to(ask: Ask) -> String {
    let method = match ask.method.as_deref() {
        None | Some("GET") => Method::Get,
        Some("HEAD") => Method::Head,
        Some("OPTIONS") => Method::Options,
        Some("POST") => Method::Post,
        Some("PUT") => Method::Put,
        Some("PATCH") => Method::Patch,
        _ => Method::Delete,
    };
    let mut request = Request::new(method, ask.host, ask.path);
    for (name, value) in ask.query {
        request = request.query(name, value);
    }
    for (name, value) in ask.headers {
        request = request.header(name, value);
    }
    if let Some(body) = ask.body {
        request = request.text(body);
    }
    let secret = match ask.secret.as_deref().map(secrets::open) {
        Some(Err(error)) => return format!("no handle: {error}"),
        Some(Ok(secret)) => Some(secret),
        None => None,
    };
    if let Some(secret) = &secret {
        request = request.secret(secret);
    }
    let sent = request.send().and_then(|response| {
        let status = response.status();
        Ok(format!("{status} {}", response.text(1 << 20)?))
    });
    sent.unwrap_or_else(|error| {
        let name = match &error {
            Error::Denied(_) => "denied",
            Error::InvalidRequest(_) => "invalid-request",
            Error::Unreachable(_) => "unreachable",
            Error::Timeout => "timeout",
            Error::TooLarge => "too-large",
            Error::NotText => "not-text",
            Error::NoSecret => "no-secret",
            Error::Exhausted => "exhausted",
        };
        name.to_owned()
    })
}

fn send(arguments: Look) -> Result<Answer<Came>> {
    Ok(Answer::new(Came { to: arguments.requests.into_iter().map(came_to).collect() }))
}

fn plugin() -> Plugin {
    Plugin::new("reaches", "1.0.0").tool(Tool::read("look", "Sends what it is told to", send)).tool(Tool::write(
        "change",
        "Sends what it is told to",
        send,
    ))
}

wardkeep_sdk::export!(plugin);
