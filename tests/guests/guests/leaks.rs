//! Plugin `leaks`: has one value that is not to leave, and says it on every way out that a guest has.
//!
//! | tool | does |
//! | --- | --- |
//! | `tell {how}` | says it in the log, in progress, and then in an `answer`, in a `failure`, in a `partial` failure or in a question (`ask`); what it has answered with it claims to have touched |

use serde_json::Value;
use wardkeep_sdk::{
    Failure, Result, log, progress,
    raw::{Completion, Content, Definition, Description, Handler, Pause, Question, Reply, Request},
};
use wardkeep_test_guests::definition;

const EMAIL: &str = "ada@example.com";

struct Leaks;

impl Handler for Leaks {
    fn describe() -> Description {
        let output = r#"{"type":"object","properties":{"people":{"type":"array","items":{"type":"object","properties":{
            "name":{"type":"string"},"email":{"type":"string","format":"email","pattern":"@"}}}}}}"#;
        let input = r#"{"type":"object","properties":{"how":{"type":"string"}},"required":["how"]}"#;
        let tell = Definition {
            input_schema: input.into(),
            output_schema: Some(output.into()),
            ..definition("tell", "Tells what is not to leave")
        };
        Description { name: "leaks".into(), version: "1.0.0".into(), tools: vec![tell] }
    }

    fn call(request: Request) -> Result<Reply> {
        log::warn(format!("the address is {EMAIL}"));
        progress::report(1.0, Some(2.0), format!("at {EMAIL}"));
        let arguments: Value = serde_json::from_str(&request.arguments).unwrap_or_default();
        match arguments.get("how").and_then(Value::as_str).unwrap_or_default() {
            "answer" => {
                let structured = format!(r#"{{"people":[{{"name":"Ada","email":"{EMAIL}"}}]}}"#);
                let content = vec![Content::Text(format!("Ada is {EMAIL}"))];
                Ok(Reply::Complete(Completion { content, structured: Some(structured), touched: vec![EMAIL.into()] }))
            }
            "partial" => Err(Failure::partial(EMAIL, vec![EMAIL.into()], vec![EMAIL.into()])),
            "ask" => {
                let schema = r#"{"type":"object","properties":{"x":{"type":"string"}}}"#.into();
                let question = Question { id: "x".into(), message: format!("Is it {EMAIL}?"), schema };
                Ok(Reply::InputRequired(Pause { questions: vec![question], state: EMAIL.into() }))
            }
            _ => Err(Failure::internal(format!("it was {EMAIL}"))),
        }
    }
}

wardkeep_sdk::export_raw!(Leaks);
