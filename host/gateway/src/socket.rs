//! The home's own socket, served by the process that owns the home. Only processes of the same user are heard.

use std::{
    collections::HashMap,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use futures_util::{SinkExt as _, StreamExt as _};
use rmcp::model::ElicitResult;
use tokio::{
    net::{
        UnixListener, UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::mpsc,
    task::JoinSet,
    time::timeout,
};
use tokio_util::{
    codec::{FramedRead, FramedWrite, LinesCodec},
    sync::CancellationToken,
};
use wardkeep_model::Authenticated;
use wardkeep_sandbox::Reporter;

use crate::{
    Caller, Done, Host, Line, Order, Orders, Refused, Response, ServeError, Undone,
    caller::Connection,
    identity::{Credential, Identity},
    line::{self, Inquiry},
    lists::HostLists,
    order,
    wire::{Ask, Claims, Greeting, LONGEST, Tale, Told},
};

/// A peer gets this long to greet, and to take what it asked for.
const PATIENCE: Duration = Duration::from_secs(5);
/// When stopping, peers get this long to end by themselves.
const LINGER: Duration = Duration::from_secs(5);

type Lines = FramedRead<OwnedReadHalf, LinesCodec>;
type Sink = FramedWrite<OwnedWriteHalf, LinesCodec>;

/// Answers relays. Owner-only by mode, and by the peer's user id besides.
pub struct SocketServer {
    path: PathBuf,
    listener: UnixListener,
    host: Arc<Host>,
    orders: Orders,
}

impl SocketServer {
    /// Listens at a path, in place of what an ended owner left there. The caller holds the home's lock.
    ///
    /// # Errors
    ///
    /// [`ServeError::Socket`].
    pub fn bind(path: &Path, host: Arc<Host>, orders: Orders) -> Result<Self, ServeError> {
        let failed = |source| ServeError::Socket { path: path.to_owned(), source };
        match fs::remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        let listener = UnixListener::bind(path).map_err(failed)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(failed)?;
        Ok(Self { path: path.to_owned(), listener, host, orders })
    }

    /// Serves until it is stopped.
    pub async fn run(self, stop: CancellationToken) {
        let mut peers = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                () = stop.cancelled() => break,
            };
            while peers.try_join_next().is_some() {}
            match accepted {
                Ok((stream, _)) if same_user(&stream) => {
                    peers.spawn(serve_peer(stream, Arc::clone(&self.host), self.orders.clone(), stop.clone()));
                }
                Ok(_) => tracing::warn!("a process of another user knocked at the home's socket and was not heard"),
                Err(error) => {
                    tracing::warn!(%error, "can't accept on the home's socket");
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                }
            }
        }
        // gone before the lock is given back, so that nobody connects to an owner that is none
        let _ = fs::remove_file(&self.path);
        // a peer that does not read what it asked for is not waited for
        if timeout(LINGER, async { while peers.join_next().await.is_some() {} }).await.is_err() {
            peers.shutdown().await;
        }
    }
}

fn same_user(stream: &UnixStream) -> bool {
    stream.peer_cred().is_ok_and(|peer| peer.uid() == rustix::process::geteuid().as_raw())
}

