use serde_json::{Value, json};
use wardkeep_sdk::{
    Failure,
    fake::{self, Fakes},
    raw::{Completion, Effect, Part},
};

use crate::plugin;

fn call(tool: &str, arguments: Value) -> Result<Value, Failure> {
    let Completion { structured, .. } = fake::call(&plugin(), tool, &arguments)?;
    Ok(serde_json::from_str(&structured.unwrap()).unwrap())
}

fn invalid(failure: Failure) -> String {
    match failure {
        Failure::InvalidArguments(message) => message,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_changes_something_says_so_and_what_cannot_be_put_back_says_that() {
    let effects: Vec<_> = plugin().describe().tools.into_iter().map(|it| (it.name, it.effect, it.idempotent)).collect();
    let expected = [
        ("list", Effect::Read, true),
        ("read", Effect::Read, true),
        ("search", Effect::Read, true),
        ("stat", Effect::Read, true),
        ("write", Effect::Write, true),
        ("append", Effect::Write, false),
        ("move", Effect::Write, false),
        ("make_directory", Effect::Write, true),
        ("remove", Effect::Destructive, true),
    ];
    assert_eq!(effects, expected.map(|(name, effect, idempotent)| (name.to_owned(), effect, idempotent)));
}

#[test]
fn a_file_is_created_once_replaced_on_request_and_added_to() {
    let fakes = Fakes::new().writable("out").install();
    let written = call("write", json!({ "path": "./a.txt", "text": "one" })).unwrap();
    assert_eq!(written, json!({ "root": "out", "path": "a.txt", "bytes": 3 }));
    let again = invalid(call("write", json!({ "path": "a.txt", "text": "two" })).unwrap_err());
    assert_eq!(again, "something is at `a.txt` in root `out` already, and nothing was changed");
    call("write", json!({ "path": "a.txt", "text": "three", "mode": "replace" })).unwrap();
    call("append", json!({ "path": "a.txt", "text": "+\n" })).unwrap();
    assert_eq!(fakes.contents("out", "a.txt").unwrap(), b"three+\n");
    call("write", json!({ "path": "b", "base64": "AP8=" })).unwrap();
    assert_eq!(fakes.contents("out", "b").unwrap(), [0, 255]);
    for wrong in [
        json!({ "path": "c" }),
        json!({ "path": "c", "text": "", "base64": "" }),
        json!({ "path": "c", "base64": "?" }),
    ] {
        invalid(call("write", wrong).unwrap_err());
    }
    let large = call("write", json!({ "path": "c", "text": "x".repeat((2 << 20) + 1) })).unwrap_err();
    assert!(invalid(large).contains("`append` the rest"));
    assert!(fakes.contents("out", "c").is_none());
}

#[test]
fn only_a_root_that_is_granted_for_writing_is_written_to() {
    let _fakes = Fakes::new().file("docs", "a", "x").writable("out").install();
    assert_eq!(call("write", json!({ "path": "b", "text": "" })).unwrap()["root"], "out", "the only one");
    let denied = |root: &str| call("write", json!({ "root": root, "path": "a", "text": "" })).unwrap_err();
    let reading = "the root `docs` is granted to this tool for reading only: it may write to `out`";
    assert_eq!(denied("docs"), Failure::denied(reading));
    assert_eq!(denied("etc"), Failure::denied("the root `etc` is not granted to this tool: it may write to `out`"));
    let _reading = Fakes::new().file("docs", "a", "x").install();
    for (tool, arguments) in [
        ("append", json!({ "path": "a", "text": "" })),
        ("move", json!({ "from": "a", "to": "b" })),
        ("make_directory", json!({ "path": "d" })),
        ("remove", json!({ "paths": ["a"] })),
    ] {
        let Err(Failure::Denied(message)) = call(tool, arguments) else { panic!("{tool}") };
        assert!(message.starts_with("no root is granted to this tool for writing"), "{message}");
    }
}

#[test]
fn a_move_needs_a_free_goal_whose_directory_is_there() {
    let fakes = Fakes::new().writable("out").file("out", "a", "x").file("out", "d/b", "y").install();
    assert_eq!(
        call("move", json!({ "from": "a", "to": "d/a" })).unwrap(),
        json!({ "root": "out", "from": "a", "to": "d/a" })
    );
    assert_eq!(fakes.contents("out", "d/a").unwrap(), b"x");
    let failed = |from: &str, to: &str| call("move", json!({ "from": from, "to": to })).unwrap_err();
    assert!(invalid(failed("d/a", "d/b")).starts_with("something is at `d/b`"));
    assert!(invalid(failed("d", "d/e")).contains("no directory into itself"));
    assert!(matches!(failed("d/a", "e/a"), Failure::NotFound(message) if message.contains("`make_directory`")));
}

#[test]
fn directories_are_made_once_and_what_was_made_before_a_failure_is_told() {
    let _fakes = Fakes::new().writable("out").file("out", "file", "x").install();
    let made = |path: &str, parents: bool| call("make_directory", json!({ "path": path, "parents": parents }));
    assert!(matches!(made("a/b", false), Err(Failure::NotFound(_))));
    assert_eq!(made("a/b/c", true).unwrap()["made"], json!(["a", "a/b", "a/b/c"]));
    assert_eq!(made("a/b/c", true).unwrap()["made"], json!([]));
    assert!(invalid(made("file", false).unwrap_err()).starts_with("something is at `file`"));
    let Err(Failure::Partial(Part { done, not_done, .. })) = made("new/../x", true) else { panic!() };
    assert_eq!((done, not_done), (vec!["new".to_owned()], vec!["new/..".to_owned(), "new/../x".to_owned()]));
}

#[test]
fn a_removal_stops_at_the_first_that_fails_and_tells_what_is_gone() {
    let fakes = Fakes::new().writable("out").file("out", "d/a", "x").file("out", "d/b", "y").install();
    assert!(
        invalid(call("remove", json!({ "paths": ["d"] })).unwrap_err()).ends_with("is a directory that is not empty")
    );
    let failed = call("remove", json!({ "paths": ["d/a", "none", "d/b"] })).unwrap_err();
    let Failure::Partial(Part { message, done, not_done }) = failed else { panic!("{failed:?}") };
    assert!(message.starts_with("`none` in root `out` was not removed"), "{message}");
    assert_eq!((done, not_done), (vec!["d/a".to_owned()], vec!["none".to_owned(), "d/b".to_owned()]));
    assert_eq!(fakes.contents("out", "d/b").unwrap(), b"y");
    assert_eq!(call("remove", json!({ "paths": ["d/b", "d"] })).unwrap()["removed"], json!(["d/b", "d"]));
}
