//! What leaves the guest: every answer is within its size and its schema, or it does not leave.
//!
//! The sandbox has already bounded the bytes (`limits.output`). Here the structured part is parsed once, checked against the
//! tool's output schema and sent as that same value.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use rmcp::model::{ContentBlock, Resource, ResourceContents};
use serde_json::{Value, json};
use wardkeep_audit::Closing;
use wardkeep_model::{Completion, Content, CorrelationId, Failure, LimitKind, Outcome, Reply, ResourceBody};
use wardkeep_policy::{Permit, Tool};
use wardkeep_sandbox::{Ran, Stopped};

use crate::{Answer, META, answer::failed, listing, record};

/// An answer that may leave, and how the call is closed in the record.
pub(crate) struct Filtered {
    pub answer: Answer,
    pub closing: Closing,
}

struct Verdict {
    outcome: Outcome,
    class: Option<&'static str>,
    answer: Answer,
    touched: Vec<String>,
}

pub(crate) fn filter(permit: &Permit, id: &CorrelationId, mut ran: Ran) -> Filtered {
    let result = std::mem::replace(&mut ran.result, Ok(Ok(Reply::Complete(Completion::default()))));
    let tool = permit.tool();
    let mut verdict = match result {
        Ok(Ok(Reply::Complete(completion))) => complete(tool, id, completion),
        // no tool may ask yet: manifests with `asks = true` are refused
        Ok(Ok(Reply::InputRequired(_))) => {
            rejected(id, "asks-not-granted", "the plugin asked a question that its manifest does not allow")
        }
        Ok(Err(failure)) => failure_of(id, failure),
        Err(stopped) => stop(id, &stopped),
    };
    let meta = verdict.answer.meta.get_or_insert_default();
    meta.0.extend(listing::meta(tool).0);
    meta.0.insert(format!("{META}correlation-id"), json!(id));
    let closing = record::closing(verdict.outcome, verdict.class, ran, verdict.touched);
    Filtered { answer: verdict.answer, closing }
}

fn complete(tool: &Tool, id: &CorrelationId, completion: Completion) -> Verdict {
    let structured = match completion.structured.as_deref().map(serde_json::from_str::<Value>) {
        None => None,
        Some(Ok(value @ Value::Object(_))) => Some(value),
        Some(_) => {
            return rejected(id, "structured-not-an-object", "the plugin's structured answer is not a JSON object");
        }
    };
    if let Some(schema) = tool.output() {
        let Some(value) = &structured else {
            return rejected(
                id,
                "structured-missing",
                "the plugin's answer lacks the structured part that it promises",
            );
        };
        if let Err(mismatch) = schema.check(value) {
            tracing::warn!(tool = %tool.published(), pointer = %mismatch.pointer, correlation = %id, "an answer breaks its schema");
            return rejected(id, "output-schema", "the plugin's structured answer breaks its own schema");
        }
    }
    let mut content: Vec<_> = completion.content.into_iter().map(block).collect();
    // MCP, Tools, Structured Content: a structured answer is told as text too
    if content.is_empty()
        && let Some(text) = completion.structured
    {
        content.push(ContentBlock::text(text));
    }
    let mut answer = Answer::success(content);
    answer.structured_content = structured;
    Verdict { outcome: Outcome::Ok, class: None, answer, touched: completion.touched }
}

fn block(content: Content) -> ContentBlock {
    match content {
        Content::Text(text) => ContentBlock::text(text),
        Content::Image(media) => ContentBlock::image(BASE64.encode(media.data), media.mime_type),
        Content::Audio(media) => ContentBlock::audio(BASE64.encode(media.data), media.mime_type),
        Content::Resource(embedded) => ContentBlock::resource(match embedded.body {
            ResourceBody::Text(text) => ResourceContents::TextResourceContents {
                uri: embedded.uri,
                mime_type: embedded.mime_type,
                text,
                meta: None,
            },
            ResourceBody::Blob(bytes) => ResourceContents::BlobResourceContents {
                uri: embedded.uri,
                mime_type: embedded.mime_type,
                blob: BASE64.encode(bytes),
                meta: None,
            },
        }),
        Content::Link(link) => {
            let mut resource = Resource::new(link.uri, link.name);
            resource.description = link.description;
            resource.mime_type = link.mime_type;
            ContentBlock::resource_link(resource)
        }
    }
}

fn rejected(id: &CorrelationId, class: &'static str, text: &str) -> Verdict {
    let text = format!("{text}; the call may have had its effect (correlation id {id})");
    Verdict { outcome: Outcome::OutputRejected, class: Some(class), answer: failed(text, id), touched: Vec::new() }
}

/// The plugin's own failures. Their texts are the plugin's and meant for the caller.
fn failure_of(id: &CorrelationId, failure: Failure) -> Verdict {
    let mut retry = None;
    let mut structured = None;
    let mut outcome = Outcome::ToolError;
    let (class, text) = match failure {
        Failure::InvalidArguments(message) => ("invalid-arguments", message),
        Failure::NotFound(message) => ("not-found", message),
        Failure::Denied(message) => ("denied", message),
        Failure::Internal(message) => ("internal", message),
        Failure::RateLimited { message, after_seconds } => {
            retry = after_seconds;
            ("rate-limited", message)
        }
        Failure::Upstream { message, status } => match status {
            Some(status) => ("upstream", format!("{message} (status {status})")),
            None => ("upstream", message),
        },
        Failure::Partial { message, done, not_done } => {
            outcome = Outcome::Partial;
            let text = format!("{message}\ndone: {}\nnot done: {}", list(&done), list(&not_done));
            structured = Some(json!({ "done": done, "notDone": not_done }));
            ("partial", text)
        }
    };
    let mut answer = failed(text, id);
    let meta = answer.meta.get_or_insert_default();
    meta.0.insert(format!("{META}failure"), json!(class));
    if let Some(seconds) = retry {
        meta.0.insert(format!("{META}retry-after-seconds"), seconds.into());
    }
    if let Some(partial) = structured {
        meta.0.insert(format!("{META}partial"), partial);
    }
    Verdict { outcome, class: Some(class), answer, touched: Vec::new() }
}

fn list(items: &[String]) -> String {
    if items.is_empty() { "nothing".to_owned() } else { items.join(", ") }
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
    Verdict {
        outcome: stopped.outcome,
        class: None,
        answer: failed(format!("{text} (correlation id {id})"), id),
        touched: Vec::new(),
    }
}