async fn serve_peer(stream: UnixStream, host: Arc<Host>, orders: Orders, stop: CancellationToken) {
    let (read, write) = stream.into_split();
    let mut lines = FramedRead::new(read, LinesCodec::new_with_max_length(LONGEST));
    let mut sink = FramedWrite::new(write, LinesCodec::new());
    let greeted = tokio::select! {
        greeted = timeout(PATIENCE, greet(&mut lines, &mut sink)) => greeted.unwrap_or(false),
        () = stop.cancelled() => false,
    };
    if !greeted {
        return;
    }
    let (told, mut to_tell) = mpsc::channel::<Told>(64);
    // ends at the first line that is not taken in time; then every `told.send` fails at once and nobody waits for this peer
    let mut lists = HostLists::new(&host, Credential::Socket);
    let writer = tokio::spawn(async move {
        let mut listening = true;
        loop {
            // no queue of its own: what changes while a line is being taken is told once after it
            let told = tokio::select! {
                told = to_tell.recv() => told,
                changed = lists.changed(), if listening => {
                    listening = changed;
                    if !changed {
                        continue;
                    }
                    Some(Told { id: 0, told: Tale::Changed })
                }
            };
            let Some(told) = told else { break };
            let Ok(line) = serde_json::to_string(&told) else { continue };
            if !timeout(PATIENCE, sink.send(line)).await.is_ok_and(|sent| sent.is_ok()) {
                break;
            }
        }
    });
    let connection = Connection::new();
    let mut running: HashMap<u64, Running> = HashMap::new();
    let mut calls = JoinSet::new();
    loop {
        let line = tokio::select! {
            line = lines.next() => line,
            Some(ended) = calls.join_next() => {
                if let Ok(id) = ended {
                    running.remove(&id);
                }
                continue;
            }
            () = stop.cancelled() => break,
        };
        let Some(Ok(line)) = line else { break };
        match serde_json::from_str(&line) {
            Ok(Ask::List { id, claims }) => {
                let tale = match caller(&host, claims, connection).await {
                    Ok(caller) => Tale::Tools(host.tools(&caller.principal)),
                    Err(refused) => Tale::Refused(refused),
                };
                let _ = told.send(Told { id, told: tale }).await;
            }
            Ok(Ask::Call { id, claims, call, progress, person }) => {
                let cancelled = CancellationToken::new();
                let (answers, answered) = mpsc::channel(1);
                running.insert(id, Running { cancelled: cancelled.clone(), answers });
                let (host, told) = (Arc::clone(&host), told.clone());
                calls.spawn(async move {
                    let (reporter, reports) = progress.then(Reporter::new).unzip();
                    let answering = Box::pin(async {
                        let caller = caller(&host, claims, connection).await?;
                        let (person, inquiries) = person.person();
                        let calling = host.call(caller, call, Line { reporter, person }, cancelled);
                        asking(id, calling, &told, inquiries, answered).await
                    });
                    let tell = |report| {
                        let told = told.clone();
                        async move { told.send(Told { id, told: Tale::Progress(report) }).await.is_ok() }
                    };
                    let answered = match reports {
                        Some(reports) => line::hear(answering, reports, tell).await,
                        None => answering.await,
                    };
                    let tale = match answered {
                        Ok(Response::Complete(answer)) => Tale::Answer(Box::new(answer)),
                        Ok(Response::InputRequired(questions)) => Tale::InputRequired(Box::new(questions)),
                        Err(refused) => Tale::Refused(refused),
                    };
                    let _ = told.send(Told { id, told: tale }).await;
                    id
                });
            }
            Ok(Ask::Cancel { id }) => {
                if let Some(running) = running.get(&id) {
                    running.cancelled.cancel();
                }
            }
            Ok(Ask::Order { id, order }) => {
                let (orders, told, stop, host) = (orders.clone(), told.clone(), stop.clone(), Arc::clone(&host));
                calls.spawn(async move {
                    // a host that ends does not wait for what an order waits for
                    let doing = async {
                        match order {
                            Order::Approvals(order) => order.by(&host).await,
                            Order::Revoke { key } => {
                                let (known, ended) = host.revoke(key);
                                Ok(Done::Revoked { known, ended })
                            }
                            Order::Counts => order::recorded(host.journal().write_counts().await),
                            Order::Record(change) => order::recorded(host.journal().event(change.event()).await),
                            order => orders.place(order).await,
                        }
                    };
                    let done = stop.run_until_cancelled(doing).await.unwrap_or(Err(Undone::Lost));
                    let _ = told.send(Told { id, told: Tale::Ordered(done) }).await;
                    id
                });
            }
            Ok(Ask::Answered { id, answer }) => {
                if let Some(running) = running.get(&id) {
                    // there is room for the one that was asked for
                    let _ = running.answers.try_send(answer.map(|answer| *answer));
                }
            }
            Err(error) => {
                tracing::warn!(%error, "a relay sent something else than it should");
                break;
            }
        }
    }
    // the relay is gone, or the host stops: what it asked for is cancelled, and every record is closed
    running.values().for_each(|running| running.cancelled.cancel());
    while calls.join_next().await.is_some() {}
    drop(told);
    let _ = writer.await;
}

/// One call of a relay.
struct Running {
    cancelled: CancellationToken,
    answers: mpsc::Sender<Option<ElicitResult>>,
}

/// What the call gives, with its questions put to the relay's client, one at a time.
async fn asking<T>(
    id: u64,
    call: impl Future<Output = T>,
    told: &mpsc::Sender<Told>,
    inquiries: Option<mpsc::Receiver<Inquiry>>,
    mut answered: mpsc::Receiver<Option<ElicitResult>>,
) -> T {
    let Some(mut inquiries) = inquiries else { return call.await };
    let mut call = pin!(call);
    let asking = async {
        while let Some(Inquiry { request, answer }) = inquiries.recv().await {
            let asked = told.send(Told { id, told: Tale::Inquiry(Box::new(request)) }).await;
            let said = if asked.is_ok() { answered.recv().await.flatten() } else { None };
            let _ = answer.send(said);
        }
    };
    tokio::select! {
        biased;
        answer = &mut call => answer,
        () = asking => call.await,
    }
}

async fn greet(lines: &mut Lines, sink: &mut Sink) -> bool {
    let theirs =
        lines.next().await.is_some_and(|line| line.is_ok_and(|l| serde_json::from_str::<Greeting>(&l).is_ok()));
    let Ok(ours) = serde_json::to_string(&Greeting::ours()) else { return false };
    theirs && sink.send(ours).await.is_ok()
}

async fn caller(host: &Host, claims: Claims, connection: Connection) -> Result<Caller, Refused> {
    match host.moment().callers.local(Authenticated::Socket) {
        Ok(principal) => {
            let identity = Identity { principal, credential: Credential::Socket };
            Ok(Caller::new(identity, claims.into(), Some(connection)))
        }
        Err(why) => {
            host.record_unauthenticated(why, claims.into()).await;
            Err(Refused::invalid_request("not authenticated", None))
        }
    }
}
