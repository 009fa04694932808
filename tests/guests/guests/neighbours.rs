//! Plugin `neighbours`: two tools, meant for one root each. Both do whatever they are asked, so that a call of `left` can reach for the root of
//! `right`; the host tells it no.
//!
//! | tool | does |
//! | --- | --- |
//! | `left {root, path}` | the file's text, and which roots are granted; asks for root `left` |
//! | `right {root, path}` | the same; asks for root `right` |
//! | `greedy {root, path}` | reads the file until no host call is left, answers `{"calls": n}`; asks for root `left` |

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wardkeep_sdk::{Ask, Failure, Plugin, Result, Tool, files};

#[derive(Deserialize, JsonSchema)]
struct File {
    root: String,
    path: String,
}

#[derive(Serialize, JsonSchema)]
struct Found {
    text: String,
    granted: Vec<String>,
}

fn read(File { root, path }: File) -> Result<Found> {
    let granted = files::granted().into_iter().map(|root| root.name).collect();
    Ok(Found { text: files::read_text(&root, &path, files::MOST)?, granted })
}

#[derive(Serialize, JsonSchema)]
struct Calls {
    calls: u32,
}

fn greedy(File { root, path }: File) -> Result<Calls> {
    for calls in 0.. {
        match files::read(&root, &path, 0, 1) {
            Ok(_) => {}
            Err(files::Error::Exhausted) => return Ok(Calls { calls }),
            Err(error) => return Err(error.into()),
        }
    }
    Err(Failure::internal("no end"))
}

fn plugin() -> Plugin {
    Plugin::new("neighbours", "1.0.0")
        .tool(Tool::read("left", "Reads on the left", read).asks(Ask::files("left", "to read there")))
        .tool(Tool::read("right", "Reads on the right", read).asks(Ask::files("right", "to read there")))
        .tool(Tool::read("greedy", "Reads too often", greedy).asks(Ask::files("left", "to read there")))
}

wardkeep_sdk::export!(plugin);

#[cfg(test)]
mod tests {
    use serde_json::json;
    use wardkeep_sdk::fake::{self, Fakes};

    use super::plugin;

    #[test]
    fn a_greedy_tool_counts_its_host_calls() {
        let _fakes = Fakes::new().file("left", "a", "x").host_calls(7).install();
        let answer = fake::call(&plugin(), "greedy", &json!({ "root": "left", "path": "a" })).unwrap();
        assert_eq!(answer.structured.as_deref(), Some(r#"{"calls":7}"#));
    }
}
