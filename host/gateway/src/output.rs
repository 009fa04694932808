//! What leaves the guest: every byte of it passes here, in this order, or does not leave.
//!
//! | step | where | when it fails |
//! | --- | --- | --- |
//! | size | sandbox, `limits.output`; here parts and values | `limit(output)`, rejected |
//! | secrets | [`guard`]: nothing that the guest says holds a value of a secret, in none of the usual encodings | rejected |
//! | read | [`structured`] parses the structured part, bounded | rejected |
//! | characters | [`text`] and [`named`]: free text cleaned, short strings right | altered and noted, or rejected |
//! | schema | the value against the tool's own output schema: the plugin's promise | rejected |
//! | returns | [`returns`]: what the manifest lets leave of it, of text, structure and failures alike | altered and noted, or rejected |
//! | twin | text of the same value, where the guest gave none | |
//!
//! Lines of the log never come here: they go to the operator's log alone, tidied by `capabilities::log`. Claimed resource ids go to
//! the record alone, tidied by audit.

mod changes;
mod content;
mod failure;
mod guard;
mod named;
pub(crate) mod questions;
mod rejected;
mod returns;
mod structured;
mod text;

use std::sync::Arc;

use rmcp::model::ContentBlock;
use serde_json::{Value, json};
use wardkeep_audit::Closing;
use wardkeep_model::{Completion, CorrelationId, LimitKind, Outcome, Reply};
use wardkeep_policy::{Permit, Tool};
use wardkeep_sandbox::{Ran, Stopped};

use crate::{Answer, META, answer::failed, checks::Checks, listing, record};
use changes::{Changes, Class};
pub(crate) use guard::Heard;
use rejected::Rejected;
pub(crate) use rejected::{ECHOED, SECRET};

/// An answer over this many bytes is read and cleaned away from the threads that serve.
const AT_ONCE: u64 = 64 << 10;

/// An answer that may leave, and how the call is closed in the record.
pub(crate) struct Filtered {
    pub answer: Answer,
    pub closing: Closing,
}

struct Verdict {
    outcome: Outcome,
    class: Option<&'static str>,
    answer: Answer,
}

pub(crate) async fn filter(
    checks: &Checks,
    permit: &Permit,
    id: &CorrelationId,
    mut ran: Ran,
    heard: &Heard<'_>,
) -> Filtered {
    let watched = guard::watch(&mut ran, heard).await;
    let result = std::mem::replace(&mut ran.result, Ok(Ok(Reply::Complete(Completion::default()))));
    let tool = permit.tool();
    let mut changes = Changes::default();
    let mut touched = Vec::new();
    let verdict = match result {
        Ok(said) if let Err(rejected) = watched => {
            if let Ok(Reply::Complete(completion)) = said {
                touched = completion.touched;
            }
            withheld(tool, id, rejected)
        }
        Ok(Ok(Reply::Complete(mut completion))) => {
            // what it touched goes on record even if its answer does not leave
            touched = std::mem::take(&mut completion.touched);
            match complete(checks, tool, completion, ran.cost.output, &mut changes).await {
                Ok(answer) => Verdict { outcome: Outcome::Ok, class: None, answer },
                Err(rejected) => withheld(tool, id, rejected),
            }
        }
        Ok(Ok(Reply::InputRequired(_))) if tool.asks() => withheld(tool, id, Rejected::AsksHidden),
        Ok(Ok(Reply::InputRequired(_))) => withheld(tool, id, Rejected::AsksNotGranted),
        Ok(Err(failure)) => {
            let said = returns::failed(tool.returns(), failure, &mut changes);
            let mut answer = failed(said.text, id);
            answer.meta.get_or_insert_default().0.extend(said.meta.0);
            Verdict { outcome: said.outcome, class: Some(said.class), answer }
        }
        Err(stopped) => stop(id, &stopped),
    };
    // They are the plugin's own words too, which a host cannot filter.
    if tool.returns().hides_words() {
        changes.add_many("touched", Class::Cut, touched.len());
        touched.clear();
    }
    // first, so that a guest cannot crowd them out with notes of its own making
    ran.notes.splice(0..0, changes.into_notes());
    let closing = record::closing(verdict.outcome, verdict.class, ran, touched);
    Filtered { answer: pinned(tool, id, verdict.answer), closing }
}

