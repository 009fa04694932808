//! Bodies. A request's is bounded in bytes and time and screened; only so many bytes of all bodies are being read at once, of which one
//! principal has a part, and only so many are being parsed. A large answer holds its part of another room until it is sent.

use std::{sync::Arc, time::Duration};

use axum::{
    body::{Body, Bytes},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Body as _;
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{
    BODY_BYTES,
    share::{Room, Share},
};
use crate::screen::{Refusal, Screened, screened};

/// A body over the limit is read on to here before the answer: a client that is still sending would see a broken pipe.
const DRAIN_BYTES: usize = 4 * BODY_BYTES;
/// And one that finds no room, for so long.
const DRAIN_TIME: Duration = Duration::from_secs(2);
/// A client gets this long to send its body, and a body waits this long for its turn.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of all bodies that are being screened and parsed at once: a parsed body takes a multiple of its bytes.
const PARSED_BYTES: usize = 4 * BODY_BYTES;
/// Bytes of all bodies that are being read or wait to be parsed.
const READING_BYTES: usize = 16 * BODY_BYTES;
/// Bytes of all answers that wait for their peers to take them.
const ANSWER_BYTES: usize = 32 * BODY_BYTES;
/// What one principal has of both rooms: a half, so that two are needed to fill one.
const PART: usize = 2;
/// An answer up to this size takes no room: connections bound how many there are.
const SMALL_ANSWER: u64 = 64 << 10;
/// What a client is told that finds no room, in seconds.
const RETRY_AFTER: &str = "1";

pub(super) struct Bodies {
    reading: Room,
    parsing: Arc<Semaphore>,
    answers: Room,
    patience: Duration,
}

impl Bodies {
    pub(super) fn new() -> Self {
        Self {
            reading: Room::new(READING_BYTES, READING_BYTES / PART),
            parsing: Arc::new(Semaphore::new(PARSED_BYTES)),
            answers: Room::new(ANSWER_BYTES, ANSWER_BYTES / PART),
            patience: BODY_TIMEOUT,
        }
    }

    /// Reads this principal's body whole. What is given back holds its share of what may be parsed until rmcp has parsed it.
    pub(super) async fn read(&self, principal: &str, body: &mut Body) -> Result<Read, Unread> {
        let mut reading = self.reading.share(principal);
        let bytes = match bounded(body, &mut reading).await {
            Err(Unread::Busy) => {
                drop(reading);
                drain(body).await;
                return Err(Unread::Busy);
            }
            bounded => bounded?,
        };
        let share = self.share(bytes.len()).await?;
        let (bytes, screened) = screened(bytes).await.map_err(Unread::Refused)?;
        // rmcp parses before it lets go of the body, not of the frame
        let held = Full::new(bytes.clone()).map_frame(move |frame| {
            let _until_dropped = &share;
            frame
        });
        Ok(Read { body: Body::new(held), bytes, screened })
    }

    /// An answer that holds its room until it is sent, or what is said instead.
    pub(super) async fn answer(&self, principal: &str, response: Response) -> Response {
        let bytes = response.body().size_hint().exact().filter(|bytes| *bytes > SMALL_ANSWER);
        let Some(bytes) = bytes.and_then(|bytes| usize::try_from(bytes).ok()) else { return response };
        let mut share = self.answers.share(principal);
        if !share.grow(bytes) {
            return Unread::Unsent.into_response();
        }
        let (parts, body) = response.into_parts();
        // its length is known, so it is there already: nothing is waited for
        match body.collect().await {
            Ok(whole) => {
                let held = Held { bytes: whole.to_bytes(), _share: share };
                Response::from_parts(parts, Body::from(Bytes::from_owner(held)))
            }
            Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        }
    }

    async fn share(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Unread> {
        let weight = u32::try_from(bytes).map_err(|_| Unread::TooLarge)?;
        let waiting = Arc::clone(&self.parsing).acquire_many_owned(weight);
        match tokio::time::timeout(self.patience, waiting).await {
            Ok(Ok(share)) => Ok(share),
            Ok(Err(_)) | Err(_) => Err(Unread::Busy),
        }
    }
}

/// A body that was read whole.
pub(super) struct Read {
    /// For rmcp.
    pub(super) body: Body,
    /// The same for who looks at it before; not to be kept.
    pub(super) bytes: Bytes,
    pub(super) screened: Screened,
}

/// Bytes that take room for as long as anybody has them.
struct Held {
    bytes: Bytes,
    _share: Share,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Why a body goes no further.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unread {
    Broken,
    TooLarge,
    TooSlow,
    Busy,
    Unsent,
    Refused(Refusal),
}

impl IntoResponse for Unread {
    fn into_response(self) -> Response {
        let (status, text) = match self {
            Self::Broken => (StatusCode::BAD_REQUEST, "the body broke off"),
            Self::TooLarge => {
                return error(StatusCode::PAYLOAD_TOO_LARGE, Refusal::TooLong { most: BODY_BYTES }.message());
            }
            Self::TooSlow => (StatusCode::REQUEST_TIMEOUT, "the body took too long"),
            Self::Busy => (StatusCode::SERVICE_UNAVAILABLE, "too many large requests at once"),
            Self::Unsent => (
                StatusCode::SERVICE_UNAVAILABLE,
                "too many large answers wait to be read; the call may have had its effect",
            ),
            Self::Refused(refusal) => return refused(refusal),
        };
        unavailable(status, text)
    }
}

/// A JSON-RPC error for what may go better another time.
pub(super) fn unavailable(status: StatusCode, text: &str) -> Response {
    let error = json!({ "jsonrpc": "2.0", "id": null, "error": { "code": -32_600, "message": text } });
    let mut response = self::error(status, error.to_string());
    if status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER));
    }
    response
}

fn error(status: StatusCode, message: String) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], message).into_response()
}

/// A JSON-RPC error with HTTP's 400 (MCP, Streamable HTTP, Sending Messages).
pub(super) fn refused(refusal: Refusal) -> Response {
    let status =
        if refusal == Refusal::Unscreened { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::BAD_REQUEST };
    error(status, refusal.message())
}

/// What is refused while it is still being sent is read on for a moment, and not kept: the client would see a broken pipe else.
async fn drain(body: &mut Body) {
    let reading = async { while body.frame().await.is_some_and(|frame| frame.is_ok()) {} };
    // a body that goes on longer is cut off; so is one whose client only says that it sends
    let _ = tokio::time::timeout(DRAIN_TIME, reading).await;
}

async fn bounded(body: &mut Body, share: &mut Share) -> Result<Bytes, Unread> {
    let read = async {
        let mut bytes = Vec::new();
        let mut total = 0_usize;
        while let Some(frame) = body.frame().await {
            let Ok(chunk) = frame.map_err(|_| Unread::Broken)?.into_data() else { continue };
            total = total.saturating_add(chunk.len());
            if total > DRAIN_BYTES {
                break;
            }
            if total <= BODY_BYTES {
                // by what has come, not by what was promised: a promise would take room for nothing
                if !share.grow(chunk.len()) {
                    return Err(Unread::Busy);
                }
                bytes.extend_from_slice(&chunk);
            } else {
                bytes = Vec::new();
            }
        }
        if total > BODY_BYTES { Err(Unread::TooLarge) } else { Ok(Bytes::from(bytes)) }
    };
    tokio::time::timeout(BODY_TIMEOUT, read).await.unwrap_or(Err(Unread::TooSlow))
}

#[cfg(test)]
mod tests;
