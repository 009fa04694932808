//! Whether a request may leave, by which grant, and where to. No I/O: what is decided here is all that the transport gets to know of it.
//!
//! The attacks: a host or path in a spelling that a server takes for another one, a header that makes a server take the request for another
//! one, a credential that is carried past its grant, and a reading tool that writes.

use std::sync::Arc;

use http::HeaderMap;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use wardkeep_model::{Method, Scheme, SecretName};
use wardkeep_policy::{
    HttpGrant, HttpRule, SecretTerms,
    manifest::{CanonicalPath, Inject, InvalidPath},
};

use super::{
    Target, address,
    headers::{self, InvalidHeader},
    host::{self, InvalidHost},
};

/// Pairs of one query.
const PAIRS: usize = 100;
/// Bytes of path, query and headers together.
const HEAD: usize = 32 << 10;
/// Bytes of a path that a record shows.
const SHOWN: usize = 100;
/// RFC 3986, 2.3: what is not encoded.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What a guest asks for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) method: Method,
    pub(crate) host: &'a str,
    pub(crate) path: &'a str,
    pub(crate) query: &'a [(String, String)],
    pub(crate) headers: &'a [(String, String)],
    /// The name of the secret whose handle came along.
    pub(crate) secret: Option<&'a SecretName>,
    /// Bytes of the body, if there is one.
    pub(crate) body: Option<u64>,
}

/// What stands in the documents: the running tool's grants, filled from its call's arguments, and what the operator says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Standing<'a> {
    pub(crate) rules: &'a [HttpRule],
    pub(crate) secrets: &'a [Arc<SecretTerms>],
    /// The private networks that the operator lets grants name.
    pub(crate) private: &'a [IpNet],
    pub(crate) cleartext_to_loopback: bool,
    /// Bytes that a body may have.
    pub(crate) request_body: u64,
}

/// A request that may leave.
#[derive(Debug, Clone)]
pub(crate) struct Decision {
    /// By which grant.
    pub(crate) grant: Arc<HttpGrant>,
    /// Where to.
    pub(crate) target: Target,
    /// The path in its one spelling, and the query encoded.
    pub(crate) path_and_query: String,
    /// The guest's headers.
    pub(crate) headers: HeaderMap,
}

/// A request that may not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// It breaks a rule of the interface.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// No grant lets it through.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// Its body is too large.
    #[error("a request's body may have {0} bytes")]
    TooLarge(u64),
}

