mod manifest;
mod reading;
mod writing;

use serde_json::{Value, json};
use wardkeep_sdk::{
    Effect, Failure,
    fake::{self, Asked, Fakes, Response},
    raw::Completion,
};

use super::plugin;

/// Both credentials, and a web that answers.
fn github(answers: impl Fn(&Asked) -> Response + 'static) -> Fakes {
    Fakes::new().secret("github-ro").secret("github-rw").http(answers)
}

/// A call about `acme/web`, and its structured answer with what it touched.
fn call(tool: &str, mut arguments: Value) -> Result<(Value, Vec<String>), Failure> {
    for (name, value) in [("owner", "acme"), ("repo", "web")] {
        arguments.as_object_mut().unwrap().entry(name).or_insert(json!(value));
    }
    let Completion { structured, touched, .. } = fake::call(&plugin(), tool, &arguments)?;
    Ok((serde_json::from_str(&structured.unwrap()).unwrap(), touched))
}

fn issue(number: u64) -> Value {
    json!({
        "id": 1, "number": number, "title": format!("Issue {number}"), "state": "open", "state_reason": null, "user": { "login": "ada", "id": 7 },
        "labels": [{ "id": 1, "name": "bug", "color": "f00" }], "assignees": [{ "login": "bob" }], "comments": 2,
        "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-02T00:00:00Z", "html_url": format!("https://github.com/acme/web/issues/{number}"),
        "repository_url": "https://api.github.com/repos/Acme/Web", "body": "It rains in.",
    })
}

#[test]
fn every_tool_has_both_schemas_and_asks_for_its_own_credential() {
    let tools = plugin().describe().tools;
    assert_eq!(tools.len(), 15);
    for tool in tools {
        for schema in [Some(tool.input_schema), tool.output_schema] {
            let schema: Value = serde_json::from_str(&schema.unwrap()).unwrap();
            assert_eq!(schema["type"], "object", "{}: {schema:#}", tool.name);
        }
        let asked = format!("{:?}", tool.asks);
        let (own, others) =
            if tool.effect == Effect::Read { ("github-ro", "github-rw") } else { ("github-rw", "github-ro") };
        assert!(asked.contains(own) && !asked.contains(others), "{}: {asked}", tool.name);
    }
}

#[test]
fn the_worst_that_each_tool_can_do_is_told() {
    let effects = plugin().describe().tools.into_iter().map(|tool| (tool.name, tool.effect));
    for (name, effect) in effects {
        let expected = match name.as_str() {
            "create_issue" | "comment" | "add_labels" | "remove_label" | "close_issue" => Effect::Write,
            "delete_branch" => Effect::Destructive,
            _ => Effect::Read,
        };
        assert_eq!(effect, expected, "{name}");
    }
}

#[test]
fn another_server_is_named_with_its_path() {
    let fakes = github(|_| Response::json(200, &json!([]))).install();
    for (api, host, path) in [
        (None, "api.github.com", "/repos/acme/web/issues"),
        (Some("GitHub.example.com/api/v3"), "github.example.com", "/api/v3/repos/acme/web/issues"),
        (Some("git.example.com/"), "git.example.com", "/repos/acme/web/issues"),
    ] {
        let mut arguments = json!({});
        if let Some(api) = api {
            arguments["api"] = json!(api);
        }
        call("list_issues", arguments).unwrap();
        let asked = fakes.asked().pop().unwrap();
        assert_eq!((asked.host.as_str(), asked.path.as_str()), (host, path));
    }
    let before = fakes.asked().len();
    for api in [
        "https://git.example.com",
        "me@git.example.com",
        "git.example.com:8443",
        "git.example.com/a//b",
        "git.example.com/a?b",
        "/x",
    ] {
        assert!(matches!(call("list_issues", json!({ "api": api })), Err(Failure::InvalidArguments(_))), "{api}");
    }
    assert_eq!(fakes.asked().len(), before);
}

/// Whatever an argument holds, it stays in its own place of the path.
#[test]
fn arguments_never_lead_to_another_repository() {
    let fakes = github(|_| Response::json(200, &json!([]))).install();
    for name in ["..", ".", "a/b", "a%2fb", "a\\b", "a\nb"] {
        let _ = call("list_issues", json!({ "repo": name }));
    }
    for asked in fakes.asked() {
        assert!(
            asked.path.starts_with("/repos/acme/")
                && asked.path.ends_with("/issues")
                && asked.path.matches('/').count() == 4,
            "{asked:?}"
        );
    }
    assert_eq!(fakes.asked(), [], "none of them is a name");
    let _ = call("get_file", json!({ "path": "../../../../user" }));
    assert_eq!(fakes.asked(), []);
    let schema: Value = serde_json::from_str(&plugin().describe().tools[1].input_schema).unwrap();
    assert_eq!(schema["properties"]["repo"]["pattern"], "^[A-Za-z0-9_.-]+$");
}
