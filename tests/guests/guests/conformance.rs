//! Plugin `conformance`: the tools that MCP's conformance suite asks for by name, in the scenarios that a host of tools can serve. What each
//! has to do stands in the suite's own scenario texts; the manifest publishes them under the names that the suite calls.

use serde_json::{Value, json};
use wardkeep_sdk::{
    Ask, Effect, Failure, Result,
    raw::{
        Completion, Content, Definition, Description, Embedded, Handler, Media, Pause, Question, Reply, Request,
        ResourceBody,
    },
};
use wardkeep_test_guests::definition;
use wasip2::clocks::monotonic_clock;

/// One red pixel.
const PNG: &[u8] = &[
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 0x0d, 0x49, 0x48, 0x44, 0x52, 0, 0, 0, 1, 0, 0, 0, 1, 8,
    2, 0, 0, 0, 0x90, 0x77, 0x53, 0xde, 0, 0, 0, 0x0c, 0x49, 0x44, 0x41, 0x54, 8, 0xd7, 0x63, 0xf8, 0xcf, 0xc0, 0, 0,
    3, 1, 1, 0, 0x18, 0xdd, 0x8d, 0xb0, 0, 0, 0, 0, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82,
];
/// A header without a sample.
const WAV: &[u8] = b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0data\0\0\0\0";

struct Conformance;

wardkeep_sdk::export_raw!(Conformance);

impl Handler for Conformance {
    fn describe() -> Description {
        let plain = |name: &str| definition(name, "As the conformance suite wants it");
        let with = |name: &str, schema: Value| Definition { input_schema: schema.to_string(), ..plain(name) };
        let tools = vec![
            plain("test_simple_text"),
            plain("test_image_content"),
            plain("test_audio_content"),
            plain("test_embedded_resource"),
            plain("test_multiple_content_types"),
            plain("test_error_handling"),
            Definition { asks: vec![Ask::clock("to wait between two reports")], ..plain("test_tool_with_progress") },
            with("json_schema_2020_12_tool", schema_2020_12()),
            with("test_x_mcp_header", header_schema()),
            plain("test_logging_tool"),
            plain("test_missing_capability"),
            plain("test_streaming_elicitation"),
            with("test_elicitation", message_schema()),
            plain("test_elicitation_sep1034_defaults"),
            plain("test_elicitation_sep1330_enums"),
            plain("test_input_required_result_elicitation"),
            plain("test_input_required_result_request_state"),
            plain("test_input_required_result_multi_round"),
            plain("test_input_required_result_tampered_state"),
        ];
        debug_assert!(tools.iter().all(|tool| tool.effect == Effect::Read));
        Description { name: "conformance".into(), version: "1.0.0".into(), tools }
    }

