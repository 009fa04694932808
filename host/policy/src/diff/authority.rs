//! All that a manifest lets happen, as a set of single permissions. What is added or taken away is the difference of two such sets, so
//! that no way of writing a manifest (another name for a grant, another order) looks like a change, and no change looks like none.

use std::collections::BTreeSet;

use serde::Serialize;
use wardkeep_model::{Effect, GrantName, RootName, ToolName};

use crate::manifest::{
    Access, Allowed, Component, FilesGrant, Grant, GrantKey, Manifest, Plugin, Stage, ToolTerms, Wasi,
};

/// One thing that a manifest lets happen. The order is that of telling: the gravest first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
#[allow(missing_docs, reason = "the fields are what the variants speak of")]
pub enum Authority {
    /// A signed exception: a reading tool may send what looks like a write.
    WriteRequestsWhileReading { tool: ToolName, grant: GrantName },
    /// A tool sends requests through this grant.
    Requests { tool: ToolName, grant: GrantName },
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
    /// Somebody may call a tool.
    CalledBy { tool: ToolName, who: Allowed },
    /// A tool is served.
    Served { tool: ToolName },
    /// The manifest holds in one deployment.
    Deployment { name: String },
    /// The manifest holds in every deployment.
    AnyDeployment,
}

/// All that this manifest lets happen.
pub(super) fn of(manifest: &Manifest) -> BTreeSet<Authority> {
    // `limits` and `lines` have their own pages; a new field of a manifest must be put somewhere before this compiles.
    let Manifest { file: _, digest: _, lines: _, plugin, component, limits: _, grants: _, secrets: _, tools } =
        manifest;
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
    for terms in tools.values() {
        tool(manifest, terms, &mut all);
    }
    all
}

fn tool(manifest: &Manifest, terms: &ToolTerms, all: &mut BTreeSet<Authority>) {
    let ToolTerms {
        name,
        effect,
        systems: _,
        side_effects: _,
        uses,
        allow,
        stage,
        limits: _,
        asks,
        confirm: _,
        resources: _,
        only: _,
        returns: _,
        published: _,
    } = terms;
    for key in uses {
        if let Some(grant) = manifest.grants().get(key) {
            held(name, *effect, key, grant, all);
        }
    }
    all.insert(Authority::RunsAs { tool: name.clone(), effect: *effect });
    all.extend(allow.iter().map(|who| Authority::CalledBy { tool: name.clone(), who: who.clone() }));
    if *asks {
        all.insert(Authority::Asks { tool: name.clone() });
    }
    match stage {
        Stage::General => drop(all.insert(Authority::Served { tool: name.clone() })),
        Stage::Off => {}
    }
}

/// What a tool of this class gets out of a grant: as `Grants::of` has it.
fn held(tool: &ToolName, effect: Effect, key: &GrantKey, grant: &Grant, all: &mut BTreeSet<Authority>) {
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
        Grant::Http(http) => {
            if http.read_only {
                all.insert(Authority::WriteRequestsWhileReading { tool: tool.clone(), grant: key.name.clone() });
            }
            all.insert(Authority::Requests { tool, grant: key.name.clone() });
        }
    }
}
