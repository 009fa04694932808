//! Questions to the person who made the call, and what came of them. A tool made with [`crate::Tool::dialogue`] may ask; the manifest has
//! to allow it (`asks = true`).
//!
//! A question is a form, and a form is a flat struct: text, numbers, booleans, and enums without fields for a choice. What is an `Option` or
//! has a default may be left out. A field's doc comment stands beside it; a form without fields ([`crate::NoArguments`]) is a plain yes or no.
//!
//! The instance is gone while the person thinks, so the function runs again, with the same arguments, the answers, and what it kept. The
//! state comes back as it was given, to the same caller in the same call, and nobody can read or change it on the way.
//!
//! ```
//! use schemars::JsonSchema;
//! use serde::{Deserialize, Serialize};
//! use wardkeep_sdk::{Effect, Failure, Plugin, Result, Tool};
//! use wardkeep_sdk::questions::{Answers, Questions, Said, Step};
//!
//! #[derive(Deserialize, JsonSchema)]
//! struct Table {
//!     guests: u8,
//! }
//!
//! /// The form that the person sees.
//! #[derive(Deserialize, JsonSchema)]
//! struct Wish {
//!     /// Where you would like to sit
//!     place: Place,
//!     /// What the kitchen should know
//!     remark: Option<String>,
//! }
//!
//! #[derive(Serialize, Deserialize, JsonSchema)]
//! #[serde(rename_all = "lowercase")]
//! enum Place {
//!     Window,
//!     Garden,
//! }
//!
//! #[derive(Serialize, JsonSchema)]
//! struct Booked {
//!     place: Place,
//!     price: u32,
//! }
//!
//! fn book(table: Table, answers: Option<Answers>) -> Result<Step<Booked>> {
//!     let Some(answers) = answers else {
//!         let price = 10 * u32::from(table.guests);
//!         let message = format!("It costs {price}. Where would you like to sit?");
//!         return Ok(Step::Ask(Questions::new().form::<Wish>("wish", message).keep(&price)));
//!     };
//!     match answers.to::<Wish>("wish")? {
//!         Said::Accepted(wish) => Ok(Step::Done(Booked { place: wish.place, price: answers.kept()? })),
//!         Said::Declined | Said::Cancelled => Err(Failure::denied("the person would rather not")),
//!     }
//! }
//!
//! fn plugin() -> Plugin {
//!     Plugin::new("tables", "1.0.0").tool(Tool::dialogue("book", "Books a table", Effect::Read, book))
//! }
//! wardkeep_sdk::export!(plugin);
//!
//! // And its test, without a host:
//! use serde_json::json;
//! use wardkeep_sdk::fake;
//!
//! let booked = fake::talk(&plugin(), "book", &json!({ "guests": 2 }), |question| {
//!     assert_eq!(question.message, "It costs 20. Where would you like to sit?");
//!     Said::Accepted(json!({ "place": "garden" }))
//! });
//! assert_eq!(booked.unwrap().structured.unwrap(), r#"{"place":"garden","price":20}"#);
//! ```

mod form;

use schemars::JsonSchema;
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    Failure, IntoAnswer, Result,
    raw::{Action, Pause, Question, Reply, Resumption},
};

/// How one run of a dialogue ends.
#[derive(Debug, Clone)]
pub enum Step<R> {
    /// With the result.
    Done(R),
    /// With questions; the function runs again with their answers, or never.
    Ask(Questions),
}

impl<R: IntoAnswer> Step<R> {
    pub(crate) fn into_reply(self) -> Result<Reply> {
        match self {
            Self::Done(result) => result.into_answer().into_reply(),
            Self::Ask(questions) => questions.into_reply(),
        }
    }
}

/// A round of questions, 1 to 8 of them. A call has 8 rounds at most.
#[derive(Debug, Clone, Default)]
#[must_use = "nobody is asked until it is returned in `Step::Ask`"]
pub struct Questions {
    asked: Vec<Question>,
    state: Vec<u8>,
    /// The first mistake in making it; told when it is returned.
    fault: Option<Failure>,
}

impl Questions {
    /// None yet, and nothing kept.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks for the fields of `F`. `id` is for [`Answers::to`]: 1 to 64 of `A-Z`, `a-z`, `0-9`, `_`, `-` and `.`. The person reads `message`, at
    /// most 1,024 bytes, behind the words "plugin NAME asks:".
    ///
    /// A form that no client could show (a struct in it, a list, a pattern) fails the call as `internal` when it is asked.
    pub fn form<F: JsonSchema>(mut self, id: &str, message: impl Into<String>) -> Self {
        match form::of::<F>() {
            Ok(schema) => self.asked.push(Question { id: id.into(), message: message.into(), schema }),
            Err(fault) => self.fail(Failure::internal(format_args!("the form `{id}`: {fault}"))),
        }
        self
    }

    /// Keeps a value until the answers come, at most 16 KiB as JSON. Whoever keeps twice keeps the last.
    pub fn keep<S: Serialize>(mut self, state: &S) -> Self {
        match serde_json::to_vec(state) {
            Ok(state) => self.state = state,
            Err(fault) => self.fail(Failure::internal(format_args!("what is kept: {fault}"))),
        }
        self
    }

    fn fail(&mut self, fault: Failure) {
        self.fault.get_or_insert(fault);
    }

    fn into_reply(self) -> Result<Reply> {
        match self.fault {
            Some(fault) => Err(fault),
            None => Ok(Reply::InputRequired(Pause { questions: self.asked, state: self.state })),
        }
    }
}

/// The answers to a round of questions, and what was kept.
#[derive(Debug, Clone)]
pub struct Answers(Resumption);

impl Answers {
    pub(crate) fn of(resumption: &Resumption) -> Self {
        Self(resumption.clone())
    }

    /// The answer to the question of that id.
    ///
    /// # Errors
    ///
    /// `internal` if that was not asked; `invalid-arguments` if the answer fits the form and `F` is narrower still.
    pub fn to<F: DeserializeOwned>(&self, id: &str) -> Result<Said<F>> {
        let answer = self.0.answers.iter().find(|answer| answer.id == id);
        let answer = answer.ok_or_else(|| Failure::internal(format_args!("`{id}` was not asked")))?;
        match answer.action {
            Action::Accept => serde_json::from_str(answer.content.as_deref().unwrap_or("{}"))
                .map(Said::Accepted)
                .map_err(|fault| Failure::invalid_arguments(format_args!("the answer to `{id}`: {fault}"))),
            Action::Decline => Ok(Said::Declined),
            Action::Cancel => Ok(Said::Cancelled),
        }
    }

    /// What [`Questions::keep`] was given.
    ///
    /// # Errors
    ///
    /// `internal` if nothing was kept, or something of another type.
    pub fn kept<S: DeserializeOwned>(&self) -> Result<S> {
        serde_json::from_slice(&self.0.state).map_err(|fault| Failure::internal(format_args!("what was kept: {fault}")))
    }
}

/// What the person said to one question. Only the client knows whether it was a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said<F> {
    /// Yes, with the form filled in.
    Accepted(F),
    /// No.
    Declined,
    /// Nothing: the question was closed.
    Cancelled,
}

impl<F> Said<F> {
    /// The form, if it was filled in.
    pub fn accepted(self) -> Option<F> {
        match self {
            Self::Accepted(form) => Some(form),
            Self::Declined | Self::Cancelled => None,
        }
    }
}

#[cfg(test)]
mod tests;
