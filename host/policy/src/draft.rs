//! A manifest to begin from. It grants nothing and serves nobody; what the component asks for stands in it as comments.
//!
//! The component's words are foreign: they are written as one-line TOML strings or, in comments, with everything hidden spelled out, so
//! that no newline of theirs becomes a live line.

use std::collections::BTreeSet;

use jiff::{Timestamp, ToSpan};
use wardkeep_model::{Ask, Definition, Description, Digest, Effect, PluginName, ToolName};

use crate::{
    Manifest, day,
    document::{basic_string, quoted, shown},
    proposal::{Proposal, Proposed},
};

/// The days that a draft lasts.
const DAYS: i32 = 180;

/// What a draft is made of.
#[derive(Debug, Clone, Copy)]
pub struct Draft<'a> {
    /// The component's plain file name.
    pub file: &'a str,
    /// The digest of its bytes.
    pub component: Digest,
    /// What it says of itself.
    pub description: &'a Description,
    /// What it imports.
    pub imports: &'a [String],
    /// Who will answer for the plugin.
    pub owner: &'a str,
    /// Today.
    pub now: Timestamp,
}

/// Writes the draft.
#[must_use]
pub fn draft(draft: &Draft<'_>) -> String {
    let description = draft.description;
    let named = description.name.parse::<PluginName>();
    let name = named.as_ref().map_or("plugin", PluginName::as_str);
    let expires = day::of(draft.now).saturating_add(DAYS.days());
    let wasi = draft.imports.iter().any(|import| import.starts_with("wasi:"));
    let mut out = Lines::default();
    out.line("# A draft: it grants nothing and serves nobody until you say so. Read it, change it, sign it: wardkeep sign PATH");
    if named.is_err() {
        out.comment(&format!("The component calls itself {}, which is no plugin name.", quoted(&description.name)));
    }
    out.line(&format!("format = {}", Manifest::FORMAT));
    out.line("");
    out.line("[plugin]");
    out.line(&format!("name = \"{name}\"                # and the name of this file's directory"));
    out.line(&format!("version = {}", basic_string(&description.version)));
    out.line("serial = 1                    # raise it with every change");
    out.line(&format!("expires = {expires}          # at most 400 days away"));
    out.line(&format!("owner = {}", basic_string(draft.owner)));
    out.line("purpose = \"say what it is for\"");
    out.line("");
    out.line("[component]");
    out.line(&format!("file = {}", basic_string(draft.file)));
    out.line(&format!("sha256 = \"{}\"", draft.component));
    out.line(&format!("contract_sha256 = \"{}\"", description.contract_digest()));
    if wasi {
        out.line("# It imports WASI interfaces. \"inert\" links them to stubs that do nothing.");
        out.line("# wasi = \"inert\"");
    }
    imports(&mut out, draft.imports);
    let proposal = Proposal::of(description);
    proposed(&mut out, &proposal);
    let mut names = BTreeSet::new();
    for (index, tool) in description.tools.iter().enumerate() {
        if names.insert(&tool.name) {
            self::tool(&mut out, tool, index, &proposal);
        } else {
            // A table given twice would make the whole draft unreadable.
            out.line("");
            out.comment(&format!("Another tool is named {} too: such a component is not served.", quoted(&tool.name)));
        }
    }
    out.0
}

#[derive(Default)]
struct Lines(String);

impl Lines {
    /// A line of the draft's own; foreign parts of it are TOML strings already.
    fn line(&mut self, line: &str) {
        self.0.push_str(line);
        self.0.push('\n');
    }

    /// A comment, whatever its text holds.
    fn comment(&mut self, text: &str) {
        let text: String = shown(text).chars().take(300).collect();
        self.line(format!("# {text}").trim_end());
    }
}

fn imports(out: &mut Lines, imports: &[String]) {
    if imports.is_empty() {
        return;
    }
    out.line("");
    out.comment("Its imports, which bound what it can do:");
    imports.iter().for_each(|import| out.comment(&format!("  {}", quoted(import))));
}

