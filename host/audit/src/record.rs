//! What callers of the journal hand in: an intent, its closing, a refusal. Strings of others are capped and escaped here, on
//! the caller's thread, so that nothing behind this file sees a raw one. Arguments and results have no field to be put in.

use serde::{Deserialize, Serialize};
use wardkeep_model::{
    CorrelationId, Cost, Digest, Effect, Egress, Limits, MOST_ACTORS, Note, Outcome, PluginName, Principal,
    PublishedName, ToolName, tidy,
};

/// Most resource ids that a record keeps of one call, of those that the manifest names and of those that the plugin claims; further ones
/// are counted.
pub const MAX_TOUCHED: usize = 16;
/// Most hosts that a record keeps of one call, with the one that further ones are summed up under.
pub const MAX_HOSTS: usize = 17;
/// Most notes that a record keeps of one call; further ones are counted.
pub const MAX_NOTES: usize = 16;

const CLIENT_BYTES: usize = 128;
const REQUEST_ID_BYTES: usize = 64;
const WORD_BYTES: usize = 64;
const NAME_BYTES: usize = 128;
const DETAIL_BYTES: usize = 256;
const MAX_GROUPS: usize = 64;
const HOST_BYTES: usize = 261;

/// What a client says of itself. A claim, never an identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimedClient {
    /// Kept up to 128 bytes.
    pub name: String,
    /// Kept up to 64 bytes.
    pub version: String,
}

/// Where a request came from, as far as it was told.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Origin {
    /// `stdio`, `http` or `socket`.
    pub transport: &'static str,
    /// The peer's IP address, where there is one.
    pub peer: Option<String>,
    /// What the client says of itself.
    pub client: Option<ClaimedClient>,
    /// The MCP protocol revision, kept up to 64 bytes.
    pub protocol: Option<String>,
    /// The JSON-RPC request's id as text, kept up to 64 bytes.
    pub request_id: Option<String>,
    /// The trace id of the client's `traceparent`, kept up to 64 bytes.
    pub trace_id: Option<String>,
}

/// Whose yes a call runs by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirmed {
    /// The principal whose client said so, or the operator as the operating system knows them; kept up to 128 bytes.
    pub by: String,
    /// On which way.
    pub how: Means,
    /// The call in which it was asked for.
    pub asked: CorrelationId,
    /// The operator's approval, by its name, kept up to 64 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<String>,
}

/// How a yes was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Means {
    /// By the person behind the client, as that client tells.
    Client,
    /// By the operator, past the client.
    Operator,
}

/// Everything that is known of a call before it runs.
#[derive(Debug, Clone)]
pub struct Intent {
    /// The call's id through answer, log and audit.
    pub correlation: CorrelationId,
    /// The name that the client called.
    pub published: PublishedName,
    /// The tool's name inside its plugin.
    pub tool: ToolName,
    /// The plugin that offers it.
    pub plugin: PluginName,
    /// The plugin's version.
    pub version: String,
    /// Digest of the signed manifest that allows the call.
    pub manifest_digest: Digest,
    /// That manifest's serial.
    pub serial: u64,
    /// Digest of the contract that the client was shown.
    pub contract_digest: Digest,
    /// The signed class of the tool; it also decides how durable the record must be before the call goes on.
    pub effect: Effect,
    /// Who calls.
    pub principal: Principal,
    /// Where the request came from.
    pub origin: Origin,
    /// The rule that allowed it.
    pub rule: String,
    /// What the call is about: the place in the arguments that the manifest names (128 bytes), and the id that stands there; 16 of 256 bytes are kept.
    pub resources: Vec<(String, String)>,
    /// The limits in force for this call.
    pub limits: Limits,
    /// The call that this one goes on with, after the plugin's questions were answered: always the first of them.
    pub resumes: Option<CorrelationId>,
    /// Who said yes to it, where somebody had to.
    pub confirmed: Option<Confirmed>,
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closing {
    /// How it ended.
    pub outcome: Outcome,
    /// A word of the host for what went wrong, such as `not-found`; never a text of a plugin, an upstream or a client.
    pub error_class: Option<String>,
    /// What the call used.
    pub cost: Cost,
    /// What it tried that it should not have; 16 are kept.
    pub notes: Vec<Note>,
    /// Resource ids that the plugin claims to have touched; 16 of 256 bytes are kept.
    pub touched: Vec<String>,
    /// What it sent to which host; 17 are kept.
    pub egress: Vec<Egress>,
}

/// A request that was refused before its intent: it ran nothing.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// The id that the caller was told.
    pub correlation: CorrelationId,
    /// Who called; `None` if that could not be established.
    pub principal: Option<Principal>,
    /// The tool's name as the client wrote it, kept up to 64 bytes.
    pub tool: Option<String>,
    /// The rule that refused, as `Rule::as_str` spells it. It must come from a fixed set: refusals are counted by it.
    pub rule: String,
    /// `denied`, `throttled`, `unauthenticated` or `invalid-arguments`.
    pub outcome: Outcome,
    /// Where the request came from.
    pub origin: Origin,
}

