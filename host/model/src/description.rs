//! What a component says of itself, and the digest that pins it.

use serde::{Deserialize, Serialize};

use crate::{Digest, Digester, Effect};

/// The answer of `wardkeep:tool/handler.describe`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// The plugin's name for itself.
    pub name: String,
    /// Semantic version.
    pub version: String,
    /// In the order that the component gives them.
    pub tools: Vec<Definition>,
}

/// One tool of a component.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Definition {
    /// Unique in the plugin.
    pub name: String,
    /// For people.
    pub title: Option<String>,
    /// For models and people.
    pub description: String,
    /// JSON Schema 2020-12, the component's own bytes.
    pub input_schema: String,
    /// JSON Schema 2020-12, the component's own bytes.
    pub output_schema: Option<String>,
    /// What the component says its worst run can do.
    pub effect: Effect,
    /// A second call with the same arguments changes nothing more.
    pub idempotent: bool,
    /// What the tool would like to be granted.
    pub asks: Vec<Ask>,
}

/// One thing that an administrator is asked for. Nothing is granted by asking.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs, reason = "documented in wit/deps/wardkeep-tool-0.1.0/tool.wit")]
pub enum Ask {
    Http(HttpAsk),
    Secret(SecretAsk),
    Files(FilesAsk),
    Clock(String),
    Random(String),
}

/// Requests over HTTPS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "documented in wit/deps/wardkeep-tool-0.1.0/tool.wit")]
pub struct HttpAsk {
    pub host: String,
    pub methods: Vec<String>,
    pub purpose: String,
}

/// A credential.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "documented in wit/deps/wardkeep-tool-0.1.0/tool.wit")]
pub struct SecretAsk {
    pub name: String,
    pub purpose: String,
}

/// A directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "documented in wit/deps/wardkeep-tool-0.1.0/tool.wit")]
pub struct FilesAsk {
    pub root: String,
    pub write: bool,
    pub purpose: String,
}

impl Description {
    /// The contract digest: pins every word that a client may come to see. Tools count sorted by name; fields go in the order
    /// of the WIT record, each prefixed by its length; schemas as their original bytes.
    #[must_use]
    pub fn contract_digest(&self) -> Digest {
        let mut digester = Digester::new("wardkeep contract 1");
        digester.field(self.name.as_bytes());
        digester.field(self.version.as_bytes());
        digester.number(self.tools.len() as u64);
        let mut tools: Vec<_> = self.tools.iter().collect();
        tools.sort_by(|a, b| a.name.cmp(&b.name));
        tools.into_iter().for_each(|tool| tool.feed(&mut digester));
        digester.finish()
    }
}

impl Definition {
    fn feed(&self, digester: &mut Digester) {
        digester.field(self.name.as_bytes());
        digester.optional(self.title.as_deref().map(str::as_bytes));
        digester.field(self.description.as_bytes());
        digester.field(self.input_schema.as_bytes());
        digester.optional(self.output_schema.as_deref().map(str::as_bytes));
        digester.field(self.effect.as_str().as_bytes());
        digester.number(self.idempotent.into());
        digester.number(self.asks.len() as u64);
        self.asks.iter().for_each(|ask| ask.feed(digester));
    }
}

impl Ask {
    fn feed(&self, digester: &mut Digester) {
        match self {
            Self::Http(ask) => {
                digester.field(b"http");
                digester.field(ask.host.as_bytes());
                digester.number(ask.methods.len() as u64);
                ask.methods.iter().for_each(|method| digester.field(method.as_bytes()));
                digester.field(ask.purpose.as_bytes());
            }
            Self::Secret(ask) => {
                digester.field(b"secret");
                digester.field(ask.name.as_bytes());
                digester.field(ask.purpose.as_bytes());
            }
            Self::Files(ask) => {
                digester.field(b"files");
                digester.field(ask.root.as_bytes());
                digester.number(ask.write.into());
                digester.field(ask.purpose.as_bytes());
            }
            Self::Clock(purpose) => {
                digester.field(b"clock");
                digester.field(purpose.as_bytes());
            }
            Self::Random(purpose) => {
                digester.field(b"random");
                digester.field(purpose.as_bytes());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tool(name: &str) -> Definition {
        Definition {
            name: name.into(),
            title: None,
            description: "adds".into(),
            input_schema: r#"{"type":"object"}"#.into(),
            output_schema: None,
            effect: Effect::Read,
            idempotent: true,
            asks: vec![Ask::Clock("stamps".into())],
        }
    }

    fn description(tools: Vec<Definition>) -> Description {
        Description { name: "sums".into(), version: "1.0.0".into(), tools }
    }

    #[test]
    fn the_order_of_tools_does_not_change_the_contract() {
        assert_eq!(
            description(vec![tool("a"), tool("b")]).contract_digest(),
            description(vec![tool("b"), tool("a")]).contract_digest()
        );
    }

    #[test]
    fn every_field_is_part_of_the_contract() {
        let base = description(vec![tool("a")]);
        let changes: [fn(&mut Description); 10] = [
            |d| d.name.push('x'),
            |d| d.version.push('1'),
            |d| d.tools[0].name.push('x'),
            |d| d.tools[0].title = Some(String::new()),
            |d| d.tools[0].description.push('.'),
            |d| d.tools[0].input_schema.push(' '),
            |d| d.tools[0].output_schema = Some("{}".into()),
            |d| d.tools[0].effect = Effect::Write,
            |d| d.tools[0].idempotent = false,
            |d| d.tools[0].asks = vec![Ask::Random("stamps".into())],
        ];
        for (index, change) in changes.iter().enumerate() {
            let mut changed = base.clone();
            change(&mut changed);
            assert_ne!(changed.contract_digest(), base.contract_digest(), "change {index}");
        }
    }
}
