//! Plugin `asks`: puts questions to the person who calls, and some that nobody may be asked.
//!
//! | tool | does |
//! | --- | --- |
//! | `ask {about}`, `other {about}` | asks for a flavour, answers `{about, flavour, state}` with what it kept meanwhile |
//! | `endless` | asks again after each answer |
//! | `badly {how}` | asks in a way that is refused; `escape` in one that is cleaned |

use serde_json::{Value, json};
use wardkeep_sdk::{
    Failure, Result,
    raw::{Action, Completion, Definition, Description, Handler, Pause, Question, Reply, Request},
};
use wardkeep_test_guests::definition;

struct Asks;

wardkeep_sdk::export_raw!(Asks);

impl Handler for Asks {
    fn describe() -> Description {
        let takes = |name: &str, key: &str| Definition {
            input_schema: json!({ "type": "object", "properties": { key: { "type": "string" } }, "required": [key] })
                .to_string(),
            ..definition(name, "Asks a question")
        };
        Description {
            name: "asks".into(),
            version: "1.0.0".into(),
            tools: vec![
                takes("ask", "about"),
                takes("other", "about"),
                definition("endless", "Asks without end"),
                takes("badly", "how"),
            ],
        }
    }

    fn call(request: Request) -> Result<Reply> {
        let arguments: Value = serde_json::from_str(&request.arguments).map_err(Failure::internal)?;
        match request.tool.as_str() {
            "endless" => pause(vec![question("more", "More?", json!({}))], vec![]),
            "badly" => badly(arguments.get("how").and_then(Value::as_str).unwrap_or_default()),
            _ => flavour(arguments.get("about").and_then(Value::as_str).unwrap_or_default(), &request),
        }
    }
}

fn flavour(about: &str, request: &Request) -> Result<Reply> {
    let Some(resumed) = &request.resume else {
        let form = json!({ "flavour": { "type": "string" } });
        let mut asked = question("flavour", &format!("Which {about}?"), form);
        asked.schema = asked.schema.replace("\"properties\"", "\"required\":[\"flavour\"],\"properties\"");
        return pause(vec![asked], format!("secret {about}").into_bytes());
    };
    let flavour = match resumed.answers.as_slice() {
        [answer] if answer.id == "flavour" => match answer.action {
            Action::Accept => {
                let content: Value =
                    serde_json::from_str(answer.content.as_deref().unwrap_or_default()).map_err(Failure::internal)?;
                content.get("flavour").and_then(Value::as_str).unwrap_or_default().to_owned()
            }
            Action::Decline => "declined".to_owned(),
            Action::Cancel => "cancelled".to_owned(),
        },
        _ => return Err(Failure::internal("there is one answer to one question")),
    };
    let state = String::from_utf8_lossy(&resumed.state);
    let structured = json!({ "about": about, "flavour": flavour, "state": state }).to_string();
    Ok(Reply::Complete(Completion { content: vec![], structured: Some(structured), touched: vec![] }))
}

fn badly(how: &str) -> Result<Reply> {
    let one = || question("one", "one", json!({}));
    let form = |schema: Value| Question { schema: schema.to_string(), ..one() };
    let questions = match how {
        "nested" => vec![form(json!({ "type": "object", "properties": { "a": { "type": "object" } } }))],
        "pattern" => {
            vec![form(json!({ "type": "object", "properties": { "a": { "type": "string", "pattern": "^a$" } } }))]
        }
        "hidden" => {
            vec![form(json!({ "type": "object", "properties": { "a": { "type": "string", "title": "\u{202e}x" } } }))]
        }
        "id" => vec![question("one two", "one", json!({}))],
        "twice" => vec![one(), one()],
        "long" => vec![question("one", &"x".repeat(1_025), json!({}))],
        "none" => vec![],
        "many" => (0..9).map(|n| question(&format!("q{n}"), "one", json!({}))).collect(),
        "escape" => vec![question("one", "one\u{1b}[2J", json!({}))],
        _ => vec![one()],
    };
    pause(questions, if how == "state" { vec![0; 16 * 1_024 + 1] } else { vec![] })
}

fn question(id: &str, message: &str, properties: Value) -> Question {
    let schema = json!({ "type": "object", "properties": properties }).to_string();
    Question { id: id.into(), message: message.into(), schema }
}

fn pause(questions: Vec<Question>, state: Vec<u8>) -> Result<Reply> {
    Ok(Reply::InputRequired(Pause { questions, state }))
}
