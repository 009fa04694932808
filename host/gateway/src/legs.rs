//! A call whose plugin asks: one leg after the other, each a call of its own on record, until the plugin has its answers or nobody can give
//! them.
//!
//! A client of revision 2026-07-28 is given the questions as the call's result and comes again. An older one is asked while its call
//! waits; no place in the host is held meanwhile.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::Timestamp;
use rmcp::model::{ClientCapabilities, ElicitationCapability, InputRequiredResult};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use wardkeep_model::CorrelationId;

use crate::{
    Caller, Host, Line, META, NoAnswer, Response, ToolCall,
    answer::failed,
    asking::{Asked, Resumed, seal::EXPIRY},
    call::{self, Step},
    caller::Retry,
    host::correlation_id,
    line::{Inquiry, Person},
};

/// How long a person may think about a question of an older client's call.
pub(crate) const THINKING: Duration = Duration::from_secs(EXPIRY.unsigned_abs());

/// One call to its answer, or to its questions. An error carries the id of the leg that it happened in.
pub(crate) async fn call(
    host: &Arc<Host>,
    caller: &Caller,
    first: &CorrelationId,
    request: ToolCall,
    line: Line,
    gone: &CancellationToken,
) -> Result<Response, (CorrelationId, NoAnswer)> {
    let mut id = first.clone();
    let ToolCall { tool, mut arguments, retry } = request;
    let (mut resumed, mut offered) = match retry {
        None => (None, None),
        Some(Retry { state: None, answers }) => (None, Some(answers)),
        Some(Retry { state: Some(state), answers }) => match host.seals().open(&state, Timestamp::now()) {
            Err(fault) => return Err((id, NoAnswer::State(fault))),
            Ok(asked) => match asked.answered(&answers) {
                Ok(resumed) => (Some(resumed), None),
                // nothing was used up: the same questions, once more
                Err((asked, _)) => {
                    host.note_unanswered(caller, &tool, &id).await;
                    return Ok(questions(&asked, state, &id));
                }
            },
        },
    };
    loop {
        let leg = call::Leg { tool: &tool, arguments, resumed, reporter: line.reporter.clone() };
        let asked = match call::call(host, caller, &id, leg, gone).await {
            Err(none) => return Err((id, none)),
            Ok(Step::Done(answer)) => return Ok(Response::Complete(answer)),
            Ok(Step::Asks(asked, again)) => {
                arguments = again;
                asked
            }
        };
        resumed = Some(match answered(host, asked, offered.take(), &line.person, &id, gone).await {
            Ok(resumed) => resumed,
            Err(Ok(response)) => return Ok(response),
            Err(Err(none)) => return Err((id, none)),
        });
        id = correlation_id().map_err(|_| (id, NoAnswer::Unanswered))?;
    }
}

/// The answers; or else what the client is told instead.
async fn answered(
    host: &Host,
    asked: Asked,
    offered: Option<BTreeMap<String, Value>>,
    person: &Person,
    id: &CorrelationId,
    gone: &CancellationToken,
) -> Result<Resumed, Result<Response, NoAnswer>> {
    // a client that comes with answers and without their state has lost it: it is asked again only for what its answers leave open
    let asked = match offered {
        None => asked,
        Some(answers) => match asked.answered(&answers) {
            Ok(resumed) => return Ok(resumed),
            Err((asked, _)) => asked,
        },
    };
    match person {
        Person::Nobody => {
            let text = "the tool asks a question, and this client declares no way to answer one (MCP, Elicitation)";
            Err(Ok(Response::Complete(failed(text.to_owned(), id))))
        }
        Person::Undeclared => Err(Err(NoAnswer::Elicitation)),
        Person::Later => match host.seals().seal(&asked, Timestamp::now()) {
            Some(state) => Err(Ok(questions(&asked, state, id))),
            None => Err(Err(NoAnswer::Unanswered)),
        },
        Person::Now(inquiries) => {
            let mut answers = BTreeMap::new();
            for (question, request) in asked.requests() {
                let (answer, told) = oneshot::channel();
                let asking = async {
                    inquiries.send(Inquiry { request, answer }).await.ok()?;
                    told.await.ok().flatten()
                };
                let told = tokio::select! {
                    told = tokio::time::timeout(THINKING, asking) => told.ok().flatten(),
                    () = gone.cancelled() => None,
                };
                let told = told.and_then(|told| serde_json::to_value(told).ok());
                answers.insert(question, told.ok_or(Err(NoAnswer::Unanswered))?);
            }
            asked.answered(&answers).map_err(|(_, what)| Err(NoAnswer::Answers(what.to_string())))
        }
    }
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
