//! What the manifest lets leave of an answer: `returns`. It holds for every way out alike: what is taken out of the structured part does not
//! leave in a text beside it, in a failure, or in a question; progress and the log have their own part of it in `capabilities`.
//!
//! A host can filter a structure and cannot filter words. So where `redact` or `fields` is written, the text is made of what is left of the
//! structure, and the plugin's own texts, media and links do not leave at all.

use rmcp::model::{ContentBlock, ResourceContents};
use serde_json::{Value, json};
use wardkeep_model::Failure;
use wardkeep_policy::{Keep, Pointer, Returns};

use super::{
    Said,
    changes::{Changes, Class},
    failure::{self, Failed},
    rejected::Rejected,
};

/// Bytes of a text of which the beginning leaves.
const SNIPPET: usize = 512;
/// What stands for a value of any type. What it was, `null` even, is not told.
const REDACTED: &str = "[redacted]";

/// What leaves of an answer, its text twin with it.
pub(super) fn kept(returns: &Returns, said: Said, changes: &mut Changes) -> Result<Said, Rejected> {
    let (mut structured, mut content) = said;
    if returns.content == Keep::Metadata {
        return Ok(metadata(structured.as_ref(), &content, changes));
    }
    if returns.filters() {
        let value = structured.take().ok_or(Rejected::NothingToFilter)?;
        structured = Some(filtered(returns, value, changes));
        changes.add_many("text", Class::Cut, content.len());
        content.clear();
    }
    if returns.content == Keep::Snippet {
        structured.iter_mut().for_each(|value| shorten(value, changes));
        content = snippets(content, changes);
    }
    if content.is_empty() {
        content.extend(structured.as_ref().map(Value::to_string).map(ContentBlock::text));
    }
    if let Some(most) = returns.max {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        content = bounded(content, most, changes);
        if let Some(bytes) = structured.as_ref().map(|value| value.to_string().len()).filter(|bytes| *bytes > most) {
            // half of a structure is none
            structured = None;
            changes.add("structured", Class::Cut);
            content.push(ContentBlock::text(format!("[left out by the host: the structured part of {bytes} bytes]")));
        }
    }
    Ok((structured, content))
}

/// A failure as it may leave. Its class always does.
pub(super) fn failed(returns: &Returns, failure: Failure, changes: &mut Changes) -> Failed {
    if returns.hides_words() {
        changes.add("failure", Class::Replaced);
        return failure::without_words(failure);
    }
    let mut failed = failure::failed(failure, changes);
    let snippet = (returns.content == Keep::Snippet).then_some(SNIPPET);
    let max = returns.max.map(|most| usize::try_from(most).unwrap_or(usize::MAX));
    if let Some(most) = snippet.into_iter().chain(max).min()
        && failed.text.len() > most
    {
        changes.add("failure", Class::Cut);
        cut(&mut failed.text, most);
        // they repeat what the text says
        failure::forget_lists(&mut failed);
    }
    failed
}

fn filtered(returns: &Returns, mut value: Value, changes: &mut Changes) -> Value {
    // first, while everything stands where the pointers say
    for pointer in &returns.redact {
        let count = pointer.replace(&mut value, &mut |_| REDACTED.into());
        changes.add_many("structured", Class::Redacted, count);
    }
    if !returns.fields.is_empty() {
        let (left, left_out) = Pointer::keep(&returns.fields, value);
        changes.add_many("structured", Class::Cut, left_out);
        value = left.unwrap_or_default();
    }
    // MCP: a structured answer is an object, whatever the pointers leave of it
    if value.is_object() { value } else { json!({ "answer": REDACTED }) }
}

/// How much there was.
fn metadata(structured: Option<&Value>, content: &[ContentBlock], changes: &mut Changes) -> Said {
    let bytes = all_bytes(content);
    let structured = structured.map_or(0, |value| value.to_string().len());
    changes.add_many("text", Class::Cut, content.len());
    changes.add_many("structured", Class::Cut, usize::from(structured > 0));
    let told = json!({ "parts": content.len(), "bytes": bytes, "structuredBytes": structured });
    let text = format!(
        "[kept back by the host: {} parts of {bytes} bytes and a structured part of {structured} bytes]",
        content.len()
    );
    (Some(told), vec![ContentBlock::text(text)])
}