    fn call(request: Request) -> Result<Reply> {
        match request.tool.as_str() {
            "test_simple_text" => text("This is a simple text response for testing."),
            "test_image_content" => complete(vec![image()]),
            "test_audio_content" => {
                complete(vec![Content::Audio(Media { mime_type: "audio/wav".into(), data: WAV.to_vec() })])
            }
            "test_embedded_resource" => {
                let text = "This is an embedded resource content.";
                complete(vec![resource("test://embedded-resource", "text/plain", text)])
            }
            "test_multiple_content_types" => complete(vec![
                Content::Text("Multiple content types test:".into()),
                image(),
                resource("test://mixed-content-resource", "application/json", r#"{"test":"data","value":123}"#),
            ]),
            "test_error_handling" => Err(Failure::internal("This tool intentionally returns an error for testing")),
            "test_tool_with_progress" => progress(),
            "test_logging_tool" => {
                wardkeep_sdk::log::info("for the operator, and for no client");
                text("logged")
            }
            "json_schema_2020_12_tool" | "test_x_mcp_header" => text(&request.arguments),
            _ => asking(&request),
        }
    }
}

fn complete(content: Vec<Content>) -> Result<Reply> {
    Ok(Reply::Complete(Completion { content, structured: None, touched: vec![] }))
}

fn text(text: &str) -> Result<Reply> {
    complete(vec![Content::Text(text.into())])
}

fn image() -> Content {
    Content::Image(Media { mime_type: "image/png".into(), data: PNG.to_vec() })
}

fn resource(uri: &str, mime_type: &str, text: &str) -> Content {
    let body = ResourceBody::Text(text.into());
    Content::Resource(Embedded { uri: uri.into(), mime_type: Some(mime_type.into()), body })
}

fn progress() -> Result<Reply> {
    for done in [0.0, 50.0, 100.0] {
        wardkeep_sdk::progress::report(done, Some(100.0), "");
        monotonic_clock::subscribe_duration(50_000_000).block();
    }
    text("done, and said so three times")
}

/// The tools that ask. Their state is the number of the round, so that one that comes back altered would be seen.
fn asking(request: &Request) -> Result<Reply> {
    let Some(resumed) = &request.resume else { return ask(request, 1) };
    let told =
        resumed.answers.iter().map(|answer| answer.content.clone().unwrap_or_else(|| format!("{:?}", answer.action)));
    let told = told.collect::<Vec<_>>().join(", ");
    match (request.tool.as_str(), resumed.state.as_slice()) {
        ("test_input_required_result_multi_round", [1]) => ask(request, 2),
        (_, [1 | 2]) => text(&format!("state-ok; the person says: {told}")),
        _ => Err(Failure::internal("this is not the state that was given out")),
    }
}

fn ask(request: &Request, round: u8) -> Result<Reply> {
    let arguments: Value = serde_json::from_str(&request.arguments).map_err(Failure::internal)?;
    let (id, message, properties) = match (request.tool.as_str(), round) {
        ("test_elicitation", _) => (
            "user",
            arguments.get("message").and_then(Value::as_str).unwrap_or_default(),
            json!({
                "username": { "type": "string", "description": "User's response" },
                "email": { "type": "string", "description": "User's email address" },
            }),
        ),
        ("test_elicitation_sep1034_defaults", _) => ("defaults", "Is this right?", defaults()),
        ("test_elicitation_sep1330_enums", _) => ("enums", "Which ones?", enums()),
        ("test_input_required_result_elicitation" | "test_missing_capability" | "test_streaming_elicitation", _) => {
            ("user_name", "What is your name?", json!({ "name": { "type": "string" } }))
        }
        ("test_input_required_result_request_state" | "test_input_required_result_tampered_state", _) => {
            ("confirm", "Please confirm", json!({ "ok": { "type": "boolean" } }))
        }
        ("test_input_required_result_multi_round", 1) => {
            ("step1", "Step 1: What is your name?", json!({ "name": { "type": "string" } }))
        }
        ("test_input_required_result_multi_round", _) => {
            ("step2", "Step 2: What is your favorite color?", json!({ "color": { "type": "string" } }))
        }
        (other, _) => return Err(Failure::not_found(format!("no tool `{other}`"))),
    };
    let required: Vec<_> = properties.as_object().into_iter().flat_map(|all| all.keys().cloned()).collect();
    let schema = json!({ "type": "object", "properties": properties, "required": required });
    let question = Question { id: id.into(), message: message.into(), schema: schema.to_string() };
    Ok(Reply::InputRequired(Pause { questions: vec![question], state: vec![round] }))
}

fn defaults() -> Value {
    json!({
        "name": { "type": "string", "default": "John Doe" },
        "age": { "type": "integer", "default": 30 },
        "score": { "type": "number", "default": 95.5 },
        "status": { "type": "string", "enum": ["active", "inactive", "pending"], "default": "active" },
        "verified": { "type": "boolean", "default": true },
    })
}

fn enums() -> Value {
    let titled = |title: &str| {
        let choice = |n: u8, nth: &str| json!({ "const": format!("value{n}"), "title": format!("{nth} {title}") });
        json!([choice(1, "First"), choice(2, "Second"), choice(3, "Third")])
    };
    json!({
        "untitledSingle": { "type": "string", "enum": ["option1", "option2", "option3"] },
        "titledSingle": { "type": "string", "oneOf": titled("Option") },
        "legacyEnum": {
            "type": "string",
            "enum": ["opt1", "opt2", "opt3"],
            "enumNames": ["Option One", "Option Two", "Option Three"],
        },
        "untitledMulti": { "type": "array", "items": { "type": "string", "enum": ["option1", "option2", "option3"] } },
        "titledMulti": { "type": "array", "items": { "anyOf": titled("Choice") } },
    })
}

fn message_schema() -> Value {
    json!({ "type": "object", "properties": { "message": { "type": "string" } }, "required": ["message"] })
}

fn header_schema() -> Value {
    json!({
        "type": "object",
        "properties": { "region": { "type": "string", "x-mcp-header": "Region" } },
        "required": ["region"],
    })
}

fn schema_2020_12() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "$defs": {
            "address": {
                "$anchor": "addressDef",
                "type": "object",
                "properties": { "street": { "type": "string" }, "city": { "type": "string" } },
            },
        },
        "properties": {
            "name": { "type": "string" },
            "address": { "$ref": "#/$defs/address" },
            "contactMethod": { "type": "string", "enum": ["phone", "email"] },
            "phone": { "type": "string" },
            "email": { "type": "string" },
        },
        "allOf": [{ "anyOf": [{ "required": ["phone"] }, { "required": ["email"] }] }],
        "if": { "properties": { "contactMethod": { "const": "phone" } }, "required": ["contactMethod"] },
        "then": { "required": ["phone"] },
        "else": { "required": ["email"] },
        "additionalProperties": false,
    })
}
