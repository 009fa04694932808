//! The rules of a decision, in the order in which they weigh: `docs/manifest.md` tells it to people. Lists, searches, decisions and
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
    /// Do trust, manifest and signatures hold.
    Standing,
    /// Is it rolled out, and to this caller.
    Stage,
    /// Does the manifest name the caller.
    Allow,
    /// May the caller write at all.
    Writes,
    /// Whose yes does it need, and can they be asked.
    Confirm,
    /// Does the caller's token cover it. The last of all, since its refusal may be told to the caller, who then asks its issuer for more:
    /// it tells nothing of a tool that no token would open.
    Scope,
}

impl Step {
    pub(crate) const ALL: [Self; 7] =
        [Self::Kills, Self::Standing, Self::Stage, Self::Allow, Self::Writes, Self::Confirm, Self::Scope];
}

/// What the rules say yes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Granted {
    /// The entry of `allow` that lets the caller in.
    pub(crate) entry: usize,
    /// Whose yes the call still needs.
    pub(crate) confirmation: Confirmation,
}

/// Every rule of a decision but those on arguments.
pub(crate) fn decide(tool: &Tool, standing: &Standing, case: &Case<'_>) -> Result<Granted, Rule> {
    let mut granted = Granted { entry: 0, confirmation: Confirmation::None };
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
    let principal = case.principal;
    match step {
        Step::Kills if case.kills.covers(tool, principal, case.now).is_some() => Err(Rule::Killed),
        Step::Standing => standing.objection(case.now).map_or(Ok(()), Err),
        Step::Stage => match tool.stage() {
            Stage::Off => Err(Rule::StageOff),
            Stage::Pilot if !tool.pilots(principal) => Err(Rule::StagePilot),
            Stage::Pilot | Stage::General => Ok(()),
        },
        Step::Allow => {
            let entry = tool.allow().iter().position(|(entry, _)| entry.admits(principal));
            granted.entry = entry.ok_or(Rule::NotAllowed)?;
            Ok(())
        }
        Step::Writes if tool.effect() != Effect::Read && !principal.writes => Err(Rule::CallerMayNotWrite),
        Step::Confirm => {
            granted.confirmation = confirmation(tool, case)?;
            Ok(())
        }
        Step::Scope if !principal.scopes.unwrap_or(Scopes::ALL).allows(tool.effect()) => {
            Err(Rule::Scope(tool.effect()))
        }
        Step::Kills | Step::Writes | Step::Scope => Ok(()),
    }
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
