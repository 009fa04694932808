//! A call whose plugin asks: one leg after the other, each a call of its own on record, until the plugin has its answers or nobody can give
//! them.
//!
//! A client of revision 2026-07-28 is given the questions as the call's result and comes again. An older one is asked while its call
//! waits; no place in the host is held meanwhile.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::Timestamp;
use rmcp::model::{ClientCapabilities, ElicitationCapability, InputRequiredResult};
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use wardkeep_model::CorrelationId;
use wardkeep_sandbox::{NotAdmitted, Remains};

use crate::{
    Caller, Host, Line, META, NoAnswer, Response, ToolCall,
    answer::failed,
    asking::{Asked, seal::EXPIRY},
    call::{self, Step},
    caller::Retry,
    host::correlation_id,
    line::{Inquiry, Person},
};

/// How long a person may think about a question of an older client's call.
pub(crate) const THINKING: Duration = Duration::from_secs(EXPIRY.unsigned_abs());

/// When a client may try again whose person is asked enough already.
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// Where answers came from: what happens if they do not fit depends on it.
enum Source {
    /// From a client that brought the sealed state back.
    State(String),
    /// From a client that lost the state and began anew.
    Offered,
    /// From the person, while the call waited.
    Person,
}

/// One call to its answer, or to its questions. An error carries the id of the leg that it happened in.
pub(crate) async fn call(
    host: &Arc<Host>,
    caller: &Arc<Caller>,
    first: &CorrelationId,
    request: ToolCall,
    line: Line,
    gone: &CancellationToken,
) -> Result<(Response, Remains), (CorrelationId, NoAnswer)> {
    let mut id = first.clone();
    let ToolCall { tool, mut arguments, retry } = request;
    let (mut back, mut source, mut offered) = match retry {
        None => (None, Source::Person, None),
        Some(Retry { state: None, answers }) => (None, Source::Offered, Some(answers)),
        Some(Retry { state: Some(state), answers }) => match host.seals().open(&state, Timestamp::now()) {
            Err(fault) => return Err((id, NoAnswer::State(fault))),
            Ok(asked) => (Some((asked, answers)), Source::State(state), None),
        },
    };
    loop {
        let leg = call::Leg { tool: &tool, arguments, back: back.take(), reporter: line.reporter.clone() };
        let (asked, entered) = match call::call(host, caller, &id, leg, gone).await {
            Err(none) => return Err((id, none)),
            Ok((Step::Done(answer), remains)) => return Ok((Response::Complete(answer), remains)),
            Ok((Step::Unanswered(unanswered), _)) => {
                let (asked, what) = *unanswered;
                match source {
                    Source::Person => return Err((id, NoAnswer::Answers(what.to_string()))),
                    Source::Offered => {
                        return later(host, &asked, &line.person, &id).map_err(|none| (id, none)).map(bare);
                    }
                    Source::State(state) => {
                        host.note_unanswered(caller, &tool, &id).await;
                        return Ok(bare(questions(&asked, state, &id)));
                    }
                }
            }
            // its place is given back before anybody is asked
            Ok((Step::Asks(asked, again, entered), _)) => {
                arguments = again;
                (asked, entered)
            }
        };
        let answers = match (offered.take(), &line.person) {
            (Some(answers), _) => answers,
            (None, Person::Now(inquiries)) => {
                source = Source::Person;
                match entered.unless_killed(ask(host, caller, &asked, inquiries, gone)).await {
                    Ok(Ok(answers)) => answers,
                    Ok(Err(none)) => return Err((id, none)),
                    Err(killed) => return Err((id, killed.into())),
                }
            }
            (None, person) => return later(host, &asked, person, &id).map_err(|none| (id, none)).map(bare),
        };
        back = Some((asked, answers));
        id = correlation_id().map_err(|_| (id, NoAnswer::Unanswered))?;
    }
}

/// A response of which nothing is left.
fn bare(response: Response) -> (Response, Remains) {
    (response, Remains::default())
}

/// The questions as a result, or why there can be none.
fn later(host: &Host, asked: &Asked, person: &Person, id: &CorrelationId) -> Result<Response, NoAnswer> {
    match person {
        Person::Undeclared => Err(NoAnswer::Elicitation),
        Person::Later => {
            let state = host.seals().seal(asked, Timestamp::now()).ok_or(NoAnswer::Unanswered)?;
            Ok(questions(asked, state, id))
        }
        Person::Nobody | Person::Now(_) => {
            let text = "the tool asks a question, and this client declares no way to answer one (MCP, Elicitation)";
            Ok(Response::Complete(failed(text.to_owned(), id)))
        }
    }
}

/// Puts each question to an older client, one after the other.
async fn ask(
    host: &Host,
    caller: &Caller,
    asked: &Asked,
    inquiries: &mpsc::Sender<Inquiry>,
    gone: &CancellationToken,
) -> Result<BTreeMap<String, Value>, NoAnswer> {
    let busy = NotAdmitted::Throttled { retry_after: RETRY_AFTER };
    let _place = host.thinking().enter(&caller.principal.name).ok_or(NoAnswer::NotAdmitted(busy))?;
    let asking = async {
        let mut answers = BTreeMap::new();
        for (question, request) in asked.requests() {
            let (answer, told) = oneshot::channel();
            inquiries.send(Inquiry { request, answer }).await.ok()?;
            answers.insert(question, serde_json::to_value(told.await.ok()??).ok()?);
        }
        Some(answers)
    };
    tokio::select! {
        answers = tokio::time::timeout(THINKING, asking) => answers.ok().flatten(),
        () = gone.cancelled() => None,
    }
    .ok_or(NoAnswer::Unanswered)
}

fn questions(asked: &Asked, state: String, id: &CorrelationId) -> Response {
    let mut result = InputRequiredResult::new(Some(asked.input_requests()), Some(state));
    result.meta.get_or_insert_default().0.insert(format!("{META}correlation-id"), json!(id));
    Response::InputRequired(result)
}

/// What a client of revision 2026-07-28 lacks that cannot be asked.
pub(crate) fn elicitation() -> ClientCapabilities {
    let mut capabilities = ClientCapabilities::default();
    capabilities.elicitation = Some(ElicitationCapability::default());
    capabilities
}
