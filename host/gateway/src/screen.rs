//! One cheap pass over a client's message before rmcp sees it.
//!
//! rmcp builds a tree of every message before it looks at it, and a small value costs hundreds of bytes there: 4 MiB of tiny
//! values became 700 MB. This pass counts values and depth and builds nothing but the sets of one path's keys. It also refuses an
//! object that says a key twice: what decides and what runs might each take another of the two. What the message means is
//! rmcp's affair.

use std::{borrow::Cow, collections::HashSet, fmt};

use serde::{
    Serialize,
    de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor},
};
use serde_json::json;

/// JSON values in one message, containers and what is in them.
const MOST_VALUES: usize = 50_000;
/// Arrays and objects within each other; the message itself is one.
const DEEPEST: usize = 64;
/// Bytes of a method, and of the name of a tool: an error repeats both.
pub(crate) const LONGEST_NAME: usize = 256;
/// Bytes of a request's id, as text: answers repeat it.
const LONGEST_ID: usize = 256;
/// A message over this many bytes is screened on a thread of its own, so that health and other calls don't wait for it.
const AT_ONCE: usize = 64 << 10;

/// What is known of a message that may go on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Screened {
    /// Its method is `initialize`: in the older revisions, it opens a session.
    pub(crate) initializes: bool,
    /// The id of a request, as it was written: a number is no string.
    pub(crate) asks: Option<String>,
    /// The tool that it calls.
    pub(crate) calls: Option<String>,
    /// It answers what the host has asked, or might be taken for that.
    pub(crate) answers: bool,
}

/// Why a message goes no further.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    NotJson,
    TooLong { most: usize },
    TooManyValues,
    TooDeep,
    DuplicateKey,
    LongName,
    LongId,
    NoId,
    IdInUse,
    TooManyAsked { most: usize },
    HeaderTwice,
    Unscreened,
}

impl Refusal {
    /// JSON-RPC 2.0, 5.1: parse error, invalid request, internal error.
    const fn code(self) -> i32 {
        match self {
            Self::NotJson => -32_700,
            Self::Unscreened => -32_603,
            _ => -32_600,
        }
    }

    /// The whole JSON-RPC error on one line. Its id is null: a message that was refused is not searched for one.
    pub(crate) fn message(self) -> String {
        self.answer(&())
    }

    /// The same where the id is known.
    pub(crate) fn answer(self, id: &impl Serialize) -> String {
        json!({ "jsonrpc": "2.0", "id": id, "error": { "code": self.code(), "message": self.to_string() } }).to_string()
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotJson => f.write_str("the message is not valid JSON"),
            Self::TooLong { most } => write!(f, "a message may have {most} bytes at most"),
            Self::TooManyValues => write!(f, "a message may hold {MOST_VALUES} JSON values at most"),
            Self::TooDeep => write!(f, "arrays and objects may be {DEEPEST} deep at most"),
            Self::DuplicateKey => f.write_str("an object of the message has the same key twice"),
            Self::LongName => write!(f, "a method or name may have {LONGEST_NAME} bytes at most"),
            Self::LongId => write!(f, "a request's id may have {LONGEST_ID} bytes at most"),
            Self::NoId => f.write_str("a request needs an id that is a string or a whole number"),
            Self::IdInUse => f.write_str("another request of this session has this id and is not answered yet"),
            Self::TooManyAsked { most } => write!(f, "{most} requests are not answered yet; wait for some"),
            Self::HeaderTwice => f.write_str("a header that decides how the request is read was given twice"),
            Self::Unscreened => f.write_str("the message could not be read"),
        }
    }
}

/// Screens a message, a long one away from the threads that serve, and gives it back.
pub(crate) async fn screened<B>(message: B) -> Result<(B, Screened), Refusal>
where
    B: AsRef<[u8]> + Send + 'static,
{
    if message.as_ref().len() <= AT_ONCE {
        return screen(message.as_ref()).map(|screened| (message, screened));
    }
    let screening = tokio::task::spawn_blocking(move || screen(message.as_ref()).map(|screened| (message, screened)));
    screening.await.unwrap_or(Err(Refusal::Unscreened))
}

fn screen(message: &[u8]) -> Result<Screened, Refusal> {
    let Walk { method, id, name, answers, .. } = walked(message, Place::Root)?;
    let initializes = method == Some(Method::Initialize);
    let calls = name.filter(|_| method == Some(Method::Call));
    match (method, id) {
        // JSON-RPC answers nothing to it, and MCP has no such notification (MCP, Base Protocol, Requests: the id is no null)
        (Some(Method::Initialize | Method::Call | Method::Other), None) => Err(Refusal::NoId),
        (Some(_), asks) => Ok(Screened { initializes, asks, calls, answers }),
        (None, _) => Ok(Screened { answers, ..Screened::default() }),
    }
}

