//! A difference in words. What others wrote (descriptions, names, patterns) stands in it as a TOML string or in backticks, on one line,
//! with everything that hides or reorders text written out.

use std::{collections::HashMap, fmt};

use crate::{
    document::{basic_string, quoted, shown},
    draft::{what, why},
    pointer::Pointer,
};

use super::{
    Authority, ContractChange, Difference, LimitChange, Request, Rest, RestKey, SchemaChange, SchemaWhat, What,
};

/// How much a section matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// More can be done than before, or something breaks.
    Grave,
    /// Less can be done than before.
    Mild,
    /// Neither.
    Plain,
}

/// Lines that belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// What they have in common.
    pub title: &'static str,
    /// How much it matters.
    pub weight: Weight,
    /// Each one line, or further lines that begin with blanks.
    pub lines: Vec<String>,
}

impl Difference {
    /// What to show, in the order in which to read it; sections that say nothing are left out.
    #[must_use]
    pub fn sections(&self) -> Vec<Section> {
        let Self { added, taken, tools_added, tools_removed, contract, limits, rest } = self;
        let section = |title, weight, lines| Section { title, weight, lines };
        // Where all of a manifest is new, they would not be seen among the rest.
        let (exceptions, added): (Vec<_>, Vec<_>) = added.iter().cloned().partition(Authority::is_exception);
        let names = |mark: char, list: &[wardkeep_model::ToolName]| {
            list.iter().map(|tool| format!("{mark} `{tool}`")).collect::<Vec<_>>()
        };
        let changes =
            |mark: char, list: &[ContractChange]| list.iter().map(|one| format!("{mark} {one}")).collect::<Vec<_>>();
        let mut breaking = changes('!', &contract.breaking);
        if contract.unseen {
            breaking.push(
                "! another story of its tools than before, which cannot be compared: one of the components is not here"
                    .into(),
            );
        }
        if contract.needs_major {
            breaking.push(
                "! the component breaks its clients without a new major version (before 1.0.0: minor version)".into(),
            );
        }
        let sections = [
            section("exceptions to a rule: read these first", Weight::Grave, authority('+', &exceptions)),
            section("added: can be done now", Weight::Grave, authority('+', &added)),
            section("taken away: cannot be done any more", Weight::Mild, authority('-', taken)),
            section("tools", Weight::Plain, [names('+', tools_added), names('-', tools_removed)].concat()),
            section("contract, breaking: clients that work today may fail", Weight::Grave, breaking),
            section(
                "contract, additive: clients that work today still work",
                Weight::Plain,
                changes('~', &contract.additive),
            ),
            section("words: what people and models read", Weight::Plain, changes('~', &contract.words)),
            section("limits", Weight::Plain, limits.iter().map(ToString::to_string).collect()),
            section("the rest", Weight::Plain, rest.iter().map(|one| format!("~ {one}")).collect()),
        ];
        sections.into_iter().filter(|section| !section.lines.is_empty()).collect()
    }
}

/// One line for what several tools have in common: a plugin of twenty tools would bury its one exception under hundreds of lines.
fn authority(mark: char, list: &[Authority]) -> Vec<String> {
    let mut lines: Vec<(String, Vec<String>)> = Vec::new();
    // Where each of them is: there may be a great many.
    let mut places: HashMap<String, usize> = HashMap::new();
    for one in list {
        // The tool's name stands first in what is told, before any word of a grant.
        let name = one.tool().map(|tool| format!("`{tool}`"));
        let text = one.to_string();
        let (key, names) = match &name {
            Some(name) => (text.replacen(name.as_str(), TOOLS, 1), vec![name.clone()]),
            None => (text, Vec::new()),
        };
        let place = *places.entry(key.clone()).or_insert(lines.len());
        match lines.get_mut(place) {
            Some((_, known)) => known.extend(names),
            None => lines.push((key, names)),
        }
    }
    let line = |(key, names): (String, Vec<String>)| match names.as_slice() {
        [] => format!("{mark} {key}"),
        [one] => format!("{mark} {}", key.replacen(TOOLS, one, 1)),
        [..] => format!("{mark} {}", key.replacen(TOOLS, &format!("each of {}", names.join(", ")), 1)),
    };
    lines.into_iter().map(line).collect()
}

