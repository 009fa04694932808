//! Questions, answered by a test in place of a person, in the bounds of a host.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{
    Failure, Plugin, Result,
    questions::Said,
    raw::{Action, Answer, Completion, Pause, Question, Reply, Request, Resumption},
};

/// As hosts have them.
const ROUNDS: usize = 8;
const QUESTIONS: usize = 8;
const ID: usize = 64;
const MESSAGE: usize = 1_024;
const FORMS: usize = 16 << 10;
const STATE: usize = 16 << 10;

/// Calls a tool as a host would, and answers its questions, until it is done.
///
/// A host lets only answers through that fit the form; here whatever the test says reaches the tool.
///
/// # Errors
///
/// The tool's own failure; `invalid-arguments` if the JSON does not fit; `internal` if it asks what a host would not let it ask.
pub fn talk(
    plugin: &Plugin,
    tool: &str,
    arguments: &Value,
    mut person: impl FnMut(&Question) -> Said<Value>,
) -> Result<Completion> {
    let mut request = Request { tool: tool.into(), arguments: arguments.to_string(), resume: None };
    for _ in 0..=ROUNDS {
        match plugin.call(request.clone())? {
            Reply::Complete(completion) => return Ok(completion),
            Reply::InputRequired(pause) => {
                bounded(&pause).map_err(Failure::internal)?;
                let answers = pause.questions.iter().map(|question| answer(question, person(question))).collect();
                request.resume = Some(Resumption { state: pause.state, answers });
            }
        }
    }
    Err(Failure::internal("more than 8 rounds of questions"))
}

fn answer(question: &Question, said: Said<Value>) -> Answer {
    let (action, content) = match said {
        Said::Accepted(form) => (Action::Accept, Some(form.to_string())),
        Said::Declined => (Action::Decline, None),
        Said::Cancelled => (Action::Cancel, None),
    };
    Answer { id: question.id.clone(), action, content }
}

fn bounded(pause: &Pause) -> Result<(), &'static str> {
    let questions = &pause.questions;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if questions.is_empty() || questions.len() > QUESTIONS {
        return Err("a round has 1 to 8 questions");
    }
    if questions.iter().any(|one| one.id.is_empty() || one.id.len() > ID || !one.id.chars().all(plain)) {
        return Err("the id of a question is 1 to 64 of A-Z, a-z, 0-9, `_`, `-` and `.`");
    }
    if questions.iter().map(|one| &one.id).collect::<BTreeSet<_>>().len() < questions.len() {
        return Err("two questions have the same id");
    }
    if questions.iter().any(|one| one.message.len() > MESSAGE) {
        return Err("a question has more than 1,024 bytes");
    }
    if questions.iter().map(|one| one.schema.len()).sum::<usize>() > FORMS {
        return Err("the forms of a round have more than 16 KiB");
    }
    if pause.state.len() > STATE {
        return Err("more than 16 KiB are kept");
    }
    Ok(())
}
