//! The MCP endpoint: who calls, what they are shown, the path of one call, what leaves, and how it is said.
//!
//! The only crate of the host that knows rmcp and axum. It decides nothing (policy does), does nothing to the outside on a
//! guest's behalf (capabilities does) and remembers nothing (audit does). [`Host`] is the fleet and the callers of the [`Moment`] with their
//! journal; [`Entrance`] is what a transport talks to: this process's own host, or the one of the process that owns the home.

mod admission;
mod answer;
mod asking;
mod brakes;
mod call;
mod caller;
mod checks;
mod client;
mod confirmation;
mod entrance;
mod handler;
mod host;
mod http;
mod identity;
mod legs;
mod line;
mod listing;
mod lists;
mod moment;
mod order;
mod output;
mod present;
mod record;
mod relay;
mod running;
mod screen;
mod seal;
mod serve;
mod session;
mod socket;
mod stdio;
mod versions;
mod wire;

pub use admission::{Allowance, Allowances, Limit, Throttled};
pub use answer::NoAnswer;
pub use brakes::{BrakeTerms, Counted, Most, Tripped};
pub use caller::{Caller, Connection, Retry, ToolCall};
pub use client::{Called, Client, ClientError};
pub use confirmation::{
    Approval, ApprovalId, ApprovalLimits, Approvals, Decided, Decision, InvalidApprovalId, Keep, Matter, NotApproved,
    NotDecided, NotKept, Shown, Standing, Unapproved, Unconfirmed, Undecided,
};
pub use entrance::{Entrance, EntranceSwitch};
pub use host::Host;
pub use http::{ForwardedBy, HttpOptions, HttpServer, Proxies};
pub use identity::{Algorithm, ApiKey, BadKeySet, Callers, IssuerTerms, KeySource, OAuth, Pace, UsableKeys};
pub use line::Line;
pub use moment::Moment;
pub use order::{ApprovalOrder, Done, KeyChange, Keyed, Order, Orders, Placed, Undone};
pub use relay::{Relay, RelayError};
pub use running::Killed;
pub use seal::StateFault;
pub use serve::ServeError;
pub use socket::SocketServer;
pub use stdio::serve_stdio;
pub use versions::{revisions, rmcp_version};

/// What `tools/list` shows of one tool (MCP, Tools).
pub type ToolView = rmcp::model::Tool;
/// The result of one call (MCP, Tools, Tool Result).
pub type Answer = rmcp::model::CallToolResult;
/// What a call comes to.
#[derive(Debug)]
pub enum Response {
    /// It is done.
    Complete(Answer),
    /// Revision 2026-07-28: the person is asked, and the client calls again.
    InputRequired(rmcp::model::InputRequiredResult),
}
/// A JSON-RPC error.
pub type Refused = rmcp::model::ErrorData;
/// Stops a server.
pub use tokio_util::sync::CancellationToken;

/// Prefix of the host's own keys in `_meta` (MCP, General fields, `_meta`).
const META: &str = "dev.wardkeep/";