/// Every table that would answer an ask, as comments.
fn proposed(out: &mut Lines, proposal: &Proposal<'_>) {
    if proposal.tables.is_empty() {
        return;
    }
    out.line("");
    out.comment(
        "What its tools ask for. To grant one, remove the `#` of its lines, and list it in `uses` of the tool.",
    );
    for Proposed { table, lines, ask } in &proposal.tables {
        out.comment(&format!("{}, because: {}", what(ask), said(why(ask))));
        out.comment(&format!("[{table}]"));
        lines.iter().for_each(|line| out.comment(line));
    }
}

/// The component's own sentences, in quotation marks: they speak of code in backticks, which [`quoted`] would have to write out.
fn said(text: &str) -> String {
    let mut start: String = text.chars().take(200).collect();
    if start.len() < text.len() {
        start.push('…');
    }
    basic_string(&start)
}

pub(crate) fn what(ask: &Ask) -> String {
    match ask {
        Ask::Files(files) if files.write => format!("Reading and writing the directory {}", quoted(&files.root)),
        Ask::Files(files) => format!("Reading the directory {}", quoted(&files.root)),
        Ask::Clock(_) => "The time".into(),
        Ask::Random(_) => "Random numbers".into(),
        Ask::Http(http) => format!("Requests ({}) to {}", quoted(&http.methods.join(", ")), quoted(&http.host)),
        Ask::Secret(secret) => format!("The secret {}", quoted(&secret.name)),
    }
}

pub(crate) fn why(ask: &Ask) -> &str {
    match ask {
        Ask::Files(files) => &files.purpose,
        Ask::Http(http) => &http.purpose,
        Ask::Secret(secret) => &secret.purpose,
        Ask::Clock(purpose) | Ask::Random(purpose) => purpose,
    }
}

fn tool(out: &mut Lines, tool: &Definition, index: usize, proposal: &Proposal<'_>) {
    out.line("");
    let Ok(name) = tool.name.parse::<ToolName>() else {
        out.comment(&format!(
            "A tool named {} cannot be served: its name breaks the rules of MCP.",
            quoted(&tool.name)
        ));
        return;
    };
    out.comment(&said(&tool.description));
    for ask in tool.asks.iter().filter(|ask| !proposal.answers(ask)) {
        out.comment(&format!("It asks for: {}, because: {}", what(ask), said(why(ask))));
    }
    out.line(&format!("[tools.{name}]"));
    out.line(&format!("effect = \"{}\"", tool.effect));
    if tool.effect != Effect::Read {
        out.line("side_effects = \"say what it changes, and who notices\"");
        let none =
            if tool.effect == Effect::Write { "; \"none\" serves it to callers with unconfirmed_writes" } else { "" };
        out.line(&format!("confirm = \"client\"            # or \"operator\"{none}"));
    }
    let used: Vec<String> = proposal.used_by(index).map(|key| format!("\"{key}\"")).collect();
    match used.is_empty() {
        true => out.line("uses = []"),
        false => out.line(&format!("uses = []                     # it asks for {}", used.join(", "))),
    }
    out.line("allow = []                    # such as \"user:me\" or \"group:engineering\"");
    if tool.effect != Effect::Read {
        out.line("# Serve it to few people first, once the plugin's reads stand in the audit log; without these two lines to all in `allow`.");
        out.line("# stage = \"pilot\"");
        out.line("# pilot_groups = [\"platform\"]");
    }
    let (caller, all) = if tool.effect == Effect::Read { ("60/min", "600/min") } else { ("10/min", "60/min") };
    out.line("# The most calls of one caller, and of all together:");
    out.line(&format!("# rate = {{ caller = \"{caller}\", tool = \"{all}\" }}"));
}

#[cfg(test)]
mod tests;
