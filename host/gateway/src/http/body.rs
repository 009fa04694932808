//! A request's body: bounded in bytes and time, screened, and only so many bytes of all bodies being parsed at once.

use std::{sync::Arc, time::Duration};

use axum::{
    body::{Body, Bytes},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use http_body_util::{BodyExt as _, Full};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::BODY_BYTES;
use crate::screen::{Refusal, Screened, screened};

/// A body over the limit is read on to here before the answer: a client that is still sending would see a broken pipe.
const DRAIN_BYTES: usize = 4 * BODY_BYTES;
/// A client gets this long to send its body, and a body waits this long for its turn.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of all bodies that are being screened and parsed at once: a parsed body takes a multiple of its bytes.
const PARSED_BYTES: usize = 4 * BODY_BYTES;

pub(super) struct Bodies {
    parsing: Arc<Semaphore>,
    patience: Duration,
}

impl Bodies {
    pub(super) fn new() -> Self {
        Self { parsing: Arc::new(Semaphore::new(PARSED_BYTES)), patience: BODY_TIMEOUT }
    }

    /// Reads the body whole. What is given back holds its share of what may be parsed until rmcp has parsed it.
    pub(super) async fn read(&self, body: &mut Body) -> Result<(Body, Screened), Unread> {
        let bytes = bounded(body).await?;
        let share = self.share(bytes.len()).await?;
        let (bytes, screened) = screened(bytes).await.map_err(Unread::Refused)?;
        // rmcp parses before it lets go of the body, not of the frame
        let held = Full::new(bytes).map_frame(move |frame| {
            let _until_dropped = &share;
            frame
        });
        Ok((Body::new(held), screened))
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

/// Why a body goes no further.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unread {
    Broken,
    TooLarge,
    TooSlow,
    Busy,
    Refused(Refusal),
}

impl IntoResponse for Unread {
    fn into_response(self) -> Response {
        match self {
            Self::Broken => (StatusCode::BAD_REQUEST, "the body broke off").into_response(),
            Self::TooLarge => {
                let text = format!("a request may have {BODY_BYTES} bytes at most");
                (StatusCode::PAYLOAD_TOO_LARGE, text).into_response()
            }
            Self::TooSlow => (StatusCode::REQUEST_TIMEOUT, "the body took too long").into_response(),
            Self::Busy => (StatusCode::SERVICE_UNAVAILABLE, "too many large requests at once").into_response(),
            Self::Refused(refusal) => refused(refusal),
        }
    }
}

/// A JSON-RPC error with HTTP's 400 (MCP, Streamable HTTP, Sending Messages).
pub(super) fn refused(refusal: Refusal) -> Response {
    let status =
        if refusal == Refusal::Unscreened { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::BAD_REQUEST };
    (status, [(header::CONTENT_TYPE, "application/json")], refusal.message()).into_response()
}

async fn bounded(body: &mut Body) -> Result<Bytes, Unread> {
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
mod tests {
    use std::time::Duration;

    use axum::body::Body;
    use http_body_util::BodyExt as _;

    use super::{BODY_BYTES, Bodies, PARSED_BYTES, Unread};

    fn largest() -> Body {
        Body::from(format!("\"{}\"", "x".repeat(BODY_BYTES - 2)))
    }

    #[tokio::test]
    async fn so_many_bytes_are_parsed_at_once_and_what_waits_too_long_is_told_so() {
        let mut bodies = Bodies::new();
        bodies.patience = Duration::from_millis(50);
        let mut held = Vec::new();
        for _ in 0..PARSED_BYTES / BODY_BYTES {
            held.push(bodies.read(&mut largest()).await.unwrap().0);
        }
        assert_eq!(bodies.read(&mut Body::from("{}")).await.map(drop), Err(Unread::Busy));
        bodies.patience = Duration::from_secs(60);
        let waiting = async { bodies.read(&mut Body::from("{}")).await.map(drop) };
        let ending = async {
            // what rmcp does: the frames are taken, then parsed, then the body is let go
            let mut body = held.pop().unwrap();
            while body.frame().await.is_some() {}
            assert_eq!(bodies.parsing.available_permits(), 0);
            drop(body);
        };
        assert_eq!(tokio::join!(waiting, ending).0, Ok(()));
        drop(held);
        assert_eq!(bodies.parsing.available_permits(), PARSED_BYTES);
    }
}
