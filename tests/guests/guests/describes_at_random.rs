//! A plugin whose `describe` asks for a random number, so that what is signed may differ from what is served.

use wardkeep_sdk::{
    Failure, Result, random,
    raw::{Description, Handler, Reply, Request},
};
use wardkeep_test_guests::definition;

struct Fickle;

impl Handler for Fickle {
    fn describe() -> Description {
        let description = format!("Adds {}", random::number());
        Description { name: "fickle".into(), version: "1.0.0".into(), tools: vec![definition("add", &description)] }
    }

    fn call(request: Request) -> Result<Reply> {
        Err(Failure::not_found(request.tool))
    }
}

wardkeep_sdk::export_raw!(Fickle);
