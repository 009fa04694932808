//! Requests to hosts that the administrator granted: `wardkeep:http`. Needs `[grants.http.…]`; what is not granted answers
//! [`Error::Denied`].
//!
//! ```
//! # use serde_json::json;
//! # use wardkeep_sdk::fake::{Fakes, Response};
//! # let _fakes = Fakes::new().secret("github-ro").http(|_| Response::json(200, &json!([{ "number": 7, "title": "It rains in" }]))).install();
//! use serde::Deserialize;
//! use wardkeep_sdk::{Result, http, secrets};
//!
//! #[derive(Deserialize)]
//! struct Issue {
//!     number: u64,
//!     title: String,
//! }
//!
//! fn issues(owner: &str, repo: &str) -> Result<Vec<Issue>> {
//!     let response = http::get("api.github.com", "/repos")
//!         .segment(owner)
//!         .segment(repo)
//!         .segment("issues")
//!         .query("per_page", 100)
//!         .header("accept", "application/vnd.github+json")
//!         .secret(&secrets::open("github-ro")?)
//!         .send()?;
//!     Ok(response.success()?.json(1 << 20)?)
//! }
//! # assert_eq!(issues("acme", "web")?.iter().map(|issue| (issue.number, issue.title.as_str())).collect::<Vec<_>>(), [(7, "It rains in")]);
//! # Ok::<(), wardkeep_sdk::Failure>(())
//! ```
//!
//! - **A request names a host and a path**, not a URL: scheme and port are the grant's. The path is percent-encoded: [`Request::segment`] encodes what
//!   an argument holds, once, as the host does where it fills the places of a grant's path. A query does not belong into the path.
//! - **Redirects are not followed**: a 3xx is an answer. A new request is checked as any other.
//! - **A status is no error.** [`Response::success`] makes a [`Failure`](crate::Failure) of what is not 2xx.
//! - **The body is read as it is asked for**, and each way to read it says how much it takes. What is longer is [`Error::TooLarge`].
//! - Each request, and each piece of a body that is read, is one of the call's host calls.
//! - While a tool runs whose effect is read, only GET, HEAD and OPTIONS leave the host.

mod request;
mod response;

pub(crate) use request::Parts;
pub use request::{Request, segment};
pub use response::{Reader, Response};

pub use crate::bindings::wardkeep::http::client::{Error, Header, Method, Payload};

/// The most bytes that one host call gives of a body; `bytes` and [`Reader`] make as many as it takes.
pub const PIECE: u32 = 1 << 20;

/// Asks for something. `path` begins with `/`.
pub fn get<'s>(host: impl Into<String>, path: impl Into<String>) -> Request<'s> {
    Request::new(Method::Get, host, path)
}

/// Asks for the head of an answer only.
pub fn head<'s>(host: impl Into<String>, path: impl Into<String>) -> Request<'s> {
    Request::new(Method::Head, host, path)
}

/// Sends something to be worked on.
pub fn post<'s>(host: impl Into<String>, path: impl Into<String>) -> Request<'s> {
    Request::new(Method::Post, host, path)
}

/// Puts something in place.
pub fn put<'s>(host: impl Into<String>, path: impl Into<String>) -> Request<'s> {
    Request::new(Method::Put, host, path)
}

/// Changes a part of something.
pub fn patch<'s>(host: impl Into<String>, path: impl Into<String>) -> Request<'s> {
    Request::new(Method::Patch, host, path)
}

/// Removes something.
pub fn delete<'s>(host: impl Into<String>, path: impl Into<String>) -> Request<'s> {
    Request::new(Method::Delete, host, path)
}

impl Method {
    /// As it stands on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Options => "OPTIONS",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

impl Header {
    /// A header.
    #[must_use]
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), value: value.into() }
    }
}
