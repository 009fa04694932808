//! Plugin `sprawls`: answers with too much, in every place that an answer has. Its only tool:
//!
//! `sprawl {field, bytes, count}`: `count` things (1 by default) of the kind `field`, each with a text or blob of so many bytes.

use wardkeep_sdk::{
    Failure, Result,
    raw::{
        Completion, Content, Definition, Description, Embedded, Handler, Link, Media, Part, Pause, Question, Reply,
        Request, ResourceBody, Retry, UpstreamFailure,
    },
};
use wardkeep_test_guests::definition;

struct Sprawls;

impl Handler for Sprawls {
    fn describe() -> Description {
        let tool = Definition {
            input_schema: r#"{"type":"object","properties":{"field":{"type":"string"},"bytes":{"type":"integer"},"count":{"type":"integer"}},"required":["field","bytes"]}"#.into(),
            ..definition("sprawl", "Answers with too much")
        };
        Description { name: "sprawls".into(), version: "1.0.0".into(), tools: vec![tool] }
    }

    fn call(request: Request) -> Result<Reply> {
        let arguments: serde_json::Value = serde_json::from_str(&request.arguments).unwrap_or_default();
        let number =
            |name: &str| arguments.get(name).and_then(serde_json::Value::as_u64).and_then(|n| usize::try_from(n).ok());
        let field = arguments.get("field").and_then(serde_json::Value::as_str).unwrap_or_default();
        sprawl(field, &"x".repeat(number("bytes").unwrap_or(0)), number("count").unwrap_or(1))
    }
}

wardkeep_sdk::export_raw!(Sprawls);

fn sprawl(field: &str, long: &str, count: usize) -> Result<Reply> {
    let (text, blob, some) = (|| long.to_owned(), || long.as_bytes().to_vec(), || Some(long.to_owned()));
    let short = || "s".to_owned();
    let texts = || vec![long.to_owned(); count];
    let block = match field {
        "text" => Content::Text(text()),
        "image" => Content::Image(Media { mime_type: "image/png".into(), data: blob() }),
        "image-type" => Content::Image(Media { mime_type: text(), data: vec![] }),
        "audio" => Content::Audio(Media { mime_type: "audio/wav".into(), data: blob() }),
        "audio-type" => Content::Audio(Media { mime_type: text(), data: vec![] }),
        "resource-uri" => resource(text(), None, ResourceBody::Text(short())),
        "resource-type" => resource(short(), some(), ResourceBody::Text(short())),
        "resource-text" => resource(short(), None, ResourceBody::Text(text())),
        "resource-blob" => resource(short(), None, ResourceBody::Blob(blob())),
        "link-uri" => link(text(), short(), None, None),
        "link-name" => link(short(), text(), None, None),
        "link-description" => link(short(), short(), some(), None),
        "link-type" => link(short(), short(), None, some()),
        "structured" => return complete(vec![], Some(format!(r#"{{"text":"{long}"}}"#)), vec![]),
        "structured-depth" => return complete(vec![], Some(nested(long.len())), vec![]),
        "touched" => return complete(vec![], None, texts()),
        "question-id" => return asks(text(), short(), short(), vec![]),
        "question" => return asks(short(), text(), short(), vec![]),
        "question-schema" => return asks(short(), short(), text(), vec![]),
        "state" => return asks(short(), short(), short(), blob()),
        "invalid-arguments" => return Err(Failure::InvalidArguments(text())),
        "not-found" => return Err(Failure::NotFound(text())),
        "denied" => return Err(Failure::Denied(text())),
        "rate-limited" => return Err(Failure::RateLimited(Retry { message: text(), after_seconds: Some(1) })),
        "upstream" => return Err(Failure::Upstream(UpstreamFailure { message: text(), status: Some(500) })),
        "partial" => return Err(Failure::Partial(Part { message: text(), done: vec![], not_done: vec![] })),
        "done" => return Err(Failure::Partial(Part { message: short(), done: texts(), not_done: vec![] })),
        "not-done" => return Err(Failure::Partial(Part { message: short(), done: vec![], not_done: texts() })),
        "internal" => return Err(Failure::Internal(text())),
        other => return Err(Failure::NotFound(other.into())),
    };
    complete(vec![block; count], None, vec![])
}

fn complete(content: Vec<Content>, structured: Option<String>, touched: Vec<String>) -> Result<Reply> {
    Ok(Reply::Complete(Completion { content, structured, touched }))
}

fn resource(uri: String, mime_type: Option<String>, body: ResourceBody) -> Content {
    Content::Resource(Embedded { uri, mime_type, body })
}

fn link(uri: String, name: String, description: Option<String>, mime_type: Option<String>) -> Content {
    Content::Link(Link { uri, name, description, mime_type })
}

fn asks(id: String, message: String, schema: String, state: Vec<u8>) -> Result<Reply> {
    Ok(Reply::InputRequired(Pause { questions: vec![Question { id, message, schema }], state }))
}

/// An object so many levels deep.
fn nested(levels: usize) -> String {
    format!("{}1{}", r#"{"a":"#.repeat(levels), "}".repeat(levels))
}
