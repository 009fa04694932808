//! A call that waits for its person: for the host's own question whether it may run, and for what its plugin asks. One leg after the other, each
//! decided afresh, by the rights that its caller has then, and on record, until there are answers or nobody can give them.
//!
//! A client of revision 2026-07-28 is given the questions as the call's result and comes again. An older one is asked while its call
//! waits; no place in the host is held meanwhile.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::Timestamp;
use rmcp::model::{ClientCapabilities, ElicitRequestParams, ElicitationCapability, InputRequest, InputRequiredResult};
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use wardkeep_model::CorrelationId;
use wardkeep_sandbox::{NotAdmitted, Remains};

use crate::{
    Caller, Host, Line, META, NoAnswer, Response, ToolCall,
    answer::failed,
    asking::Asked,
    call::{self, Step},
    caller::Retry,
    confirmation::{
        Plea, Unconfirmed,
        question::{self, Question},
    },
    host::correlation_id,
    line::{Inquiry, Person},
    seal::{EXPIRY, Purpose, StateFault},
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
    let (mut id, mut caller) = (first.clone(), Arc::clone(caller));
    let ToolCall { tool, mut arguments, retry, mut approval } = request;
    let Brought { mut back, mut said, mut source, mut offered } = match brought(host, retry) {
        Err(fault) => {
            host.not_let_in(&caller.principal.name);
            return Err((id, NoAnswer::State(fault)));
        }
        Ok(brought) => brought,
    };
    loop {
        let plea = Plea { said: said.take(), approval: approval.take(), can_ask: line.person.can_be_asked() };
        let leg = call::Leg { tool: &tool, arguments, back: back.take(), plea, reporter: line.reporter.clone() };
        let (asked, entered) = match call::call(host, &caller, &id, leg, gone).await {
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
                        let id = host.note_asked(&caller, &tool, &id, "answers").await;
                        return Ok(bare(questions(asked.input_requests(), state, &id)));
                    }
                }
            }
            Ok((Step::Unclear(question), _)) => match source {
                Source::State(state) => {
                    let id = host.note_asked(&caller, &tool, &id, Unconfirmed::Unclear.rule()).await;
                    return Ok(bare(confirmation(&question, state, &id)));
                }
                Source::Person | Source::Offered => return Err((id, Unconfirmed::Unclear.into())),
            },
            // nothing ran and nothing is held: the same leg goes on when somebody has said yes
            Ok((Step::Confirms(question, again, entered), _)) => match &line.person {
                Person::Now(inquiries) => {
                    (arguments, source) = (again, Source::Person);
                    let requests = question.request().map(|request| (question::ID.to_owned(), request));
                    match entered.unless_killed(ask(host, &caller, requests.into_iter(), inquiries, gone)).await {
                        Ok(Ok(mut answers)) => said = Some((*question, answers.remove(question::ID))),
                        Ok(Err(none)) => return Err((id, none)),
                        Err(killed) => return Err((id, killed.into())),
                    }
                    caller = host.again(&caller).map_err(|none| (id.clone(), none))?;
                    continue;
                }
                _ => {
                    let id = host.note_asked(&caller, &tool, &id, "awaits-confirmation").await;
                    let question = question.asked_in(&id);
                    let state = host.confirmations().seal(&question, Timestamp::now());
                    let asked = state.map(|state| bare(confirmation(&question, state, &id)));
                    return asked.ok_or((id, NoAnswer::Unanswered));
                }
            },
            // its place is given back before anybody is asked
            Ok((Step::Asks(asked, again, entered), _)) => {
                arguments = again;
                (*asked, entered)
            }
        };
        let answers = match (offered.take(), &line.person) {
            (Some(answers), _) => answers,
            (None, Person::Now(inquiries)) => {
                source = Source::Person;
                let answers = match entered.unless_killed(ask(host, &caller, asked.requests(), inquiries, gone)).await {
                    Ok(Ok(answers)) => answers,
                    Ok(Err(none)) => return Err((id, none)),
                    Err(killed) => return Err((id, killed.into())),
                };
                caller = host.again(&caller).map_err(|none| (id.clone(), none))?;
                answers
            }
            (None, person) => return later(host, &asked, person, &id).map_err(|none| (id, none)).map(bare),
        };
        back = Some((asked, answers));
        id = correlation_id().map_err(|_| (id, NoAnswer::Unanswered))?;
    }
}

/// What a client comes back with; nothing of it is checked yet, but that this process has sealed it.
struct Brought {
    back: Option<(Asked, BTreeMap<String, Value>)>,
    said: Option<(Question, Option<Value>)>,
    source: Source,
    offered: Option<BTreeMap<String, Value>>,
}

fn brought(host: &Host, retry: Option<Retry>) -> Result<Brought, StateFault> {
    let nothing = Brought { back: None, said: None, source: Source::Person, offered: None };
    let now = Timestamp::now();
    Ok(match retry {
        None => nothing,
        // an answer without its question is never a yes; a plugin may still be glad of it
        Some(Retry { state: None, answers }) => Brought { source: Source::Offered, offered: Some(answers), ..nothing },
        Some(Retry { state: Some(state), mut answers }) => match Purpose::of(&state) {
            Purpose::Questions => {
                let asked = host.seals().open(&state, now)?;
                Brought { back: Some((asked, answers)), source: Source::State(state), ..nothing }
            }
            Purpose::Confirmation => {
                let question = host.confirmations().open(&state, now)?;
                let said = Some((question, answers.remove(question::ID)));
                Brought { said, source: Source::State(state), ..nothing }
            }
        },
    })
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
            Ok(questions(asked.input_requests(), state, id))
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
    requests: impl Iterator<Item = (String, ElicitRequestParams)>,
    inquiries: &mpsc::Sender<Inquiry>,
    gone: &CancellationToken,
) -> Result<BTreeMap<String, Value>, NoAnswer> {
    let busy = NotAdmitted::Throttled { retry_after: RETRY_AFTER };
    let _place = host.thinking().enter(&caller.principal.name).ok_or(NoAnswer::NotAdmitted(busy))?;
    let asking = async {
        let mut answers = BTreeMap::new();
        for (question, request) in requests {
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

/// The host's own question, as a result.
fn confirmation(question: &Question, state: String, id: &CorrelationId) -> Response {
    let requests = question.input_request().map(|request| (question::ID.to_owned(), request));
    questions(requests.into_iter().collect(), state, id)
}

fn questions(requests: BTreeMap<String, InputRequest>, state: String, id: &CorrelationId) -> Response {
    let mut result = InputRequiredResult::new(Some(requests), Some(state));
    result.meta.get_or_insert_default().0.insert(format!("{META}correlation-id"), json!(id));
    Response::InputRequired(result)
}

/// What a client of revision 2026-07-28 lacks that cannot be asked.
pub(crate) fn elicitation() -> ClientCapabilities {
    let mut capabilities = ClientCapabilities::default();
    capabilities.elicitation = Some(ElicitationCapability::default());
    capabilities
}
