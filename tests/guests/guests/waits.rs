//! Plugin `waits`: waits in a host function that fuel and the epoch do not reach. Needs `wasi:clocks` and `wasi:io/poll`.
//!
//! | tool | does |
//! | --- | --- |
//! | `for_ever` | says that it has begun, waits for a moment a year away |
//! | `briefly {milliseconds}` | waits so long, answers `{"waited": true}` |
//! | `many` | a thousand such waits at once |
//! | `busily` | waits for what is ready already, again and again: does polling go around fuel? |

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wardkeep_sdk::{Ask, NoArguments, Plugin, Result, Tool, progress};
use wasip2::{clocks::monotonic_clock, io::poll};

const YEAR: u64 = 365 * 24 * 3600 * 1_000_000_000;

fn for_ever(_: NoArguments) -> Result<()> {
    progress::report(1.0, None, "begun");
    monotonic_clock::subscribe_duration(YEAR).block();
    Ok(())
}

#[derive(Deserialize, JsonSchema)]
struct Briefly {
    milliseconds: u32,
}

#[derive(Serialize, JsonSchema)]
struct Waited {
    waited: bool,
}

fn briefly(arguments: Briefly) -> Result<Waited> {
    let pollable = monotonic_clock::subscribe_duration(u64::from(arguments.milliseconds) * 1_000_000);
    pollable.block();
    Ok(Waited { waited: pollable.ready() })
}

fn many(_: NoArguments) -> Result<()> {
    let pollables: Vec<_> = (0..1_000).map(|_| monotonic_clock::subscribe_duration(YEAR)).collect();
    poll::poll(&pollables.iter().collect::<Vec<_>>());
    Ok(())
}

fn busily(_: NoArguments) -> Result<()> {
    let ready = monotonic_clock::subscribe_duration(0);
    loop {
        ready.block();
        poll::poll(&[&ready]);
    }
}

fn plugin() -> Plugin {
    let tools = [
        Tool::read("for_ever", "Waits for a year", for_ever),
        Tool::read("briefly", "Waits a little", briefly),
        Tool::read("many", "Waits for a thousand things", many),
        Tool::read("busily", "Polls without end", busily),
    ];
    let asking = tools.map(|tool| tool.asks(Ask::clock("to wait")));
    asking.into_iter().fold(Plugin::new("waits", "1.0.0"), Plugin::tool)
}

wardkeep_sdk::export!(plugin);
