//! What a yes is said to: this tool as it is approved now, called by this principal, through these actors, with these arguments. Whatever differs in one of
//! them needs a yes of its own.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use wardkeep_model::{Digest, Digester, Effect, PluginName, Principal, PublishedName};
use wardkeep_policy::{Arguments, Permit, Tool, kill};

/// The call that a confirmation belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Matter {
    /// Who calls.
    pub principal: String,
    /// Who acts for them, the nearest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub actors: Vec<String>,
    /// The tool's published name.
    pub tool: PublishedName,
    /// Its plugin.
    pub plugin: PluginName,
    /// The plugin's version.
    pub version: String,
    /// Digest of the contract that the client was shown.
    pub contract: Digest,
    /// Digest of the manifest, and with it the component, the grants and the bounds.
    pub manifest: Digest,
    /// Digest of the checked arguments, in whichever order they came. They themselves are not kept.
    pub arguments: Digest,
}

impl Matter {
    pub(crate) fn of(principal: &Principal, permit: &Permit, arguments: &Arguments) -> Self {
        let tool = permit.tool();
        Self {
            principal: principal.name.clone(),
            actors: principal.actors.clone(),
            tool: tool.published().clone(),
            plugin: tool.plugin().clone(),
            version: tool.version().to_owned(),
            contract: tool.contract_digest(),
            manifest: tool.manifest_digest(),
            arguments: digest(arguments.value()),
        }
    }
}

impl Matter {
    /// What kills look at. Nothing that only reads waits for a yes.
    #[must_use]
    pub fn call(&self) -> kill::Call<'_> {
        let Self { principal, actors, tool, plugin, .. } = self;
        kill::Call { tool, plugin, effect: Effect::Write, caller: principal, actors }
    }

    /// Whether it is a call of this caller to this tool as it is approved now, whatever its arguments.
    pub(crate) fn is_of(&self, principal: &str, tool: &Tool) -> bool {
        self.principal == principal && self.tool == *tool.published() && self.manifest == tool.manifest_digest()
    }
}

/// Of a value without the order of its keys: a client that repeats a call, perhaps from a model's memory, need not keep it.
fn digest(value: &Value) -> Digest {
    let mut digester = Digester::new("wardkeep confirmed arguments 1");
    add(&mut digester, value);
    digester.finish()
}

/// As deep as arguments may be, which were checked for that.
fn add(digester: &mut Digester, value: &Value) {
    match value {
        Value::Object(fields) => {
            digester.field(b"object");
            digester.number(fields.len() as u64);
            for (key, value) in sorted(fields) {
                digester.field(key.as_bytes());
                add(digester, value);
            }
        }
        Value::Array(items) => {
            digester.field(b"array");
            digester.number(items.len() as u64);
            items.iter().for_each(|item| add(digester, item));
        }
        // its own text tells a string from a number, and each number as it was written
        plain => {
            digester.field(b"plain");
            digester.field(plain.to_string().as_bytes());
        }
    }
}

fn sorted(fields: &Map<String, Value>) -> Vec<(&String, &Value)> {
    let mut sorted: Vec<_> = fields.iter().collect();
    sorted.sort_unstable_by_key(|(key, _)| *key);
    sorted
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_order_of_keys_is_no_other_call_and_everything_else_is() {
        let one = json!({ "a": 1, "b": { "c": ["x", "y"], "d": null } });
        let text = r#"{ "b": { "d": null, "c": ["x", "y"] }, "a": 1 }"#;
        assert_eq!(digest(&one), digest(&serde_json::from_str(text).unwrap()));
        for other in [
            json!({ "a": 1 }),
            json!({ "a": "1", "b": { "c": ["x", "y"], "d": null } }),
            json!({ "a": 1.0, "b": { "c": ["x", "y"], "d": null } }),
            json!({ "a": 1, "b": { "c": ["y", "x"], "d": null } }),
            json!({ "a": 1, "b": { "c": ["x", "y"], "d": false } }),
            json!({ "a": 1, "b": { "c": [["x", "y"]], "d": null } }),
            json!({ "a": 1, "b": { "c": ["x", "y"] }, "d": null }),
        ] {
            assert_ne!(digest(&one), digest(&other), "{other}");
        }
    }
}
