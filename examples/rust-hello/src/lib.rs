//! The smallest plugin: one tool that greets.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wardkeep_sdk::{Plugin, Result, Tool};

#[derive(Deserialize, JsonSchema)]
struct Greet {
    /// Who is greeted.
    name: String,
}

#[derive(Serialize, JsonSchema)]
struct Greeting {
    text: String,
}

fn greet(arguments: Greet) -> Result<Greeting> {
    Ok(Greeting { text: format!("Hello, {}!", arguments.name) })
}

fn plugin() -> Plugin {
    Plugin::new("hello", "0.1.0").tool(Tool::read("greet", "Greets somebody by name", greet))
}

wardkeep_sdk::export!(plugin);

#[cfg(test)]
mod tests;
