//! `wardkeep approvals`: calls that wait for the operator, and the operator's yes or no. Asked of the process that owns the home, or taken from
//! the home itself where nobody does. Nothing over MCP leads here.

use std::{process::ExitCode, time::Duration};

use anyhow::bail;
use clap::Subcommand;
use jiff::Timestamp;
use wardkeep_audit::Sync;
use wardkeep_gateway::{Approval, ApprovalId, ApprovalOrder, Decision, Done, Order, Standing};

use crate::{
    approvals,
    cli::Globals,
    home::{Home, user_name},
    journal,
    load::Terms,
    orders::{self, Reached},
    screen::{Ink, Screen, escaped, note},
};

/// A host has this long to say what it knows, or that it did what it was told.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the calls that wait for a yes, and those that have one and were not made again yet
    #[command(
        after_help = "Examples:\n  wardkeep approvals list\n  wardkeep approvals list --all\n  wardkeep --json approvals list"
    )]
    List {
        /// With those that were denied, used, withdrawn by a kill or have expired in the last day
        #[arg(long)]
        all: bool,
    },
    /// Show one call: who asks, what it would change, the beginnings of its arguments
    #[command(after_help = "Example:\n  wardkeep approvals show apv-3f9c2a7be01d4c55")]
    Show {
        /// As `list` shows it
        approval: ApprovalId,
    },
    /// Say yes to one call: it runs once, when its caller makes it again
    #[command(after_help = "Examples:\n  wardkeep approvals approve apv-3f9c2a7be01d4c55\n  \
        wardkeep approvals approve apv-3f9c2a7be01d4c55 --reason 'change 4711'")]
    Approve {
        /// As `list` shows it
        approval: ApprovalId,
        /// Why; kept in the audit log
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Say no to one call, also to one that was approved and not made again yet
    #[command(after_help = "Example:\n  wardkeep approvals deny apv-3f9c2a7be01d4c55 --reason 'not during the freeze'")]
    Deny {
        /// As `list` shows it
        approval: ApprovalId,
        /// Why; kept in the audit log, and told to the caller
        #[arg(long)]
        reason: String,
    },
}