impl Origin {
    fn tidy(&mut self) {
        if let Some(client) = &mut self.client {
            tidy(&mut client.name, CLIENT_BYTES);
            tidy(&mut client.version, WORD_BYTES);
        }
        for (text, most) in [
            (&mut self.peer, WORD_BYTES),
            (&mut self.protocol, WORD_BYTES),
            (&mut self.request_id, REQUEST_ID_BYTES),
            (&mut self.trace_id, WORD_BYTES),
        ] {
            if let Some(text) = text {
                tidy(text, most);
            }
        }
    }
}

fn tidy_principal(principal: &mut Principal) {
    tidy(&mut principal.name, NAME_BYTES);
    principal.groups.truncate(MAX_GROUPS);
    principal.groups.iter_mut().for_each(|group| tidy(group, NAME_BYTES));
    principal.actors.truncate(MOST_ACTORS);
    principal.actors.iter_mut().for_each(|actor| tidy(actor, NAME_BYTES));
}

impl Intent {
    pub(crate) fn tidy(&mut self) {
        tidy(&mut self.version, WORD_BYTES);
        tidy(&mut self.rule, NAME_BYTES);
        tidy_principal(&mut self.principal);
        self.origin.tidy();
        if let Some(confirmed) = &mut self.confirmed {
            tidy(&mut confirmed.by, NAME_BYTES);
            confirmed.approval.iter_mut().for_each(|approval| tidy(approval, WORD_BYTES));
        }
        self.resources.truncate(MAX_TOUCHED);
        for (place, id) in &mut self.resources {
            tidy(place, NAME_BYTES);
            tidy(id, DETAIL_BYTES);
        }
    }
}

/// A closing whose strings are capped, and how much was left out.
#[derive(Debug)]
pub(crate) struct TidyClosing {
    pub(crate) closing: Closing,
    pub(crate) notes_dropped: usize,
    pub(crate) touched_dropped: usize,
}

impl Closing {
    pub(crate) fn tidy(mut self) -> TidyClosing {
        let notes_dropped = self.notes.len().saturating_sub(MAX_NOTES);
        let touched_dropped = self.touched.len().saturating_sub(MAX_TOUCHED);
        self.notes.truncate(MAX_NOTES);
        self.touched.truncate(MAX_TOUCHED);
        for note in &mut self.notes {
            tidy(&mut note.capability, WORD_BYTES);
            tidy(&mut note.detail, DETAIL_BYTES);
        }
        self.touched.iter_mut().for_each(|id| tidy(id, DETAIL_BYTES));
        self.egress.truncate(MAX_HOSTS);
        self.egress.iter_mut().for_each(|egress| tidy(&mut egress.host, HOST_BYTES));
        if let Some(class) = &mut self.error_class {
            tidy(class, WORD_BYTES);
        }
        TidyClosing { closing: self, notes_dropped, touched_dropped }
    }
}

impl Refusal {
    pub(crate) fn tidy(&mut self) {
        tidy(&mut self.rule, NAME_BYTES);
        if let Some(tool) = &mut self.tool {
            tidy(tool, WORD_BYTES);
        }
        if let Some(principal) = &mut self.principal {
            tidy_principal(principal);
        }
        self.origin.tidy();
    }
}