/// Stands for the tools' names in a line; no name and no word of a document holds it.
const TOOLS: &str = "\0";

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Section { title, lines, .. } in self.sections() {
            writeln!(f, "{title}")?;
            lines.iter().try_for_each(|line| writeln!(f, "  {line}"))?;
        }
        Ok(())
    }
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WriteRequestsWhileReading { tool, request } => {
                write!(f, "SIGNED EXCEPTION: `{tool}` only reads, and yet may {request}")
            }
            Self::SecretInQuery { secret, source, made, parameter } => {
                write!(
                    f,
                    "IN EVERY LOG ON THE WAY: the secret `{secret}` goes into the query parameter {}",
                    basic_string(parameter)
                )?;
                from(f, source, made.as_deref())
            }
            Self::SecretInTheClear { secret, to } => {
                write!(f, "IN THE CLEAR: the secret `{secret}` goes to {to}, read by everybody on the way")
            }
            Self::Secret { secret, source, made, place } => {
                write!(f, "the secret `{secret}` goes into {place}")?;
                from(f, source, made.as_deref())
            }
            Self::PrivateNetwork { tool, to, network } => {
                write!(f, "`{tool}` reaches {to} in the network {network}, which is not public")
            }
            Self::WriteRequests { tool, request } => write!(f, "`{tool}` may {request}"),
            Self::ReadRequests { tool, request } => write!(f, "`{tool}` may {request}"),
            Self::WriteFiles { tool, root } => write!(f, "`{tool}` changes files of the root `{root}`"),
            Self::ReadFiles { tool, root } => write!(f, "`{tool}` reads files of the root `{root}`"),
            Self::Clock { tool } => write!(f, "`{tool}` knows the time"),
            Self::Random { tool } => write!(f, "`{tool}` gets random numbers"),
            Self::Asks { tool } => write!(f, "`{tool}` puts questions of the plugin's own to the person who calls"),
            Self::WasiInert => f.write_str("the component imports WASI, linked to stubs that do nothing"),
            Self::RunsAs { tool, effect } => write!(f, "`{tool}` runs as {effect}"),
            Self::Unconfirmed { tool } => write!(f, "`{tool}` writes without a confirmation"),
            Self::ConfirmedBy { tool, who } => write!(f, "`{tool}` waits for a confirmation by the {who}"),
            Self::NamesAnything { tool, at } => {
                write!(f, "`{tool}` may be called with anything at {}", place(at))
            }
            Self::Names { tool, at, pattern } => {
                write!(f, "`{tool}` may be called with {} at {}", basic_string(pattern), place(at))
            }
            Self::ReturnsWhole { tool } => write!(f, "`{tool}` returns whole answers"),
            Self::ReturnsBeginnings { tool } => write!(f, "`{tool}` returns the beginning of its answers"),
            Self::ShowsEveryField { tool } => write!(f, "`{tool}` returns every field of its structured answers"),
            Self::ShowsField { tool, at } => write!(f, "`{tool}` returns the field {}", place(at)),
            Self::ShowsUnredacted { tool, at } => write!(f, "`{tool}` returns {} as it is", place(at)),
            Self::CalledBy { tool, who } => write!(f, "`{tool}` may be called by {}", quoted(&who.to_string())),
            Self::CalledOften { tool, by, rate: Some(rate) } => write!(f, "`{tool}` may be called {rate} by {by}"),
            Self::CalledOften { tool, by, rate: None } => {
                write!(f, "`{tool}` may be called by {by} as often as the operator's file lets them")
            }
            Self::Piloted { tool, group } => {
                write!(f, "`{tool}` is served to the callers of group {} whom `allow` names", quoted(group))
            }
            Self::Served { tool } => write!(f, "`{tool}` is served"),
            Self::Deployment { name } => write!(f, "holds in the deployment {}", quoted(name)),
            Self::AnyDeployment => f.write_str("holds in every deployment"),
        }
    }
}

/// As somebody says it who allows it: the method, the URL, `…` where all below is meant, and the credential.
impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { to, path, method, secret } = self;
        match path.strip_prefix('=') {
            Some(exact) => write!(f, "{method} {to}{exact}"),
            None => write!(f, "{method} {to}{path}…"),
        }?;
        secret.as_ref().map_or(Ok(()), |secret| write!(f, " with the secret `{secret}`"))
    }
}

/// Whole, however long: two places that differ must not look alike.
fn place(at: &Pointer) -> String {
    format!("`{}`", shown(at.as_str()).replace('`', "\\u{60}"))
}

fn from(f: &mut fmt::Formatter<'_>, source: &str, made: Option<&str>) -> fmt::Result {
    write!(f, ", from `{source}`")?;
    made.map_or(Ok(()), |made| write!(f, ", as {made}"))
}

impl fmt::Display for ContractChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tool, what: change } = self;
        write!(f, "`{tool}`")?;
        let text = |text: &Option<String>| text.as_deref().map_or_else(|| "nothing".to_owned(), basic_string);
        match change {
            What::Removed => f.write_str(" is not there any more"),
            What::Added => f.write_str(" is new"),
            What::Published { old, new } => write!(f, " is named `{new}` for clients, not `{old}`"),
            What::Title { old, new } => both(f, "title", &text(old), &text(new)),
            What::Description { old, new } => both(f, "description", &basic_string(old), &basic_string(new)),
            What::Effect { old, new } => write!(f, " says that it is {new}, not {old}"),
            What::Idempotent { now: true } => f.write_str(" may be called twice with the effect of once"),
            What::Idempotent { now: false } => f.write_str(" may not be called twice with the effect of once any more"),
            What::Input(change) => write!(f, " takes {change}"),
            What::Output(change) => write!(f, " gives {change}"),
            What::OutputSchema { now: true } => f.write_str(" gives structured results"),
            What::OutputSchema { now: false } => f.write_str(" says nothing of structured results any more"),
            What::Asks(ask) => write!(f, " asks for: {}, because: {}", what(ask), quoted(why(ask))),
            What::AsksNoMore(ask) => {
                write!(f, " does not ask any more for: {}, because: {}", what(ask), quoted(why(ask)))
            }
        }
    }
}

