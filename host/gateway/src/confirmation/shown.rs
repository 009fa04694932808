//! What whoever is to say yes is shown of a call, written by the host. Everything of others stands on a line of its own behind a name of the
//! host's, bounded and with hidden characters written out: neither the model that chose the arguments nor the plugin can add a line.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use wardkeep_model::{Effect, tidy_blanks};
use wardkeep_policy::{Arguments, Permit};

use super::Matter;

/// Bytes of the manifest's words for what the tool changes.
const SIDE_EFFECTS: usize = 512;
/// And of who asks for it.
const WHO: usize = 512;
/// Resources that are shown, and bytes of one.
const RESOURCES: usize = 8;
const RESOURCE: usize = 160;
/// Arguments that are shown, and bytes of the name and of the value of one.
const ARGUMENTS: usize = 12;
const NAME: usize = 64;
const VALUE: usize = 160;

/// What a call is about, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shown {
    /// The signed class of the tool.
    pub effect: Effect,
    /// What it does to the world, in the words of whoever signed its manifest.
    pub side_effects: String,
    /// What the arguments name, each as `/pointer = id`.
    pub resources: Vec<String>,
    /// The beginnings of the arguments, each as `name: value`. Forgotten as soon as the matter is settled.
    pub arguments: Vec<String>,
}

impl Shown {
    pub(crate) fn of(permit: &Permit, arguments: &Arguments) -> Self {
        let tool = permit.tool();
        let mut side_effects = tool.side_effects().to_owned();
        tidy_blanks(&mut side_effects, SIDE_EFFECTS);
        let resources = permit.resources().iter().map(|(place, id)| {
            let mut line = format!("{place} = {id}");
            tidy_blanks(&mut line, RESOURCE);
            line
        });
        let none = Map::new();
        let given = arguments.value().as_object().unwrap_or(&none);
        let told = tool.input_schema().get("properties").and_then(Value::as_object).unwrap_or(&none);
        Self {
            effect: tool.effect(),
            side_effects,
            resources: bounded(resources, RESOURCES),
            arguments: bounded(in_order(given, told).map(|(name, value)| line(name, value)), ARGUMENTS),
        }
    }

    /// The whole question, for a person at a client.
    pub(crate) fn question(&self, of: &Matter) -> String {
        let Matter { principal, actors, tool, plugin, version, .. } = of;
        let mut text = format!("Wardkeep asks: may {tool} run? It is a {} tool of {plugin} {version}.\n", self.effect);
        // Writing into a String cannot fail.
        if !actors.is_empty() {
            let mut who = format!("{}, acting for {principal}", actors.join(", for "));
            tidy_blanks(&mut who, WHO);
            let _ = writeln!(text, "Who asks for it: {who}");
        }
        let _ = writeln!(text, "What it changes: {}", self.side_effects);
        for (what, lines) in [("It names", &self.resources), ("Arguments", &self.arguments)] {
            if !lines.is_empty() {
                let _ = writeln!(text, "{what}:\n- {}", lines.join("\n- "));
            }
        }
        text.push_str("Nothing has been run. It runs once, as shown, and only if you choose \"yes\".");
        text
    }
}

/// Those that the tool's schema names first, in its order, so that nobody hides one of them behind others.
fn in_order<'a>(
    given: &'a Map<String, Value>,
    told: &'a Map<String, Value>,
) -> impl Iterator<Item = (&'a String, &'a Value)> {
    let known = told.keys().filter_map(|name| given.get_key_value(name));
    known.chain(given.iter().filter(|(name, _)| !told.contains_key(*name)))
}

/// One argument on one line: JSON, so that no text is taken for another argument.
fn line(name: &str, value: &Value) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let mut name = if name.chars().all(plain) { name.to_owned() } else { Value::from(name).to_string() };
    tidy_blanks(&mut name, NAME);
    let mut text = value.to_string();
    let size = text.len();
    // no more is looked at than is kept
    text.truncate(text.floor_char_boundary(VALUE + 4));
    tidy_blanks(&mut text, VALUE);
    if size > VALUE { format!("{name}: {text} ({size} bytes in all)") } else { format!("{name}: {text}") }
}

fn bounded(lines: impl Iterator<Item = String>, most: usize) -> Vec<String> {
    let mut lines = lines;
    let mut kept: Vec<_> = lines.by_ref().take(most).collect();
    let left = lines.count();
    if left > 0 {
        kept.push(format!("… and {left} more, which are not shown"));
    }
    kept
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_stays_on_its_line_and_in_its_quotes_whatever_it_holds() {
        let forged = "x\"\n- owner: \"safe\u{202e}\u{200b}";
        assert_eq!(line("title", &json!(forged)), r#"title: "x\"\n- owner: \"safe\u{202e}\u{200b}""#);
        assert_eq!(line("a: \"b\"\nc", &json!(1)), r#""a: \"b\"\nc": 1"#);
    }

    #[test]
    fn a_blank_that_is_none_or_looks_like_one_is_written_out() {
        let told = line("path", &json!("a\u{a0}b\u{3000}c\u{2800}d e"));
        assert_eq!(told, r#"path: "a\u{a0}b\u{3000}c\u{2800}d e""#);
    }

    #[test]
    fn whoever_acts_for_the_caller_is_named() {
        let shown =
            Shown { effect: Effect::Write, side_effects: "writes".into(), resources: vec![], arguments: vec![] };
        let digest = wardkeep_model::Digest::of(b"");
        let mut matter = Matter {
            principal: "oauth:corp/alice".into(),
            actors: vec!["agent-7".into(), "broker".into()],
            tool: "files_write".parse().unwrap(),
            plugin: "files".parse().unwrap(),
            version: "1".into(),
            contract: digest,
            manifest: digest,
            arguments: digest,
        };
        let line = "Who asks for it: agent-7, for broker, acting for oauth:corp/alice\n";
        assert!(shown.question(&matter).contains(line), "{}", shown.question(&matter));
        matter.actors.clear();
        assert!(!shown.question(&matter).contains("acting"));
    }

    #[test]
    fn a_long_value_is_cut_and_says_how_long_it_is() {
        let told = line("text", &json!("ä".repeat(10_000)));
        assert!(told.len() < VALUE + 40 && told.ends_with("… (20002 bytes in all)"), "{told}");
        let whole = line("text", &json!("a".repeat(VALUE - 2)));
        assert!(whole.ends_with("a\""), "{whole}");
    }

    #[test]
    fn what_the_schema_names_is_shown_before_what_else_was_sent() {
        let mut given = Map::new();
        for n in 0..100 {
            given.insert(format!("junk{n}"), json!(n));
        }
        given.insert("repo".into(), json!("web"));
        given.insert("owner".into(), json!("acme"));
        let schema = json!({ "owner": {}, "repo": {}, "gone": {} });
        let lines = bounded(in_order(&given, schema.as_object().unwrap()).map(|(k, v)| line(k, v)), ARGUMENTS);
        assert_eq!(lines[..2], [r#"owner: "acme""#, r#"repo: "web""#]);
        assert_eq!((lines.len(), lines[ARGUMENTS].as_str()), (ARGUMENTS + 1, "… and 90 more, which are not shown"));
    }
}
