//! Who calls. A principal is made by the gateway once it has authenticated the caller, and nowhere else.

use serde::Serialize;

/// How the caller proved who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Authenticated {
    /// The client started this process and speaks over its standard input.
    Stdio,
    /// Another process of the same user, by the socket peer's credentials.
    Socket,
    /// A bearer token that the operator's file knows by its digest.
    ApiKey,
}

/// An authenticated caller, with the upper bounds that the operator's file sets. It grants nothing: manifests do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Principal {
    /// Such as `user:me` or `service:ci`.
    pub name: String,
    /// Group names without the `group:` prefix.
    pub groups: Vec<String>,
    /// How it was authenticated.
    pub authenticated: Authenticated,
    /// May it call tools that write.
    pub writes: bool,
    /// Is there a person who can answer a confirmation.
    pub human: bool,
    /// May tools with `confirm = "none"` write for it.
    pub unconfirmed_writes: bool,
}
