//! `wardkeep why`: a decision explained, rule by rule. The decision itself is asked, of the home as it lies there; nothing is run, and
//! nothing is written.

use std::process::ExitCode;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};
use wardkeep_gateway::Allowance;
use wardkeep_model::{Authenticated, Effect, Limits, Scopes};
use wardkeep_policy::{
    Explanation, Fault, Rates, Ruling, Tool, Verdict,
    diff::{Amount, Limit, amounts},
    explain,
};

use super::{call, check::loaded};
use crate::{
    cli::Globals,
    config::Config,
    home::{self, Home},
    owner::tell_rejected,
    screen::{Ink, Screen, escaped, escaped_lines},
    subject::{Shown, Subject},
};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  wardkeep why user:me files_read\n  \
    wardkeep why ci files_write '{\"root\":\"reports\",\"path\":\"a.txt\",\"text\":\"x\"}'\n  \
    wardkeep why oauth:corp/alice github_create_issue --group oncall --scope tools:write\n\n\
    Exit status 0 where the call is allowed, 1 where it is refused.")]
pub(crate) struct Args {
    /// A principal or the name of an API key of the operator's file
    principal: String,
    /// The tool's published name
    tool: String,
    /// Its arguments, a JSON object, to check them too; `-` reads them from standard input
    arguments: Option<String>,
    #[command(flatten)]
    shown: Shown,
}

#[derive(Serialize)]
struct Report<'a> {
    principal: &'a str,
    groups: &'a [String],
    authenticated: Authenticated,
    scopes: Option<Scopes>,
    tool: &'a str,
    allowed: bool,
    /// The rule that refuses, as records spell it.
    rule: Option<&'static str>,
    rulings: Vec<Ruling>,
    /// How often and how much this caller may call at all, whatever the tool.
    caller: Allowed,
    /// What a call would be, where there is such a tool.
    #[serde(skip_serializing_if = "Option::is_none")]
    call: Option<Call<'a>>,
}

#[derive(Serialize)]
struct Call<'a> {
    plugin: &'a str,
    version: &'a str,
    effect: Effect,
    /// Whose yes it waits for; absent where it does not come so far.
    confirmation: Option<&'static str>,
    rate: Rate,
    limits: Map<String, Value>,
    /// What the record keeps of the arguments, with the places that it is from.
    resources: Vec<(String, &'a str)>,
}

/// `[limits]` of the operator's file as it holds for the caller. What of it is used up, a host that runs knows and nobody else.
#[derive(Serialize)]
struct Allowed {
    rate: String,
    writes: String,
    fuel_per_minute: u64,
    concurrency: u32,
    /// The table that says so; nothing where all of it is the default.
    place: Option<String>,
}

#[derive(Serialize)]
struct Rate {
    caller: Option<String>,
    tool: Option<String>,
}

pub(crate) async fn run(globals: &Globals, args: Args) -> anyhow::Result<ExitCode> {
    let arguments = args.arguments.as_deref().map(call::arguments).transpose()?;
    let home = Home::open(globals.home.as_deref())?;
    let now = Timestamp::now();
    let (terms, loaded) = loaded(&home, now).await?;
    tell_rejected(&terms, &loaded.rejected, &loaded.strays);
    let subject = Subject::find(&home, &terms.config, Some(&args.principal), &args.shown, now)?;
    let explanation = explain(loaded.fleet.snapshot(), &subject.case(now), &args.tool, arguments);
    let report = report(&args.tool, &subject, &explanation, &terms.config);
    let screen = globals.screen();
    if screen.is_json() {
        screen.document(&report)?;
    } else {
        print(screen, &report)?;
    }
    Ok(if report.allowed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn report<'a>(name: &'a str, subject: &'a Subject, explanation: &'a Explanation, config: &Config) -> Report<'a> {
    let principal = &subject.principal;
    Report {
        principal: &principal.name,
        groups: &principal.groups,
        authenticated: principal.authenticated,
        scopes: principal.scopes,
        tool: name,
        allowed: explanation.allowed(),
        rule: explanation.refusal(),
        rulings: explanation.rulings.iter().map(|ruling| placed(ruling.clone(), subject, config)).collect(),
        caller: allowed(&principal.name, config),
        call: explanation.tool.as_ref().map(|tool| described(tool, explanation)),
    }
}

fn allowed(principal: &str, config: &Config) -> Allowed {
    let Allowance { rate, writes, fuel_per_minute, concurrency } = *config.allowances.of(principal);
    let place = match config.allowances.apart.contains_key(principal) {
        true => Some(format!("limits.callers.\"{principal}\"")),
        false if config.allowances.each != Allowance::DEFAULT => Some("limits".to_owned()),
        false => None,
    };
    Allowed { rate: rate.to_string(), writes: writes.to_string(), fuel_per_minute, concurrency, place }
}

