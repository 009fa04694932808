//! A plugin whose `describe` counts how often it was asked: told from another only by asking one instance twice, which the host does not do.
//! Its `call` tells the count, `{"described": n}`.

use std::sync::atomic::{AtomicU32, Ordering};

use wardkeep_sdk::{
    Result,
    raw::{Completion, Description, Handler, Reply, Request},
};
use wardkeep_test_guests::definition;

static DESCRIBED: AtomicU32 = AtomicU32::new(0);

struct Anew;

impl Handler for Anew {
    fn describe() -> Description {
        let description = format!("Asked {} times", DESCRIBED.fetch_add(1, Ordering::Relaxed));
        Description { name: "anew".into(), version: "1.0.0".into(), tools: vec![definition("count", &description)] }
    }

    fn call(_: Request) -> Result<Reply> {
        let structured = format!(r#"{{"described":{}}}"#, DESCRIBED.load(Ordering::Relaxed));
        Ok(Reply::Complete(Completion { content: vec![], structured: Some(structured), touched: vec![] }))
    }
}

wardkeep_sdk::export_raw!(Anew);
