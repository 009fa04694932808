//! What a guest gives back from a call, exactly as it said it. Nothing here has passed the output filter yet.

/// A complete answer or questions to the person.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// All is done.
    Complete(Completion),
    /// The plugin asks something and is called again with the answers.
    InputRequired(Pause),
}

/// A finished call's result.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Completion {
    /// Content blocks in order.
    pub content: Vec<Content>,
    /// A JSON object as text.
    pub structured: Option<String>,
    /// Ids that the plugin claims to have read or changed.
    pub touched: Vec<String>,
}

/// One content block (MCP, Tools, Tool Result).
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "named as in MCP")]
pub enum Content {
    Text(String),
    Image(Media),
    Audio(Media),
    Resource(Embedded),
    Link(Link),
}

/// Bytes with their media type.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "named as in MCP")]
pub struct Media {
    pub mime_type: String,
    pub data: Vec<u8>,
}

/// A link to a resource.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "named as in MCP")]
pub struct Link {
    pub uri: String,
    pub name: String,
    pub description: Option<String>,
    pub mime_type: Option<String>,
}

/// A resource with its content.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "named as in MCP")]
pub struct Embedded {
    pub uri: String,
    pub mime_type: Option<String>,
    pub body: ResourceBody,
}

/// The content of an embedded resource.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "named as in MCP")]
pub enum ResourceBody {
    Text(String),
    Blob(Vec<u8>),
}

/// Questions, and the plugin's own state until they are answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Pause {
    /// What is asked.
    pub questions: Vec<Question>,
    /// Opaque; at most 16 KiB.
    pub state: Vec<u8>,
}

/// One question of a plugin.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// The plugin's own id of it.
    pub id: String,
    /// What the person reads.
    pub message: String,
    /// JSON Schema of the flat object that is asked for.
    pub schema: String,
}

/// What a person did with a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "named as in MCP")]
pub enum Action {
    Accept,
    Decline,
    Cancel,
}

/// One answered question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// The question's id.
    pub id: String,
    /// What the person did.
    pub action: Action,
    /// A JSON object as text that fits the question's schema, if accepted.
    pub content: Option<String>,
}

/// What a guest is entered with again after its questions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resumption {
    /// Its own state, as it gave it.
    pub state: Vec<u8>,
    /// One for each question.
    pub answers: Vec<Answered>,
}

/// A failure that the plugin reports by itself.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "documented in wit/deps/wardkeep-tool-0.1.0/tool.wit")]
pub enum Failure {
    InvalidArguments(String),
    NotFound(String),
    Denied(String),
    RateLimited { message: String, after_seconds: Option<u32> },
    Upstream { message: String, status: Option<u16> },
    Partial { message: String, done: Vec<String>, not_done: Vec<String> },
    Internal(String),
}
