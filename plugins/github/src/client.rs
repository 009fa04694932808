//! The API, spoken to: where it is, who speaks, and what becomes of its answers.

use serde::{Deserialize, de::DeserializeOwned};
use wardkeep_sdk::{
    Failure, Result,
    http::{Error, Method, Request, Response},
    secrets::{self, Secret},
};

use crate::{limits, repo::Repo, words};

/// GitHub's own.
pub(crate) const PUBLIC: &str = "api.github.com";
/// The credential of reading tools.
pub(crate) const READ_ONLY: &str = "github-ro";
/// The credential of writing tools.
pub(crate) const READ_WRITE: &str = "github-rw";

/// Bytes of one answer of the API.
pub(crate) const MOST: u32 = 4 << 20;
/// Bytes of an error of the API.
const ERROR: u32 = 64 << 10;

/// The API for one call.
#[derive(Debug)]
pub(crate) struct Client {
    host: String,
    prefix: String,
    secret: Option<Secret>,
    writes: bool,
}

impl Client {
    /// To read. Without a credential it goes on without one: public repositories can be read by everybody.
    pub(crate) fn reading(api: Option<&str>) -> Result<Self> {
        let secret = match secrets::open(READ_ONLY) {
            Ok(secret) => Some(secret),
            Err(secrets::Error::Denied) => None,
            Err(error) => return Err(error.into()),
        };
        Self::new(api, secret, false)
    }

    /// To write.
    pub(crate) fn writing(api: Option<&str>) -> Result<Self> {
        Self::new(api, Some(secrets::open(READ_WRITE)?), true)
    }

    fn new(api: Option<&str>, secret: Option<Secret>, writes: bool) -> Result<Self> {
        let (host, prefix) = base(api.unwrap_or(PUBLIC)).ok_or_else(|| {
            Failure::invalid_arguments("`api` is a host and the path before the API, as in `github.example.com/api/v3`: no scheme, user or port")
        })?;
        Ok(Self { host, prefix, secret, writes })
    }

    /// A request about a repository.
    pub(crate) fn of(&self, method: Method, repo: &Repo, path: &[&str]) -> Request<'_> {
        let request = self.at(method, &["repos", &repo.owner, &repo.name]);
        path.iter().fold(request, Request::segment)
    }

    /// A request at any place of the API.
    pub(crate) fn at(&self, method: Method, path: &[&str]) -> Request<'_> {
        let request = Request::new(method, &self.host, format!("{}/", self.prefix))
            .header("accept", "application/vnd.github+json")
            .header("x-github-api-version", "2022-11-28")
            .header("user-agent", concat!("wardkeep-github/", env!("CARGO_PKG_VERSION")));
        let request = path.iter().fold(request, Request::segment);
        match &self.secret {
            Some(secret) => request.secret(secret),
            None => request,
        }
    }

    /// Sends it. `what` is what it is about, for whoever reads of its failure.
    pub(crate) fn send(&self, what: &str, request: Request<'_>) -> Result<Response> {
        let response = request.send().map_err(|error| self.lost(what, error))?;
        if response.is_success() { Ok(response) } else { Err(failed(what, response)) }
    }

    /// Sends it, and reads the answer.
    pub(crate) fn ask<T: DeserializeOwned>(&self, what: &str, request: Request<'_>) -> Result<T> {
        let response = self.send(what, request)?;
        response.json(MOST).map_err(|error| self.lost(what, error))
    }

    /// No answer that could be used.
    pub(crate) fn lost(&self, what: &str, error: Error) -> Failure {
        let happened = if self.writes { "; it may have happened all the same: look before you try again" } else { "" };
        match error {
            Error::Denied(why) => Failure::denied(format!(
                "`{}` is not granted to this tool for {what}: {why}; another server is named with `api`",
                self.host
            )),
            Error::InvalidRequest(why) => Failure::invalid_arguments(format!("{what} cannot be asked for: {why}")),
            Error::Unreachable(why) => Failure::upstream(format!("{what}: no usable answer ({why}){happened}"), None),
            Error::Timeout => Failure::upstream(format!("{what}: no answer in time{happened}"), None),
            Error::TooLarge => {
                Failure::upstream(format!("{what}: the answer has more bytes than this tool takes{happened}"), None)
            }
            other => Failure::from(other),
        }
    }
}

/// Host and path of a base such as `github.example.com/api/v3`.
fn base(api: &str) -> Option<(String, String)> {
    let (host, prefix) = api.trim_end_matches('/').split_once('/').unwrap_or((api.trim_end_matches('/'), ""));
    let plain = |text: &str, more: &[u8]| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || more.contains(&byte))
    };
    if !plain(host, b"-.") || !(prefix.is_empty() || prefix.split('/').all(|part| plain(part, b"-._"))) {
        return None;
    }
    let prefix = if prefix.is_empty() { String::new() } else { format!("/{prefix}") };
    Some((host.to_ascii_lowercase(), prefix))
}

/// What the API says of an error.
#[derive(Deserialize, Default)]
struct Told {
    #[serde(default)]
    message: String,
    #[serde(default)]
    errors: Vec<serde_json::Value>,
}

impl Told {
    /// On one line, bounded: it is the API's, and may repeat what somebody sent.
    fn line(&self) -> String {
        let of_one = |error: &serde_json::Value| match error {
            serde_json::Value::String(text) => text.clone(),
            error => {
                let say = |key: &str| error.get(key).and_then(|value| value.as_str()).unwrap_or_default().to_owned();
                let message = say("message");
                if message.is_empty() { format!("{} {}", say("field"), say("code")) } else { message }
            }
        };
        let errors: Vec<_> = self.errors.iter().take(5).map(of_one).collect();
        words::line(&format!("{} {}", self.message, errors.join("; ")))
    }
}

/// An answer that is a failure, as one of ours.
fn failed(what: &str, response: Response) -> Failure {
    let status = response.status();
    let by_head = limits::wait(&response);
    // Words that cannot be read are none: the status says enough.
    let told: Told = response.text(ERROR).ok().and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    let wait = by_head.or_else(|| limits::told(status, &told.message));
    let said = told.line();
    let said = if said.is_empty() { String::new() } else { format!(": {said}") };
    if let Some(wait) = wait {
        return Failure::rate_limited(
            format!("{what}: the API has been asked too often; try again in {wait} s{said}"),
            Some(wait),
        );
    }
    match status {
        301 | 302 | 307 | 308 => {
            Failure::upstream(format!("{what}: the repository has moved; ask under its new name"), Some(status))
        }
        401 => Failure::upstream(format!("{what}: the API does not accept the credential{said}"), Some(status)),
        403 | 451 => Failure::denied(format!("{what}: the API says no (status {status}){said}")),
        404 => Failure::not_found(format!("{what} is not there, or the credential may not see it{said}")),
        410 => Failure::not_found(format!("{what} is not there any more{said}")),
        400 | 409 | 422 => Failure::invalid_arguments(format!("{what}: the API does not take this{said}")),
        _ => Failure::upstream(format!("{what}: the API failed{said}"), Some(status)),
    }
}
