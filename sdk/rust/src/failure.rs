//! Making failures.

use std::fmt::Display;

use crate::{
    files, http,
    raw::{Failure, Part, Retry, UpstreamFailure},
    secrets,
};

impl Failure {
    /// The arguments fit the schema and are wrong all the same.
    pub fn invalid_arguments(message: impl Display) -> Self {
        Self::InvalidArguments(message.to_string())
    }

    /// What was asked for is not there.
    pub fn not_found(message: impl Display) -> Self {
        Self::NotFound(message.to_string())
    }

    /// The plugin itself, or what it asked, says no.
    pub fn denied(message: impl Display) -> Self {
        Self::Denied(message.to_string())
    }

    /// Too often; perhaps later.
    pub fn rate_limited(message: impl Display, after_seconds: Option<u32>) -> Self {
        Self::RateLimited(Retry { message: message.to_string(), after_seconds })
    }

    /// A service that the plugin needs failed, with its status if it gave one.
    pub fn upstream(message: impl Display, status: Option<u16>) -> Self {
        Self::Upstream(UpstreamFailure { message: message.to_string(), status })
    }

    /// Some of it happened. Say what, so that nobody does it twice.
    pub fn partial(message: impl Display, done: Vec<String>, not_done: Vec<String>) -> Self {
        Self::Partial(Part { message: message.to_string(), done, not_done })
    }

    /// A mistake in the plugin.
    pub fn internal(message: impl Display) -> Self {
        Self::Internal(message.to_string())
    }
}

/// So that `?` works on the functions of [`files`]. Where the path helps, say it: `.map_err(|error| Failure::not_found(…))`.
impl From<files::Error> for Failure {
    fn from(error: files::Error) -> Self {
        use files::Error;
        match error {
            Error::Denied => Self::denied(error.message()),
            Error::NotFound => Self::not_found(error.message()),
            Error::InvalidPath
            | Error::NotAFile
            | Error::NotADirectory
            | Error::NotText
            | Error::Exists
            | Error::NotEmpty => Self::invalid_arguments(error.message()),
            Error::TooLarge | Error::Full | Error::Exhausted | Error::Failed => Self::internal(error.message()),
        }
    }
}

/// So that `?` works on requests. What is not granted is denied; what the other side does is its failure; a request that breaks the rules
/// is a mistake in the plugin.
impl From<http::Error> for Failure {
    fn from(error: http::Error) -> Self {
        use http::Error;
        match error {
            Error::Denied(why) => Self::denied(format!("this request is not granted to this tool: {why}")),
            Error::InvalidRequest(why) => Self::internal(format!("the request is not valid: {why}")),
            Error::Unreachable(why) => Self::upstream(format!("no usable answer: {why}"), None),
            Error::Timeout => Self::upstream("no answer in time", None),
            Error::TooLarge => Self::upstream("the request or its answer has more bytes than it may have", None),
            Error::NotText => Self::upstream("the answer is not text in UTF-8", None),
            Error::NoSecret => Self::upstream("the credential for this request has no usable value now", None),
            Error::Exhausted => Self::internal(
                "no host call or request is left in this call: ask for less, or raise `limits.host_calls` or `limits.requests` in the manifest",
            ),
        }
    }
}

/// So that `?` works on [`secrets::open`].
impl From<secrets::Error> for Failure {
    fn from(error: secrets::Error) -> Self {
        use secrets::Error;
        match error {
            Error::Denied => Self::denied("the credential that this tool needs is not granted to it"),
            Error::Unavailable => Self::upstream("the credential for this tool has no usable value now", None),
            Error::Exhausted => Self::internal("no host call is left in this call"),
        }
    }
}
