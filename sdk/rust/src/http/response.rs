//! What came back.

use std::{
    fmt,
    io::{self, Read},
};

use serde::de::DeserializeOwned;

use super::{Error, Header, PIECE};
use crate::{Failure, host};

/// An answer, of any status. Its body is not yet read.
pub struct Response {
    status: u16,
    headers: Vec<Header>,
    body: host::Body,
}

impl Response {
    pub(super) fn new(status: u16, headers: Vec<Header>, body: host::Body) -> Self {
        Self { status, headers, body }
    }

    /// Such as 200.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Whether the status is 2xx.
    #[must_use]
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The first header of this name, in any case of letters.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name)).map(|header| header.value.as_str())
    }

    /// All of them, in the order of the wire.
    #[must_use]
    pub fn headers(&self) -> &[Header] {
        &self.headers
    }

    /// Itself, if the status is 2xx.
    ///
    /// # Errors
    ///
    /// [`Failure::Upstream`] with the status, which the host adds to the words. The body is not looked at: services differ in how they say what is wrong.
    pub fn success(self) -> Result<Self, Failure> {
        if self.is_success() {
            return Ok(self);
        }
        Err(Failure::upstream("the service answered with no success", Some(self.status)))
    }

    /// The whole body as text, if it is at most `max` bytes of UTF-8.
    ///
    /// # Errors
    ///
    /// As in the WIT: [`Error::TooLarge`], [`Error::NotText`], [`Error::Unreachable`] where it breaks off.
    pub fn text(self, max: u32) -> Result<String, Error> {
        self.body.text(max)
    }

    /// The whole body read as JSON, if it is at most `max` bytes.
    ///
    /// # Errors
    ///
    /// As [`text`](Self::text); [`Error::Unreachable`] if it is not the JSON that was expected.
    pub fn json<T: DeserializeOwned>(self, max: u32) -> Result<T, Error> {
        let text = self.text(max)?;
        // What serde says of a text can hold pieces of it, so it is told where and not what.
        serde_json::from_str(&text).map_err(|error| {
            Error::Unreachable(format!(
                "the answer is not the JSON that was expected (line {}, column {})",
                error.line(),
                error.column()
            ))
        })
    }

    /// The whole body, if it is at most `max` bytes.
    ///
    /// # Errors
    ///
    /// As in the WIT.
    pub fn bytes(self, max: u32) -> Result<Vec<u8>, Error> {
        let mut reader = self.reader();
        let mut bytes = Vec::new();
        loop {
            // One more than is taken tells whether there is more.
            let room = u64::from(max).saturating_sub(bytes.len() as u64) + 1;
            let piece = reader.piece(u32::try_from(room).unwrap_or(PIECE).min(PIECE))?;
            if piece.is_empty() {
                return Ok(bytes);
            }
            bytes.extend_from_slice(&piece);
            if bytes.len() as u64 > u64::from(max) {
                return Err(Error::TooLarge);
            }
        }
    }

    /// The body piece by piece.
    #[must_use]
    pub fn reader(self) -> Reader {
        Reader { body: self.body }
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response").field("status", &self.status).field("headers", &self.headers).finish_non_exhaustive()
    }
}

/// A body that is read piece by piece. Each piece is one host call: with [`Read`], put a [`std::io::BufReader`] around it.
pub struct Reader {
    body: host::Body,
}

impl Reader {
    /// At most `max` bytes ([`PIECE`] at most), waiting for at least one. Empty: the end.
    ///
    /// # Errors
    ///
    /// As in the WIT.
    pub fn piece(&mut self, max: u32) -> Result<Vec<u8>, Error> {
        self.body.read(max)
    }
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let max = u32::try_from(buffer.len()).unwrap_or(PIECE).min(PIECE);
        let piece = self.piece(max).map_err(io::Error::other)?;
        let (place, _) = buffer.split_at_mut_checked(piece.len()).ok_or(io::ErrorKind::InvalidData)?;
        place.copy_from_slice(&piece);
        Ok(piece.len())
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reader")
    }
}
