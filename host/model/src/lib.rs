//! The words that every crate of the host uses: names, digests, principals, limits, what a plugin says of itself, what a call
//! gives back and how it ended. Values only: no I/O, no async, no decisions.

mod cost;
mod description;
mod digest;
mod effect;
mod http;
mod limits;
mod name;
mod outcome;
mod principal;
mod progress;
mod reply;
mod share;
mod text;

pub use cost::{Cost, Egress, Note, NoteKind};
pub use description::{Ask, Definition, Description, FilesAsk, HttpAsk, SecretAsk};
pub use digest::{Digest, Digester, InvalidDigest};
pub use effect::Effect;
pub use http::{FRAMING, InvalidMethod, Method, Scheme};
pub use limits::{CompileLimits, Limits, LimitsPatch};
pub use name::{CorrelationId, GrantName, InvalidName, PluginName, PublishedName, RootName, SecretName, ToolName};
pub use outcome::{Blame, LimitKind, Outcome};
pub use principal::{Authenticated, MOST_ACTORS, Principal, Scopes};
pub use progress::Progress;
pub use reply::{
    Action, Answered, Completion, Content, Embedded, Failure, Link, Media, Pause, Question, Reply, ResourceBody,
    Resumption,
};
pub use share::may_take;
pub use text::{hidden, invisible, shown, tidy, tidy_blanks};
