//! The web of a test: a closure answers for it. It keeps the rules that `wardkeep:http` has for a request, so that a test finds what a
//! host would refuse; which host, method and path are granted, the closure says.

use std::{collections::BTreeSet, fmt, rc::Rc};

use serde::Serialize;
use serde_json::Value;

use crate::http::{Error, Header, Method, Payload};

/// A request as it arrives where it is sent to.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// What is to be done.
    pub method: Method,
    /// The host's name.
    pub host: String,
    /// The path, as it was given.
    pub path: String,
    /// Names and values, not encoded.
    pub query: Vec<(String, String)>,
    /// The headers that the plugin set.
    pub headers: Vec<Header>,
    /// What was sent along.
    pub body: Option<Payload>,
    /// The name of the secret that rides along.
    pub secret: Option<String>,
}

impl Asked {
    /// The method and the path: `GET /user`.
    #[must_use]
    pub fn line(&self) -> String {
        format!("{} {}", self.method.name(), self.path)
    }

    /// What the query says under this name.
    #[must_use]
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// What the plugin set as this header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name)).map(|header| header.value.as_str())
    }

    /// The body as JSON; null if it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        let bytes = match &self.body {
            None => &[],
            Some(Payload::Text(text)) => text.as_bytes(),
            Some(Payload::Bytes(bytes)) => bytes,
        };
        serde_json::from_slice(bytes).unwrap_or(Value::Null)
    }
}

/// How the web answers.
#[derive(Debug, Clone, PartialEq)]
pub struct Response {
    pub(super) head: Result<(u16, Vec<Header>), Error>,
    pub(super) body: Vec<u8>,
    pub(super) breaks_off: bool,
}

impl Response {
    /// A status and nothing else.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self { head: Ok((status, Vec::new())), body: Vec::new(), breaks_off: false }
    }

    /// Text.
    #[must_use]
    pub fn text(status: u16, text: impl Into<String>) -> Self {
        Self::bytes(status, "text/plain; charset=utf-8", text.into())
    }

    /// JSON.
    #[must_use]
    pub fn json<T: Serialize + ?Sized>(status: u16, value: &T) -> Self {
        Self::bytes(status, "application/json; charset=utf-8", serde_json::to_vec(value).unwrap_or_default())
    }

    /// Bytes of a type.
    #[must_use]
    pub fn bytes(status: u16, content_type: &str, bytes: impl Into<Vec<u8>>) -> Self {
        Self { body: bytes.into(), ..Self::status(status).header("content-type", content_type) }
    }

    /// No answer, but this error: [`Error::Denied`] for what would not be granted.
    #[must_use]
    pub fn error(error: Error) -> Self {
        Self { head: Err(error), body: Vec::new(), breaks_off: false }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        if let Ok((_, headers)) = &mut self.head {
            headers.push(Header::new(name.to_ascii_lowercase(), value));
        }
        self
    }

    /// The connection breaks off at the end of the body, before it is whole.
    #[must_use]
    pub fn breaks_off(mut self) -> Self {
        self.breaks_off = true;
        self
    }
}

/// What answers.
#[derive(Clone)]
pub(super) struct Web(Rc<dyn Fn(&Asked) -> Response>);

impl Web {
    pub(super) fn new(answers: impl Fn(&Asked) -> Response + 'static) -> Self {
        Self(Rc::new(answers))
    }

    pub(super) fn ask(&self, asked: &Asked) -> Response {
        (self.0)(asked)
    }
}

impl fmt::Debug for Web {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Web")
    }
}

/// Headers that are the host's own: the WIT names them.
fn is_reserved(name: &str) -> bool {
    const NAMES: [&str; 13] = [
        "accept-encoding",
        "authorization",
        "connection",
        "content-length",
        "cookie",
        "expect",
        "forwarded",
        "host",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ];
    const KINDS: [&str; 6] =
        ["proxy-", "x-forwarded-", "x-original-", "x-rewrite-", "x-http-method", "x-method-override"];
    NAMES.contains(&name) || KINDS.iter().any(|kind| name.starts_with(kind))
}

/// What a host would say of a request, whatever is granted.
pub(super) fn checked(asked: &Asked) -> Result<(), Error> {
    let wrong = |why: String| Err(Error::InvalidRequest(why));
    if let Err(why) = path(&asked.path) {
        return wrong(format!("the path `{}` {why}", asked.path));
    }
    if asked.body.is_some() && matches!(asked.method, Method::Get | Method::Head | Method::Options) {
        return wrong(format!("{} takes no body", asked.method.name()));
    }
    if asked.headers.len() > 64 || asked.query.len() > 100 {
        return wrong("more than 64 headers or 100 pairs of a query".into());
    }
    let mut seen = BTreeSet::new();
    for Header { name, value } in &asked.headers {
        let plain = name.to_ascii_lowercase().replace('_', "-");
        let visible = value.bytes().all(|byte| byte == b'\t' || (b' '..=b'~').contains(&byte));
        if is_reserved(&plain) {
            return wrong(format!("the header `{name}` is the host's own"));
        }
        if !visible {
            return wrong(format!("the header `{name}` holds more than visible ASCII, spaces and tabs"));
        }
        if !seen.insert(plain) {
            return wrong(format!("the header `{name}` stands twice"));
        }
    }
    Ok(())
}

fn path(path: &str) -> Result<(), &'static str> {
    let rest = path.strip_prefix('/').ok_or("does not begin with `/`")?;
    if path.bytes().any(|byte| !byte.is_ascii_graphic() || b"\\?#<>\"^`{|}".contains(&byte)) {
        return Err("holds what has to be percent-encoded, or a query");
    }
    let encoded = path.to_ascii_lowercase();
    if ["%2f", "%5c", "%25", "%0", "%1", "%7f"].iter().any(|bad| encoded.contains(bad)) {
        return Err("holds an encoded `/`, `\\`, `%` or control character");
    }
    let mut segments = rest.split('/').peekable();
    while let Some(segment) = segments.next() {
        if segment.is_empty() && segments.peek().is_some() {
            return Err("has an empty segment before its last");
        }
        if matches!(segment.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | "..") {
            return Err("has a segment `.` or `..`");
        }
    }
    Ok(())
}
