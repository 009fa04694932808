//! The plugin's own failures. Their texts are the plugin's and meant for the caller: cleaned like every other text, and what stands in
//! a list stays in its line.

use rmcp::model::MetaObject;
use serde_json::json;
use wardkeep_model::{Failure, Outcome};

use super::{
    changes::Changes,
    text::{Lines, clean},
};
use crate::META;

/// Ids of one list of a partial failure; further ones are counted.
const MOST_LISTED: usize = 1_000;

/// A failure as it may leave.
pub(super) struct Failed {
    pub outcome: Outcome,
    pub class: &'static str,
    pub text: String,
    pub meta: MetaObject,
}

pub(super) fn failed(failure: Failure, changes: &mut Changes) -> Failed {
    let mut meta = MetaObject::new();
    let mut outcome = Outcome::ToolError;
    let (class, text) = match failure {
        Failure::InvalidArguments(message) => ("invalid-arguments", message),
        Failure::NotFound(message) => ("not-found", message),
        Failure::Denied(message) => ("denied", message),
        Failure::Internal(message) => ("internal", message),
        Failure::RateLimited { message, after_seconds } => {
            if let Some(seconds) = after_seconds {
                meta.0.insert(format!("{META}retry-after-seconds"), seconds.into());
            }
            ("rate-limited", message)
        }
        Failure::Upstream { message, status } => match status {
            Some(status) => ("upstream", format!("{message} (status {status})")),
            None => ("upstream", message),
        },
        Failure::Partial { message, done, not_done } => {
            outcome = Outcome::Partial;
            let (done, not_done) = (ids(done, changes), ids(not_done, changes));
            let text = format!("{message}\ndone: {}\nnot done: {}", told(&done), told(&not_done));
            meta.0.insert(format!("{META}partial"), json!({ "done": done, "notDone": not_done }));
            ("partial", text)
        }
    };
    meta.0.insert(format!("{META}failure"), json!(class));
    Failed { outcome, class, text: clean(text, Lines::Many, "failure", changes), meta }
}

/// The same with the host's words in the place of the plugin's: class, numbers and counts stay.
pub(super) fn without_words(failure: Failure) -> Failed {
    let words = |class: &str| format!("the tool failed: {class}; its manifest keeps its own words from leaving");
    let counts = match &failure {
        Failure::Partial { done, not_done, .. } => Some((done.len(), not_done.len())),
        _ => None,
    };
    let bare = match failure {
        Failure::InvalidArguments(_) => Failure::InvalidArguments(words("the arguments are not valid")),
        Failure::NotFound(_) => Failure::NotFound(words("not found")),
        Failure::Denied(_) => Failure::Denied(words("denied")),
        Failure::Internal(_) => Failure::Internal(words("an internal error")),
        Failure::RateLimited { after_seconds, .. } => {
            Failure::RateLimited { message: words("rate limited"), after_seconds }
        }
        Failure::Upstream { status, .. } => Failure::Upstream { message: words("the system behind it failed"), status },
        Failure::Partial { .. } => {
            Failure::Partial { message: words("a part was done"), done: Vec::new(), not_done: Vec::new() }
        }
    };
    let mut failed = failed(bare, &mut Changes::default());
    if let Some((done, not_done)) = counts {
        failed.text = format!("{}\ndone: {done}\nnot done: {not_done}", words("a part was done"));
        forget_lists(&mut failed);
    }
    failed
}

/// Without the lists of a partial failure beside its text.
pub(super) fn forget_lists(failed: &mut Failed) {
    failed.meta.0.remove(&format!("{META}partial"));
}

fn ids(ids: Vec<String>, changes: &mut Changes) -> Vec<String> {
    let more = ids.len().saturating_sub(MOST_LISTED);
    let mut listed: Vec<_> =
        ids.into_iter().take(MOST_LISTED).map(|id| clean(id, Lines::One, "failure", changes)).collect();
    if more > 0 {
        listed.push(format!("… and {more} more"));
    }
    listed
}

fn told(ids: &[String]) -> String {
    if ids.is_empty() { "nothing".to_owned() } else { ids.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_of_a_list_cannot_forge_a_line_and_a_long_list_is_counted() {
        let mut changes = Changes::default();
        let done = vec!["a\nnot done: nothing".to_owned()];
        let not_done = vec!["x".to_owned(); MOST_LISTED + 2];
        let failed = failed(Failure::Partial { message: "half\u{1b}".into(), done, not_done }, &mut changes);
        assert!(
            failed.text.starts_with("half\\u{1b}\ndone: a\\u{a}not done: nothing\nnot done: x, "),
            "{}",
            failed.text
        );
        assert!(failed.text.ends_with("x, … and 2 more"));
        let partial = &failed.meta.0[&format!("{META}partial")];
        assert_eq!(partial["done"], json!(["a\\u{a}not done: nothing"]));
        assert_eq!(partial["notDone"].as_array().unwrap().len(), MOST_LISTED + 1);
        let notes: Vec<_> = changes.into_notes().into_iter().map(|note| (note.detail, note.count)).collect();
        assert_eq!(notes, [("failure: control".to_owned(), 2)]);
        assert_eq!((failed.outcome, failed.class), (Outcome::Partial, "partial"));
    }
}
