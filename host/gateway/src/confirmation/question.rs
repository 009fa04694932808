//! The host's own question whether a call may run, on its way to the person behind a client and back.
//!
//! The words are the host's and begin with "Wardkeep asks:", where a plugin's begin with "plugin X asks:". The answer is one of two words in a
//! form of one field; nothing else is a yes: no flag, no missing field, no answer to another question.

use jiff::Timestamp;
use rmcp::model::{
    ElicitRequest, ElicitRequestParams, ElicitResult, ElicitationAction, ElicitationSchema, InputRequest,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use wardkeep_model::CorrelationId;
use wardkeep_policy::{Tool, kill::Kills};

use super::{Matter, Shown};
use crate::{
    caller::Connection,
    seal::{Nonce, StateFault},
};

/// Names the question in a client's answers. No plugin can give this name: theirs have no slash.
pub(crate) const ID: &str = "dev.wardkeep/confirm";
const FIELD: &str = "confirm";

/// What was asked, and to whom and what it belongs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Question {
    /// Good for one answer.
    nonce: Nonce,
    /// The call in which it was asked.
    asked: CorrelationId,
    /// When.
    at: Timestamp,
    matter: Matter,
    /// Where it was asked, if that is a connection that lasts.
    connection: Option<Connection>,
    message: String,
}

/// What the person said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Said {
    Yes,
    No,
    /// Neither: there is no answer, or not one that the form has.
    Unclear,
}

impl Question {
    pub(crate) fn new(
        nonce: Nonce,
        asked: &CorrelationId,
        matter: Matter,
        shown: &Shown,
        connection: Option<Connection>,
    ) -> Self {
        let message = shown.question(&matter);
        Self { nonce, asked: asked.clone(), at: Timestamp::now(), matter, connection, message }
    }

    pub(crate) const fn nonce(&self) -> &Nonce {
        &self.nonce
    }

    pub(crate) const fn asked(&self) -> &CorrelationId {
        &self.asked
    }

    /// As it stands in the log: the call is counted with others perhaps, under the id of the first.
    pub(crate) fn asked_in(mut self, call: &CorrelationId) -> Self {
        self.asked = call.clone();
        self
    }

    /// Whether it was asked about this call, over this connection, and no such call was stopped since.
    pub(crate) fn belongs(
        &self,
        matter: &Matter,
        connection: Option<Connection>,
        kills: &Kills,
    ) -> Result<(), StateFault> {
        if self.matter != *matter || self.connection != connection {
            return Err(StateFault::OtherCall);
        }
        let stopped = kills.stopped_since(&matter.call(), self.at, Timestamp::now());
        if stopped.is_some() { Err(StateFault::Stopped) } else { Ok(()) }
    }

    /// Whether it was asked of this caller about this tool.
    pub(crate) fn is_of(&self, principal: &str, tool: &Tool) -> bool {
        self.matter.is_of(principal, tool)
    }

    /// As a request to the client; nothing only if the form were none.
    pub(crate) fn request(&self) -> Option<ElicitRequestParams> {
        let form = json!({
            "type": "object",
            "properties": { FIELD: { "type": "string", "title": "May it run?", "enum": ["no", "yes"] } },
            "required": [FIELD],
        });
        Some(ElicitRequestParams::FormElicitationParams {
            meta: None,
            message: self.message.clone(),
            requested_schema: ElicitationSchema::deserialize(form).ok()?,
        })
    }

    /// The same, as a result of revision 2026-07-28 carries it.
    pub(crate) fn input_request(&self) -> Option<InputRequest> {
        self.request().map(|request| InputRequest::Elicitation(ElicitRequest::new(request)))
    }
}

/// What an answer says. Only a form that was accepted with the word "yes", and with nothing besides, is a yes.
pub(crate) fn said(answer: Option<&Value>) -> Said {
    let Some(answer) = answer.and_then(|answer| ElicitResult::deserialize(answer).ok()) else { return Said::Unclear };
    match answer.action {
        ElicitationAction::Accept => match answer.content {
            Some(content) if content == json!({ FIELD: "yes" }) => Said::Yes,
            Some(content) if content == json!({ FIELD: "no" }) => Said::No,
            _ => Said::Unclear,
        },
        ElicitationAction::Decline | ElicitationAction::Cancel => Said::No,
        _ => Said::Unclear,
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use wardkeep_model::{Digest, Effect};

    use super::*;

    #[test]
    fn one_answer_is_a_yes_and_no_other() {
        let accept = |content: Value| said(Some(&json!({ "action": "accept", "content": content })));
        assert_eq!(accept(json!({ "confirm": "yes" })), Said::Yes);
        assert_eq!(accept(json!({ "confirm": "no" })), Said::No);
        for content in [
            json!({}),
            json!(null),
            json!("yes"),
            json!(["yes"]),
            json!({ "confirm": true }),
            json!({ "confirm": "Yes" }),
            json!({ "confirm": "yes " }),
            json!({ "confirm": ["yes"] }),
            json!({ "confirm": "yes", "confirmed": true }),
            json!({ "confirmed": "yes" }),
            json!({ "confirm": { "confirm": "yes" } }),
        ] {
            assert_eq!(accept(content.clone()), Said::Unclear, "{content}");
        }
        for answer in [
            json!(true),
            json!("yes"),
            json!({}),
            json!({ "action": "accept" }),
            json!({ "content": { "confirm": "yes" } }),
            json!({ "action": "ACCEPT", "content": { "confirm": "yes" } }),
            json!({ "action": true, "content": { "confirm": "yes" } }),
            json!([{ "action": "accept", "content": { "confirm": "yes" } }]),
        ] {
            assert_eq!(said(Some(&answer)), Said::Unclear, "{answer}");
        }
        assert_eq!(said(None), Said::Unclear);
        for action in ["decline", "cancel"] {
            assert_eq!(said(Some(&json!({ "action": action, "content": { "confirm": "yes" } }))), Said::No, "{action}");
        }
    }
    #[test]
    fn a_question_is_answered_in_its_own_call_and_not_over_a_kill() {
        let matter = Matter {
            principal: "user:me".into(),
            actors: Vec::new(),
            tool: "files_write".parse().unwrap(),
            plugin: "files".parse().unwrap(),
            version: "1".into(),
            contract: Digest::of(b""),
            manifest: Digest::of(b""),
            arguments: Digest::of(b""),
        };
        let shown = Shown { effect: Effect::Write, side_effects: String::new(), resources: vec![], arguments: vec![] };
        let question = Question::new([0; 16], &CorrelationId::from_bytes([0; 16]), matter.clone(), &shown, None);
        let belongs = |kills: Kills| question.belongs(&matter, None, &kills);
        let lifted = |target: &str, at| Kills::none().after([(target.parse().unwrap(), at)].into_iter().collect());
        let before = question.at.checked_sub(SignedDuration::from_nanos(1)).unwrap();
        assert_eq!(belongs(Kills::none()), Ok(()));
        assert_eq!(belongs(lifted("all", before)), Ok(()));
        assert_eq!(belongs(lifted("plugin:other", question.at)), Ok(()));
        for target in ["all", "writes", "plugin:files", "tool:files_write", "caller:user:me"] {
            assert_eq!(belongs(lifted(target, question.at)), Err(StateFault::Stopped), "{target}");
        }
        let other = Matter { arguments: Digest::of(b"x"), ..matter.clone() };
        assert_eq!(question.belongs(&other, None, &Kills::none()), Err(StateFault::OtherCall));
    }
}
