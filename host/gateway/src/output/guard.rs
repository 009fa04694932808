//! No value of a secret leaves with an answer. What the guest says is looked through as it said it, and its structured part once more as it is read;
//! a hit withholds the answer whole, since whoever has it to say may have said part of it elsewhere.
//!
//! A value that stands in what the caller said itself is a guess that came true, and its echo no doing of the plugin's: the record says so, and the
//! brakes count it for the caller alone. The caller is told the same.
//!
//! A plugin whose secrets were never read costs nothing here.

use std::sync::Arc;

use serde_json::Value;
use wardkeep_model::{Answered, Completion, Content, Failure, Note, NoteKind, Pause, Reply, ResourceBody, SecretName};
use wardkeep_sandbox::{Guard, Ran};

use super::{AT_ONCE, rejected::Rejected};
use crate::screen::shape;

/// Looks for values in all that the guest said. Ids that it claims to have touched and words of its end go on record, so a value in those is
/// replaced.
pub(super) async fn watch(ran: &mut Ran, heard: &Heard<'_>) -> Result<(), Rejected> {
    let Some(guard) = ran.guard.clone() else { return Ok(()) };
    match &mut ran.result {
        Ok(Ok(Reply::Complete(completion))) => {
            completion.touched.iter_mut().for_each(|id| *id = guard.without(id).into_owned());
        }
        Ok(_) => {}
        Err(stopped) => stopped.detail = guard.without(&stopped.detail).into_owned(),
    }
    let found = if ran.cost.output <= AT_ONCE {
        ran.result.as_ref().ok().and_then(|said| find(&guard, said))
    } else {
        let result = std::mem::replace(&mut ran.result, Ok(Ok(Reply::Complete(Completion::default()))));
        let own = Arc::clone(&guard);
        let looking = move || (result.as_ref().ok().and_then(|said| find(&own, said)), result);
        let Ok((found, result)) = tokio::task::spawn_blocking(looking).await else { return Err(Rejected::Unchecked) };
        ran.result = result;
        found
    };
    let Some(name) = found else { return Ok(()) };
    let echoed = heard.holds(&guard, &name);
    tracing::warn!(secret = %name, echoed, "an answer holds the value of a secret");
    let whence = if echoed { ", as what the caller said does" } else { "" };
    let detail = format!("holds the value of the secret `{name}`{whence}");
    ran.notes.insert(0, Note { kind: NoteKind::Altered, capability: "output".to_owned(), detail, count: 1 });
    Err(if echoed { Rejected::Echoed } else { Rejected::Secret })
}

/// What the caller said: as JSON texts.
pub(crate) struct Heard<'a> {
    pub arguments: &'a str,
    pub answers: &'a [Answered],
}

impl Heard<'_> {
    fn holds(&self, guard: &Guard, name: &SecretName) -> bool {
        let answers = self.answers.iter().filter_map(|answer| answer.content.as_deref());
        let holds = |bytes: &[u8]| guard.holds(name, bytes).then_some(());
        answers.chain([self.arguments]).any(|text| {
            let read = || in_value(&serde_json::from_str(text).ok()?, &holds);
            holds(text.as_bytes()).or_else(read).is_some()
        })
    }
}

/// Whether questions, or the state that goes with them, hold a value.
pub(super) fn in_pause(guard: Option<&Arc<Guard>>, pause: &Pause) -> bool {
    guard.is_some_and(|guard| asks(guard, pause).is_some())
}

fn find(guard: &Guard, said: &Result<Reply, Failure>) -> Option<SecretName> {
    match said {
        Ok(Reply::Complete(completion)) => {
            let structured = completion.structured.as_deref().and_then(|text| structured(guard, text));
            structured.or_else(|| completion.content.iter().find_map(|content| block(guard, content)))
        }
        Ok(Reply::InputRequired(pause)) => asks(guard, pause),
        Err(failure) => fails(guard, failure),
    }
    .cloned()
}

fn structured<'g>(guard: &'g Guard, text: &str) -> Option<&'g SecretName> {
    guard.finds(text.as_bytes()).or_else(|| {
        // Escapes hide a value from the look above. What has no shape to be read does not leave.
        shape(text.as_bytes()).ok()?;
        value(guard, &serde_json::from_str(text).ok()?)
    })
}

fn value<'g>(guard: &'g Guard, found: &Value) -> Option<&'g SecretName> {
    in_value(found, &|text| guard.finds(text))
}

/// What is found in any text of it. No deeper than `shape` allows.
fn in_value<T>(value: &Value, find: &impl Fn(&[u8]) -> Option<T>) -> Option<T> {
    match value {
        Value::String(text) => find(text.as_bytes()),
        Value::Array(items) => items.iter().find_map(|item| in_value(item, find)),
        Value::Object(map) => map.iter().find_map(|(key, item)| find(key.as_bytes()).or_else(|| in_value(item, find))),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

fn block<'g>(guard: &'g Guard, content: &Content) -> Option<&'g SecretName> {
    let all = |parts: &[&[u8]]| parts.iter().find_map(|part| guard.finds(part));
    let optional = |text: &Option<String>| text.as_deref().and_then(|text| guard.finds(text.as_bytes()));
    match content {
        Content::Text(text) => guard.finds(text.as_bytes()),
        Content::Image(media) | Content::Audio(media) => all(&[&media.data, media.mime_type.as_bytes()]),
        Content::Resource(embedded) => {
            let body = match &embedded.body {
                ResourceBody::Text(text) => text.as_bytes(),
                ResourceBody::Blob(bytes) => bytes,
            };
            all(&[embedded.uri.as_bytes(), body]).or_else(|| optional(&embedded.mime_type))
        }
        Content::Link(link) => all(&[link.uri.as_bytes(), link.name.as_bytes()])
            .or_else(|| optional(&link.description))
            .or_else(|| optional(&link.mime_type)),
    }
}

fn asks<'g>(guard: &'g Guard, pause: &Pause) -> Option<&'g SecretName> {
    let question = pause.questions.iter().find_map(|question| {
        let words = guard.finds(question.id.as_bytes()).or_else(|| guard.finds(question.message.as_bytes()));
        words.or_else(|| structured(guard, &question.schema))
    });
    question.or_else(|| guard.finds(&pause.state))
}

fn fails<'g>(guard: &'g Guard, failure: &Failure) -> Option<&'g SecretName> {
    let (message, ids): (&str, Vec<&String>) = match failure {
        Failure::InvalidArguments(message)
        | Failure::NotFound(message)
        | Failure::Denied(message)
        | Failure::Internal(message)
        | Failure::RateLimited { message, .. }
        | Failure::Upstream { message, .. } => (message, Vec::new()),
        Failure::Partial { message, done, not_done } => (message, done.iter().chain(not_done).collect()),
    };
    guard.finds(message.as_bytes()).or_else(|| ids.into_iter().find_map(|id| guard.finds(id.as_bytes())))
}

#[cfg(test)]
mod tests;
