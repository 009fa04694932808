//! From what a guest says in WIT's words to the words of the host, and how many bytes of it would leave.

use wardkeep_model::{
    Action, Answered, Ask, Completion, Content, Definition, Description, Effect, Embedded, Failure, FilesAsk, HttpAsk,
    Link, Media, Pause, Question, Reply, ResourceBody, Resumption, SecretAsk,
};

use crate::bindings::handler as wit;

pub(crate) fn description(said: wit::Description) -> Description {
    Description { name: said.name, version: said.version, tools: said.tools.into_iter().map(definition).collect() }
}

fn definition(said: wit::Definition) -> Definition {
    Definition {
        name: said.name,
        title: said.title,
        description: said.description,
        input_schema: said.input_schema,
        output_schema: said.output_schema,
        effect: match said.effect {
            wit::Effect::Read => Effect::Read,
            wit::Effect::Write => Effect::Write,
            wit::Effect::Destructive => Effect::Destructive,
        },
        idempotent: said.idempotent,
        asks: said.asks.into_iter().map(ask).collect(),
    }
}

fn ask(said: wit::Ask) -> Ask {
    match said {
        wit::Ask::Http(ask) => Ask::Http(HttpAsk { host: ask.host, methods: ask.methods, purpose: ask.purpose }),
        wit::Ask::Secret(ask) => Ask::Secret(SecretAsk { name: ask.name, purpose: ask.purpose }),
        wit::Ask::Files(ask) => Ask::Files(FilesAsk { root: ask.root, write: ask.write, purpose: ask.purpose }),
        wit::Ask::Clock(purpose) => Ask::Clock(purpose),
        wit::Ask::Random(purpose) => Ask::Random(purpose),
    }
}

pub(crate) fn reply(said: wit::Reply) -> Reply {
    match said {
        wit::Reply::Complete(said) => Reply::Complete(Completion {
            content: said.content.into_iter().map(content).collect(),
            structured: said.structured,
            touched: said.touched,
        }),
        wit::Reply::InputRequired(said) => Reply::InputRequired(Pause {
            questions: said
                .questions
                .into_iter()
                .map(|question| Question { id: question.id, message: question.message, schema: question.schema })
                .collect(),
            state: said.state,
        }),
    }
}

pub(crate) fn resumption(told: Resumption) -> wit::Resumption {
    let answer = |told: Answered| wit::Answer {
        id: told.id,
        action: match told.action {
            Action::Accept => wit::Action::Accept,
            Action::Decline => wit::Action::Decline,
            Action::Cancel => wit::Action::Cancel,
        },
        content: told.content,
    };
    wit::Resumption { state: told.state, answers: told.answers.into_iter().map(answer).collect() }
}

fn content(said: wit::Content) -> Content {
    match said {
        wit::Content::Text(text) => Content::Text(text),
        wit::Content::Image(said) => Content::Image(media(said)),
        wit::Content::Audio(said) => Content::Audio(media(said)),
        wit::Content::Resource(said) => Content::Resource(Embedded {
            uri: said.uri,
            mime_type: said.mime_type,
            body: match said.body {
                wit::ResourceBody::Text(text) => ResourceBody::Text(text),
                wit::ResourceBody::Blob(bytes) => ResourceBody::Blob(bytes),
            },
        }),
        wit::Content::Link(said) => Content::Link(Link {
            uri: said.uri,
            name: said.name,
            description: said.description,
            mime_type: said.mime_type,
        }),
    }
}

fn media(said: wit::Media) -> Media {
    Media { mime_type: said.mime_type, data: said.data }
}

pub(crate) fn failure(said: wit::Failure) -> Failure {
    match said {
        wit::Failure::InvalidArguments(text) => Failure::InvalidArguments(text),
        wit::Failure::NotFound(text) => Failure::NotFound(text),
        wit::Failure::Denied(text) => Failure::Denied(text),
        wit::Failure::RateLimited(said) => {
            Failure::RateLimited { message: said.message, after_seconds: said.after_seconds }
        }
        wit::Failure::Upstream(said) => Failure::Upstream { message: said.message, status: said.status },
        wit::Failure::Partial(said) => {
            Failure::Partial { message: said.message, done: said.done, not_done: said.not_done }
        }
        wit::Failure::Internal(text) => Failure::Internal(text),
    }
}

/// What a block of content, a question or an item of a list counts besides its texts: about what it takes as JSON, so that a
/// million empty ones are no way around the limit.
const ITEM: usize = 32;

/// Bytes of an answer: every text and every blob in it, and [`ITEM`] for each thing that holds some.
pub(crate) fn bytes_of(answer: &Result<Reply, Failure>) -> u64 {
    let texts = |texts: &[String]| texts.iter().map(|text| text.len() + ITEM).sum::<usize>();
    let optional = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let bytes = match answer {
        Ok(Reply::Complete(done)) => {
            let content: usize = done
                .content
                .iter()
                .map(|block| {
                    ITEM + match block {
                        Content::Text(text) => text.len(),
                        Content::Image(media) | Content::Audio(media) => media.mime_type.len() + media.data.len(),
                        Content::Resource(resource) => {
                            let body = match &resource.body {
                                ResourceBody::Text(text) => text.len(),
                                ResourceBody::Blob(bytes) => bytes.len(),
                            };
                            resource.uri.len() + optional(&resource.mime_type) + body
                        }
                        Content::Link(link) => {
                            link.uri.len() + link.name.len() + optional(&link.description) + optional(&link.mime_type)
                        }
                    }
                })
                .sum();
            content + optional(&done.structured) + texts(&done.touched)
        }
        Ok(Reply::InputRequired(pause)) => {
            let asked: usize =
                pause.questions.iter().map(|it| ITEM + it.id.len() + it.message.len() + it.schema.len()).sum();
            asked + pause.state.len()
        }
        Err(failure) => match failure {
            Failure::InvalidArguments(text)
            | Failure::NotFound(text)
            | Failure::Denied(text)
            | Failure::Internal(text)
            | Failure::RateLimited { message: text, .. }
            | Failure::Upstream { message: text, .. } => text.len(),
            Failure::Partial { message, done, not_done } => message.len() + texts(done) + texts(not_done),
        },
    };
    bytes as u64
}
