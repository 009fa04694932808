//! What a tool author can rely on.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use wardkeep_sdk::{
    Answer, Ask, Effect, Failure, NoArguments, Plugin, Result, Tool,
    fake::{self, Fakes, Report},
    files::{self, Error, Kind, Mode, WalkOptions},
    progress,
    raw::{Completion, Content, Request},
};

#[derive(Deserialize, JsonSchema)]
struct Person {
    /// As it is spoken.
    name: String,
    #[serde(default)]
    age: Option<u8>,
}

#[derive(Serialize, JsonSchema)]
struct Greeting {
    text: String,
    place: Place,
}

#[derive(Serialize, JsonSchema)]
struct Place {
    town: String,
}

#[derive(Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "lowercase")]
#[allow(dead_code, reason = "for its schema")]
enum Shape {
    Round { radius: u32 },
    Square { side: u32 },
}

fn greet(person: Person) -> Result<Greeting> {
    let age = person.age.map_or_else(String::new, |age| format!(", {age}"));
    Ok(Greeting { text: format!("Hello, {}{age}", person.name), place: Place { town: "Ulm".into() } })
}

fn plugin() -> Plugin {
    Plugin::new("test", "1.2.3")
        .tool(Tool::read("greet", "Greets", greet).title("Greet").asks(Ask::clock("to be punctual")))
        .tool(Tool::read("shape", "A choice", |_: NoArguments| Ok(Shape::Round { radius: 2 })))
        .tool(Tool::write("text", "Text", |_: NoArguments| Ok("plain".to_owned())))
        .tool(Tool::write("list", "A list", |_: NoArguments| Ok(vec![1, 2])).idempotent())
        .tool(Tool::destructive("nothing", "Nothing", |_: NoArguments| Ok(())))
        .tool(Tool::read("own", "Own content", |_: NoArguments| {
            Ok(Answer::new(Place { town: "Bonn".into() }).text("in Bonn").touched("town/bonn"))
        }))
        .tool(Tool::read("fails", "Fails", |_: NoArguments| -> Result<()> {
            Err(Failure::upstream("down", Some(503)))
        }))
}

fn call(tool: &str, arguments: &Value) -> Result<Completion> {
    fake::call(&plugin(), tool, arguments)
}

#[test]
fn a_description_carries_what_was_said_of_each_tool() {
    let description = plugin().describe();
    assert_eq!((description.name.as_str(), description.version.as_str()), ("test", "1.2.3"));
    let told: Vec<_> =
        description.tools.iter().map(|tool| (tool.name.as_str(), tool.effect, tool.idempotent)).collect();
    let expected = [
        ("greet", Effect::Read, true),
        ("shape", Effect::Read, true),
        ("text", Effect::Write, false),
        ("list", Effect::Write, true),
        ("nothing", Effect::Destructive, false),
        ("own", Effect::Read, true),
        ("fails", Effect::Read, true),
    ];
    assert_eq!(told, expected);
    assert_eq!(description.tools[0].title.as_deref(), Some("Greet"));
    assert_eq!(description.tools[0].asks, [Ask::Clock("to be punctual".into())]);
    assert_eq!(plugin().describe(), description, "it is the same every time");
}

#[test]
fn schemas_come_from_types_in_one_piece() {
    let tools = plugin().describe().tools;
    let input: Value = serde_json::from_str(&tools[0].input_schema).unwrap();
    let expected = json!({
        "type": "object",
        "properties": {
            "name": { "description": "As it is spoken.", "type": "string" },
            "age": { "type": ["integer", "null"], "minimum": 0, "maximum": 255, "default": null },
        },
        "required": ["name"],
    });
    assert_eq!(input, expected);
    let (name, age) = (tools[0].input_schema.find("\"name\""), tools[0].input_schema.find("\"age\""));
    assert!(name < age, "in the order of the type's fields");
    let output: Value = serde_json::from_str(tools[0].output_schema.as_ref().unwrap()).unwrap();
    assert_eq!(output["properties"]["place"]["properties"]["town"], json!({ "type": "string" }));
    assert_eq!(serde_json::from_str::<Value>(&tools[1].input_schema).unwrap()["additionalProperties"], json!(false));
}

