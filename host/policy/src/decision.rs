//! The rules of a decision, in the order in which they weigh; `docs/manifest.md` tells it to people. Lists, searches, decisions and
//! explanations all walk this one list, and no rule stands anywhere else.

use wardkeep_model::{Effect, Scopes};

use crate::{
    authorize::Rule,
    case::{Case, Confirmation},
    manifest::{Confirm, Stage},
    plugin::Tool,
    snapshot::standing::Standing,
};

/// One question of a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Step {
    /// Is it stopped.
    Kills,
    /// Does the trust hold.
    Trust,
    /// Is the component revoked.
    Revocation,
    /// Does the manifest hold.
    Expiry,
    /// May enough of its signers approve.
    Signatures,
    /// Is it rolled out, and to this caller.
    Stage,
    /// Does the manifest name the caller.
    Allow,
    /// May the caller write at all.
    Writes,
    /// Whose yes does it need, and can they be asked.
    Confirmation,
    /// Does the caller's token cover it. The last of all, since its refusal may be told to the caller, who then asks its issuer for more:
    /// it tells nothing of a tool that no token would open.
    Scope,
}

impl Step {
    pub(crate) const ALL: [Self; 10] = [
        Self::Kills,
        Self::Trust,
        Self::Revocation,
        Self::Expiry,
        Self::Signatures,
        Self::Stage,
        Self::Allow,
        Self::Writes,
        Self::Confirmation,
        Self::Scope,
    ];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Kills => "kills",
            Self::Trust => "trust",
            Self::Revocation => "revocation",
            Self::Expiry => "expiry",
            Self::Signatures => "signatures",
            Self::Stage => "stage",
            Self::Allow => "allow",
            Self::Writes => "writes",
            Self::Confirmation => "confirmation",
            Self::Scope => "scope",
        }
    }
}

/// What the rules say yes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Granted {
    /// The entry of `allow` that lets the caller in.
    pub(crate) entry: usize,
    /// Whose yes the call still needs.
    pub(crate) confirmation: Confirmation,
}

impl Granted {
    /// Before any rule was asked.
    pub(crate) const NOTHING: Self = Self { entry: usize::MAX, confirmation: Confirmation::Operator };
}

/// Every rule of a decision but those on arguments.
pub(crate) fn decide(tool: &Tool, standing: &Standing, case: &Case<'_>) -> Result<Granted, Rule> {
    let mut granted = Granted::NOTHING;
    for step in Step::ALL {
        judge(step, tool, standing, case, &mut granted)?;
    }
    Ok(granted)
}

/// One rule.
pub(crate) fn judge(
    step: Step,
    tool: &Tool,
    standing: &Standing,
    case: &Case<'_>,
    granted: &mut Granted,
) -> Result<(), Rule> {
    let Case { principal, kills, now, .. } = case;
    let refused = match step {
        Step::Kills => kills.covers(tool, principal, *now).map(|_| Rule::Killed),
        Step::Trust => standing.refuses(Rule::TrustExpired, *now),
        Step::Revocation => standing.refuses(Rule::Revoked, *now),
        Step::Expiry => standing.refuses(Rule::Expired, *now),
        Step::Signatures => standing.refuses(Rule::NotApproved, *now),
        Step::Stage => match tool.stage() {
            Stage::Off => Some(Rule::StageOff),
            Stage::Pilot if !tool.pilots(principal) => Some(Rule::StagePilot),
            Stage::Pilot | Stage::General => None,
        },
        Step::Allow => {
            granted.entry =
                tool.allow().iter().position(|(entry, _)| entry.admits(principal)).ok_or(Rule::NotAllowed)?;
            None
        }
        Step::Writes => (tool.effect() != Effect::Read && !principal.writes).then_some(Rule::CallerMayNotWrite),
        Step::Confirmation => {
            granted.confirmation = confirmation(tool, case)?;
            None
        }
        Step::Scope => {
            let covered = principal.scopes.unwrap_or(Scopes::ALL).allows(tool.effect());
            (!covered).then_some(Rule::Scope(tool.effect()))
        }
    };
    refused.map_or(Ok(()), Err)
}

/// Whose yes a call needs.
fn confirmation(tool: &Tool, case: &Case<'_>) -> Result<Confirmation, Rule> {
    let Case { principal, confirming, .. } = case;
    let operator = || if confirming.approvals { Ok(Confirmation::Operator) } else { Err(Rule::NobodyConfirms) };
    match (tool.effect(), tool.confirm()) {
        (Effect::Read, _) => Ok(Confirmation::None),
        (Effect::Write, Confirm::None) if principal.unconfirmed_writes => Ok(Confirmation::None),
        (Effect::Write, Confirm::None) => Err(Rule::Unconfirmed),
        (Effect::Destructive, _) if confirming.destructive_by_operator => operator(),
        // A yes is only as good as the client; without a person behind it, it is none.
        (_, Confirm::Client) if principal.human && confirming.client => Ok(Confirmation::Client),
        // A manifest that lets a destructive tool go unconfirmed is refused where it is read; it must not depend on that line alone.
        (_, Confirm::Client | Confirm::Operator) | (Effect::Destructive, Confirm::None) => operator(),
    }
}
