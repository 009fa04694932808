//! Plugin `fixture`: well behaved, and predictable. It imports nothing but the log.
//!
//! | tool | does |
//! | --- | --- |
//! | `echo {…}` | gives its arguments back, as the structured result |
//! | `slow {steps}` | burns so many steps, answers `{"steps": n}` |
//! | `contents {}` | one of each kind of content, two things touched |
//! | `fail {kind}` | fails in that way |
//! | `canary {}` | `{"seen": n}`: how many calls this memory has seen before; 0 in a fresh one |
//! | `log {level, line}` | writes a line into the log |
//! | `note {}`, `wipe {}` | do nothing, but call themselves a write and destructive |

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU32, Ordering},
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wardkeep_sdk::{Answer, Failure, NoArguments, Plugin, Result, Tool, log};
use wardkeep_test_guests::burn;

type Anything = BTreeMap<String, serde_json::Value>;

fn echo(arguments: Anything) -> Result<Anything> {
    Ok(arguments)
}

#[derive(Deserialize, Serialize, JsonSchema)]
struct Steps {
    steps: u64,
}

fn slow(arguments: Steps) -> Result<Steps> {
    std::hint::black_box(burn(arguments.steps));
    Ok(arguments)
}

fn contents(_: NoArguments) -> Result<Answer<()>> {
    Ok(Answer::bare()
        .text("plain")
        .image("image/png", vec![0x89, b'P', b'N', b'G'])
        .audio("audio/wav", b"RIFF".to_vec())
        .resource("note://one", "text/plain", "a note")
        .blob("blob://two", "application/octet-stream", vec![0, 255])
        .link("https://example.com/three", "three")
        .touched("note://one")
        .touched("blob://two"))
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    InvalidArguments,
    NotFound,
    Denied,
    RateLimited,
    Upstream,
    Partial,
    Internal,
}

#[derive(Deserialize, JsonSchema)]
struct Fail {
    kind: Kind,
}

fn fail(arguments: Fail) -> Result<()> {
    Err(match arguments.kind {
        Kind::InvalidArguments => Failure::invalid_arguments("the moon is not a number"),
        Kind::NotFound => Failure::not_found("no moon"),
        Kind::Denied => Failure::denied("the moon is closed"),
        Kind::RateLimited => Failure::rate_limited("too many moons", Some(30)),
        Kind::Upstream => Failure::upstream("the moon answers badly", Some(503)),
        Kind::Partial => Failure::partial("half a moon", vec!["first".into()], vec!["second".into()]),
        Kind::Internal => Failure::internal("the moon fell"),
    })
}

#[derive(Serialize, JsonSchema)]
struct Canary {
    seen: u32,
}

fn canary(_: NoArguments) -> Result<Canary> {
    static SEEN: AtomicU32 = AtomicU32::new(0);
    Ok(Canary { seen: SEEN.fetch_add(1, Ordering::Relaxed) })
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Level {
    Debug,
    Info,
    Warn,
    Error,
}

#[derive(Deserialize, JsonSchema)]
struct Line {
    level: Level,
    line: String,
}

fn write_log(Line { level, line }: Line) -> Result<()> {
    match level {
        Level::Debug => log::debug(line),
        Level::Info => log::info(line),
        Level::Warn => log::warn(line),
        Level::Error => log::error(line),
    }
    Ok(())
}

fn nothing(_: NoArguments) -> Result<()> {
    Ok(())
}

fn plugin() -> Plugin {
    Plugin::new("fixture", "1.0.0")
        .tool(Tool::read("echo", "Gives its arguments back", echo).title("Echo"))
        .tool(Tool::read("slow", "Burns so many steps", slow))
        .tool(Tool::read("contents", "One of each kind of content", contents))
        .tool(Tool::read("fail", "Fails as asked", fail))
        .tool(Tool::read("canary", "Tells what an earlier call left", canary))
        .tool(Tool::read("log", "Writes a line into the log", write_log))
        .tool(Tool::write("note", "Calls itself a write", nothing))
        .tool(Tool::destructive("wipe", "Calls itself destructive", nothing))
}

wardkeep_sdk::export!(plugin);