/// The same bounds for JSON that is no message: values, depth, no key twice.
pub(crate) fn shape(json: &[u8]) -> Result<(), Refusal> {
    walked(json, Place::Elsewhere).map(drop)
}

fn walked(json: &[u8], place: Place) -> Result<Walk, Refusal> {
    let mut walk = Walk { values: 0, refusal: None, method: None, id: None, name: None, answers: false };
    let mut json = serde_json::Deserializer::from_slice(json);
    let read = Node { walk: &mut walk, depth: 0, place }.deserialize(&mut json).and_then(|()| json.end());
    match (walk.refusal, read) {
        (Some(refusal), _) => Err(refusal),
        (None, Err(_)) => Err(Refusal::NotJson),
        (None, Ok(())) => Ok(walk),
    }
}

struct Walk {
    values: usize,
    refusal: Option<Refusal>,
    method: Option<Method>,
    id: Option<String>,
    /// `params.name`.
    name: Option<String>,
    answers: bool,
}

/// What there is to know of a message's method here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    Initialize,
    Call,
    Notification,
    Other,
}

impl Method {
    fn of(text: &str) -> Self {
        match text {
            "initialize" => Self::Initialize,
            "tools/call" => Self::Call,
            text if text.starts_with("notifications/") => Self::Notification,
            _ => Self::Other,
        }
    }
}

impl Walk {
    /// serde's error carries text only; the reason is kept here.
    fn refuse<E: serde::de::Error>(&mut self, refusal: Refusal) -> E {
        self.refusal = Some(refusal);
        E::custom(refusal)
    }
}

/// Where in the message a value stands.
#[derive(Clone, Copy)]
enum Place {
    Root,
    Id,
    Method,
    Params,
    Name,
    /// What other methods name.
    Named,
    /// What answers a request, well or badly.
    Answer,
    Elsewhere,
}

impl Place {
    fn of(self, key: &str) -> Self {
        match (self, key) {
            (Self::Root, "id") => Self::Id,
            (Self::Root, "method") => Self::Method,
            (Self::Root, "params") => Self::Params,
            (Self::Root, "result" | "error") => Self::Answer,
            // what rmcp compares with `Mcp-Name`, and repeats where they differ
            (Self::Params, "name") => Self::Name,
            (Self::Params, "uri" | "taskId") => Self::Named,
            _ => Self::Elsewhere,
        }
    }
}

/// One value, of any kind.
struct Node<'w> {
    walk: &'w mut Walk,
    /// Containers around it.
    depth: usize,
    place: Place,
}

impl Node<'_> {
    fn enter<E: serde::de::Error>(&mut self) -> Result<(), E> {
        self.depth += 1;
        if self.depth > DEEPEST { Err(self.walk.refuse(Refusal::TooDeep)) } else { Ok(()) }
    }

    fn child(&mut self, place: Place) -> Node<'_> {
        Node { walk: self.walk, depth: self.depth, place }
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.walk.values += 1;
        if self.walk.values > MOST_VALUES {
            return Err(self.walk.refuse(Refusal::TooManyValues));
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, number: i64) -> Result<(), E> {
        if matches!(self.place, Place::Id) {
            self.walk.id = Some(number.to_string());
        }
        Ok(())
    }

    fn visit_u64<E>(self, number: u64) -> Result<(), E> {
        if matches!(self.place, Place::Id) {
            self.walk.id = Some(number.to_string());
        }
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<(), E> {
        let named = matches!(self.place, Place::Method | Place::Name | Place::Named);
        if named && text.len() > LONGEST_NAME {
            return Err(self.walk.refuse(Refusal::LongName));
        }
        if matches!(self.place, Place::Id) {
            if text.len() > LONGEST_ID {
                return Err(self.walk.refuse(Refusal::LongId));
            }
            self.walk.id = Some(format!("\"{text}\""));
        }
        if matches!(self.place, Place::Method) {
            self.walk.method = Some(Method::of(text));
        }
        if matches!(self.place, Place::Name) {
            self.walk.name = Some(text.to_owned());
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<(), A::Error> {
        self.enter()?;
        while items.next_element_seed(self.child(Place::Elsewhere))?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut entries: A) -> Result<(), A::Error> {
        self.enter()?;
        let mut keys = HashSet::new();
        while let Some(key) = entries.next_key_seed(Key)? {
            let place = self.place.of(&key);
            self.walk.answers |= matches!(place, Place::Answer);
            if !keys.insert(key) {
                return Err(self.walk.refuse(Refusal::DuplicateKey));
            }
            entries.next_value_seed(self.child(place))?;
        }
        Ok(())
    }
}

/// A key, borrowed from the message where it has no escapes.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, key: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(key))
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(key.to_owned()))
    }
}

#[cfg(test)]
mod tests;