/// With what pins it: the tool's versions and the id of the record.
fn pinned(tool: &Tool, id: &CorrelationId, mut answer: Answer) -> Answer {
    let meta = answer.meta.get_or_insert_default();
    meta.0.extend(listing::meta(tool).0);
    meta.0.insert(format!("{META}correlation-id"), json!(id));
    answer
}

async fn complete(
    checks: &Checks,
    tool: &Arc<Tool>,
    completion: Completion,
    bytes: u64,
    changes: &mut Changes,
) -> Result<Answer, Rejected> {
    // read, characters
    let said = if bytes <= AT_ONCE {
        read(completion)
    } else {
        let reading = tokio::task::spawn_blocking(move || read(completion));
        reading.await.unwrap_or((Err(Rejected::Unchecked), Changes::default()))
    };
    *changes = said.1;
    let (mut structured, mut content) = said.0?;
    // schema
    structured = match (tool.output(), structured) {
        (Some(_), None) => return Err(Rejected::StructuredMissing),
        (Some(_), Some(value)) => Some(checks.output(tool, value).await?),
        (None, structured) => structured,
    };
    // returns
    if !tool.returns().is_whole() {
        (structured, content) = kept(tool, (structured, content), bytes, changes).await?;
    }
    // twin: a structured answer is told as text too (MCP, Tools, Structured Content)
    if content.is_empty() {
        content.extend(structured.as_ref().map(Value::to_string).map(ContentBlock::text));
    }
    let mut answer = Answer::success(content);
    answer.structured_content = structured;
    Ok(answer)
}

async fn kept(tool: &Arc<Tool>, said: Said, bytes: u64, changes: &mut Changes) -> Result<Said, Rejected> {
    if bytes <= AT_ONCE {
        return returns::kept(tool.returns(), said, changes);
    }
    let (tool, mut own) = (Arc::clone(tool), std::mem::take(changes));
    let keeping = tokio::task::spawn_blocking(move || (returns::kept(tool.returns(), said, &mut own), own));
    let (said, own) = keeping.await.unwrap_or((Err(Rejected::Unchecked), Changes::default()));
    *changes = own;
    said
}

type Said = (Option<Value>, Vec<ContentBlock>);

/// What the guest said as it may leave. What was changed is told even if it may not.
fn read(completion: Completion) -> (Result<Said, Rejected>, Changes) {
    let mut changes = Changes::default();
    let structured = completion.structured.map(|text| structured::object(&text, &mut changes)).transpose();
    let said = structured.and_then(|structured| Ok((structured, content::blocks(completion.content, &mut changes)?)));
    (said, changes)
}

fn withheld(tool: &Tool, id: &CorrelationId, rejected: Rejected) -> Verdict {
    tracing::warn!(tool = %tool.published(), correlation = %id, class = rejected.class(), "an answer was withheld");
    let text = format!("{rejected}; the call may have had its effect (correlation id {id})");
    Verdict { outcome: Outcome::OutputRejected, class: Some(rejected.class()), answer: failed(text, id) }
}

/// A call that the host ended. The caller learns which bound it was, never what the host knows besides.
fn stop(id: &CorrelationId, stopped: &Stopped) -> Verdict {
    let text = match stopped.outcome {
        Outcome::Limit(LimitKind::Fuel) => "the tool used up its fuel and was stopped",
        Outcome::Limit(LimitKind::Memory) => "the tool asked for more memory than it may have and was stopped",
        Outcome::Limit(LimitKind::Deadline) => "the tool did not end before its deadline and was stopped",
        Outcome::Limit(LimitKind::Output) => "the tool's answer is larger than it may be",
        Outcome::Limit(LimitKind::HostCalls) => "the tool used up its host calls and was stopped",
        Outcome::Limit(LimitKind::Stack) => "the tool used up its stack and was stopped",
        Outcome::Trap => "the tool crashed",
        Outcome::Cancelled => "the call was cancelled",
        Outcome::Killed => "the tool was taken out of service while it ran",
        Outcome::Denied => "the tool used something that it was not granted and was stopped",
        _ => "the host failed",
    };
    tracing::info!(outcome = %stopped.outcome, detail = %stopped.detail, correlation = %id, "a call was stopped");
    Verdict { outcome: stopped.outcome, class: None, answer: failed(format!("{text} (correlation id {id})"), id) }
}
