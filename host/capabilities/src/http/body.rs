//! The resource `body`: what is left of an answer. It is read from the network as the guest asks for it, and kept nowhere.
//!
//! `read` gives as much as was asked for, until the end: how the network has cut an answer into pieces cannot be seen in what a guest does, nor
//! in what it costs.

use std::sync::Arc;

use hyper::body::{Buf as _, Bytes};

use super::{tally::Line, transport::Arriving};
use crate::{Reach, bindings::client::Error, secrets::GuardStream};

/// Bytes of one `read`.
const READ: usize = 1 << 20;
/// Bytes of one `text`.
const TEXT: usize = 4 << 20;

/// The body of a response, as far as it is not read.
#[derive(Debug)]
#[allow(unreachable_pub, reason = "the bindings, which are generated, name it")]
pub struct Body {
    arriving: Option<Arriving>,
    /// Whose credentials are looked for in it.
    reach: Arc<Reach>,
    /// What finds them, since there are any.
    guard: Option<GuardStream>,
    /// Arrived, looked through and not yet read.
    ready: Bytes,
    /// Bytes that may still arrive.
    left: u64,
    /// Arrived since it was counted last.
    arrived: u64,
    /// Whether a credential was found in it since this was asked last.
    replaced: bool,
    broken: Option<Broken>,
    /// Held as long as a connection is.
    open: Option<Arc<()>>,
    pub(super) line: Line,
}

/// Why nothing more comes of it. Told again to whoever reads again: an answer that broke off must not look like one that ended.
#[derive(Debug, Clone, Copy)]
enum Broken {
    Off,
    TooLarge,
    NotText,
}

impl From<Broken> for Error {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Off => Self::Unreachable("the answer breaks off".into()),
            Broken::TooLarge => Self::TooLarge,
            Broken::NotText => Self::NotText,
        }
    }
}

impl Body {
    pub(super) fn new(arriving: Arriving, reach: &Arc<Reach>, most: u64, line: Line) -> Self {
        let arriving = (!arriving.is_over()).then_some(arriving);
        Self {
            arriving,
            reach: Arc::clone(reach),
            guard: None,
            ready: Bytes::new(),
            left: most,
            arrived: 0,
            replaced: false,
            broken: None,
            open: None,
            line,
        }
    }

    /// The same, counted among those that hold a connection as long as it does.
    pub(super) fn counted(self, open: &Arc<()>) -> Self {
        Self { open: self.arriving.is_some().then(|| Arc::clone(open)), ..self }
    }

    fn let_go(&mut self) {
        self.arriving = None;
        self.open = None;
    }

    /// What arrived since this was asked last.
    pub(super) fn arrived(&mut self) -> u64 {
        std::mem::take(&mut self.arrived)
    }

    /// Whether a credential was replaced since this was asked last.
    pub(super) fn has_replaced(&mut self) -> bool {
        std::mem::take(&mut self.replaced)
    }

    /// At most `max` bytes, less only at the end.
    pub(super) async fn read(&mut self, max: u32) -> Result<Vec<u8>, Error> {
        let most = usize::try_from(max).unwrap_or(READ).min(READ);
        let mut read = Vec::new();
        match self.fill(&mut read, most).await {
            // what came before it broke off is good; the next one to read is told
            Err(_) if !read.is_empty() => Ok(read),
            Err(broken) => Err(broken.into()),
            Ok(()) => Ok(read),
        }
    }

    /// All that is left, as text.
    pub(super) async fn text(&mut self, max: u32) -> Result<String, Error> {
        let most = usize::try_from(max).unwrap_or(TEXT).min(TEXT);
        let announced = self.arriving.as_ref().and_then(Arriving::announced).unwrap_or(0);
        if announced > most as u64 {
            return Err(self.end(Broken::TooLarge).into());
        }
        let mut read = Vec::new();
        self.fill(&mut read, most + 1).await?;
        if read.len() > most {
            return Err(self.end(Broken::TooLarge).into());
        }
        String::from_utf8(read).map_err(|_| self.end(Broken::NotText).into())
    }

    /// Nothing more comes of it. Its connection goes with it.
    fn end(&mut self, broken: Broken) -> Broken {
        self.let_go();
        self.ready = Bytes::new();
        self.broken = Some(broken);
        broken
    }

    async fn fill(&mut self, out: &mut Vec<u8>, most: usize) -> Result<(), Broken> {
        while out.len() < most {
            if self.ready.has_remaining() {
                let part = self.ready.split_to(self.ready.len().min(most - out.len()));
                out.extend_from_slice(&part);
            } else if !self.more().await? {
                break;
            }
        }
        Ok(())
    }

    /// Waits for more. False at the end.
    async fn more(&mut self) -> Result<bool, Broken> {
        if let Some(broken) = self.broken {
            return Err(broken);
        }
        let Some(arriving) = &mut self.arriving else { return Ok(false) };
        match arriving.next().await {
            Ok(Some(bytes)) => {
                let allowed = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
                self.arrived += bytes.len() as u64;
                self.left -= allowed as u64;
                if allowed < bytes.len() {
                    self.look_through(bytes.slice(..allowed));
                    let ready = std::mem::take(&mut self.ready);
                    self.end(Broken::TooLarge);
                    self.ready = ready;
                } else {
                    self.look_through(bytes);
                }
            }
            Ok(None) => {
                self.let_go();
                if let Some(mut guard) = self.guard.take() {
                    self.ready = guard.finish().into();
                    self.replaced |= guard.has_replaced();
                }
            }
            Err(_) => {
                self.end(Broken::Off);
            }
        }
        Ok(true)
    }

    /// A credential may have been opened, and sent to whoever answers here, after this answer began.
    fn renew(&mut self) {
        let Some(newest) = self.reach.secrets.guard() else { return };
        self.guard = Some(match self.guard.take() {
            Some(stream) => stream.under(&newest),
            None => newest.stream(),
        });
    }

    fn look_through(&mut self, bytes: Bytes) {
        self.renew();
        self.ready = match &mut self.guard {
            Some(guard) => {
                let clean = guard.push(&bytes);
                self.replaced |= guard.has_replaced();
                clean.into()
            }
            None => bytes,
        };
    }
}
