//! Questions that a plugin puts to the person who calls: what it may ask, and what becomes of the answers.
//!
//! A question is a form of flat fields (MCP, Elicitation). It is bounded and free of hidden characters before anybody sees it, and says
//! which plugin asks. An answer reaches the plugin only if it fits the form that was shown. What has to be known until then is an
//! [`Asked`]: with a client of revision 2026-07-28 it travels through the client, [sealed](crate::seal); with an older one it waits here.

pub(crate) mod thinking;

use std::collections::{BTreeMap, HashSet};

use jiff::Timestamp;
use rmcp::model::{
    ElicitRequest, ElicitRequestParams, ElicitResult, ElicitationAction, ElicitationSchema, InputRequest,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use wardkeep_model::{
    Action, Answered, CorrelationId, Digest, Pause, PluginName, Principal, Question, Resumption, hidden, shown,
};
use wardkeep_policy::{
    Arguments, Schema, Tool,
    kill::{self, Kills},
};

use crate::{
    confirmation::Kept,
    seal::{Nonce, StateFault},
};

/// How often one call may ask.
const ROUNDS: u8 = 8;
/// Questions of one round.
const QUESTIONS: usize = 8;
/// Bytes of a question's id.
const ID: usize = 64;
/// Bytes of a question's words.
const MESSAGE: usize = 1_024;
/// Bytes of all forms of one round.
const FORMS: usize = 16 << 10;
/// Bytes of what a plugin may keep until the answers come.
const STATE: usize = 16 << 10;

/// What checking one answer may cost; about half a millisecond.
const EFFORT: u64 = 1_000_000;

/// A round of questions, and to whom and what they belong.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Asked {
    /// Good for one answer.
    nonce: Nonce,
    /// The first leg of the call.
    first: CorrelationId,
    /// When the leg began in which they were asked.
    at: Timestamp,
    round: u8,
    principal: String,
    /// Who acts for them: an answer given through one is none through another.
    actors: Vec<String>,
    tool: String,
    contract: Digest,
    arguments: Digest,
    questions: Vec<Asking>,
    state: Vec<u8>,
    /// The yes that the call runs by, where it needs one: an answer to these questions is none.
    kept: Option<Kept>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Asking {
    id: String,
    message: String,
    form: ElicitationSchema,
}

/// The call that a round of questions belongs to.
pub(crate) struct Belongs<'a> {
    pub principal: &'a Principal,
    pub tool: &'a Tool,
    pub arguments: &'a Arguments,
    /// As they are once a kill would end the call.
    pub kills: &'a Kills,
    pub now: Timestamp,
}

/// A round that was answered: what the next leg is entered with.
#[derive(Debug)]
pub(crate) struct Resumed {
    pub asked: Asked,
    pub resumption: Resumption,
}

/// An answer that is missing or does not fit its form. It may quote the answer: for who gave it, and no log.
#[derive(Debug, thiserror::Error)]
#[error("the answer to `{id}` {what}")]
pub(crate) struct Unanswered {
    id: String,
    what: String,
}

