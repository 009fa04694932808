//! How fast Wardkeep is, beside floors that are measured in the same run.
//!
//! `cargo bench --bench speed` measures all and writes what it found into docs/performance.md; `cargo bench --bench speed -- http start`
//! measures only some and writes nothing. Nothing else should run on the machine meanwhile.

#![allow(unreachable_pub, missing_docs, reason = "a program: nothing here is anybody's interface")]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "what goes wrong ends the measurement"
)]

mod around;
mod callers;
mod calls;
mod cost;
mod fetch;
mod floor;
#[allow(dead_code, reason = "shared with the end-to-end tests, which use all of it")]
#[path = "../support/guests.rs"]
mod guests;
#[allow(dead_code, reason = "shared with the end-to-end tests, which use all of it")]
#[path = "../support/home.rs"]
mod home;
#[allow(dead_code, reason = "shared with the end-to-end tests, which use all of it")]
#[path = "../support/http.rs"]
mod http;
mod load;
mod measure;
mod memory;
mod page;
mod sandbox;
#[allow(dead_code, reason = "shared with the end-to-end tests, which use all of it")]
#[path = "../support/serving.rs"]
mod serving;
mod start;
mod upstream;
mod wire;

use page::Table;

/// A part by its name.
type Part = (&'static str, fn() -> Table);

const PARTS: [Part; 10] = [
    ("sandbox", sandbox::table),
    ("http", calls::http),
    ("stdio", calls::stdio),
    ("always", calls::always),
    ("fetch", fetch::table),
    ("around", around::table),
    ("load", load::table),
    ("callers", callers::table),
    ("start", start::table),
    ("memory", memory::table),
];

fn main() {
    // cargo says so to every benchmark
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match wanted.first().map(String::as_str) {
        Some(floor::HTTP) => return floor::serve_http(),
        Some(floor::STDIO) => return floor::serve_stdio(),
        Some(floor::SANDBOX) => return floor::serve_sandbox(),
        Some(upstream::UPSTREAM) => return upstream::serve(),
        Some(other) if !PARTS.iter().any(|(name, _)| *name == other) => {
            let names: Vec<_> = PARTS.iter().map(|(name, _)| *name).collect();
            panic!("no part `{other}`; there are {}", names.join(", "));
        }
        _ => {}
    }
    let mut tables = Vec::new();
    for (name, part) in PARTS {
        if wanted.is_empty() || wanted.iter().any(|wanted| wanted == name) {
            let table = part();
            println!("{table}");
            tables.push(table);
        }
    }
    if wanted.is_empty() {
        page::write(&tables);
    }
}
