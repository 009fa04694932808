//! One tool: what it is called, what it may do, and the function behind it.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, de::DeserializeOwned};

use crate::{
    Failure, IntoAnswer, Result,
    questions::{Answers, Step},
    raw::{Ask, Definition, Effect, Reply, Request},
    schema,
};

/// The arguments of a tool that takes none.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoArguments {}

type Run = dyn Fn(&Request) -> Result<Reply>;

/// A tool. Begin with [`Tool::read`], [`Tool::write`] or [`Tool::destructive`], whichever is the worst that any run of it can do.
///
/// ```
/// use wardkeep_sdk::{Ask, NoArguments, Result, Tool, clock};
///
/// fn hour(_: NoArguments) -> Result<String> {
///     let since_1970 = clock::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
///     Ok(format!("{} o'clock", since_1970.as_secs() / 3600 % 24))
/// }
///
/// let tool = Tool::read("hour", "Tells the hour in UTC", hour).title("The hour").asks(Ask::clock("to know the hour"));
/// ```
pub struct Tool {
    name: &'static str,
    title: Option<&'static str>,
    description: &'static str,
    effect: Effect,
    idempotent: bool,
    asks: Vec<Ask>,
    input: fn() -> String,
    output: fn() -> Option<String>,
    run: Box<Run>,
}

impl Tool {
    /// A tool that changes nothing that anybody else can see.
    #[must_use]
    pub fn read<A, R, F>(name: &'static str, description: &'static str, function: F) -> Self
    where
        A: DeserializeOwned + JsonSchema,
        R: IntoAnswer,
        F: Fn(A) -> Result<R> + 'static,
    {
        Self::new(name, description, Effect::Read, function).idempotent()
    }

    /// A tool that changes or adds something that can be put back.
    #[must_use]
    pub fn write<A, R, F>(name: &'static str, description: &'static str, function: F) -> Self
    where
        A: DeserializeOwned + JsonSchema,
        R: IntoAnswer,
        F: Fn(A) -> Result<R> + 'static,
    {
        Self::new(name, description, Effect::Write, function)
    }

    /// A tool that changes something that cannot be put back.
    #[must_use]
    pub fn destructive<A, R, F>(name: &'static str, description: &'static str, function: F) -> Self
    where
        A: DeserializeOwned + JsonSchema,
        R: IntoAnswer,
        F: Fn(A) -> Result<R> + 'static,
    {
        Self::new(name, description, Effect::Destructive, function)
    }

    /// A tool that may ask the person who calls: the function's second argument is nothing at first, and then the answers to what it asked. See
    /// [`crate::questions`]. `effect` is the worst that any run of it can do.
    #[must_use]
    pub fn dialogue<A, R, F>(name: &'static str, description: &'static str, effect: Effect, function: F) -> Self
    where
        A: DeserializeOwned + JsonSchema,
        R: IntoAnswer,
        F: Fn(A, Option<Answers>) -> Result<Step<R>> + 'static,
    {
        let tool = Self::made::<A, R>(name, description, effect, move |request| {
            function(arguments(request)?, request.resume.as_ref().map(Answers::of))?.into_reply()
        });
        if effect == Effect::Read { tool.idempotent() } else { tool }
    }

    fn new<A, R, F>(name: &'static str, description: &'static str, effect: Effect, function: F) -> Self
    where
        A: DeserializeOwned + JsonSchema,
        R: IntoAnswer,
        F: Fn(A) -> Result<R> + 'static,
    {
        Self::made::<A, R>(name, description, effect, move |request| {
            function(arguments(request)?)?.into_answer().into_reply()
        })
    }

    fn made<A: JsonSchema, R: IntoAnswer>(
        name: &'static str,
        description: &'static str,
        effect: Effect,
        run: impl Fn(&Request) -> Result<Reply> + 'static,
    ) -> Self {
        Self {
            name,
            title: None,
            description,
            effect,
            idempotent: false,
            asks: Vec::new(),
            input: schema::input::<A>,
            output: schema::output::<R::Structured>,
            run: Box::new(run),
        }
    }

    /// A name for people.
    #[must_use]
    pub fn title(mut self, title: &'static str) -> Self {
        self.title = Some(title);
        self
    }

    /// A second call with the same arguments changes nothing more. [`Tool::read`] has set it.
    #[must_use]
    pub fn idempotent(mut self) -> Self {
        self.idempotent = true;
        self
    }

    /// What the tool would like to be granted, and what for. Asking grants nothing.
    #[must_use]
    pub fn asks(mut self, ask: Ask) -> Self {
        self.asks.push(ask);
        self
    }

    pub(crate) fn name(&self) -> &str {
        self.name
    }

    pub(crate) fn definition(&self) -> Definition {
        Definition {
            name: self.name.into(),
            title: self.title.map(Into::into),
            description: self.description.into(),
            input_schema: (self.input)(),
            output_schema: (self.output)(),
            effect: self.effect,
            idempotent: self.idempotent,
            asks: self.asks.clone(),
        }
    }

    pub(crate) fn call(&self, request: &Request) -> Result<Reply> {
        (self.run)(request)
    }
}

fn arguments<A: DeserializeOwned>(request: &Request) -> Result<A> {
    serde_json::from_str(&request.arguments).map_err(Failure::invalid_arguments)
}

impl fmt::Debug for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tool").field("name", &self.name).field("effect", &self.effect).finish_non_exhaustive()
    }
}
