//! Which line of which document refuses a call, and which lets it pass: for the operator and the record only. The caller learns none of it.

use wardkeep_model::{Effect, Scopes};

use crate::{
    authorize::Rule,
    case::{Case, Confirmation},
    decision::{Granted, Step},
    document::{Fault, quoted},
    kill::UNREADABLE,
    manifest::{Confirm, Stage},
    plugin::Tool,
    snapshot::standing::Standing,
};

/// How the operator's file is named.
pub(crate) const OPERATOR: &str = "wardkeep.toml";

/// Why a rule refuses, and what would change it.
pub(crate) fn refusal(rule: Rule, tool: &Tool, case: &Case<'_>) -> Fault {
    let manifest = tool.manifest();
    let caller = quoted(&case.principal.name);
    let at = |key: &str, message: String| manifest.fault(&own(tool, key), message);
    let operator = |key: &str, message: String| Fault::of(OPERATOR, message).at(None, key);
    match rule {
        Rule::Killed => killed(tool, case),
        Rule::TrustExpired => Fault::of("trust.toml", "is past its last day").mend("renew it and pin the new digest"),
        Rule::Revoked => manifest.fault("component.sha256", "this component is revoked"),
        Rule::Expired => manifest
            .fault("plugin.expires", format!("expired at the end of {}, UTC", manifest.expires()))
            .mend("write a later day, raise the serial, and sign again"),
        Rule::NotApproved => manifest
            .fault("", "too few of its signers may approve now")
            .mend(format!("have an approver sign it: wardkeep sign {}", manifest.file())),
        Rule::StageOff => at("stage", "the tool is off".into()).mend("write stage = \"general\" and sign again"),
        Rule::StagePilot => at("pilot_groups", format!("{caller} is in none of the pilot groups"))
            .mend("add one of their groups, or write stage = \"general\" without pilot_groups, and sign again"),
        Rule::NotAllowed => at("allow", format!("names neither {caller} nor a group of theirs"))
            .mend(format!("add \"{}\" or one of their groups, and sign again", case.principal.name)),
        Rule::CallerMayNotWrite => {
            operator("writes", format!("{caller} may only read")).mend("writes = true at that caller")
        }
        Rule::Unconfirmed => operator("unconfirmed_writes", format!("{caller} may not write without a confirmation"))
            .mend("unconfirmed_writes = true at that caller"),
        Rule::NobodyConfirms => {
            let why = match (tool.effect(), tool.confirm()) {
                (Effect::Destructive, _) if case.confirming.destructive_by_operator => "as destructive tools do here",
                (_, Confirm::Client) if !case.principal.human => "since no person is behind the caller",
                _ => "as the manifest says",
            };
            let message =
                format!("a call of {caller} needs an operator's yes, {why}, and the queue of approvals is closed");
            at("confirm", message).mend("wardkeep.toml: approvals = true in [confirmation]")
        }
        Rule::Scope(effect) => {
            Fault::of("the token", format!("that {caller} has shown does not cover a {effect} tool"))
                .mend(format!("a token with the scope {}", Scopes::name(effect)))
        }
        Rule::UnknownTool | Rule::Unchecked | Rule::OnlyList => {
            Fault::of(manifest.file(), format!("`{}`", tool.published()))
        }
    }
}

fn killed(tool: &Tool, case: &Case<'_>) -> Fault {
    let Some(kill) = case.kills.covers(tool, case.principal, case.now) else {
        return Fault::of("a kill switch", "was lifted meanwhile");
    };
    let until = kill.until.map_or_else(String::new, |until| format!(" until {until}"));
    let (by, reason) = (quoted(&kill.by), quoted(&kill.reason));
    let mend = match kill.by.as_str() {
        UNREADABLE => "`wardkeep kills` tells what to do about that file; there is nothing to revive".to_owned(),
        _ => format!("wardkeep revive {}", kill.target),
    };
    Fault::of("a kill switch", format!("{} is stopped by {by} since {}{until}: {reason}", kill.target, kill.since))
        .mend(mend)
}

/// What lets a call pass a step.
pub(crate) fn pass(step: Step, tool: &Tool, standing: &Standing, case: &Case<'_>, granted: &Granted) -> Fault {
    let manifest = tool.manifest();
    let at = |key: &str, message: String| manifest.fault(&own(tool, key), message);
    let operator = |key: &str, message: &str| Fault::of(OPERATOR, message).at(None, key);
    match step {
        Step::Kills => Fault::of("kill switches", "none covers it"),
        Step::Trust => Fault::of("trust.toml", format!("holds until {}", standing.trust_ends())),
        Step::Revocation => manifest.fault("component.sha256", "is not revoked"),
        Step::Expiry => manifest.fault("plugin.expires", format!("holds to the end of {}, UTC", manifest.expires())),
        Step::Signatures => {
            let (may, needed) = (standing.approving(case.now), standing.needed());
            manifest.fault("", format!("signed by {may} who may approve now, of {needed} needed"))
        }
        Step::Stage => match tool.stage() {
            Stage::Pilot => at("pilot_groups", "the caller is in a pilot group".into()),
            stage => at("stage", format!("is {}", stage.as_str())),
        },
        Step::Allow => {
            let entry = tool.allow().get(granted.entry).map(|(entry, _)| entry.to_string()).unwrap_or_default();
            at("allow", format!("names {}", quoted(&entry)))
        }
        Step::Writes if tool.effect() == Effect::Read => at("effect", "a reading tool: no caller needs more".into()),
        Step::Writes => operator("writes", "is true at this caller"),
        Step::Confirmation => match (tool.effect(), granted.confirmation) {
            (Effect::Read, _) => at("effect", "a reading tool waits for nobody".into()),
            (_, Confirmation::None) => {
                operator("unconfirmed_writes", "is true at this caller, and the manifest asks for no yes")
            }
            (_, Confirmation::Client) => at("confirm", "it waits for the yes of the person at the client".into()),
            (_, Confirmation::Operator) => at("confirm", "it waits for an operator's yes".into()),
        },
        Step::Scope if case.principal.scopes.is_none() => {
            Fault::of("the token", "such a caller shows none with scopes")
        }
        Step::Scope => Fault::of("the token", format!("holds the scope {}", Scopes::name(tool.effect()))),
    }
}

fn own(tool: &Tool, key: &str) -> String {
    format!("tools.{}.{key}", tool.name())
}
