//! The one decision. Nothing runs without a [`Permit`], and nothing but [`authorize`] makes one.

use std::{fmt, sync::Arc};

use serde_json::Value;
use wardkeep_model::{Digest, Effect, Limits, PluginName};

use crate::{
    case::{Case, Confirmation},
    decision::{Granted, decide},
    document::{Fault, basic_string, quoted},
    grants::Grants,
    manifest::{HttpRule, Only},
    plugin::{PluginTerms, Tool},
    pointer::Pointer,
    reason, resources,
    schema::Arguments,
    snapshot::Snapshot,
};

/// Leave to run one tool once, with that tool's grants and limits and no other's.
#[derive(Debug)]
pub struct Permit {
    tool: Arc<Tool>,
    terms: Arc<PluginTerms>,
    granted: Granted,
    requests: Vec<HttpRule>,
    resources: Vec<(Pointer, String)>,
}

/// Which rule refused a call. Records keep its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rule {
    /// No manifest publishes a tool of this name, or not any more.
    UnknownTool,
    /// `trust.toml` is past its last day.
    TrustExpired,
    /// A kill switch stops it.
    Killed,
    /// The component is revoked.
    Revoked,
    /// The manifest is past its last day.
    Expired,
    /// Too few of its signers may approve now.
    NotApproved,
    /// `stage = "off"`.
    StageOff,
    /// `stage = "pilot"`, and the caller is in no pilot group.
    StagePilot,
    /// `allow` does not name the caller.
    NotAllowed,
    /// The operator's file lets this caller read only.
    CallerMayNotWrite,
    /// The scopes of the caller's token do not cover this effect. Told to the caller: everything else would have let it in.
    Scope(Effect),
    /// The call needs a yes, and nobody can be asked for it.
    NobodyConfirms,
    /// The operator's file does not let this caller write without a confirmation.
    Unconfirmed,
    /// The arguments name something that `only` does not list.
    OnlyList,
    /// The arguments were not checked against this tool's schema.
    Unchecked,
}

/// A call is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{rule}: {detail}")]
pub struct Denial {
    /// Which rule refused it.
    pub rule: Rule,
    /// For the operator only: which line of which document would allow it.
    pub detail: String,
}

impl Rule {
    /// As records spell it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UnknownTool => "unknown-tool",
            Self::TrustExpired => "trust-expired",
            Self::Killed => "killed",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
            Self::NotApproved => "not-approved",
            Self::StageOff => "stage-off",
            Self::StagePilot => "stage-pilot",
            Self::NotAllowed => "not-allowed",
            Self::CallerMayNotWrite => "caller-may-not-write",
            Self::Scope(_) => "scope",
            Self::NobodyConfirms => "nobody-confirms",
            Self::Unconfirmed => "unconfirmed-writes",
            Self::OnlyList => "resource-not-allowed",
            Self::Unchecked => "unchecked-arguments",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Decides one call. Everything that may have changed since the tool was found is asked again: expiry, revocation, the trust and its
/// people, and whether the tool is still the one that this snapshot serves.
///
/// # Errors
/// The call is refused.
pub fn authorize(
    snapshot: &Snapshot,
    case: &Case<'_>,
    tool: &Arc<Tool>,
    arguments: &Arguments,
) -> Result<Permit, Denial> {
    let name = tool.published().as_str();
    let (served, terms, standing) = snapshot.entry(name).ok_or_else(|| Denial::unknown(name))?;
    if !Arc::ptr_eq(served, tool) {
        // Found in an older snapshot; this one may have other schemas, grants and callers under the same name.
        return Err(Denial { rule: Rule::UnknownTool, detail: format!("`{name}` was replaced since it was found") });
    }
    let granted = decide(tool, standing, case).map_err(|rule| Denial::of(rule, tool, case))?;
    if !arguments.fit(tool.input()) {
        let detail = format!("the arguments were not checked against the schema of `{name}`");
        return Err(Denial { rule: Rule::Unchecked, detail });
    }
    // Here and nowhere else, so that no way to a guest goes around it.
    if let Some(only) = tool.only().iter().find(|only| !only.allows(arguments.value())) {
        let detail = Denial::not_listed(only, tool, arguments.value()).to_string();
        return Err(Denial { rule: Rule::OnlyList, detail });
    }
    let requests = tool.grants().requests(tool.effect(), arguments.value());
    let resources = resources::named(tool.resources(), arguments.value());
    Ok(Permit { tool: tool.clone(), terms: terms.clone(), granted, requests, resources })
}

impl Permit {
    /// The tool.
    #[must_use]
    pub const fn tool(&self) -> &Arc<Tool> {
        &self.tool
    }

    /// Its plugin.
    #[must_use]
    pub fn plugin(&self) -> &PluginName {
        self.tool.plugin()
    }

    /// What its plugin was approved as: a call that runs is judged by it when the host's documents change.
    #[must_use]
    pub const fn terms(&self) -> &Arc<PluginTerms> {
        &self.terms
    }

    /// Whose yes it needs before it runs.
    #[must_use]
    pub const fn confirmation(&self) -> Confirmation {
        self.granted.confirmation
    }

    /// What this call may use.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        self.tool.limits()
    }

    /// What this call may do.
    #[must_use]
    pub fn grants(&self) -> &Grants {
        self.tool.grants()
    }

    /// The requests that this call may send.
    #[must_use]
    pub fn requests(&self) -> &[HttpRule] {
        &self.requests
    }

    /// What the arguments name, for the record: at most 16 texts of 256 bytes, safe to show, with the pointers of the manifest's `resources`
    /// that led to them.
    #[must_use]
    pub fn resources(&self) -> &[(Pointer, String)] {
        &self.resources
    }

    /// Of the manifest that permits it.
    #[must_use]
    pub fn manifest_digest(&self) -> Digest {
        self.tool.manifest_digest()
    }

    /// Which entry let the caller in, such as `allow:group:engineering`.
    #[must_use]
    pub fn rule(&self) -> &str {
        self.tool.allow().get(self.granted.entry).map_or("", |(_, words)| words)
    }
}

impl Denial {
    pub(crate) fn unknown(name: &str) -> Self {
        Self { rule: Rule::UnknownTool, detail: format!("no manifest publishes a tool named {}", quoted(name)) }
    }

    pub(crate) fn of(rule: Rule, tool: &Tool, case: &Case<'_>) -> Self {
        Self { rule, detail: reason::refusal(rule, tool, case).to_string() }
    }

    /// Tells the value only where the manifest has it recorded anyway: arguments are nobody's business but the tool's.
    pub(crate) fn not_listed(only: &Only, tool: &Tool, arguments: &Value) -> Fault {
        let recorded = tool.resources().contains(&only.at);
        let values = resources::named(std::slice::from_ref(&only.at), arguments);
        let wrong = values.iter().map(|(_, value)| value).find(|value| !only.lists(value));
        let held = match wrong.filter(|_| recorded) {
            Some(value) => quoted(value),
            None => "a value that is not listed, or none".to_owned(),
        };
        tool.manifest()
            .fault(
                &format!("tools.{}.only.{}", tool.name(), basic_string(only.at.as_str())),
                format!("the call names {held}"),
            )
            .mend("list it here, and sign again")
    }
}

#[cfg(test)]
mod tests;
