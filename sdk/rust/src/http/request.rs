//! A request in the making.

use std::fmt::{self, Display};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;

use super::{Error, Header, Method, Payload, Response};
use crate::{host, secrets::Secret};

/// What stays as it is in a path: the unreserved characters of RFC 3986, 2.3.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// One request. Begin with [`get`](super::get) and its kin; nothing happens before [`send`](Self::send).
#[must_use = "nothing is sent before `send`"]
#[derive(Clone)]
pub struct Request<'s> {
    parts: Parts,
    secret: Option<&'s Secret>,
    /// What went wrong while it was made; told when it is sent.
    wrong: Option<String>,
}

/// What a request says, but for its secret.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Parts {
    pub(crate) method: Method,
    pub(crate) host: String,
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: Vec<Header>,
    pub(crate) body: Option<Payload>,
}

impl<'s> Request<'s> {
    /// A request by any method.
    pub fn new(method: Method, host: impl Into<String>, path: impl Into<String>) -> Self {
        let (host, path) = (host.into(), path.into());
        let parts = Parts { method, host, path, query: Vec::new(), headers: Vec::new(), body: None };
        Self { parts, secret: None, wrong: None }
    }

    /// Adds one segment to the path, percent-encoded: what an argument says is one segment and stays one.
    pub fn segment(mut self, text: impl Display) -> Self {
        if !self.parts.path.ends_with('/') {
            self.parts.path.push('/');
        }
        self.parts.path.push_str(&segment(text));
        self
    }

    /// Adds a pair to the query. Both are meant as they stand; the host encodes them.
    pub fn query(mut self, name: impl Into<String>, value: impl Display) -> Self {
        self.parts.query.push((name.into(), value.to_string()));
        self
    }

    /// Sets a header, in place of one of the same name: a name may stand once only. Some are the host's own: see the WIT.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let header = Header::new(name, value);
        match self.parts.headers.iter_mut().find(|known| known.name.eq_ignore_ascii_case(&header.name)) {
            Some(known) => *known = header,
            None => self.parts.headers.push(header),
        }
        self
    }

    /// Has the host put a credential into the request, where the manifest says.
    pub fn secret(mut self, secret: &'s Secret) -> Self {
        self.secret = Some(secret);
        self
    }

    /// Sends JSON along.
    pub fn json<T: Serialize + ?Sized>(mut self, value: &T) -> Self {
        match serde_json::to_string(value) {
            Ok(text) => self.parts.body = Some(Payload::Text(text)),
            Err(error) => self.wrong = Some(format!("the body is no JSON: {error}")),
        }
        self.typed("application/json")
    }

    /// Sends text along, as UTF-8. Without a `content-type` of its own it is `text/plain`.
    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.parts.body = Some(Payload::Text(text.into()));
        self.typed("text/plain; charset=utf-8")
    }

    /// Sends bytes along. Without a `content-type` of its own it is `application/octet-stream`.
    pub fn bytes(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.parts.body = Some(Payload::Bytes(bytes.into()));
        self.typed("application/octet-stream")
    }

    fn typed(self, value: &str) -> Self {
        let typed = self.parts.headers.iter().any(|header| header.name.eq_ignore_ascii_case("content-type"));
        if typed { self } else { self.header("content-type", value) }
    }

    /// Sends it, and waits for the head of the answer. Any status is an answer.
    ///
    /// # Errors
    ///
    /// As in the WIT.
    pub fn send(self) -> Result<Response, Error> {
        let Self { parts, secret, wrong } = self;
        if let Some(wrong) = wrong {
            return Err(Error::InvalidRequest(wrong));
        }
        let (status, headers, body) = host::send(parts, secret.map(|secret| &secret.0))?;
        Ok(Response::new(status, headers, body))
    }
}

impl fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Parts { method, host, path, .. } = &self.parts;
        write!(f, "{} {host}{path}", method.name())
    }
}

/// One segment of a path, percent-encoded once.
///
/// ```
/// assert_eq!(wardkeep_sdk::http::segment("a b/ü"), "a%20b%2F%C3%BC");
/// ```
#[must_use]
pub fn segment(text: impl Display) -> String {
    utf8_percent_encode(&text.to_string(), ENCODED).to_string()
}
