//! Asking for a page: redirects are followed here, each as a request of its own that the host checks as any other.

use wardkeep_sdk::{
    Failure, Result,
    http::{Error, Response},
};

use crate::place::Place;

/// How often a page may lead elsewhere.
const REDIRECTS: usize = 5;
/// Bytes of a page. The host's own bound is the same by default.
const MOST: u32 = 4 << 20;

/// A page as it came.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) place: Place,
    /// What led here, the first first.
    pub(crate) by: Vec<Place>,
    pub(crate) status: u16,
    pub(crate) content_type: Option<String>,
    pub(crate) bytes: Vec<u8>,
}

/// Asks until something other than a redirect comes.
pub(crate) fn ask(mut place: Place) -> Result<Answer> {
    let mut by: Vec<Place> = Vec::new();
    loop {
        let request = place
            .get()
            .header("accept", "text/markdown, text/html;q=0.9, text/*;q=0.8, */*;q=0.5")
            .header("user-agent", concat!("wardkeep-fetch/", env!("CARGO_PKG_VERSION")));
        let response = request.send().map_err(|error| refused(&place, by.last(), error))?;
        let Some(next) = location(&place, &response)? else {
            return read(place, by, response);
        };
        if by.len() == REDIRECTS {
            return Err(Failure::upstream(
                format!("`{place}` is the end of {REDIRECTS} redirects and leads on to `{next}`"),
                Some(response.status()),
            ));
        }
        by.push(std::mem::replace(&mut place, next));
    }
}

/// Where an answer leads, if it is a redirect.
fn location(place: &Place, response: &Response) -> Result<Option<Place>> {
    if !matches!(response.status(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let Some(location) = response.header("location") else { return Ok(None) };
    let next = place
        .redirected(location)
        .map_err(|why| Failure::upstream(format!("`{place}` redirects to {why}"), Some(response.status())))?;
    Ok(Some(next))
}

fn read(place: Place, by: Vec<Place>, response: Response) -> Result<Answer> {
    let status = response.status();
    if !response.is_success() {
        return Err(failed(&place, &response));
    }
    let content_type = response.header("content-type").map(|value| value.trim().to_ascii_lowercase());
    let bytes = response.bytes(MOST).map_err(|error| match error {
        Error::TooLarge => Failure::upstream(
            format!("`{place}` has more than {MOST} bytes, or more than `limits.response_body` of the manifest"),
            Some(status),
        ),
        error => refused(&place, None, error),
    })?;
    Ok(Answer { place, by, status, content_type, bytes })
}

/// An answer that is no page. The status stands beside the words.
fn failed(place: &Place, response: &Response) -> Failure {
    let status = response.status();
    let after = response.header("retry-after").and_then(|value| value.trim().parse::<u32>().ok());
    let again = after.map_or_else(String::new, |seconds| format!("; try again in {seconds} s"));
    let why = match status {
        429 => return Failure::rate_limited(format!("`{place}` has been asked for too often{again}"), after),
        503 if after.is_some() => {
            return Failure::rate_limited(format!("`{place}` is not there for now{again}"), after);
        }
        404 | 410 => "is not there",
        401 | 403 => "is not for everybody",
        300..=399 => "leads elsewhere and does not say where",
        400..=499 => "is not to be had like this",
        _ => "cannot be had: its server failed",
    };
    Failure::upstream(format!("`{place}` {why}"), Some(status))
}

/// No answer: whose doing it was, and which page it was about.
fn refused(place: &Place, before: Option<&Place>, error: Error) -> Failure {
    let led = before.map_or_else(String::new, |before| format!(", to which `{before}` redirects,"));
    match error {
        Error::Denied(why) => Failure::denied(format!("`{place}`{led} is not granted to this tool: {why}")),
        Error::InvalidRequest(why) => Failure::invalid_arguments(format!("`{place}`{led} cannot be asked for: {why}")),
        Error::Unreachable(why) => Failure::upstream(format!("`{place}`{led} gave no usable answer: {why}"), None),
        Error::Timeout => Failure::upstream(format!("`{place}`{led} did not answer in time"), None),
        other => Failure::from(other),
    }
}
