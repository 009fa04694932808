//! Any bytes as a client's message. The screen and two other readers must agree on what goes on: JSON, not too deep, not too much,
//! no key twice.
#![no_main]

// The gateway brings rmcp and wasmtime. Its screen needs neither, so it is compiled here from its own file.
#[path = "../../../host/gateway/src"]
#[allow(dead_code, reason = "the length of a message is asked elsewhere")]
mod gateway {
    pub(crate) mod screen;
}

use std::sync::LazyLock;

use gateway::screen::{Refusal, Screened, screened};
use libfuzzer_sys::fuzz_target;
use tokio::runtime::Runtime;
use wardkeep_fuzz::json::Written;
use wardkeep_policy::parse_json;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| tokio::runtime::Builder::new_current_thread().build().unwrap());

/// The bounds of `docs/architecture.md`, written anew: who changes one changes a promise.
const MOST_VALUES: usize = 50_000;
const DEEPEST: usize = 64;
const LONGEST_NAME: usize = 256;
const LONGEST_ID: usize = 256;

fuzz_target!(|message: &[u8]| {
    let told = RUNTIME.block_on(screened(message.to_vec()));
    let written = Written::read(message);
    strict(message, written.as_ref());
    let refusal = match told {
        Ok((given, screened)) => {
            assert_eq!(given, message, "another message goes on than was screened");
            return accepted(message, &written.expect("what goes on is JSON"), screened);
        }
        Err(refusal) => refusal,
    };
    let answer: serde_json::Value = serde_json::from_str(&refusal.message()).expect("an answer is JSON-RPC");
    assert!(answer["error"]["code"].as_i64().is_some_and(|code| (-32_768..=-32_000).contains(&code)));
    // A refusal names what is wrong; the whole was not read, so other things may be wrong too.
    let Some(written) = written else { return };
    let named = match refusal {
        Refusal::TooDeep => written.depth() > DEEPEST,
        Refusal::TooManyValues => written.values() > MOST_VALUES,
        Refusal::DuplicateKey => written.repeats_a_key(),
        Refusal::LongName => longest_name(&written) > LONGEST_NAME,
        Refusal::LongId => written.text("id").is_some_and(|id| id.len() > LONGEST_ID),
        Refusal::NoId => wants_an_id(&written) && id(message).is_none(),
        other => panic!("sound JSON was refused: {other}"),
    };
    assert!(named, "refused without a reason: {refusal}");
});

fn accepted(message: &[u8], written: &Written, screened: Screened) {
    assert!(written.depth() <= DEEPEST && written.values() <= MOST_VALUES);
    assert!(!written.repeats_a_key(), "what decides and what runs might take another of the two");
    assert!(longest_name(written) <= LONGEST_NAME);
    assert_eq!(screened.initializes, written.text("method") == Some("initialize"));
    assert!(serde_json::from_slice::<serde_json::Value>(message).is_ok(), "rmcp could not read it");
    let asks = written.text("method").and_then(|_| id(message));
    assert_eq!(screened.asks.as_deref(), asks.as_deref());
    assert!(asks.is_some() || !wants_an_id(written), "a request that nobody could be answered");
}

/// Every method but those of notifications.
fn wants_an_id(written: &Written) -> bool {
    written.text("method").is_some_and(|method| !method.starts_with("notifications/"))
}

/// A text in quotes, or a whole number.
fn id(message: &[u8]) -> Option<String> {
    let message: serde_json::Value = serde_json::from_slice(message).ok()?;
    match message.get("id")? {
        serde_json::Value::String(text) => Some(format!("\"{text}\"")),
        number => number.as_i64().map(|n| n.to_string()).or_else(|| number.as_u64().map(|n| n.to_string())),
    }
}

fn longest_name(written: &Written) -> usize {
    let params = written.get("params");
    let names = ["name", "uri", "taskId"].into_iter().filter_map(|key| params?.text(key));
    names.chain(written.text("method")).map(str::len).max().unwrap_or(0)
}

/// Policy's own strict reader takes the same, but for numbers that a double cannot hold.
fn strict(message: &[u8], written: Option<&Written>) {
    let Ok(text) = std::str::from_utf8(message) else { return };
    match (parse_json(text, DEEPEST), written) {
        (Ok(_), None) => panic!("read strictly what is no JSON"),
        (Ok(_), Some(written)) => assert!(written.depth() <= DEEPEST && !written.repeats_a_key()),
        (Err(error), Some(written)) => {
            assert!(written.depth() > DEEPEST || written.repeats_a_key(), "{error}");
        }
        (Err(_), None) => {}
    }
}
