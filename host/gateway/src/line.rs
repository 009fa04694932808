//! What a running call may say to its client before it answers: how far it is, and what it asks the person.
//!
//! The call's end of it goes down to the guest's capabilities; the client's end stays with the transport. Neither ever waits for the
//! other: a client that does not read loses reports, not the guest its time.

use std::{pin::pin, time::Duration};

use rmcp::{
    Peer, RoleServer,
    model::{
        ClientResult, ElicitRequest, ElicitRequestParams, ElicitResult, NumberOrString, ProgressNotificationParam,
        ProgressToken, ProtocolVersion, ServerRequest,
    },
    service::{PeerRequestOptions, RequestContext},
};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use wardkeep_model::Progress;
use wardkeep_sandbox::{Reporter, Reports};

use crate::{legs::THINKING, wire::Reach};

/// Bytes of the longest progress token that is echoed: each report repeats it.
const LONGEST_TOKEN: usize = 256;
/// How long an answer waits for a client to take the last reports.
const LAST_WORD: Duration = Duration::from_millis(250);

/// The call's end. By default the client wants to hear nothing but the answer.
#[derive(Debug, Default)]
pub struct Line {
    /// Where reports of progress go.
    pub(crate) reporter: Option<Reporter>,
    /// Who can be asked.
    pub(crate) person: Person,
}

/// Whether there is a person behind the client, and how to reach them.
#[derive(Debug, Default)]
pub(crate) enum Person {
    /// Nobody can be asked.
    #[default]
    Nobody,
    /// Revision 2026-07-28, whose client has not said that it can ask.
    Undeclared,
    /// Revision 2026-07-28: the questions are the result of the call.
    Later,
    /// An older revision: asked while the call waits.
    Now(mpsc::Sender<Inquiry>),
}

impl Person {
    /// Whether the host has a way to ask somebody.
    pub(crate) const fn can_be_asked(&self) -> bool {
        match self {
            Self::Nobody | Self::Undeclared => false,
            Self::Later | Self::Now(_) => true,
        }
    }
}

/// One question on its way to an older client.
#[derive(Debug)]
pub(crate) struct Inquiry {
    pub request: ElicitRequestParams,
    /// Dropped, or nothing, if there is no answer.
    pub answer: oneshot::Sender<Option<ElicitResult>>,
}

/// The client's end.
pub(crate) struct Client {
    peer: Peer<RoleServer>,
    progress: Option<(ProgressToken, Reports)>,
    inquiries: Option<mpsc::Receiver<Inquiry>>,
}

/// Both ends, for one request of a client.
pub(crate) fn of(cx: &RequestContext<RoleServer>) -> (Line, Client) {
    let token = cx.meta.get_progress_token().filter(|token| match &token.0 {
        NumberOrString::Number(_) => true,
        NumberOrString::String(token) => token.len() <= LONGEST_TOKEN,
    });
    let (reporter, progress) = token
        .map(|token| {
            let (reporter, reports) = Reporter::new();
            (reporter, (token, reports))
        })
        .unzip();
    let (person, inquiries) = person(cx);
    (Line { reporter, person }, Client { peer: cx.peer.clone(), progress, inquiries })
}

fn person(cx: &RequestContext<RoleServer>) -> (Person, Option<mpsc::Receiver<Inquiry>>) {
    let elicitation = cx.client_capabilities().and_then(|capabilities| capabilities.elicitation);
    // MCP, Elicitation: one that names no mode can show forms
    let forms = elicitation.is_some_and(|modes| modes.form.is_some() || modes.url.is_none());
    let reach = match (is_stateless(cx), forms) {
        (true, true) => Reach::Later,
        (true, false) => Reach::Undeclared,
        (false, true) => Reach::Now,
        (false, false) => Reach::Nobody,
    };
    reach.person()
}

/// Whether the request is of revision 2026-07-28, which has no sessions.
pub(crate) fn is_stateless(cx: &RequestContext<RoleServer>) -> bool {
    cx.protocol_version() == Some(ProtocolVersion::V_2026_07_28)
}

impl Client {
    /// What the call gives, with everything that it says on the way passed on.
    pub(crate) async fn hear<T>(self, call: impl Future<Output = T>) -> T {
        let Self { peer, progress, inquiries } = self;
        let call = asking(call, peer.clone(), inquiries);
        let Some((token, reports)) = progress else { return call.await };
        hear(call, reports, move |report| tell(peer.clone(), token.clone(), report)).await
    }
}

/// What the call gives, with its questions put to the client.
async fn asking<T>(
    call: impl Future<Output = T>,
    peer: Peer<RoleServer>,
    inquiries: Option<mpsc::Receiver<Inquiry>>,
) -> T {
    let Some(mut inquiries) = inquiries else { return call.await };
    let over = CancellationToken::new();
    let asking = async {
        while let Some(Some(Inquiry { request, answer })) = over.run_until_cancelled(inquiries.recv()).await {
            // whoever asked may have ended
            let _ = answer.send(put(request, &peer, &over).await);
        }
    };
    let (mut call, mut asking) = (pin!(call), pin!(asking));
    tokio::select! {
        biased;
        answer = &mut call => {
            over.cancel();
            let _ = timeout(LAST_WORD, asking).await;
            answer
        }
        () = &mut asking => call.await,
    }
}

/// Puts one question, and takes it back if its call ends before it is answered: the client's person need not answer it any more, and
/// rmcp would wait for the answer for as long as the session lives.
async fn put(request: ElicitRequestParams, peer: &Peer<RoleServer>, over: &CancellationToken) -> Option<ElicitResult> {
    let request = ServerRequest::ElicitRequest(ElicitRequest::new(request));
    let mut asked = peer.send_cancellable_request(request, PeerRequestOptions::no_options()).await.ok()?;
    let said = tokio::select! {
        said = &mut asked.rx => said.ok()?.ok()?,
        () = over.cancelled() => {
            let _ = asked.cancel(Some("the call has ended".to_owned())).await;
            return None;
        }
        () = tokio::time::sleep(THINKING) => {
            let _ = asked.cancel(Some("not answered in time".to_owned())).await;
            return None;
        }
    };
    match said {
        ClientResult::ElicitResult(said) => Some(said),
        _ => None,
    }
}

/// What the call gives. Its reports are told on the way, until somebody does not want them any more; none comes after the answer
/// (MCP, Progress).
pub(crate) async fn hear<T, Told: Future<Output = bool>>(
    call: impl Future<Output = T>,
    mut reports: Reports,
    tell: impl Fn(Progress) -> Told,
) -> T {
    let mut call = pin!(call);
    let answer = {
        let telling = async {
            while let Some(report) = reports.next().await
                && tell(report).await
            {}
        };
        tokio::select! {
            biased;
            answer = &mut call => answer,
            () = telling => call.await,
        }
    };
    let telling = async {
        for report in reports.rest() {
            if !tell(report).await {
                return;
            }
        }
    };
    // a client that does not take them goes without
    let _ = timeout(LAST_WORD, telling).await;
    answer
}

/// False if the client is gone.
async fn tell(peer: Peer<RoleServer>, token: ProgressToken, Progress { done, total, message }: Progress) -> bool {
    let mut report = ProgressNotificationParam::new(token, done);
    (report.total, report.message) = (total, message);
    peer.notify_progress(report).await.is_ok()
}