/// A flag of the operator's file stands in this caller's table there, which a decision does not know.
fn placed(mut ruling: Ruling, subject: &Subject, config: &Config) -> Ruling {
    let at = |fault: &mut Fault| {
        if fault.file == home::CONFIG {
            fault.key = format!("{}.{}", subject.table, fault.key);
            fault.line = config.lines.of_key(&fault.key);
        }
    };
    match &mut ruling.verdict {
        Verdict::Passed(by) => at(by),
        Verdict::Refused { why, .. } => at(why),
        Verdict::NotReached => {}
    }
    ruling
}

fn described<'a>(tool: &'a Tool, explanation: &'a Explanation) -> Call<'a> {
    let Rates { caller, tool: all } = tool.rate();
    Call {
        plugin: tool.plugin().as_str(),
        version: tool.version(),
        effect: tool.effect(),
        confirmation: explanation.confirmation.map(wardkeep_policy::Confirmation::as_str),
        rate: Rate { caller: caller.map(|rate| rate.to_string()), tool: all.map(|rate| rate.to_string()) },
        limits: limits(tool.limits()).map(|(limit, amount)| (limit.to_string(), number(amount))).collect(),
        resources: explanation.resources.iter().map(|(at, id)| (at.as_str().to_owned(), id.as_str())).collect(),
    }
}

fn limits(limits: &Limits) -> impl Iterator<Item = (Limit, Amount)> {
    amounts(limits).into_iter()
}

/// For scripts: counts and bytes as numbers, times as manifests write them.
fn number(amount: Amount) -> Value {
    match amount {
        Amount::Count(number) | Amount::Bytes(number) => number.into(),
        Amount::Time(_) => amount.to_string().into(),
    }
}

fn print(screen: Screen, report: &Report<'_>) -> std::io::Result<()> {
    let (word, ink, may) = match report.allowed {
        true => ("allowed", Ink::Good, "may"),
        false => ("refused", Ink::Bad, "may not"),
    };
    let (who, tool) = (escaped(report.principal), escaped(report.tool));
    screen.line(format!("{}: {who} {may} call {tool}", screen.paint(ink, word)))?;
    for Ruling { step, verdict } in &report.rulings {
        let (mark, ink, told) = match verdict {
            Verdict::Passed(by) => ("passed ", Ink::Good, by.to_string()),
            Verdict::Refused { rule, why } => ("refused", Ink::Bad, format!("{rule}: {why}")),
            Verdict::NotReached => ("-      ", Ink::Dim, String::new()),
        };
        // A mend stands under the words that it belongs to.
        let told = escaped_lines(&told).replace('\n', "\n                         ");
        screen.line(format!("  {}  {step:<12}  {told}", screen.paint(ink, mark)).trim_end())?;
    }
    let Some(call) = &report.call else { return Ok(()) };
    screen.line(format!("\n{} {}, {}", escaped(call.plugin), escaped(call.version), call.effect))?;
    let row = |name: &str, value: &str| screen.line(format!("  {name:<12}  {value}"));
    if let Some(confirmation) = call.confirmation {
        row(
            "waits for",
            match confirmation {
                "none" => "nobody's yes",
                "client" => "the yes of the person at the client",
                _ => "an operator's yes",
            },
        )?;
    }
    let rate = |rate: &Option<String>, of: &str| rate.as_ref().map(|rate| format!("{rate} {of}"));
    let rates: Vec<_> = [rate(&call.rate.caller, "of one caller"), rate(&call.rate.tool, "of all callers")]
        .into_iter()
        .flatten()
        .collect();
    row("rate", if rates.is_empty() { "the manifest names none".to_owned() } else { rates.join(", ") }.as_str())?;
    let Allowed { rate, writes, fuel_per_minute, concurrency, place } = &report.caller;
    let place = place.as_ref().map_or_else(
        || "the defaults of [limits] in wardkeep.toml".to_owned(),
        |place| format!("[{}] of wardkeep.toml", escaped(place)),
    );
    row(
        "caller",
        &format!("rate {rate}, writes {writes}, fuel {fuel_per_minute} a minute, {concurrency} calls at once: {place}"),
    )?;
    row("", "how much of that is left, only the host that runs knows: wardkeep audit query --outcome throttled")?;
    let limits: Vec<_> = call
        .limits
        .iter()
        .map(|(name, amount)| format!("{name} {}", amount.as_str().map_or_else(|| amount.to_string(), str::to_owned)))
        .collect();
    row("limits", &limits.join(", "))?;
    for (place, id) in &call.resources {
        row("names", &format!("{} = {}", escaped(place), escaped(id)))?;
    }
    Ok(())
}
