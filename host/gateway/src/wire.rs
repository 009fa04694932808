//! What goes over the home's own socket between the process that owns the home and one that relays to it: JSON, one message a
//! line. Both ends are the same binary of the same user, so this is no public interface and carries no version of its own; a
//! greeting with the host's version keeps two different builds apart.

use rmcp::model::{ElicitRequestParams, ElicitResult, InputRequiredResult};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use wardkeep_audit::{ClaimedClient, Origin};
use wardkeep_model::Progress;

use crate::{
    Answer, Done, Order, Refused, ToolCall, ToolView, Undone,
    line::{Inquiry, Person},
};

/// Bytes of one line at most: both ends are ours, so this is against a defect and not against an enemy. JSON may write one byte of
/// an answer as six.
pub(crate) const LONGEST: usize = 256 << 20;

/// First line in both directions.
#[derive(Debug, Serialize, Deserialize, PartialEq)]
pub(crate) struct Greeting {
    pub wardkeep: String,
}

impl Greeting {
    pub(crate) fn ours() -> Self {
        Self { wardkeep: env!("CARGO_PKG_VERSION").to_owned() }
    }
}

/// From the relay to the owner.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Ask {
    List {
        id: u64,
        claims: Claims,
    },
    Call {
        id: u64,
        claims: Claims,
        call: ToolCall,
        /// The client wants to know how far the call is.
        progress: bool,
        /// Who can be asked.
        person: Reach,
    },
    /// What the person said to the question of this call; nothing if there is no answer.
    Answered {
        id: u64,
        answer: Option<Box<ElicitResult>>,
    },
    Cancel {
        id: u64,
    },
    /// Of a command of the operator.
    Order {
        id: u64,
        order: Order,
    },
}

/// As [`Person`], without the way there.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Reach {
    Nobody,
    Undeclared,
    Later,
    Now,
}

impl From<&Person> for Reach {
    fn from(person: &Person) -> Self {
        match person {
            Person::Nobody => Self::Nobody,
            Person::Undeclared => Self::Undeclared,
            Person::Later => Self::Later,
            Person::Now(_) => Self::Now,
        }
    }
}

impl Reach {
    /// The person, and their questions if they are asked while the call waits.
    pub(crate) fn person(self) -> (Person, Option<mpsc::Receiver<Inquiry>>) {
        match self {
            Self::Nobody => (Person::Nobody, None),
            Self::Undeclared => (Person::Undeclared, None),
            Self::Later => (Person::Later, None),
            Self::Now => {
                let (inquiries, asked) = mpsc::channel(1);
                (Person::Now(inquiries), Some(asked))
            }
        }
    }
}

/// What a relay passes on of its own client. The principal is never among it: the owner takes that from the socket.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Claims {
    /// Name and version.
    client: Option<(String, String)>,
    protocol: Option<String>,
    request_id: Option<String>,
    trace_id: Option<String>,
}

impl From<&Origin> for Claims {
    fn from(origin: &Origin) -> Self {
        Self {
            client: origin.client.clone().map(|client| (client.name, client.version)),
            protocol: origin.protocol.clone(),
            request_id: origin.request_id.clone(),
            trace_id: origin.trace_id.clone(),
        }
    }
}

impl From<Claims> for Origin {
    fn from(claims: Claims) -> Self {
        Self {
            transport: "socket",
            peer: None,
            client: claims.client.map(|(name, version)| ClaimedClient { name, version }),
            protocol: claims.protocol,
            request_id: claims.request_id,
            trace_id: claims.trace_id,
        }
    }
}

/// From the owner to the relay: an answer under the number of what was asked, or news under 0.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Told {
    pub id: u64,
    pub told: Tale,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Tale {
    Tools(Vec<ToolView>),
    Answer(Box<Answer>),
    /// The call's result is a question.
    InputRequired(Box<InputRequiredResult>),
    /// Of a call that goes on.
    Progress(Progress),
    /// Of a call that waits for the answer.
    Inquiry(Box<ElicitRequestParams>),
    Refused(Refused),
    /// What became of an order.
    Ordered(Result<Done, Undone>),
    /// What the relay's principal may see has changed.
    Changed,
}