fn both(f: &mut fmt::Formatter<'_>, name: &str, old: &str, new: &str) -> fmt::Result {
    write!(f, ": {name}\n      was {old}\n      is  {new}")
}

impl fmt::Display for SchemaChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.at.is_empty() {
            "as a whole".to_owned()
        } else {
            format!("`{}`", shown(&self.at).replace('`', "\\u{60}"))
        };
        let list = |texts: &[String]| texts.iter().map(|text| shown(text)).collect::<Vec<_>>().join(", ");
        let kinds = |kinds: &[String]| if kinds.is_empty() { "any".to_owned() } else { list(kinds) };
        let json = |text: &Option<String>| text.as_deref().map_or_else(|| "nothing".to_owned(), shown);
        write!(f, "{place}: ")?;
        match &self.what {
            SchemaWhat::PropertyAdded { required: true } => f.write_str("new and required"),
            SchemaWhat::PropertyAdded { required: false } => f.write_str("new"),
            SchemaWhat::PropertyRemoved => f.write_str("not there any more"),
            SchemaWhat::Required { now: true } => f.write_str("required now"),
            SchemaWhat::Required { now: false } => f.write_str("not required any more"),
            SchemaWhat::OthersAllowed { now: true } => f.write_str("other properties are allowed more freely"),
            SchemaWhat::OthersAllowed { now: false } => {
                f.write_str("other properties are not allowed as freely any more")
            }
            SchemaWhat::Types { old, new } => write!(f, "type {} instead of {}", kinds(new), kinds(old)),
            SchemaWhat::Choices { added, removed } => {
                let mut parts = Vec::new();
                if !added.is_empty() {
                    parts.push(format!("listed values added: {}", list(added)));
                }
                if !removed.is_empty() {
                    parts.push(format!("listed values removed: {}", list(removed)));
                }
                f.write_str(&parts.join("; "))
            }
            SchemaWhat::Bound { keyword, old, new } => write!(f, "{keyword} {} instead of {}", json(new), json(old)),
            SchemaWhat::Words { keyword, old, new } => {
                write!(f, "{keyword}\n      was {}\n      is  {}", json(old), json(new))
            }
            SchemaWhat::Spelling => f.write_str("written differently"),
            SchemaWhat::Unproven { keyword } => {
                write!(f, "{} changed, which cannot be shown to be harmless", quoted(keyword))
            }
            SchemaWhat::Unreadable => f.write_str("changed, and cannot be read as a schema"),
        }
    }
}

impl fmt::Display for LimitChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = if self.raised() { '+' } else { '-' };
        let tools: Vec<String> = self.tools.iter().map(|tool| format!("`{tool}`")).collect();
        write!(f, "{mark} {} {} instead of {}: {}", self.limit, self.new, self.old, tools.join(", "))
    }
}

impl fmt::Display for Rest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.key {
            RestKey::Version => f.write_str("version"),
            RestKey::Serial => f.write_str("serial"),
            RestKey::Expires => f.write_str("expires"),
            RestKey::Owner => f.write_str("owner"),
            RestKey::Purpose => f.write_str("purpose"),
            RestKey::OutOfScope => f.write_str("out of scope"),
            RestKey::Component => f.write_str("component"),
            RestKey::ContractDigest => f.write_str("contract digest"),
            RestKey::File => f.write_str("component's file"),
            RestKey::GrantNames => f.write_str("names of grants"),
            RestKey::OwnName => f.write_str("component's own name"),
            RestKey::Systems { tool } => write!(f, "systems of `{tool}`"),
            RestKey::SideEffects { tool } => write!(f, "side effects of `{tool}`"),
            RestKey::Resources { tool } => write!(f, "what the audit log keeps of the arguments of `{tool}`"),
            RestKey::RotatedBy { secret } => write!(f, "who rotates the secret `{secret}`"),
            RestKey::Every { secret } => write!(f, "how often the secret `{secret}` is rotated"),
            RestKey::IfItFails { secret } => write!(f, "what fails without the secret `{secret}`"),
            RestKey::Unlisted { tool } => write!(f, "tool {} of the component, which nobody may call", quoted(tool)),
        }?;
        let (old, new) = (self.old.as_deref().unwrap_or("nothing"), self.new.as_deref().unwrap_or("nothing"));
        write!(f, ": {new} instead of {old}")
    }
}