#[test]
fn an_enum_of_structs_is_an_object_and_what_is_none_has_no_output_schema() {
    let tools = plugin().describe().tools;
    let shape: Value = serde_json::from_str(tools[1].output_schema.as_ref().unwrap()).unwrap();
    assert_eq!((&shape["type"], shape["oneOf"].as_array().map(Vec::len)), (&json!("object"), Some(2)));
    let radius = &shape["oneOf"][0]["properties"]["radius"];
    assert_eq!(radius, &json!({ "type": "integer", "minimum": 0 }), "numbers have no formats, however deep");
    for without in [&tools[2], &tools[3], &tools[4]] {
        assert_eq!(without.output_schema, None, "{}", without.name);
    }
}

#[test]
fn an_answer_is_structure_and_text() {
    let arguments = json!({ "name": "Ada", "age": 36 });
    let json = r#"{"text":"Hello, Ada, 36","place":{"town":"Ulm"}}"#;
    let answer = call("greet", &arguments).unwrap();
    assert_eq!((answer.structured.as_deref(), answer.content), (Some(json), vec![Content::Text(json.into())]));

    let text = |tool: &str| call(tool, &json!({})).map(|answer| (answer.structured, answer.content)).unwrap();
    assert_eq!(text("text"), (None, vec![Content::Text("plain".into())]));
    assert_eq!(text("list"), (None, vec![Content::Text("[1,2]".into())]));
    assert_eq!(text("nothing"), (None, vec![]));

    let own = call("own", &json!({})).unwrap();
    assert_eq!((own.content, own.touched), (vec![Content::Text("in Bonn".into())], vec!["town/bonn".to_owned()]));
    assert_eq!(own.structured.as_deref(), Some(r#"{"town":"Bonn"}"#));
}

#[test]
fn failures_are_typed() {
    assert_eq!(call("fails", &json!({})).unwrap_err(), Failure::upstream("down", Some(503)));
    assert_eq!(call("other", &json!({})).unwrap_err(), Failure::not_found("no tool `other` in this plugin"));
    let wrong = call("greet", &json!({ "name": 1 })).unwrap_err();
    assert!(matches!(wrong, Failure::InvalidArguments(message) if message.starts_with("invalid type: integer `1`")));
    let unknown =
        plugin().call(Request { tool: "text".into(), arguments: r#"{"x":1}"#.into(), resume: None }).unwrap_err();
    assert!(matches!(unknown, Failure::InvalidArguments(message) if message.starts_with("unknown field `x`")));
}

#[test]
fn what_is_not_granted_is_denied_and_a_reader_cannot_write() {
    let _fakes = Fakes::new().file("docs", "a", "x").writable("out").install();
    assert_eq!(files::read("etc", "a", 0, 1), Err(Error::Denied));
    assert_eq!(files::write("docs", "b", "x", Mode::Create), Err(Error::Denied));
    assert_eq!(files::write("out", "b", "x", Mode::Create), Ok(()));
    let granted: Vec<_> = files::granted().into_iter().map(|root| (root.name, root.writable)).collect();
    assert_eq!(granted, [("docs".to_owned(), false), ("out".to_owned(), true)]);
    assert_eq!(Failure::from(Error::Denied), Failure::denied(Error::Denied.message()));
}

#[test]
fn paths_that_break_the_rules_are_refused() {
    let _fakes = Fakes::new().file("docs", "a/b", "x").install();
    for path in ["../a", "/a", "a//b", "a/", "a/..", "a\\b", "a\u{7}", &"x/".repeat(3_000)] {
        assert_eq!(files::stat("docs", path).map(|entry| entry.name), Err(Error::InvalidPath), "{path}");
    }
    assert_eq!(files::read("docs", "./a/./b", 0, 1), Ok(b"x".to_vec()));
    assert_eq!(files::stat("docs", ".").map(|entry| entry.kind), Ok(Kind::Directory));
    assert_eq!(files::read("docs", "a", 0, 1), Err(Error::NotAFile));
    assert_eq!(files::list("docs", "a/b"), Err(Error::NotADirectory));
    assert_eq!(files::read_text("docs", "c", 1), Err(Error::NotFound));
}

#[test]
fn a_walk_goes_on_from_page_to_page() {
    let fakes = (0..25).fold(Fakes::new(), |fakes, number| fakes.file("docs", &format!("d/{number:02}"), "x"));
    let fakes = fakes.file("docs", ".git/config", "x").file("docs", "d/.hidden", "x").install();
    let options = WalkOptions { page: 10, ..WalkOptions::default() };
    let before = fakes.host_calls_left();
    let names: Vec<_> = files::walk("docs", ".", options).map(|entry| entry.unwrap().name).collect();
    assert_eq!((names.len(), names[0].as_str(), names[25].as_str()), (26, "d", "d/24"));
    assert_eq!(before - fakes.host_calls_left(), 3);
    let hidden = WalkOptions { hidden: true, max_depth: Some(1), ..options };
    let names: Vec<_> = files::walk("docs", "d", hidden).map(|entry| entry.unwrap().name).collect();
    assert_eq!((names.len(), names[0].as_str()), (26, "d/.hidden"));
    let missing: Vec<_> = files::walk("docs", "nowhere", options).collect();
    assert_eq!(missing, [Err(Error::NotFound)]);
}

#[test]
fn many_files_are_read_in_order_with_few_calls() {
    let big = vec![b'x'; 900 << 10];
    let fakes = (0..9).fold(Fakes::new(), |fakes, number| fakes.file("docs", &number.to_string(), big.clone()));
    let fakes = fakes.install();
    let before = fakes.host_calls_left();
    let mut paths: Vec<String> = (0..9).map(|number| number.to_string()).collect();
    paths.insert(4, "missing".into());
    let read: Vec<_> = files::read_many("docs", paths.clone(), 1 << 20).map(Result::unwrap).collect();
    assert_eq!(read.iter().map(|file| file.path.clone()).collect::<Vec<_>>(), paths);
    assert_eq!(read[4].bytes, Err(Error::NotFound));
    assert!(
        read.iter().filter(|file| file.path != "missing").all(|file| file.bytes.as_ref().unwrap().len() == big.len())
    );
    assert_eq!(before - fakes.host_calls_left(), 5, "two files fit into one answer");
}

#[test]
fn host_calls_run_out() {
    let _fakes = Fakes::new().file("docs", "a", "x").host_calls(2).install();
    assert!(files::read("docs", "a", 0, 1).is_ok() && files::stat("docs", "a").is_ok());
    assert_eq!(files::read("docs", "a", 0, 1), Err(Error::Exhausted));
    let read: Vec<_> = files::read_many("docs", vec!["a".into(), "a".into()], 1).collect();
    assert_eq!(read, [Err(Error::Exhausted)], "after an error it is at its end");
}

#[test]
fn a_writer_keeps_the_rules_of_its_modes() {
    let fakes = Fakes::new().writable("out").install();
    assert_eq!(files::write("out", "a/b", "x", Mode::Create), Err(Error::NotFound), "the directory must exist");
    assert_eq!(files::mkdir("out", "a"), Ok(()));
    assert_eq!(files::write("out", "a/b", "one", Mode::Create), Ok(()));
    assert_eq!(files::write("out", "a/b", "x", Mode::Create), Err(Error::Exists));
    assert_eq!(files::write("out", "a/b", b" two".to_vec(), Mode::Append), Ok(()));
    assert_eq!(fakes.contents("out", "a/b").as_deref(), Some(&b"one two"[..]));
    assert_eq!(files::remove("out", "a"), Err(Error::NotEmpty));
    assert_eq!(files::rename("out", "a", "c"), Ok(()));
    assert_eq!(fakes.contents("out", "c/b").as_deref(), Some(&b"one two"[..]));
    assert_eq!(files::remove("out", "c/b").and_then(|()| files::remove("out", "c")), Ok(()));
    assert_eq!(files::list("out", "."), Ok(vec![]));
}

#[test]
fn fakes_go_when_they_are_dropped() {
    drop(Fakes::new().file("docs", "a", "x").install());
    assert_eq!(files::granted().len(), 0);
}

#[test]
fn progress_is_told_with_and_without_a_total_and_words() {
    let fakes = Fakes::new().install();
    progress::report(1.0, Some(3.0), "one of three");
    progress::report(2.5, None, "");
    let first = Report { done: 1.0, total: Some(3.0), message: "one of three".into() };
    assert_eq!(fakes.reported(), [first, Report { done: 2.5, total: None, message: String::new() }]);
}
