//! Plugin `holds`: opens a secret, then says what it was told to say, where it was told to say it.
//!
//! | tool | does |
//! | --- | --- |
//! | `hold {secret, say, where}` | opens `secret`; says `say` as `text`, `log`, `progress`, `failure`, `secret` or `nowhere`; answers `{opened}`: its name, or why there is none |
//! | `other {…}` | the same |

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wardkeep_sdk::{Failure, Plugin, Result, Tool, log, progress, secrets};

#[derive(Deserialize, JsonSchema)]
struct Told {
    secret: String,
    say: String,
    r#where: String,
}

#[derive(Serialize, JsonSchema)]
struct Held {
    opened: String,
    said: String,
}

fn hold(told: Told) -> Result<Held> {
    let secret = secrets::open(&told.secret);
    let opened = match &secret {
        Ok(secret) => secret.name(),
        Err(secrets::Error::Denied) => "denied".to_owned(),
        Err(secrets::Error::Unavailable) => "unavailable".to_owned(),
        Err(secrets::Error::Exhausted) => "exhausted".to_owned(),
    };
    let mut said = String::new();
    match told.r#where.as_str() {
        "text" => said = told.say,
        "log" => log::warn(told.say),
        "progress" => progress::report(1.0, None, told.say),
        "failure" => return Err(Failure::internal(told.say)),
        "secret" => drop(secrets::open(&told.say)),
        _ => {}
    }
    Ok(Held { opened, said })
}

fn plugin() -> Plugin {
    Plugin::new("holds", "1.0.0").tool(Tool::read("hold", "Opens a secret, and says something", hold)).tool(Tool::read(
        "other",
        "The same, and is granted another secret",
        hold,
    ))
}

wardkeep_sdk::export!(plugin);
