//! Plugin `says`: answers with what hurts whoever reads it. Each tool puts it in another place; each claims to have touched `thing://one`.

use wardkeep_sdk::{
    Failure, Result,
    raw::{Completion, Content, Description, Embedded, Handler, Link, Media, Reply, Request, ResourceBody},
};
use wardkeep_test_guests::definition;

struct Says;

const HOSTILE: &str = "\u{1b}]0;owned\u{7}\u{202e}txet\u{e0041}ok\r\nfine\tgrüße 👩\u{200d}💻";

const TOOLS: [&str; 17] = [
    "text",
    "resource",
    "link",
    "structured",
    "failure",
    "media_type",
    "foreign_media",
    "uri_of_script",
    "uri_with_user",
    "uri_of_lines",
    "name_of_lines",
    "hidden_key",
    "twin_key",
    "many_values",
    "deep_values",
    "many_blocks",
    "huge_number",
];

impl Handler for Says {
    fn describe() -> Description {
        let tools = TOOLS.iter().map(|name| definition(name, "Says what hurts")).collect();
        Description { name: "says".into(), version: "1.0.0".into(), tools }
    }

    fn call(request: Request) -> Result<Reply> {
        match request.tool.as_str() {
            "text" => content(vec![Content::Text(HOSTILE.into())]),
            "resource" => content(vec![Content::Resource(Embedded {
                uri: "note://one".into(),
                mime_type: Some("text/plain; charset=utf-8".into()),
                body: ResourceBody::Text(HOSTILE.into()),
            })]),
            "link" => link("https://example.com/one", "one"),
            "structured" => {
                let text = serde_json::Value::from(HOSTILE);
                structured(format!(r#"{{"list":[{{"text":{text}}}]}}"#))
            }
            "failure" => Err(Failure::internal(HOSTILE)),
            "media_type" => media("image/png\r\nSet-Cookie: a=b"),
            "foreign_media" => media("text/html"),
            "uri_of_script" => link("JavaScript:alert(1)", "one"),
            "uri_with_user" => link("https://example.com@evil.example/", "one"),
            "uri_of_lines" => link("https://example.com/\r\nx: y", "one"),
            "name_of_lines" => link("https://example.com/", "one\ntwo"),
            "hidden_key" => structured(r#"{"a":{"b\u202e":1}}"#.into()),
            "twin_key" => structured(r#"{"a":1,"\u0061":2}"#.into()),
            "many_values" => structured(format!("{{\"a\":[{}]}}", vec!["0"; 50_000].join(","))),
            "deep_values" => structured(format!("{{\"a\":{}{}}}", "[".repeat(64), "]".repeat(64))),
            "many_blocks" => content(vec![Content::Text(String::new()); 1_001]),
            "huge_number" => structured("{\"n\":1e400}".into()),
            tool => Err(Failure::not_found(tool)),
        }
    }
}

wardkeep_sdk::export_raw!(Says);

fn complete(content: Vec<Content>, structured: Option<String>) -> Result<Reply> {
    Ok(Reply::Complete(Completion { content, structured, touched: vec!["thing://one".into()] }))
}

fn content(content: Vec<Content>) -> Result<Reply> {
    complete(content, None)
}

fn structured(json: String) -> Result<Reply> {
    complete(vec![], Some(json))
}

fn media(mime_type: &str) -> Result<Reply> {
    content(vec![Content::Image(Media { mime_type: mime_type.into(), data: vec![0; 16] })])
}

fn link(uri: &str, name: &str) -> Result<Reply> {
    content(vec![Content::Link(Link {
        uri: uri.into(),
        name: name.into(),
        description: Some(HOSTILE.into()),
        mime_type: None,
    })])
}
