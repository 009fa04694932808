//! All that a manifest lets happen, as a set of single permissions. What is added or taken away is the difference of two such sets, so
//! that no way of writing a manifest (another name for a grant, another order) looks like a change, and no change looks like none.
//!
//! What bounds a call (`only`, `redact`, `fields`) is told by what it lets through: see [`Bounds`].

mod bounds;
mod credential;
mod request;

use std::collections::BTreeSet;

use serde::Serialize;
use wardkeep_model::{Effect, RootName, SecretName, ToolName};

use crate::{
    manifest::{
        Access, Allowed, Component, Confirm, FilesGrant, Grant, Keep, Manifest, Plugin, Returns, Stage, ToolTerms, Wasi,
    },
    pointer::Pointer,
};

pub(super) use bounds::Bounds;
pub use request::Request;

/// One thing that a manifest lets happen. The order is that of telling: the gravest first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the fields are what the variants speak of")]
pub enum Authority {
    /// A signed exception: a reading tool sends what looks like a write.
    WriteRequestsWhileReading {
        tool: ToolName,
        #[serde(flatten)]
        request: Request,
    },
    /// A credential that stands in the logs of everybody on the way.
    SecretInQuery { secret: SecretName, source: String, made: Option<String>, parameter: String },
    /// A credential that everybody on the way reads: a test server's, if the operator lets it pass.
    SecretInTheClear { secret: SecretName, to: String },
    /// A tool that writes runs without anybody's yes.
    Unconfirmed { tool: ToolName },
    /// A credential: where it is from, what is made of it and where it goes.
    Secret { secret: SecretName, source: String, made: Option<String>, place: String },
    /// A tool reaches a network that is not public.
    PrivateNetwork { tool: ToolName, to: String, network: String },
    /// A tool sends requests that may change something.
    WriteRequests {
        tool: ToolName,
        #[serde(flatten)]
        request: Request,
    },
    /// A tool sends requests that change nothing (RFC 9110, 9.2.1).
    ReadRequests {
        tool: ToolName,
        #[serde(flatten)]
        request: Request,
    },
    /// A tool changes files.
    WriteFiles { tool: ToolName, root: RootName },
    /// A tool reads files.
    ReadFiles { tool: ToolName, root: RootName },
    /// A tool knows the time.
    Clock { tool: ToolName },
    /// A tool gets random numbers.
    Random { tool: ToolName },
    /// The plugin puts questions of its own to the person who calls.
    Asks { tool: ToolName },
    /// The component imports the usual WASI interfaces, linked to stubs.
    WasiInert,
    /// The class that a tool runs as. Another one always stands on both sides: a graver one may do more, a milder one is asked less.
    RunsAs { tool: ToolName, effect: Effect },
    /// Whose yes a tool that writes waits for. Another one always stands on both sides.
    ConfirmedBy { tool: ToolName, who: &'static str },
    /// Calls may name anything at this place of the arguments.
    NamesAnything { tool: ToolName, at: Pointer },
    /// Calls may name what fits this pattern there.
    Names { tool: ToolName, at: Pointer, pattern: String },
    /// Answers leave whole.
    ReturnsWhole { tool: ToolName },
    /// The beginnings of answers leave.
    ReturnsBeginnings { tool: ToolName },
    /// Every field of a structured answer leaves.
    ShowsEveryField { tool: ToolName },
    /// This part of a structured answer leaves.
    ShowsField { tool: ToolName, at: Pointer },
    /// This part of a structured answer leaves as it is.
    ShowsUnredacted { tool: ToolName, at: Pointer },
    /// Somebody may call a tool.
    CalledBy { tool: ToolName, who: Allowed },
    /// A tool may be called this often by one caller, or by all together; nothing is any number of times.
    CalledOften { tool: ToolName, by: &'static str, rate: Option<String> },
    /// A tool is served to those of this group whom `allow` names.
    Piloted { tool: ToolName, group: String },
    /// A tool is served.
    Served { tool: ToolName },
    /// The manifest holds in one deployment.
    Deployment { name: String },
    /// The manifest holds in every deployment.
    AnyDeployment,
}

impl Authority {
    /// Whether it goes against a rule that holds otherwise: to be read first.
    #[must_use]
    pub const fn is_exception(&self) -> bool {
        matches!(
            self,
            Self::WriteRequestsWhileReading { .. } | Self::SecretInQuery { .. } | Self::SecretInTheClear { .. }
        )
    }

    /// The tool that it is about.
    #[must_use]
    pub const fn tool(&self) -> Option<&ToolName> {
        match self {
            Self::WriteRequestsWhileReading { tool, .. }
            | Self::PrivateNetwork { tool, .. }
            | Self::WriteRequests { tool, .. }
            | Self::ReadRequests { tool, .. }
            | Self::WriteFiles { tool, .. }
            | Self::ReadFiles { tool, .. }
            | Self::Clock { tool }
            | Self::Random { tool }
            | Self::Asks { tool }
            | Self::RunsAs { tool, .. }
            | Self::Unconfirmed { tool }
            | Self::ConfirmedBy { tool, .. }
            | Self::NamesAnything { tool, .. }
            | Self::Names { tool, .. }
            | Self::ReturnsWhole { tool }
            | Self::ReturnsBeginnings { tool }
            | Self::ShowsEveryField { tool }
            | Self::ShowsField { tool, .. }
            | Self::ShowsUnredacted { tool, .. }
            | Self::CalledBy { tool, .. }
            | Self::CalledOften { tool, .. }
            | Self::Piloted { tool, .. }
            | Self::Served { tool } => Some(tool),
            Self::SecretInQuery { .. }
            | Self::SecretInTheClear { .. }
            | Self::Secret { .. }
            | Self::WasiInert
            | Self::Deployment { .. }
            | Self::AnyDeployment => None,
        }
    }
}

/// All that this manifest lets happen, as far as `bounds` ask.
pub(super) fn of(manifest: &Manifest, bounds: &Bounds<'_>) -> BTreeSet<Authority> {
    // `limits` and `lines` have their own pages; a new field of a manifest must be put somewhere before this compiles.
    let Manifest { file: _, digest: _, lines: _, plugin, component, limits: _, grants: _, secrets, tools } = manifest;
    // What is compared in `rest`.
    let Plugin { name: _, version: _, serial: _, expires: _, owner: _, purpose: _, out_of_scope: _, deployment } =
        plugin;
    let Component { file: _, sha256: _, contract_sha256: _, wasi } = component;
    let mut all = BTreeSet::new();
    all.insert(match deployment {
        Some(name) => Authority::Deployment { name: name.clone() },
        None => Authority::AnyDeployment,
    });
    match wasi {
        Wasi::Inert => drop(all.insert(Authority::WasiInert)),
        Wasi::None => {}
    }
    all.extend(secrets.values().map(|terms| credential::of(terms)));
    all.extend(secrets.values().filter_map(|terms| credential::exchanged_in_the_clear(terms)));
    for terms in tools.values() {
        tool(manifest, terms, bounds, &mut all);
    }
    all
}

fn tool(manifest: &Manifest, terms: &ToolTerms, bounds: &Bounds<'_>, all: &mut BTreeSet<Authority>) {
    let ToolTerms {
        name,
        effect,
        systems: _,
        side_effects: _,
        uses,
        allow,
        stage,
        pilot_groups,
        rate,
        limits: _,
        asks,
        confirm,
        // in `rest`
        resources: _,
        only,
        returns,
        published: _,
    } = terms;
    for grant in uses.iter().filter_map(|key| manifest.grants().get(key)) {
        held(name, *effect, grant, all);
    }
    all.insert(Authority::RunsAs { tool: name.clone(), effect: *effect });
    all.extend(allow.iter().map(|who| Authority::CalledBy { tool: name.clone(), who: who.clone() }));
    if *asks {
        all.insert(Authority::Asks { tool: name.clone() });
    }
    match (effect, confirm) {
        (Effect::Read, _) => {}
        (_, Confirm::None) => drop(all.insert(Authority::Unconfirmed { tool: name.clone() })),
        (_, who @ (Confirm::Client | Confirm::Operator)) => {
            all.insert(Authority::ConfirmedBy { tool: name.clone(), who: who.as_str() });
        }
    }
    bounds.named(name, only, all);
    // `max` is among the limits.
    let Returns { content, max: _, redact, fields } = returns;
    bounds.shown(name, fields, redact, all);
    // Where neither manifest keeps anything back there is nothing to tell.
    if bounds.cuts(name) && *content != Keep::Metadata {
        all.insert(Authority::ReturnsBeginnings { tool: name.clone() });
    }
    if bounds.cuts(name) && *content == Keep::Full {
        all.insert(Authority::ReturnsWhole { tool: name.clone() });
    }
    match stage {
        Stage::General => drop(all.insert(Authority::Served { tool: name.clone() })),
        Stage::Pilot | Stage::Off => {}
    }
    bounds.often(name, rate, all);
    bounds.piloted(name, *stage, pilot_groups, all);
}

/// What a tool of this class gets out of a grant: as `Grants::of` has it.
fn held(tool: &ToolName, effect: Effect, grant: &Grant, all: &mut BTreeSet<Authority>) {
    let tool = tool.clone();
    match grant {
        Grant::Clock => drop(all.insert(Authority::Clock { tool })),
        Grant::Random => drop(all.insert(Authority::Random { tool })),
        Grant::Files(FilesGrant { root, access }) => {
            // Who may write may read too; a reading tool reads, whatever its grant says.
            if *access == Access::Write && effect != Effect::Read {
                all.insert(Authority::WriteFiles { tool: tool.clone(), root: root.clone() });
            }
            all.insert(Authority::ReadFiles { tool, root: root.clone() });
        }
        Grant::Http(http) => request::of(&tool, effect, http, all),
    }
}