/// The beginning of each string, and of each key: a plugin may put into the one what it would put into the other.
fn shorten(value: &mut Value, changes: &mut Changes) {
    match value {
        Value::String(text) => snippet(text, "structured", changes),
        Value::Array(items) => items.iter_mut().for_each(|item| shorten(item, changes)),
        Value::Object(map) => {
            map.values_mut().for_each(|value| shorten(value, changes));
            if map.keys().any(|key| key.len() > SNIPPET) {
                let whole = std::mem::take(map);
                // Of two that begin alike the later stays: the earlier one is left out with its key's end.
                map.extend(whole.into_iter().map(|(mut key, value)| {
                    snippet(&mut key, "structured", changes);
                    (key, value)
                }));
            }
        }
        _ => {}
    }
}

/// The beginning of each text; nothing that is no text.
fn snippets(content: Vec<ContentBlock>, changes: &mut Changes) -> Vec<ContentBlock> {
    let parts = content.len();
    let mut kept: Vec<_> = content
        .into_iter()
        .filter_map(|mut block| {
            match &mut block {
                ContentBlock::Text(text) => snippet(&mut text.text, "text", changes),
                ContentBlock::ResourceLink(link) => {
                    link.description.iter_mut().for_each(|text| snippet(text, "text", changes));
                }
                ContentBlock::Resource(resource) => match &mut resource.resource {
                    ResourceContents::TextResourceContents { text, .. } => snippet(text, "text", changes),
                    _ => return None,
                },
                _ => return None,
            }
            Some(block)
        })
        .collect();
    let left_out = parts.saturating_sub(kept.len());
    if left_out > 0 {
        changes.add_many("media", Class::Cut, left_out);
        kept.push(ContentBlock::text(format!("[left out by the host: {left_out} parts that are no text]")));
    }
    kept
}

fn snippet(text: &mut String, place: &'static str, changes: &mut Changes) {
    if text.len() > SNIPPET {
        changes.add(place, Class::Cut);
        cut(text, SNIPPET);
    }
}

/// The first so many bytes of what there is, and a mark of the host's own behind it. What cannot be cut is left out.
fn bounded(content: Vec<ContentBlock>, most: usize, changes: &mut Changes) -> Vec<ContentBlock> {
    let all = all_bytes(&content);
    if all <= most {
        return content;
    }
    let mut left = most;
    let mut kept = Vec::new();
    for mut block in content {
        let bytes = bytes_of(&block);
        if bytes > left {
            let text = match &mut block {
                ContentBlock::Text(text) => &mut text.text,
                _ => break,
            };
            text.truncate(text.floor_char_boundary(left));
            left -= text.len();
            kept.push(block);
            break;
        }
        left -= bytes;
        kept.push(block);
    }
    changes.add("text", Class::Cut);
    kept.push(ContentBlock::text(mark(most - left, all)));
    kept
}

/// What is longer is cut before a character that does not fit, and says so.
fn cut(text: &mut String, most: usize) {
    let all = text.len();
    text.truncate(text.floor_char_boundary(most));
    let mark = mark(text.len(), all);
    text.push(' ');
    text.push_str(&mark);
}

fn mark(kept: usize, all: usize) -> String {
    format!("[cut by the host: {kept} of {all} bytes]")
}

fn all_bytes(content: &[ContentBlock]) -> usize {
    content.iter().map(bytes_of).fold(0, usize::saturating_add)
}

/// Bytes of what a part says, as it is sent.
fn bytes_of(block: &ContentBlock) -> usize {
    match block {
        ContentBlock::Text(text) => text.text.len(),
        ContentBlock::Image(media) => media.data.len(),
        ContentBlock::Audio(media) => media.data.len(),
        ContentBlock::Resource(resource) => match &resource.resource {
            ResourceContents::TextResourceContents { uri, text, .. } => uri.len() + text.len(),
            ResourceContents::BlobResourceContents { uri, blob, .. } => uri.len() + blob.len(),
            _ => usize::MAX,
        },
        ContentBlock::ResourceLink(link) => {
            link.uri.len() + link.name.len() + link.description.as_ref().map_or(0, String::len)
        }
        // a kind that is not known here cannot be bounded
        _ => usize::MAX,
    }
}

#[cfg(test)]
mod tests;
