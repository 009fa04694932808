//! Plugin `reports`: tells how far it is. It needs no grant.
//!
//! | tool | does |
//! | --- | --- |
//! | `report {times, steps}` | so many reports, with so many steps burnt before each, answers `{"reported": n}` |

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wardkeep_sdk::{Plugin, Result, Tool, progress};
use wardkeep_test_guests::burn;

#[derive(Deserialize, JsonSchema)]
struct Times {
    times: u32,
    steps: u64,
}

#[derive(Serialize, JsonSchema)]
struct Reported {
    reported: u32,
}

fn report(Times { times, steps }: Times) -> Result<Reported> {
    for done in 1..=times {
        std::hint::black_box(burn(steps));
        progress::report(done.into(), Some(times.into()), format!("step\n{done}"));
    }
    Ok(Reported { reported: times })
}

fn plugin() -> Plugin {
    Plugin::new("reports", "1.0.0").tool(Tool::read("report", "Reports progress so many times", report))
}

wardkeep_sdk::export!(plugin);
