//! Plugin `senses`: knows the time and throws dice. A tool that uses what only its neighbour was granted is told no.
//!
//! | tool | does |
//! | --- | --- |
//! | `time` | `{"seconds": n, "later": bool}` of the wall clock and of the monotonic one |
//! | `dice` | `{"numbers": [...]}`: three random numbers |
//! | `flood {bytes}` | asks for so many random bytes at once, answers how many came |

use std::time::UNIX_EPOCH;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wardkeep_sdk::{Ask, NoArguments, Plugin, Result, Tool, clock, random};

#[derive(Serialize, JsonSchema)]
struct Time {
    seconds: u64,
    later: bool,
}

fn time(_: NoArguments) -> Result<Time> {
    let before = clock::monotonic();
    let seconds = clock::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    Ok(Time { seconds, later: clock::monotonic() >= before })
}

#[derive(Serialize, JsonSchema)]
struct Dice {
    numbers: [u32; 3],
}

fn dice(_: NoArguments) -> Result<Dice> {
    // 32 bits each: JSON's numbers are exact for them everywhere.
    Ok(Dice { numbers: std::array::from_fn(|_| (random::number() >> 32) as u32) })
}

#[derive(Deserialize, Serialize, JsonSchema)]
struct Count {
    bytes: u32,
}

fn flood(arguments: Count) -> Result<Count> {
    let bytes = random::bytes(arguments.bytes).len();
    Ok(Count { bytes: u32::try_from(bytes).unwrap_or(u32::MAX) })
}

fn plugin() -> Plugin {
    Plugin::new("senses", "1.0.0")
        .tool(Tool::read("time", "Tells the time", time).asks(Ask::clock("to tell the time")))
        .tool(Tool::read("dice", "Throws three dice", dice).asks(Ask::random("to throw dice")))
        .tool(Tool::read("flood", "Asks for many random bytes", flood).asks(Ask::random("to have many")))
}

wardkeep_sdk::export!(plugin);

#[cfg(test)]
mod tests {
    use serde_json::json;
    use wardkeep_sdk::fake;

    use super::plugin;

    #[test]
    fn dice_and_time_answer_natively_from_the_fakes() {
        let throw = || fake::call(&plugin(), "dice", &json!({})).unwrap().structured.unwrap();
        assert!(throw().starts_with(r#"{"numbers":["#));
        assert_ne!(throw(), throw());
        let time = fake::call(&plugin(), "time", &json!({})).unwrap();
        assert_eq!(time.structured.as_deref(), Some(r#"{"seconds":1767225600,"later":true}"#));
    }
}