/// What is wrong with a request, whoever makes it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Invalid {
    #[error(transparent)]
    Host(#[from] InvalidHost),
    #[error(transparent)]
    Path(#[from] InvalidPath),
    #[error(transparent)]
    Header(#[from] InvalidHeader),
    #[error("a query has at most 100 pairs")]
    Pairs,
    #[error("the query parameter `{0}` is where a secret goes")]
    SecretInQuery(String),
    #[error("the query parameter `{0}` would make a server take the request for another one")]
    OverrideInQuery(String),
    #[error("path, query and headers have at most 32 KiB together")]
    Head,
    #[error("{0} carries no body")]
    Body(Method),
}

/// Which rule of the documents refuses it. The words are for the plugin's author; [`Refusal::record`] has those for the operator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Denied {
    #[error("no grant of this tool names the host `{host}`")]
    Host { host: String },
    #[error("no grant of this tool allows {method} to `{host}`")]
    Method { method: Method, host: String, grants: String },
    #[error("{method} changes something, and this tool only reads")]
    Reading { method: Method, grants: String },
    #[error("no grant of this tool allows {method} with this path of `{host}`")]
    Path { method: Method, host: String, grants: String },
    #[error("the grant for this request does not take this secret")]
    Secret { grants: String },
    #[error("a secret does not go in the clear")]
    Cleartext { grants: String },
}

impl Refusal {
    /// For the record and the operator: which line of which document would let it through.
    pub(crate) fn record(&self, asked: &Asked<'_>) -> String {
        let path: String = asked.path.chars().take(SHOWN).collect();
        let more = if path.len() < asked.path.len() { "…" } else { "" };
        let host: String = asked.host.chars().take(SHOWN).collect();
        let words = match self {
            Self::Invalid(invalid) => invalid.to_string(),
            Self::TooLarge(_) | Self::Denied(_) => self.words(),
        };
        format!("{} {host}{path}{more}: {words}", asked.method)
    }

    /// The same without a word of the guest's, where those are to stay inside.
    pub(crate) fn plain(&self, asked: &Asked<'_>) -> String {
        format!("http.send {}: {}", asked.method, self.words())
    }

    /// The host's words for it.
    fn words(&self) -> String {
        match self {
            Self::Invalid(_) => "breaks a rule of the interface".into(),
            Self::TooLarge(most) => format!("its body has more than limits.request_body, {most} bytes"),
            Self::Denied(denied) => match denied {
                Denied::Host { .. } => "no grant in the tool's `uses` has this `host`".into(),
                Denied::Method { method, grants, .. } => format!("`methods` of {grants} do not list {method}"),
                Denied::Reading { grants, .. } => format!("the tool's `effect` is read, and {grants} not `read_only`"),
                Denied::Path { grants, .. } => format!("`paths` of {grants} do not cover it with these arguments"),
                Denied::Secret { grants } => format!("`secret` of {grants} is another one, or none"),
                Denied::Cleartext { grants } => format!("{grants} has `scheme = \"http\"` and takes a secret"),
            },
        }
    }
}

/// Decides on one request.
pub(crate) fn decide(asked: &Asked<'_>, standing: &Standing<'_>) -> Result<Decision, Refusal> {
    let host = host::canonical(asked.host).map_err(Invalid::from)?;
    let path: CanonicalPath = asked.path.parse().map_err(Invalid::from)?;
    let rule = granted(asked, &host, &path, standing.rules)?;
    let headers = checked_headers(asked, standing)?;
    let query = query(asked, standing)?;
    let bytes = |(name, value): (&http::HeaderName, &http::HeaderValue)| name.as_str().len() + value.len();
    if path.as_str().len() + query.len() + headers.iter().map(bytes).sum::<usize>() > HEAD {
        return Err(Invalid::Head.into());
    }
    match asked.body {
        Some(_) if asked.method.is_safe() => return Err(Invalid::Body(asked.method).into()),
        Some(bytes) if bytes > standing.request_body => return Err(Refusal::TooLarge(standing.request_body)),
        _ => {}
    }
    let target = target(asked, host, rule, standing)?;
    let path = path.as_str();
    let path_and_query = if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
    Ok(Decision { grant: rule.grant.clone(), target, path_and_query, headers })
}

/// The rule that lets it through. Of several the one without a secret, if none came along, and then the first by name: scheme and port come
/// from it, so it has to be the same one every time.
fn granted<'r>(
    asked: &Asked<'_>,
    host: &str,
    path: &CanonicalPath,
    rules: &'r [HttpRule],
) -> Result<&'r HttpRule, Denied> {
    let (method, of_host) = (asked.method, || host.to_owned());
    let fitting: Vec<&HttpRule> = rules.iter().filter(|rule| rule.grant.host.matches(host)).collect();
    if fitting.is_empty() {
        return Err(Denied::Host { host: of_host() });
    }
    let (fitting, grants) = narrowed(fitting, |rule| rule.grant.methods.contains(&method));
    if fitting.is_empty() {
        return Err(Denied::Method { method, host: of_host(), grants });
    }
    let (fitting, grants) = narrowed(fitting, |rule| rule.allows(method));
    if fitting.is_empty() {
        return Err(Denied::Reading { method, grants });
    }
    let (fitting, grants) = narrowed(fitting, |rule| rule.paths.iter().any(|known| known.covers(path)));
    if fitting.is_empty() {
        return Err(Denied::Path { method, host: of_host(), grants });
    }
    let takes = |rule: &HttpRule| asked.secret.is_none_or(|secret| rule.grant.secret.as_ref() == Some(secret));
    let (fitting, grants) = narrowed(fitting, takes);
    let first = fitting.into_iter().min_by_key(|rule| {
        let carries_another = rule.grant.secret.as_ref() != asked.secret;
        (carries_another, rule.grant.name.clone())
    });
    first.ok_or(Denied::Secret { grants })
}