impl Asked {
    /// What a plugin asks, if it may be asked; else the word of it for the record.
    pub(crate) fn new(
        pause: Pause,
        id: &CorrelationId,
        before: Option<&Self>,
        of: &Belongs<'_>,
        nonce: Nonce,
        kept: Option<Kept>,
    ) -> Result<Self, &'static str> {
        let round = before.map_or(1, |before| before.round.saturating_add(1));
        if round > ROUNDS {
            return Err("too-many-rounds");
        }
        if pause.questions.is_empty() || pause.questions.len() > QUESTIONS {
            return Err("too-many-questions");
        }
        if pause.state.len() > STATE {
            return Err("state-too-large");
        }
        if pause.questions.iter().map(|question| question.schema.len()).sum::<usize>() > FORMS {
            return Err("question-form");
        }
        let questions: Vec<_> =
            pause.questions.into_iter().map(|question| asking(question, of.tool.plugin())).collect::<Result<_, _>>()?;
        let ids: HashSet<_> = questions.iter().map(|asking| &asking.id).collect();
        if ids.len() < questions.len() {
            return Err("question-id");
        }
        Ok(Self {
            nonce,
            first: before.map_or(id, |before| &before.first).clone(),
            at: of.now,
            round,
            principal: of.principal.name.clone(),
            actors: of.principal.actors.clone(),
            tool: of.tool.published().as_str().to_owned(),
            contract: of.tool.contract_digest(),
            arguments: Digest::of(of.arguments.text().as_bytes()),
            questions,
            state: pause.state,
            kept,
        })
    }

    /// Whether these questions were asked in the call that is made now, and no such call was stopped since.
    pub(crate) fn belongs(&self, to: &Belongs<'_>) -> Result<(), StateFault> {
        let same = self.principal == to.principal.name
            && self.actors == to.principal.actors
            && self.tool == to.tool.published().as_str()
            && self.contract == to.tool.contract_digest()
            && self.arguments == Digest::of(to.arguments.text().as_bytes());
        if !same {
            return Err(StateFault::OtherCall);
        }
        let stopped = to.kills.stopped_since(&kill::Call::of(to.tool, to.principal), self.at, to.now);
        if stopped.is_some() { Err(StateFault::Stopped) } else { Ok(()) }
    }

    /// Whether they were asked of this caller by this tool. Their call was counted when it began.
    pub(crate) fn is_of(&self, principal: &str, tool: &Tool) -> bool {
        self.principal == principal && self.tool == tool.published().as_str()
    }

    pub(crate) const fn first(&self) -> &CorrelationId {
        &self.first
    }

    pub(crate) const fn nonce(&self) -> &Nonce {
        &self.nonce
    }

    pub(crate) const fn kept(&self) -> Option<&Kept> {
        self.kept.as_ref()
    }

    /// The questions as requests to the client, by their ids.
    pub(crate) fn requests(&self) -> impl Iterator<Item = (String, ElicitRequestParams)> {
        self.questions.iter().map(|asking| {
            let request = ElicitRequestParams::FormElicitationParams {
                meta: None,
                message: asking.message.clone(),
                requested_schema: asking.form.clone(),
            };
            (asking.id.clone(), request)
        })
    }

    /// The same, as a result of revision 2026-07-28 carries them.
    pub(crate) fn input_requests(&self) -> BTreeMap<String, InputRequest> {
        self.requests().map(|(id, request)| (id, InputRequest::Elicitation(ElicitRequest::new(request)))).collect()
    }

    /// What the plugin is entered with again. An answer to what was not asked is left out.
    pub(crate) fn answered(self, answers: &BTreeMap<String, Value>) -> Result<Resumed, Box<(Self, Unanswered)>> {
        let mut told = Vec::new();
        for asking in &self.questions {
            match asking.answered(answers.get(&asking.id)) {
                Ok(answer) => told.push(answer),
                Err(what) => {
                    let unanswered = Unanswered { id: asking.id.clone(), what };
                    return Err(Box::new((self, unanswered)));
                }
            }
        }
        let resumption = Resumption { state: self.state.clone(), answers: told };
        Ok(Resumed { asked: self, resumption })
    }
}

impl Asking {
    fn answered(&self, answer: Option<&Value>) -> Result<Answered, String> {
        let answer = answer.ok_or("is missing")?;
        let said = ElicitResult::deserialize(answer).map_err(|_| "is no elicitation result")?;
        let (action, content) = match said.action {
            ElicitationAction::Accept => {
                let content = said.content.unwrap_or_else(|| Value::Object(serde_json::Map::new()));
                let form = schema(&self.form).ok_or("cannot be checked")?;
                if form.effort(&content) > EFFORT {
                    return Err("is too long".to_owned());
                }
                form.check(&content).map_err(|mismatch| format!("does not fit the form: {mismatch}"))?;
                (Action::Accept, Some(content.to_string()))
            }
            ElicitationAction::Decline => (Action::Decline, None),
            _ => (Action::Cancel, None),
        };
        Ok(Answered { id: self.id.clone(), action, content })
    }
}

fn asking(question: Question, plugin: &PluginName) -> Result<Asking, &'static str> {
    let Question { id, message, schema: form } = question;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if id.is_empty() || id.len() > ID || !id.chars().all(plain) {
        return Err("question-id");
    }
    if message.len() > MESSAGE {
        return Err("question-message");
    }
    let written: Value = serde_json::from_str(&form).map_err(|_| "question-form")?;
    if hides(&written) {
        return Err("question-form");
    }
    let form = ElicitationSchema::deserialize(&written).map_err(|_| "question-form")?;
    // a word of the schema that clients would not be shown is a promise that nobody keeps
    let kept = serde_json::to_value(&form).is_ok_and(|kept| keeps(&written, &kept));
    if !kept || schema(&form).is_none() {
        return Err("question-form");
    }
    Ok(Asking { id, message: format!("plugin {plugin} asks: {}", shown(&message)), form })
}

fn schema(form: &ElicitationSchema) -> Option<Schema> {
    Schema::compile(&serde_json::to_string(form).ok()?).ok()
}

fn hides(value: &Value) -> bool {
    match value {
        Value::String(text) => text.chars().any(hidden),
        Value::Array(items) => items.iter().any(hides),
        Value::Object(fields) => fields.iter().any(|(key, value)| key.chars().any(hidden) || hides(value)),
        _ => false,
    }
}

/// Whether every key of one is in the other.
fn keeps(written: &Value, kept: &Value) -> bool {
    match (written, kept) {
        (Value::Object(written), Value::Object(kept)) => {
            written.iter().all(|(key, value)| kept.get(key).is_some_and(|kept| keeps(value, kept)))
        }
        (Value::Array(written), Value::Array(kept)) => {
            written.len() == kept.len() && written.iter().zip(kept).all(|(written, kept)| keeps(written, kept))
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests;
