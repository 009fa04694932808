//! The second plugin of `wardkeep demo`: one tool that never ends by itself.

use wardkeep_sdk::{NoArguments, Plugin, Result, Tool};

fn spin(_: NoArguments) -> Result<()> {
    let mut turns: u64 = 0;
    loop {
        // Kept from being optimised away: an empty loop would be a trap.
        turns = std::hint::black_box(turns.wrapping_add(1));
    }
}

fn plugin() -> Plugin {
    Plugin::new("spinner", env!("CARGO_PKG_VERSION")).tool(Tool::read("spin", "Turns in a circle and never ends", spin))
}

wardkeep_sdk::export!(plugin);