pub(crate) async fn run(globals: &Globals, command: Command) -> anyhow::Result<ExitCode> {
    let home = Home::open(globals.home.as_deref())?;
    let screen = globals.screen();
    match command {
        Command::List { all } => {
            let mut known = list(&home).await?;
            known.retain(|approval| all || approval.standing.is_open());
            table(screen, &known)?;
        }
        Command::Show { approval: id } => match list(&home).await?.into_iter().find(|approval| approval.id == id) {
            Some(approval) if screen.is_json() => screen.document(&approval)?,
            Some(approval) => show(screen, &approval)?,
            None => bail!("no approval is named `{id}`\n  mend: wardkeep approvals list --all"),
        },
        Command::Approve { approval, reason } => decide(&home, screen, approval, Decision::Approve, reason).await?,
        Command::Deny { reason, .. } if reason.trim().is_empty() => {
            bail!("the reason is empty\n  mend: say why: the caller is told");
        }
        Command::Deny { approval, reason } => decide(&home, screen, approval, Decision::Deny, reason).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(home: &Home) -> anyhow::Result<Vec<Approval>> {
    match orders::give(home.path(), Order::Approvals(ApprovalOrder::List), PATIENCE).await {
        Reached::Done(Done::Approvals(known)) => Ok(known),
        Reached::Done(_) => bail!("the process that owns this home answered something else than it was asked"),
        Reached::Unconfirmed(error) => Err(error),
        // what is late is shown as it is; whoever decides finds out
        Reached::Free(_lock) => Ok(approvals::read_now(home)?),
    }
}

async fn decide(home: &Home, screen: Screen, id: ApprovalId, decision: Decision, reason: String) -> anyhow::Result<()> {
    let by = user_name(rustix::process::geteuid().as_raw()).unwrap_or_else(|| "unknown".to_owned());
    let order = ApprovalOrder::Decide { id: id.clone(), decision, by: by.clone(), reason: reason.clone() };
    let decided = match orders::give(home.path(), Order::Approvals(order), PATIENCE).await {
        Reached::Done(Done::Approvals(decided)) => decided.into_iter().next(),
        Reached::Done(_) => bail!("the process that owns this home answered something else than it was asked"),
        Reached::Unconfirmed(error) => return Err(error),
        Reached::Free(_lock) => {
            let limits = Terms::config(home)?.confirmation.limits;
            let (journal, opened) = journal::open(home, Sync::Always).await?;
            let decided = match approvals::open(home, &journal, &opened.replay) {
                Ok(approvals) => approvals.decide(&id, decision, &by, &reason, &limits).await.map_err(Into::into),
                Err(error) => Err(anyhow::Error::from(error)),
            };
            journal.shutdown().await;
            Some(decided?)
        }
    };
    let Some(approval) = decided else { bail!("the decision was not confirmed\n  mend: wardkeep approvals show {id}") };
    if screen.is_json() {
        screen.document(&approval)?;
    } else {
        let until = approval.until;
        note(match decision {
            Decision::Approve => {
                format!(
                    "approved: {} may call {} once, until {until:.0}",
                    approval.matter.principal, approval.matter.tool
                )
            }
            Decision::Deny => format!("denied: {} is told why", approval.matter.principal),
        });
    }
    Ok(())
}

fn table(screen: Screen, known: &[Approval]) -> anyhow::Result<()> {
    if screen.is_json() {
        return Ok(screen.document(&known)?);
    }
    if known.is_empty() {
        note("no call waits for an operator");
        return Ok(());
    }
    let now = Timestamp::now();
    let rows: Vec<_> = known.iter().map(|approval| row(screen, approval, now)).collect();
    Ok(screen.table(["approval", "is", "left", "tool", "caller", "names"], &rows)?)
}

fn row(screen: Screen, approval: &Approval, now: Timestamp) -> [String; 6] {
    let Approval { id, matter, shown, until, standing, .. } = approval;
    let late = standing.is_open() && now >= *until;
    let (is, ink) = match standing {
        _ if late => (Standing::Expired.word(), Ink::Dim),
        Standing::Pending => (standing.word(), Ink::Warning),
        Standing::Approved(_) => (standing.word(), Ink::Good),
        _ => (standing.word(), Ink::Dim),
    };
    let left = if standing.is_open() && !late { left(*until, now) } else { "-".to_owned() };
    let names = if shown.resources.is_empty() { "-".to_owned() } else { escaped(&shown.resources.join(", ")) };
    [id.to_string(), screen.paint(ink, is), left, matter.tool.to_string(), escaped(&matter.principal), names]
}

fn left(until: Timestamp, now: Timestamp) -> String {
    let seconds = until.as_second().saturating_sub(now.as_second());
    match (seconds / 3_600, seconds / 60 % 60) {
        (0, 0) => format!("{seconds} s"),
        (0, minutes) => format!("{minutes} min"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}

fn show(screen: Screen, approval: &Approval) -> anyhow::Result<()> {
    let Approval { id, matter, shown, correlation, asked, until, standing } = approval;
    let head = screen.paint(Ink::Bold, id);
    screen.line(match standing {
        Standing::Pending if Timestamp::now() < *until => format!("{head}  waits until {until:.0}"),
        Standing::Pending | Standing::Expired => format!("{head}  expired at {until:.0}"),
        Standing::Approved(by) => {
            format!(
                "{head}  approved by {} at {:.0}, to be used until {until:.0}{}",
                escaped(&by.by),
                by.at,
                why(&by.reason)
            )
        }
        Standing::Withdrawn(by) => {
            format!("{head}  withdrawn by {} at {:.0}{}", escaped(&by.by), by.at, why(&by.reason))
        }
        Standing::Denied(by) => format!("{head}  denied by {} at {:.0}{}", escaped(&by.by), by.at, why(&by.reason)),
        Standing::Used { by, at, call } => {
            format!(
                "{head}  approved by {}, used at {at:.0} by call {call}: wardkeep audit query --correlation-id {call}",
                escaped(by)
            )
        }
    })?;
    let fact =
        |name: &str, text: String| screen.line(format!("  {}  {text}", screen.paint(Ink::Dim, format!("{name:<12}"))));
    fact("caller", escaped(&matter.principal))?;
    if !matter.actors.is_empty() {
        fact("acting", escaped(&matter.actors.join(", ")))?;
    }
    fact("tool", format!("{}, {}, of {} {}", matter.tool, shown.effect, matter.plugin, escaped(&matter.version)))?;
    fact("it changes", escaped(&shown.side_effects))?;
    for (name, lines) in [("it names", &shown.resources), ("arguments", &shown.arguments)] {
        for (index, line) in lines.iter().enumerate() {
            fact(if index == 0 { name } else { "" }, escaped(line))?;
        }
    }
    fact("asked", format!("{asked:.0}, in call {correlation}"))?;
    fact("manifest", matter.manifest.to_string())?;
    if *standing == Standing::Pending {
        note(format!(
            "say yes or no: wardkeep approvals approve {id}\n               wardkeep approvals deny {id} --reason TEXT"
        ));
    }
    Ok(())
}

fn why(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(": {}", escaped(reason)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_that_is_left_is_told_in_the_two_units_that_matter() {
        let at = |second| Timestamp::from_second(second).unwrap();
        for (seconds, told) in [(59, "59 s"), (60, "1 min"), (3_599, "59 min"), (3_660, "1 h 1 min")] {
            assert_eq!(left(at(seconds), at(0)), told);
        }
    }
}
