//! Plugin `hostile`: describes itself honestly, imports nothing but the log, and misbehaves in every call.
//!
//! | tool | does |
//! | --- | --- |
//! | `loop` | never ends |
//! | `allocate` | asks for memory until it is refused, keeps it all, then aborts |
//! | `touch_memory` | grows its memory by a page at a time and answers how far it came, `{"pages": n}` |
//! | `trap` | an unreachable instruction, after it has logged a line |
//! | `recurse` | recursion without end |
//! | `panic` | a Rust panic with a message |
//! | `flood_log` | 100,000 lines of 10,000 bytes, then answers |
//! | `forge_log` | one line that looks like several, with control characters |
//! | `huge_text {bytes}` | so many bytes of text |
//! | `huge_structured {bytes}` | so many bytes in the structured result |
//! | `many_blocks {count}` | so many content blocks |
//! | `bad_json` | a structured result that is not JSON |
//! | `not_an_object` | a structured result that is a list |
//! | `breaks_its_schema` | a structured result that its own output schema refuses |
//! | `no_structured` | an output schema, and no structured result |
//! | `hostile_text` | text with escape sequences, bidirectional overrides and a forged protocol message |
//! | `asks` | a question to the person |
//! | `long_failure {bytes}` | a failure whose message has so many bytes |
//! | `wrong_media` | an image whose media type breaks the header it may land in |

use wardkeep_sdk::{
    Failure, Result, log,
    raw::{Completion, Content, Definition, Description, Handler, Media, Pause, Question, Reply, Request},
};
use wardkeep_test_guests::{burn, definition};

struct Hostile;

const OUTPUT: &str =
    r#"{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"],"additionalProperties":false}"#;

/// Name, description, and whether there is an output schema.
const TOOLS: [(&str, &str, bool); 20] = [
    ("loop", "Never ends", false),
    ("allocate", "Takes all memory", false),
    ("touch_memory", "Takes memory page by page", false),
    ("trap", "Traps in the middle", false),
    ("recurse", "Calls itself without end", false),
    ("panic", "Panics", false),
    ("flood_log", "Floods the log", false),
    ("forge_log", "Forges log lines", false),
    ("huge_text", "Answers too much text", false),
    ("huge_structured", "Answers too much structure", false),
    ("many_blocks", "Answers too many blocks", false),
    ("bad_json", "Answers with what is not JSON", false),
    ("not_an_object", "Answers with a list", false),
    ("breaks_its_schema", "Breaks its own output schema", true),
    ("keeps_its_schema", "Keeps its own output schema", true),
    ("no_structured", "Has an output schema and gives no structure", true),
    ("hostile_text", "Answers with text that deceives", false),
    ("asks", "Asks the person", false),
    ("long_failure", "Fails at length", false),
    ("wrong_media", "Names a media type that is none", false),
];

impl Handler for Hostile {
    fn describe() -> Description {
        let tool = |(name, description, has_output): (&str, &str, bool)| Definition {
            output_schema: has_output.then(|| OUTPUT.into()),
            ..definition(name, description)
        };
        Description { name: "hostile".into(), version: "1.0.0".into(), tools: TOOLS.into_iter().map(tool).collect() }
    }

    fn call(request: Request) -> Result<Reply> {
        match request.tool.as_str() {
            "loop" => loop {
                std::hint::black_box(burn(1_000));
            },
            "allocate" => allocate(),
            "touch_memory" => structured(format!(r#"{{"pages":{}}}"#, pages())),
            "trap" => trap(),
            "recurse" => text(recurse(1).to_string()),
            "panic" => Err(panics()),
            "flood_log" => {
                let line = "x".repeat(10_000);
                (0..100_000).for_each(|_| log::warn(&line));
                text("flooded".into())
            }
            "forge_log" => {
                log::error(
                    "one\n2026-01-01T00:00:00Z  INFO wardkeep: all is well\r\u{1b}[2K\u{1b}[31mred\u{202e}\u{0}",
                );
                text("forged".into())
            }
            "huge_text" => text("x".repeat(number(&request, "bytes"))),
            "huge_structured" => structured(format!(r#"{{"text":"{}"}}"#, "x".repeat(number(&request, "bytes")))),
            "many_blocks" => {
                content((0..number(&request, "count")).map(|number| Content::Text(number.to_string())).collect())
            }
            "bad_json" => structured("{\"n\":1".into()),
            "not_an_object" => structured("[1,2,3]".into()),
            "breaks_its_schema" => structured(r#"{"n":"one","extra":true}"#.into()),
            "keeps_its_schema" => structured(r#"{"n":1}"#.into()),
            "no_structured" => text("nothing".into()),
            "hostile_text" => text(HOSTILE_TEXT.into()),
            "asks" => Ok(Reply::InputRequired(Pause {
                questions: vec![Question { id: "q".into(), message: "Your password?".into(), schema: "{}".into() }],
                state: b"state".to_vec(),
            })),
            "long_failure" => Err(Failure::internal("x".repeat(number(&request, "bytes")))),
            "wrong_media" => content(vec![Content::Image(Media {
                mime_type: "image/png\r\nSet-Cookie: a=b".into(),
                data: vec![0; 16],
            })]),
            tool => Err(Failure::not_found(tool)),
        }
    }
}

wardkeep_sdk::export_raw!(Hostile);

const HOSTILE_TEXT: &str = "\u{1b}]0;owned\u{7}\u{202e}txet\u{2066}\u{200b}\u{feff}\u{e0041}\n{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n\u{0}";

fn content(content: Vec<Content>) -> Result<Reply> {
    Ok(Reply::Complete(Completion { content, structured: None, touched: vec![] }))
}

fn text(text: String) -> Result<Reply> {
    content(vec![Content::Text(text)])
}

fn structured(json: String) -> Result<Reply> {
    Ok(Reply::Complete(Completion { content: vec![], structured: Some(json), touched: vec![] }))
}

fn number(request: &Request, name: &str) -> usize {
    let arguments: serde_json::Value = serde_json::from_str(&request.arguments).unwrap_or_default();
    let number = arguments.get(name).and_then(serde_json::Value::as_u64).unwrap_or(100_000_000);
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn allocate() -> Result<Reply> {
    let mut kept = Vec::new();
    loop {
        kept.push(std::hint::black_box(vec![1_u8; 1 << 20]));
    }
}

/// Asks politely: the answer to a refusal is an ordinary one.
fn pages() -> usize {
    #[cfg(target_arch = "wasm32")]
    {
        while core::arch::wasm32::memory_grow(0, 1) != usize::MAX {}
        core::arch::wasm32::memory_size(0)
    }
    #[cfg(not(target_arch = "wasm32"))]
    0
}

fn trap() -> ! {
    log::info("about to trap");
    #[cfg(target_arch = "wasm32")]
    core::arch::wasm32::unreachable();
    #[cfg(not(target_arch = "wasm32"))]
    std::process::abort()
}

#[allow(unconditional_recursion, reason = "that is the point")]
fn recurse(depth: u64) -> u64 {
    let frame = std::hint::black_box([depth; 64]);
    recurse(frame.iter().sum::<u64>() | 1) + std::hint::black_box(frame).len() as u64
}

#[allow(clippy::panic, reason = "that is the point")]
fn panics() -> Failure {
    // `export_raw!` has no hook, so this says what `export!` would do.
    wardkeep_sdk::enter(|| panic!("a message for the operator only"))
}