/// Those that fit, and the names of those that were there before.
fn narrowed(rules: Vec<&HttpRule>, fits: impl Fn(&HttpRule) -> bool) -> (Vec<&HttpRule>, String) {
    let names: Vec<String> = rules.iter().map(|rule| format!("grants.http.{}", rule.grant.name)).collect();
    (rules.into_iter().filter(|rule| fits(rule)).collect(), names.join(", "))
}

fn checked_headers(asked: &Asked<'_>, standing: &Standing<'_>) -> Result<HeaderMap, Refusal> {
    let name = |secret: &'_ Arc<SecretTerms>| match &secret.inject {
        Inject::Header { name, .. } => Some(name.clone()),
        Inject::Basic { .. } | Inject::Query { .. } => None,
    };
    let names: Vec<String> = standing.secrets.iter().filter_map(name).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let given = asked.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    // An upstream may keep what it was sent and give it back in pieces to a request that carries nothing.
    let holds_a_secret = asked.secret.is_some() || !standing.secrets.is_empty();
    Ok(headers::checked(given, &names, holds_a_secret).map_err(Invalid::from)?)
}

/// Encoded by the host, so that no value ends where a server would think that the next one begins.
fn query(asked: &Asked<'_>, standing: &Standing<'_>) -> Result<String, Invalid> {
    if asked.query.len() > PAIRS {
        return Err(Invalid::Pairs);
    }
    let goes_there = |name: &str| {
        let name = headers::parameter(name);
        let taken =
            |inject: &Inject| matches!(inject, Inject::Query { name: taken } if headers::parameter(taken) == name);
        standing.secrets.iter().any(|secret| taken(&secret.inject))
    };
    let mut encoded = String::new();
    for (name, value) in asked.query {
        if goes_there(name) {
            return Err(Invalid::SecretInQuery(name.clone()));
        }
        if headers::is_override(name) {
            return Err(Invalid::OverrideInQuery(name.clone()));
        }
        push_pair(&mut encoded, name, value);
        if encoded.len() > HEAD {
            return Err(Invalid::Head);
        }
    }
    Ok(encoded)
}

/// One more pair, as RFC 3986 encodes it: a space is `%20`, which forms and others read alike.
pub(crate) fn push_pair(query: &mut String, name: &str, value: &str) {
    if !query.is_empty() {
        query.push('&');
    }
    query.extend(utf8_percent_encode(name, UNRESERVED));
    query.push('=');
    query.extend(utf8_percent_encode(value, UNRESERVED));
}

fn target(asked: &Asked<'_>, host: String, rule: &HttpRule, standing: &Standing<'_>) -> Result<Target, Denied> {
    let grant = &rule.grant;
    let mut private = address::both(&grant.private, standing.private);
    let cleartext = asked.secret.is_some() && grant.scheme == Scheme::Http;
    if cleartext {
        // Allowed at all only for tests, and then it cannot leave this machine.
        if !standing.cleartext_to_loopback {
            return Err(Denied::Cleartext { grants: format!("grants.http.{}", grant.name) });
        }
        let loopback = [
            IpNet::V4(Ipv4Net::new_assert(std::net::Ipv4Addr::LOCALHOST, 8)),
            IpNet::V6(Ipv6Net::new_assert(std::net::Ipv6Addr::LOCALHOST, 128)),
        ];
        private = address::both(&private, &loopback);
    }
    Ok(Target { scheme: grant.scheme, host, port: grant.port, private, loopback_only: cleartext })
}

#[cfg(test)]
mod tests;
