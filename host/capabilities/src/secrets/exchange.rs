//! From a long-lived value to a short-lived token: client credentials (RFC 6749, 4.4) and installations of a GitHub App. Builds the requests and
//! reads the answers; where they may go the egress policy decides, as for every request.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Bytes;
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use url::form_urlencoded;
use wardkeep_policy::manifest::Endpoint;
use zeroize::Zeroizing;

use super::{token::Granted, value};
use crate::http::TransportError;

/// Bytes of an answer that holds a token.
pub(crate) const ANSWER: u64 = 64 << 10;
/// How long a token is kept whose endpoint does not say.
const UNSAID: Duration = Duration::from_secs(300);

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExchangeError {
    /// The endpoint was not reached, or may not be.
    #[error("the token endpoint was not reached")]
    Transport(#[from] TransportError),
    /// It took too long.
    #[error("the token endpoint did not answer in time")]
    Timeout,
    /// It said no. What it said besides is its own, and may hold what it was sent.
    #[error("the token endpoint refused: status {status}, {error}")]
    Refused { status: StatusCode, error: &'static str },
    /// It said yes, and gave no token that could be used.
    #[error("the token endpoint's answer holds no usable bearer token")]
    NoToken,
    /// The request could not be made of what the manifest says.
    #[error("the request for a token could not be made")]
    Request,
    /// It failed a moment ago.
    #[error("the token endpoint failed a moment ago and is not asked yet")]
    Waiting,
}

impl ExchangeError {
    /// The word for the record.
    pub(crate) const fn as_str(&self) -> &'static str {
        match self {
            Self::Transport(_) => "endpoint-unreachable",
            Self::Timeout => "endpoint-timeout",
            Self::Refused { .. } => "endpoint-refused",
            Self::NoToken => "no-token",
            Self::Request => "no-request",
            Self::Waiting => "endpoint-failed-before",
        }
    }
}

/// Asks for a token of a client (`client_secret_basic`, RFC 6749, 2.3.1).
pub(crate) fn client_request(
    endpoint: &Endpoint,
    client: &str,
    secret: &str,
    scopes: &[String],
    resource: Option<&str>,
) -> Result<Request<Full<Bytes>>, ExchangeError> {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("grant_type", "client_credentials");
    if !scopes.is_empty() {
        form.append_pair("scope", &scopes.join(" "));
    }
    // RFC 8707
    if let Some(resource) = resource {
        form.append_pair("resource", resource);
    }
    let basic = Zeroizing::new(BASE64.encode(&*client_pair(client, secret)));
    let authorization = value::header("Basic ", &basic, "").ok_or(ExchangeError::Request)?;
    Request::builder()
        .method(Method::POST)
        .uri(endpoint.path.as_str())
        .header(header::ACCEPT, "application/json")
        .header(header::AUTHORIZATION, authorization)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(header::USER_AGENT, AGENT)
        .body(Full::from(form.finish()))
        .map_err(|_| ExchangeError::Request)
}

const AGENT: &str = concat!("wardkeep/", env!("CARGO_PKG_VERSION"));

/// What stands in its authorization before it is encoded.
pub(crate) fn client_pair(client: &str, secret: &str) -> Zeroizing<Vec<u8>> {
    let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let secret = Zeroizing::new(encoded(secret));
    Zeroizing::new([encoded(client).as_bytes(), b":", secret.as_bytes()].concat())
}

/// RFC 6749, 5.1.
#[derive(Deserialize)]
struct Answered {
    access_token: String,
    token_type: String,
    expires_in: Option<u64>,
}

/// RFC 6749, 5.2.
#[derive(Deserialize)]
struct Complaint {
    error: String,
}

pub(crate) fn client_token(answer: &Response<Bytes>) -> Result<Granted, ExchangeError> {
    if answer.status() != StatusCode::OK {
        return Err(refused(answer));
    }
    let Answered { access_token, token_type, expires_in } =
        serde_json::from_slice(answer.body()).map_err(|_| ExchangeError::NoToken)?;
    let life = expires_in.map_or(UNSAID, Duration::from_secs);
    if token_type.eq_ignore_ascii_case("bearer") { granted(access_token, life) } else { Err(ExchangeError::NoToken) }
}

/// Only words that are known beforehand are kept of a refusal.
fn refused(answer: &Response<Bytes>) -> ExchangeError {
    const WORDS: [&str; 6] = [
        "invalid_request",
        "invalid_client",
        "invalid_grant",
        "unauthorized_client",
        "unsupported_grant_type",
        "invalid_scope",
    ];
    let said = serde_json::from_slice::<Complaint>(answer.body()).ok();
    let word = said.and_then(|said| WORDS.into_iter().find(|word| *word == said.error));
    ExchangeError::Refused { status: answer.status(), error: word.unwrap_or("without a word that is known") }
}

fn granted(token: String, life: Duration) -> Result<Granted, ExchangeError> {
    let token = SecretString::from(token);
    let text = secrecy::ExposeSecret::expose_secret(&token);
    let fits = (super::SHORTEST..=super::LONGEST).contains(&text.len()) && value::in_header(text.as_bytes()).is_ok();
    if fits { Ok(Granted { token, life }) } else { Err(ExchangeError::NoToken) }
}

#[derive(Serialize)]
struct Claims<'a> {
    iat: i64,
    exp: i64,
    iss: &'a str,
}

/// Asks for a token of an installation, as the App that this key belongs to.
pub(crate) fn installation_request(
    api: &Endpoint,
    app: &str,
    installation: u64,
    key: &[u8],
    now: Timestamp,
) -> Result<Request<Full<Bytes>>, ExchangeError> {
    // A minute back for clocks that differ; GitHub takes ten minutes ahead at most.
    let claims = Claims { iat: now.as_second() - 60, exp: now.as_second() + 540, iss: app };
    let key = EncodingKey::from_rsa_pem(key).map_err(|_| ExchangeError::Request)?;
    let signed = jsonwebtoken::encode(&Header::new(Algorithm::RS256), &claims, &key);
    let signed = Zeroizing::new(signed.map_err(|_| ExchangeError::Request)?);
    let path = format!("{}/app/installations/{installation}/access_tokens", api.path.as_str().trim_end_matches('/'));
    Request::builder()
        .method(Method::POST)
        .uri(path)
        .header(header::ACCEPT, "application/vnd.github+json")
        .header(header::AUTHORIZATION, value::header("Bearer ", &signed, "").ok_or(ExchangeError::Request)?)
        .header(header::USER_AGENT, AGENT)
        .header("x-github-api-version", "2022-11-28")
        .body(Full::default())
        .map_err(|_| ExchangeError::Request)
}

#[derive(Deserialize)]
struct Installed {
    token: String,
    expires_at: Timestamp,
}

pub(crate) fn installation_token(answer: &Response<Bytes>, now: Timestamp) -> Result<Granted, ExchangeError> {
    if answer.status() != StatusCode::CREATED {
        return Err(refused(answer));
    }
    let Installed { token, expires_at } = serde_json::from_slice(answer.body()).map_err(|_| ExchangeError::NoToken)?;
    let life = Duration::try_from(expires_at.duration_since(now)).map_err(|_| ExchangeError::NoToken)?;
    granted(token, life)
}

#[cfg(test)]
mod tests;
