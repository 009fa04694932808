//! The other end of the home's socket: a process that does not own the home passes lists and calls to the one that does.

use std::{
    collections::HashMap,
    io,
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::{SinkExt as _, StreamExt as _};
use rmcp::model::ElicitRequestParams;
use tokio::{
    net::UnixStream,
    sync::{mpsc, oneshot, watch},
    time::timeout,
};
use tokio_util::{
    codec::{FramedRead, FramedWrite, LinesCodec},
    sync::CancellationToken,
};
use wardkeep_model::Progress;

use crate::{
    Caller, Done, Line, Order, Refused, Response, ToolCall, ToolView, Undone,
    line::{Inquiry, Person},
    wire::{Ask, Claims, Greeting, LONGEST, Reach, Tale, Told},
};

/// The owner gets this long to greet.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why the owner could not be reached.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// Nobody listens.
    #[error("can't reach the process that owns this home: {0}")]
    Connect(#[from] io::Error),
    /// It is another build of Wardkeep.
    #[error("the process that owns this home is wardkeep {theirs} and this one is {ours}; end the older one")]
    Version {
        /// What the owner says.
        theirs: String,
        /// This process.
        ours: &'static str,
    },
    /// It took the connection and says nothing.
    #[error("the process that owns this home does not answer; it may be stopped or overloaded")]
    Silent,
    /// It speaks something else, or hung up.
    #[error("the process that owns this home did not greet as it should")]
    Greeting,
}

/// A connection to the owner. Cheap to clone.
#[derive(Clone)]
pub struct Relay(Arc<Inner>);

struct Inner {
    next: AtomicU64,
    asks: mpsc::Sender<Ask>,
    waiting: Mutex<HashMap<u64, Waiting>>,
    closed: CancellationToken,
    /// Rings when the owner says that the lists have changed.
    bell: watch::Sender<u64>,
}

/// One request that has no answer yet.
struct Waiting {
    answer: oneshot::Sender<Tale>,
    line: Line,
}

impl Relay {
    /// Connects and greets, within five seconds.
    ///
    /// # Errors
    ///
    /// See [`RelayError`].
    pub async fn connect(path: &Path) -> Result<Self, RelayError> {
        timeout(PATIENCE, Self::greet(path)).await.unwrap_or(Err(RelayError::Silent))
    }

    async fn greet(path: &Path) -> Result<Self, RelayError> {
        let (read, write) = UnixStream::connect(path).await?.into_split();
        let mut lines = FramedRead::new(read, LinesCodec::new_with_max_length(LONGEST));
        let mut sink = FramedWrite::new(write, LinesCodec::new());
        let ours = serde_json::to_string(&Greeting::ours()).map_err(io::Error::from)?;
        sink.send(ours).await.map_err(|_| RelayError::Greeting)?;
        let line = lines.next().await.and_then(Result::ok).ok_or(RelayError::Greeting)?;
        let theirs: Greeting = serde_json::from_str(&line).map_err(|_| RelayError::Greeting)?;
        if theirs != Greeting::ours() {
            return Err(RelayError::Version { theirs: theirs.wardkeep, ours: env!("CARGO_PKG_VERSION") });
        }
        let (asks, mut to_send) = mpsc::channel::<Ask>(64);
        let inner = Arc::new(Inner {
            next: AtomicU64::new(1),
            asks,
            waiting: Mutex::default(),
            closed: CancellationToken::new(),
            bell: watch::Sender::new(0),
        });
        let closed = inner.closed.clone();
        tokio::spawn(async move {
            while let Some(ask) = to_send.recv().await {
                let Ok(line) = serde_json::to_string(&ask) else { continue };
                if sink.send(line).await.is_err() {
                    break;
                }
            }
            closed.cancel();
        });
        let reader = Arc::downgrade(&inner);
        tokio::spawn(async move {
            while let Some(Ok(line)) = lines.next().await {
                let (Some(inner), Ok(told)) = (reader.upgrade(), serde_json::from_str::<Told>(&line)) else { break };
                if matches!(told.told, Tale::Changed) {
                    inner.bell.send_modify(|rung| *rung += 1);
                } else if let Tale::Progress(report) = told.told {
                    inner.report(told.id, report);
                } else if let Tale::Inquiry(request) = told.told {
                    inner.inquire(told.id, *request);
                } else if let Some(waiting) = inner.take(told.id) {
                    // the receiver is gone when its client went away
                    let _ = waiting.answer.send(told.told);
                }
            }
            if let Some(inner) = reader.upgrade() {
                inner.closed.cancel();
                // whoever waits is told by its sender's end
                inner.waiting().clear();
            }
        });
        Ok(Self(inner))
    }

    /// Waits until the owner is gone.
    pub async fn closed(&self) {
        self.0.closed.cancelled().await;
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.0.closed.is_cancelled()
    }

    pub(crate) fn bell(&self) -> watch::Receiver<u64> {
        self.0.bell.subscribe()
    }

    pub(crate) async fn tools(&self, caller: &Caller) -> Result<Vec<ToolView>, Refused> {
        let id = self.0.id();
        let ask = Ask::List { id, claims: Claims::from(&caller.origin) };
        match self.0.ask(id, ask, Line::default(), CancellationToken::new()).await? {
            Tale::Tools(tools) => Ok(tools),
            Tale::Refused(refused) => Err(refused),
            _ => Err(lost()),
        }
    }

    pub(crate) async fn call(
        &self,
        caller: &Caller,
        call: ToolCall,
        line: Line,
        cancelled: CancellationToken,
    ) -> Result<Response, Refused> {
        let id = self.0.id();
        let progress = line.reporter.is_some();
        let person = Reach::from(&line.person);
        let ask = Ask::Call { id, claims: Claims::from(&caller.origin), call, progress, person };
        match self.0.ask(id, ask, line, cancelled).await? {
            Tale::Answer(answer) => Ok(Response::Complete(*answer)),
            Tale::Refused(refused) => Err(refused),
            Tale::InputRequired(questions) => Ok(Response::InputRequired(*questions)),
            _ => Err(lost()),
        }
    }

    /// Has the owner carry out an order, and waits for it.
    ///
    /// # Errors
    ///
    /// See [`Undone`]; [`Undone::Late`] after this long.
    pub async fn order(&self, order: Order, within: Duration) -> Result<Done, Undone> {
        let id = self.0.id();
        let asked = self.0.ask(id, Ask::Order { id, order }, Line::default(), CancellationToken::new());
        match timeout(within, asked).await {
            Ok(Ok(Tale::Ordered(done))) => done,
            Ok(_) => Err(Undone::Lost),
            Err(_) => Err(Undone::Late),
        }
    }
}

impl Inner {
    fn id(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<u64, Waiting>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, id: u64) -> Option<Waiting> {
        self.waiting().remove(&id)
    }

    fn report(&self, id: u64, report: Progress) {
        if let Some(reporter) = self.waiting().get(&id).and_then(|waiting| waiting.line.reporter.as_ref()) {
            reporter.put(report);
        }
    }

    /// Puts the owner's question to the client of this call; its answer goes back whenever it comes.
    fn inquire(&self, id: u64, request: ElicitRequestParams) {
        let inquiries = match self.waiting().get(&id).map(|waiting| &waiting.line.person) {
            Some(Person::Now(inquiries)) => inquiries.clone(),
            _ => return,
        };
        let asks = self.asks.clone();
        tokio::spawn(async move {
            let (answer, told) = oneshot::channel();
            let asked = inquiries.send(Inquiry { request, answer }).await;
            let answer = if asked.is_ok() { told.await.ok().flatten().map(Box::new) } else { None };
            let _ = asks.send(Ask::Answered { id, answer }).await;
        });
    }

    async fn ask(&self, id: u64, ask: Ask, line: Line, cancelled: CancellationToken) -> Result<Tale, Refused> {
        let (answer, mut told) = oneshot::channel();
        self.waiting().insert(id, Waiting { answer, line });
        let forget = Forget(self, id);
        if self.closed.is_cancelled() || self.asks.send(ask).await.is_err() {
            return Err(lost());
        }
        let tale = tokio::select! {
            tale = &mut told => tale,
            () = cancelled.cancelled() => {
                let _ = self.asks.send(Ask::Cancel { id }).await;
                // the owner still answers, with the outcome of the cancelled call
                told.await
            }
        };
        std::mem::forget(forget);
        tale.map_err(|_| lost())
    }
}

/// A client that goes away while it waits: the owner is told to cancel, and nothing is left behind.
struct Forget<'a>(&'a Inner, u64);

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.0.take(self.1);
        let _ = self.0.asks.try_send(Ask::Cancel { id: self.1 });
    }
}

fn lost() -> Refused {
    Refused::internal_error(
        "the process that owns this home ended while it worked on this; whether a call had its effect stands in the audit log",
        None,
    )
}
