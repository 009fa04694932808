use serde_json::{Value, json};
use wardkeep_sdk::{
    Failure,
    fake::{self, Fakes},
    raw::{Completion, Content},
};

use super::plugin;

fn call(tool: &str, arguments: Value) -> Result<(Value, String), Failure> {
    let Completion { content, structured, .. } = fake::call(&plugin(), tool, &arguments)?;
    let [Content::Text(text)] = &content[..] else { panic!("one text, not {content:?}") };
    Ok((serde_json::from_str(&structured.unwrap()).unwrap(), text.clone()))
}

fn paths(found: &Value, list: &str) -> Vec<String> {
    found[list].as_array().unwrap().iter().map(|one| one["path"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn every_tool_has_both_schemas_of_type_object_and_asks_for_files_only() {
    for tool in plugin().describe().tools {
        for schema in [Some(tool.input_schema), tool.output_schema] {
            let schema: Value = serde_json::from_str(&schema.unwrap()).unwrap();
            assert_eq!(schema["type"], "object", "{}: {schema:#}", tool.name);
        }
        assert_eq!(tool.asks.len(), 1, "{}", tool.name);
    }
}

#[test]
fn the_only_root_may_be_left_out_and_of_two_one_has_to_be_named() {
    let _one = Fakes::new().file("docs", "a.txt", "x").install();
    assert_eq!(
        call("stat", json!({ "path": "a.txt" })).unwrap().0,
        json!({ "root": "docs", "path": "a.txt", "kind": "file", "size": 1 })
    );

    let _two = Fakes::new().file("docs", "a.txt", "x").file("logs", "b.txt", "y").install();
    let failed = call("stat", json!({ "path": "a.txt" })).unwrap_err();
    assert_eq!(failed, Failure::invalid_arguments("say which `root`: `docs`, `logs`"));
    let failed = call("stat", json!({ "root": "etc", "path": "passwd" })).unwrap_err();
    assert_eq!(failed, Failure::denied("the root `etc` is not granted to this tool: granted is `docs`, `logs`"));

    let _none = Fakes::new().install();
    assert!(
        matches!(call("list", json!({})), Err(Failure::Denied(message)) if message.starts_with("no root is granted"))
    );
}

#[test]
fn a_path_that_goes_wrong_is_named_with_what_would_do() {
    let _fakes = Fakes::new().file("docs", "a/b.txt", "x").install();
    let failed = |tool: &str, path: &str| call(tool, json!({ "path": path })).unwrap_err();
    assert_eq!(
        failed("read", "c"),
        Failure::not_found("nothing is at `c` in root `docs`, or it leads out of the root")
    );
    assert_eq!(
        failed("read", "a"),
        Failure::invalid_arguments("`a` in root `docs` is no regular file; `list` shows a directory")
    );
    assert_eq!(
        failed("list", "a/b.txt"),
        Failure::invalid_arguments("`a/b.txt` in root `docs` is no directory; `read` shows a file")
    );
    assert!(matches!(failed("read", "../x"), Failure::InvalidArguments(message) if message.contains("without `..`")));
}

#[test]
fn a_list_tells_paths_that_the_other_tools_take() {
    let _fakes =
        Fakes::new().file("docs", "a/b.txt", "x").file("docs", "a/c/d.txt", "yy").file("docs", "e", "").install();
    assert_eq!(paths(&call("list", json!({})).unwrap().0, "entries"), ["a", "e"]);
    let (found, text) = call("list", json!({ "path": "./a/" })).unwrap();
    assert_eq!(paths(&found, "entries"), ["a/b.txt", "a/c"]);
    assert!(text.contains("1  -                     a/b.txt") && text.ends_with("a/c/"), "{text}");
    let (found, _) = call("list", json!({ "recursive": true })).unwrap();
    assert_eq!(paths(&found, "entries"), ["a", "a/b.txt", "a/c", "a/c/d.txt", "e"]);
    let (found, text) = call("list", json!({ "recursive": true, "limit": 2 })).unwrap();
    assert_eq!((paths(&found, "entries").len(), &found["truncated"]), (2, &json!(true)));
    assert!(text.ends_with("[more than 2 entries: name a directory below, or raise `limit`]"), "{text}");
}

#[test]
fn a_file_is_read_whole_by_bytes_and_with_a_mark_where_it_was_cut() {
    let _fakes = Fakes::new().file("docs", "a", "one\ntwo\nthree\n").install();
    let (piece, text) = call("read", json!({ "path": "a" })).unwrap();
    assert_eq!((text.as_str(), &piece["truncated"], &piece["size"]), ("one\ntwo\nthree\n", &json!(false), &json!(14)));

    let (piece, text) = call("read", json!({ "path": "a", "offset": 4, "length": 3 })).unwrap();
    assert_eq!((text.as_str(), &piece["truncated"]), ("two", &json!(false)));

    let (piece, text) = call("read", json!({ "path": "a", "offset": 4, "max_bytes": 3 })).unwrap();
    assert_eq!(
        (&piece["content"], &piece["truncated"], &piece["next_offset"]),
        (&json!("two"), &json!(true), &json!(7))
    );
    assert_eq!(text, "two\n[cut after 3 bytes of 14: go on with `offset` 7]");
}

#[test]
fn a_character_is_never_cut_in_two() {
    let _fakes = Fakes::new().file("docs", "a", "aä€b").install();
    let (piece, _) = call("read", json!({ "path": "a", "max_bytes": 4 })).unwrap();
    assert_eq!(
        (&piece["content"], &piece["next_offset"], &piece["encoding"]),
        (&json!("aä"), &json!(3), &json!("utf8"))
    );
    let (piece, _) = call("read", json!({ "path": "a", "offset": 4 })).unwrap();
    assert_eq!((&piece["content"], &piece["offset"]), (&json!("b"), &json!(6)));
}

#[test]
fn what_is_not_text_comes_as_base64() {
    let _fakes = Fakes::new().file("docs", "a", [0_u8, 159, 146, 150]).file("docs", "nul", "a\0b").install();
    let (piece, text) = call("read", json!({ "path": "a" })).unwrap();
    assert_eq!((&piece["encoding"], &piece["content"]), (&json!("base64"), &json!("AJ+Slg==")));
    assert_eq!(text, "[not text: 4 bytes as base64]\nAJ+Slg==");
    assert_eq!(call("read", json!({ "path": "nul" })).unwrap().0["encoding"], "base64");
}

#[test]
fn lines_are_read_by_number_across_chunks() {
    let many: String = (1..=400_000).map(|number| format!("line {number}\n")).collect();
    let _fakes = Fakes::new().file("docs", "a", many.clone()).file("docs", "short", "one\ntwo").install();
    let (piece, _) = call("read", json!({ "path": "a", "first_line": 300_000, "last_line": 300_001 })).unwrap();
    assert_eq!(piece["content"], "line 300000\nline 300001\n");
    assert_eq!(piece["offset"], many.find("line 300000\n").unwrap());
    assert_eq!(
        (&piece["first_line"], &piece["last_line"], &piece["truncated"]),
        (&json!(300_000), &json!(300_001), &json!(false))
    );

    let (piece, _) = call("read", json!({ "path": "short", "first_line": 2 })).unwrap();
    assert_eq!((&piece["content"], &piece["last_line"]), (&json!("two"), &json!(2)));
    let (piece, _) = call("read", json!({ "path": "short", "last_line": 1 })).unwrap();
    assert_eq!(piece["content"], "one\n");
}

#[test]
fn lines_that_are_too_many_are_cut_at_the_end_of_one() {
    let _fakes = Fakes::new().file("docs", "a", "one\ntwo\nthree\nfour\n").install();
    let (piece, text) = call("read", json!({ "path": "a", "first_line": 2, "max_bytes": 7 })).unwrap();
    assert_eq!((&piece["content"], &piece["last_line"], &piece["next_line"]), (&json!("two\n"), &json!(2), &json!(3)));
    assert!(text.ends_with("[cut after 4 bytes of 19: go on with `first_line` 3]"), "{text}");
    let failed = call("read", json!({ "path": "a", "first_line": 9 })).unwrap_err();
    assert_eq!(failed, Failure::invalid_arguments("`a` has fewer than 9 lines: 4"));
    let failed = call("read", json!({ "path": "a", "first_line": 3, "last_line": 2 })).unwrap_err();
    assert_eq!(failed, Failure::invalid_arguments("`last_line` 2 lies before `first_line` 3"));
}

#[test]
fn a_search_shows_lines_with_their_numbers_and_context() {
    let _fakes = Fakes::new().file("docs", "a.txt", "one\r\ntwo\nthree\nfour").file("docs", "b/c.txt", "two").install();
    let (found, text) = call("search", json!({ "pattern": "^t(w|h)", "context": 1 })).unwrap();
    let one = |path: &str, line: u32, text: &str, before: &[&str], after: &[&str]| {
        let mut one = json!({ "path": path, "line": line, "text": text });
        if !before.is_empty() {
            one["before"] = json!(before);
        }
        if !after.is_empty() {
            one["after"] = json!(after);
        }
        one
    };
    let expected = json!([
        one("a.txt", 2, "two", &["one"], &["three"]),
        one("a.txt", 3, "three", &["two"], &["four"]),
        one("b/c.txt", 1, "two", &[], &[]),
    ]);
    assert_eq!(
        (&found["matches"], &found["files_searched"], &found["truncated"]),
        (&expected, &json!(2), &json!(false))
    );
    assert!(text.contains("a.txt-1- one\na.txt:2: two\na.txt-3- three\n--\n"), "{text}");
    assert!(text.ends_with("[3 matching lines; 2 files searched]"), "{text}");
}

#[test]
fn a_match_never_runs_over_the_end_of_its_line() {
    let _fakes = Fakes::new().file("docs", "a", "  \n  foo\nbar\n").install();
    let lines = |pattern: &str| {
        let (found, _) = call("search", json!({ "pattern": pattern })).unwrap();
        found["matches"].as_array().unwrap().iter().map(|one| one["line"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(lines(r"\s+foo"), [2]);
    assert_eq!(lines(r"foo\s+bar"), [0_u64; 0]);
    assert_eq!(lines(r"\s+"), [1, 2]);
    assert_eq!(lines("^"), [1, 2, 3]);
    assert_eq!(lines("r$"), [3]);
}

#[test]
fn a_literal_and_case_are_heeded() {
    let _fakes = Fakes::new().file("docs", "a", "a.b\naxb\nA.B\n").install();
    let count = |arguments: Value| call("search", arguments).unwrap().0["matches"].as_array().unwrap().len();
    assert_eq!(count(json!({ "pattern": "a.b" })), 2);
    assert_eq!(count(json!({ "pattern": "a.b", "literal": true })), 1);
    assert_eq!(count(json!({ "pattern": "a.b", "literal": true, "ignore_case": true })), 2);
    let failed = call("search", json!({ "pattern": "a(" })).unwrap_err();
    assert!(matches!(failed, Failure::InvalidArguments(message) if message.contains("unclosed group")));
}

#[test]
fn globs_hidden_and_binary_files_are_heeded() {
    let _fakes = Fakes::new()
        .file("docs", "a.rs", "x")
        .file("docs", "b.txt", "x")
        .file("docs", ".hidden", "x")
        .file("docs", "binary", "\0x")
        .install();
    let (found, _) = call("search", json!({ "pattern": "x" })).unwrap();
    assert_eq!((paths(&found, "matches"), &found["files_binary"]), (vec!["a.rs".into(), "b.txt".into()], &json!(1)));
    assert_eq!(paths(&call("search", json!({ "pattern": "x", "glob": ["*.rs"] })).unwrap().0, "matches"), ["a.rs"]);
    let (found, _) = call("search", json!({ "pattern": "x", "hidden": true, "glob": ["!*.rs"] })).unwrap();
    assert_eq!(paths(&found, "matches"), [".hidden", "b.txt"]);
    assert_eq!(paths(&call("search", json!({ "pattern": "x", "path": "a.rs" })).unwrap().0, "matches"), ["a.rs"]);
    let failed = call("search", json!({ "pattern": "x", "glob": ["["] })).unwrap_err();
    assert!(matches!(failed, Failure::InvalidArguments(message) if message.starts_with("`[` is no glob")));
}

#[test]
fn a_large_file_is_searched_across_its_pieces_with_context() {
    let mut text: String = (1..=300_000).map(|number| format!("line {number}\n")).collect();
    text.push_str("needle at the end");
    let _fakes = Fakes::new().file("docs", "large", text.clone()).install();
    let search =
        |pattern: &str| call("search", json!({ "pattern": pattern, "context": 2 })).unwrap().0["matches"].clone();
    assert_eq!(search("needle")[0]["line"], 300_001);
    assert_eq!(search("needle")[0]["before"], json!(["line 299999", "line 300000"]));
    // The lines around each border between two pieces.
    for border in [1 << 20, 2 << 20, 3 << 20] {
        let number = text.bytes().take(border).filter(|byte| *byte == b'\n').count();
        for number in number - 3..=number + 3 {
            let found = search(&format!("^line {number}$"));
            let context = |from: usize| json!([format!("line {from}"), format!("line {}", from + 1)]);
            assert_eq!(found.as_array().map(Vec::len), Some(1), "{number}");
            assert_eq!((&found[0]["line"], &found[0]["before"]), (&json!(number), &context(number - 2)));
            assert_eq!(found[0]["after"], context(number + 1));
        }
    }
}

#[test]
fn one_endless_line_needs_little_memory_and_is_searched() {
    let mut text = vec![b'x'; 9 << 20];
    text.extend_from_slice(b"needle");
    let _fakes = Fakes::new().file("docs", "endless", text).install();
    let (found, _) = call("search", json!({ "pattern": "needle" })).unwrap();
    assert_eq!(found["matches"][0]["line"], 1);
    assert!(found["matches"][0]["text"].as_str().unwrap().len() < 500);
}

#[test]
fn a_search_ends_at_its_bounds_and_says_so() {
    let many: String = (1..=5_000).map(|number| format!("needle {number}\n")).collect();
    let _fakes = Fakes::new().file("docs", "a", many).install();
    let (found, text) = call("search", json!({ "pattern": "needle" })).unwrap();
    assert_eq!((paths(&found, "matches").len(), &found["truncated"]), (100, &json!(true)));
    assert!(text.ends_with("[there are more matches than `max_results`: narrow the search, or raise it]"), "{text}");
    let (found, _) = call("search", json!({ "pattern": "needle", "max_results": 5_000, "context": 20 })).unwrap();
    assert!(found["note"].as_str().unwrap().starts_with("there is more than one answer can hold"));
    assert!(found.to_string().len() < 200_000);
    let (found, _) = call("search", json!({ "pattern": "needle 1$", "max_results": 1 })).unwrap();
    assert_eq!((paths(&found, "matches").len(), &found["truncated"]), (1, &json!(false)));
}

#[test]
fn ten_thousand_files_need_few_host_calls() {
    let text = "x".repeat(8_000);
    let fakes = (0..10_000).fold(Fakes::new(), |fakes, number| {
        fakes.file("docs", &format!("{}/{number}.txt", number % 100), text.clone())
    });
    let fakes = fakes.host_calls(200).install();
    let (found, _) = call("search", json!({ "pattern": "needle" })).unwrap();
    assert_eq!((&found["files_searched"], &found["truncated"]), (&json!(10_000), &json!(false)));
    assert!(200 - fakes.host_calls_left() < 60, "{} calls", 200 - fakes.host_calls_left());
}

#[test]
fn a_search_that_runs_out_of_host_calls_tells_what_it_found() {
    let fakes =
        (0..100).fold(Fakes::new(), |fakes, number| fakes.file("docs", &format!("{number:03}"), vec![b'x'; 250_000]));
    let _fakes = fakes.file("docs", "000", "needle").host_calls(5).install();
    let (found, _) = call("search", json!({ "pattern": "needle" })).unwrap();
    assert_eq!((paths(&found, "matches"), &found["truncated"]), (vec!["000".into()], &json!(true)));
    assert!(found["note"].as_str().unwrap().contains("raise `limits.host_calls`"));
}
