//! Asks for a page as often as it is told, for the benchmark.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wardkeep_sdk::{Plugin, Result, Tool, http};

#[derive(Deserialize, JsonSchema)]
struct Fetch {
    requests: u32,
    /// How often it asks before that for what is not granted: all that a request is but the network.
    #[serde(default)]
    refused: u32,
}

#[derive(Serialize, JsonSchema)]
struct Fetched {
    bytes: usize,
}

fn fetch(arguments: Fetch) -> Result<Fetched> {
    for _ in 0..arguments.refused {
        assert!(matches!(http::get("localhost", "/other").send(), Err(http::Error::Denied(_))));
    }
    let mut bytes = 0;
    for _ in 0..arguments.requests {
        bytes += http::get("localhost", "/page").send()?.success()?.bytes(1 << 20)?.len();
    }
    Ok(Fetched { bytes })
}

fn plugin() -> Plugin {
    Plugin::new("fetches", "1.0.0").tool(Tool::read("fetch", "Asks for a page", fetch))
}

wardkeep_sdk::export!(plugin);
