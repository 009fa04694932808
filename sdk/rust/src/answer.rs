//! What a tool gives back.

use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    Failure, Result,
    raw::{Completion, Content, Embedded, Link, Media, Reply, ResourceBody},
};

/// A structured result with content of your choice beside it.
///
/// ```
/// # #[derive(serde::Serialize, schemars::JsonSchema)] struct Sum { sum: i64 }
/// use wardkeep_sdk::Answer;
///
/// let answer = Answer::new(Sum { sum: 3 }).text("1 + 2 = 3").touched("ledger/2026");
/// let picture = Answer::bare().image("image/png", vec![0x89, b'P', b'N', b'G']);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Answer<T> {
    value: T,
    content: Vec<Content>,
    touched: Vec<String>,
}

impl Answer<()> {
    /// Content only.
    #[must_use]
    pub fn bare() -> Self {
        Self::new(())
    }
}

impl<T> Answer<T> {
    /// A value. Without content of its own, its JSON is the text.
    #[must_use]
    pub fn new(value: T) -> Self {
        Self { value, content: Vec::new(), touched: Vec::new() }
    }

    /// Adds text.
    #[must_use]
    pub fn text(self, text: impl Into<String>) -> Self {
        self.content(Content::Text(text.into()))
    }

    /// Adds a picture.
    #[must_use]
    pub fn image(self, mime_type: &str, data: Vec<u8>) -> Self {
        self.content(Content::Image(Media { mime_type: mime_type.into(), data }))
    }

    /// Adds sound.
    #[must_use]
    pub fn audio(self, mime_type: &str, data: Vec<u8>) -> Self {
        self.content(Content::Audio(Media { mime_type: mime_type.into(), data }))
    }

    /// Adds a resource with its text.
    #[must_use]
    pub fn resource(self, uri: &str, mime_type: &str, text: impl Into<String>) -> Self {
        let body = ResourceBody::Text(text.into());
        self.content(Content::Resource(Embedded { uri: uri.into(), mime_type: Some(mime_type.into()), body }))
    }

    /// Adds a resource with its bytes.
    #[must_use]
    pub fn blob(self, uri: &str, mime_type: &str, bytes: Vec<u8>) -> Self {
        let body = ResourceBody::Blob(bytes);
        self.content(Content::Resource(Embedded { uri: uri.into(), mime_type: Some(mime_type.into()), body }))
    }

    /// Adds a link to a resource.
    #[must_use]
    pub fn link(self, uri: &str, name: &str) -> Self {
        self.content(Content::Link(Link { uri: uri.into(), name: name.into(), description: None, mime_type: None }))
    }

    /// Adds any block.
    #[must_use]
    pub fn content(mut self, content: Content) -> Self {
        self.content.push(content);
        self
    }

    /// Names something that was read or changed, for the audit log.
    #[must_use]
    pub fn touched(mut self, id: impl Into<String>) -> Self {
        self.touched.push(id.into());
        self
    }
}

impl<T: Serialize> Answer<T> {
    pub(crate) fn into_reply(self) -> Result<Reply> {
        let json = serde_json::to_string(&self.value).map_err(Failure::internal)?;
        let Self { value: _, mut content, touched } = self;
        let structured = json.starts_with('{');
        if content.is_empty() && json != "null" {
            // A JSON string is shown as what it says.
            content.push(Content::Text(serde_json::from_str::<String>(&json).unwrap_or_else(|_| json.clone())));
        }
        Ok(Reply::Complete(Completion { content, structured: structured.then_some(json), touched }))
    }
}

/// What a tool's function may return: any type that serde and schemars know, or an [`Answer`] around one.
///
/// A struct or an enum of structs becomes the structured result and its schema the output schema. A `String` becomes text, `()` nothing, and
/// what else is no JSON object (a list, a number) becomes its JSON as text.
pub trait IntoAnswer {
    /// What the output schema is made from.
    type Structured: Serialize + JsonSchema;

    /// Itself as an answer.
    fn into_answer(self) -> Answer<Self::Structured>;
}

impl<T: Serialize + JsonSchema> IntoAnswer for T {
    type Structured = T;

    fn into_answer(self) -> Answer<T> {
        Answer::new(self)
    }
}

impl<T: Serialize + JsonSchema> IntoAnswer for Answer<T> {
    type Structured = T;

    fn into_answer(self) -> Self {
        self
    }
}
