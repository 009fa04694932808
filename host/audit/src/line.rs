//! One line of the log: an OCSF 1.8 API Activity event (class 6003, <https://schema.ocsf.io/1.8.0/classes/api_activity>). The same
//! shape is written and read. What OCSF has no attribute for stands in `unmapped`, the two digests of the chain last.

mod build;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use wardkeep_model::{Blame, CorrelationId, Digest, Effect, Egress, Note, Outcome};

use crate::{Confirmed, Event};

/// What kind of line it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// A call that is allowed and about to run.
    Intent,
    /// How that call ended.
    Outcome,
    /// A request that was refused before it could become a call.
    Refusal,
    /// Something that happened to the host.
    Event,
}

impl Phase {
    /// As `metadata.event_code` spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Intent => "intent",
            Self::Outcome => "outcome",
            Self::Refusal => "refusal",
            Self::Event => "event",
        }
    }
}

/// The type of a resource whose id the plugin says it touched.
pub(crate) const CLAIMED: &str = "claimed by the plugin";
/// How the type of a resource begins whose id stood in the checked arguments, at the pointer that follows.
pub(crate) const NAMED: &str = "named by the manifest: ";

type Text<'a> = Cow<'a, str>;

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Line<'a> {
    category_uid: u32,
    category_name: Text<'a>,
    class_uid: u32,
    class_name: Text<'a>,
    activity_id: u32,
    activity_name: Text<'a>,
    type_uid: u32,
    severity_id: u32,
    pub(crate) time: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    status_id: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    status: Option<Text<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    status_code: Option<Text<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) status_detail: Option<Text<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) duration: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) count: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) start_time: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) end_time: Option<i64>,
    pub(crate) metadata: Metadata<'a>,
    pub(crate) actor: Actor<'a>,
    pub(crate) api: Api<'a>,
    pub(crate) src_endpoint: Endpoint<'a>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trace: Option<Uid<'a>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) resources: Vec<Resource<'a>>,
    pub(crate) unmapped: Unmapped<'a>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Metadata<'a> {
    version: Text<'a>,
    product: Product<'a>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    profiles: Vec<Text<'a>>,
    pub(crate) event_code: Text<'a>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) correlation_uid: Option<CorrelationId>,
    pub(crate) sequence: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct Product<'a> {
    name: Text<'a>,
    vendor_name: Text<'a>,
    version: Text<'a>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Actor<'a> {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) user: Option<User<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    app_name: Option<Text<'a>>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct User<'a> {
    pub(crate) name: Text<'a>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    groups: Vec<Name<'a>>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Name<'a> {
    pub(crate) name: Text<'a>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) version: Option<Text<'a>>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Uid<'a> {
    uid: Text<'a>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Api<'a> {
    pub(crate) operation: Text<'a>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) service: Option<Name<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    request: Option<Uid<'a>>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Endpoint<'a> {
    name: Text<'a>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ip: Option<Text<'a>>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Resource<'a> {
    pub(crate) uid: Text<'a>,
    pub(crate) r#type: Text<'a>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Unmapped<'a> {
    pub(crate) phase: Phase,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tool: Option<Text<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    effect: Option<Effect>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    manifest: Option<Digest>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    serial: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    contract: Option<Digest>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) rule: Option<Text<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    resumes: Option<CorrelationId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) confirmed: Option<Cow<'a, Confirmed>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    authenticated: Option<Text<'a>>,
    /// Who acts for the caller, the nearest first.
    #[serde(default, skip_serializing_if = "<[String]>::is_empty")]
    pub(crate) actors: Cow<'a, [String]>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    client: Option<Name<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    protocol: Option<Text<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    limits: Option<LineLimits>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) outcome: Option<Outcome>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    blame: Option<Blame>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cost: Option<LineCost>,
    #[serde(default, skip_serializing_if = "<[Egress]>::is_empty")]
    pub(crate) egress: Cow<'a, [Egress]>,
    #[serde(default, skip_serializing_if = "<[Note]>::is_empty")]
    pub(crate) notes: Cow<'a, [Note]>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    notes_dropped: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    resources_dropped: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) event: Option<Cow<'a, Event>>,
    pub(crate) prev: Digest,
    // Last: the seal is found by its place from the end of the line.
    pub(crate) digest: Digest,
}

#[derive(Debug, Serialize, Deserialize)]
struct LineLimits {
    fuel: u64,
    memory: u64,
    deadline_ms: u64,
    output: u64,
    host_calls: u32,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct LineCost {
    pub(crate) fuel: u64,
    pub(crate) memory_peak: u64,
    pub(crate) elapsed_us: u64,
    pub(crate) host_calls: u32,
    pub(crate) output: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) log_lines_dropped: u32,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) progress_dropped: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}
