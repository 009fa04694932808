use base64::{Engine as _, engine::general_purpose::STANDARD};
use wardkeep_model::Outcome;

use super::*;
use crate::META;

fn pointers(all: &[&str]) -> Vec<Pointer> {
    all.iter().map(|pointer| pointer.parse().unwrap()).collect()
}

fn redacting(all: &[&str]) -> Returns {
    Returns { redact: pointers(all), ..Returns::default() }
}

fn texts(content: &[ContentBlock]) -> Vec<&str> {
    content.iter().map(|block| block.as_text().map_or("no text", |text| text.text.as_str())).collect()
}

/// What leaves, and what the record says of it.
fn said(returns: &Returns, structured: Option<Value>, content: Vec<ContentBlock>) -> (Said, Vec<(String, u32)>) {
    let mut changes = Changes::default();
    let said = kept(returns, (structured, content), &mut changes).unwrap();
    let notes = changes.into_notes().into_iter().map(|note| (note.detail, note.count)).collect();
    (said, notes)
}

fn note(detail: &str, count: u32) -> (String, u32) {
    (detail.to_owned(), count)
}

fn people() -> Value {
    json!({"items": [{"user": {"name": "Ada", "email": "ada@example.com"}}, {"user": {"name": "Bo", "email": null}}], "next": {"email": 7}})
}

#[test]
fn a_redacted_value_leaves_neither_in_the_structure_nor_in_its_text_nor_in_the_plugins_own() {
    let guest = vec![
        ContentBlock::text("Ada is ada@example.com"),
        ContentBlock::image(STANDARD.encode("ada@example.com"), "image/png"),
    ];
    let ((structured, content), notes) = said(&redacting(&["/items/*/user/email", "/next"]), Some(people()), guest);
    let expected = json!({
        "items": [{"user": {"name": "Ada", "email": "[redacted]"}}, {"user": {"name": "Bo", "email": "[redacted]"}}],
        "next": "[redacted]",
    });
    assert_eq!(texts(&content), [expected.to_string()], "the text is made of what is left");
    assert_eq!(structured, Some(expected));
    assert_eq!(notes, [note("structured: redacted", 3), note("text: left out", 2)]);
}

#[test]
fn of_fields_only_those_leave_and_redaction_comes_first() {
    let returns = Returns { fields: pointers(&["/items/*/user"]), ..redacting(&["/items/0/user/email"]) };
    let ((structured, content), notes) = said(&returns, Some(people()), Vec::new());
    let expected =
        json!({"items": [{"user": {"name": "Ada", "email": "[redacted]"}}, {"user": {"name": "Bo", "email": null}}]});
    assert_eq!((texts(&content), &structured), (vec![expected.to_string().as_str()], &Some(expected)));
    assert_eq!(notes, [note("structured: redacted", 1), note("structured: left out", 1)]);
    let nothing = Returns { fields: pointers(&["/none"]), ..Returns::default() };
    assert_eq!(said(&nothing, Some(people()), Vec::new()).0.0, Some(json!({})));
    let all = said(&redacting(&[""]), Some(people()), Vec::new()).0;
    assert_eq!((all.0, texts(&all.1)), (Some(json!({"answer": "[redacted]"})), vec![r#"{"answer":"[redacted]"}"#]));
}

#[test]
fn without_a_structure_there_is_nothing_that_could_be_filtered_and_the_answer_is_withheld() {
    let text = vec![ContentBlock::text("ada@example.com")];
    let withheld = kept(&redacting(&["/email"]), (None, text), &mut Changes::default());
    assert_eq!(withheld.unwrap_err(), Rejected::NothingToFilter);
}

#[test]
fn of_a_snippet_the_first_512_bytes_of_each_text_leave_and_no_character_is_split() {
    let returns = Returns { content: Keep::Snippet, ..Returns::default() };
    let long = format!("{}ää", "x".repeat(511));
    let guest = vec![
        ContentBlock::text("y".repeat(512)),
        ContentBlock::text(long.clone()),
        ContentBlock::audio(STANDARD.encode("sound"), "audio/wav"),
    ];
    let ((structured, content), notes) = said(&returns, Some(json!({"a": [long], "b": "short", "n": 1})), guest);
    let cut = format!("{} [cut by the host: 511 of 515 bytes]", "x".repeat(511));
    assert_eq!(structured, Some(json!({"a": [cut], "b": "short", "n": 1})));
    assert_eq!(texts(&content), [&*"y".repeat(512), &*cut, "[left out by the host: 1 parts that are no text]"]);
    assert_eq!(notes, [note("media: left out", 1), note("structured: left out", 1), note("text: left out", 1)]);
}

#[test]
fn of_a_snippet_keys_are_cut_as_texts_are() {
    let returns = Returns { content: Keep::Snippet, ..Returns::default() };
    let (fits, long) = ("k".repeat(512), format!("{}ä", "k".repeat(511)));
    let structured = json!({"a": [{ (fits.clone()): 1, (long): {"b": 2} }]});
    let ((structured, _), notes) = said(&returns, Some(structured), vec![ContentBlock::text("t")]);
    let cut = format!("{} [cut by the host: 511 of 513 bytes]", "k".repeat(511));
    assert_eq!(structured, Some(json!({"a": [{ (fits): 1, (cut): {"b": 2} }]})));
    assert_eq!(notes, [note("structured: left out", 1)]);
}

#[test]
fn of_metadata_counts_and_sizes_leave() {
    let returns = Returns { content: Keep::Metadata, ..Returns::default() };
    let ((structured, content), _) = said(&returns, Some(json!({"a": "secret"})), vec![ContentBlock::text("secret")]);
    assert_eq!(structured, Some(json!({"parts": 1, "bytes": 6, "structuredBytes": 14})));
    assert_eq!(texts(&content), ["[kept back by the host: 1 parts of 6 bytes and a structured part of 14 bytes]"]);
}

#[test]
fn beyond_the_most_bytes_an_answer_is_cut_with_a_mark_and_a_structure_is_left_out_whole() {
    let returns = |most| Returns { max: Some(most), ..Returns::default() };
    let parts = |texts: &[&str]| texts.iter().map(|text| ContentBlock::text(*text)).collect::<Vec<_>>();
    let (at_most, notes) = said(&returns(10), Some(json!({"a": 1})), parts(&["12345", "67890"]));
    assert_eq!((texts(&at_most.1), notes), (vec!["12345", "67890"], vec![]), "to the byte");
    assert_eq!(at_most.0, Some(json!({"a": 1})));
    let (cut, notes) = said(&returns(9), None, parts(&["12345", "678ä", "more"]));
    assert_eq!(texts(&cut.1), ["12345", "678", "[cut by the host: 8 of 14 bytes]"]);
    assert_eq!(notes, [note("text: left out", 1)]);
    let ((structured, content), notes) = said(&returns(9), Some(json!({"a": "1234"})), Vec::new());
    assert_eq!(structured, None);
    assert_eq!(
        texts(&content),
        [r#"{"a":"123"#, "[cut by the host: 9 of 12 bytes]", "[left out by the host: the structured part of 12 bytes]"]
    );
    assert_eq!(notes, [note("structured: left out", 1), note("text: left out", 1)]);
    let image = ContentBlock::image(STANDARD.encode("a picture"), "image/png");
    let (cut, _) = said(&returns(11), None, vec![ContentBlock::text("1"), image, ContentBlock::text("2")]);
    assert_eq!(texts(&cut.1), ["1", "[cut by the host: 1 of 14 bytes]"]);
}

#[test]
fn a_failure_keeps_its_class_and_none_of_the_plugins_words() {
    let hiding = [redacting(&["/email"]), Returns { content: Keep::Metadata, ..Returns::default() }];
    let secret = || "secret".to_owned();
    let failures = [
        ("invalid-arguments", Failure::InvalidArguments(secret())),
        ("not-found", Failure::NotFound(secret())),
        ("denied", Failure::Denied(secret())),
        ("internal", Failure::Internal(secret())),
        ("rate-limited", Failure::RateLimited { message: secret(), after_seconds: Some(7) }),
        ("upstream", Failure::Upstream { message: secret(), status: Some(503) }),
        ("partial", Failure::Partial { message: secret(), done: vec![secret(); 3], not_done: vec![secret()] }),
    ];
    for returns in hiding {
        for (class, failure) in failures.clone() {
            let mut changes = Changes::default();
            let failed = failed(&returns, failure, &mut changes);
            assert_eq!((failed.class, &failed.meta.0[&format!("{META}failure")]), (class, &json!(class)));
            let told = format!("{} {:?}", failed.text, failed.meta.0);
            assert!(!told.contains("secret"), "{told}");
            match class {
                "partial" => {
                    assert!(failed.text.ends_with("done: 3\nnot done: 1") && failed.outcome == Outcome::Partial);
                }
                "rate-limited" => assert_eq!(failed.meta.0[&format!("{META}retry-after-seconds")], json!(7)),
                "upstream" => assert!(failed.text.ends_with("(status 503)")),
                _ => {}
            }
            assert_eq!(changes.into_notes()[0].detail, "failure: replaced");
        }
    }
}

#[test]
fn a_failure_is_as_long_as_an_answer_may_be() {
    let failure = || Failure::Partial { message: "m".repeat(600), done: vec!["id".repeat(300)], not_done: Vec::new() };
    let snippet = Returns { content: Keep::Snippet, ..Returns::default() };
    let max = Returns { max: Some(100), ..Returns::default() };
    for (returns, most) in [(snippet, SNIPPET), (max, 100)] {
        let failed = failed(&returns, failure(), &mut Changes::default());
        let told = format!("{} {:?}", failed.text, failed.meta.0);
        assert!(failed.text.starts_with(&"m".repeat(most)) && !told.contains("idid"), "{told}");
        assert!(failed.text.contains(&format!("[cut by the host: {most} of ")) && failed.text.len() < most + 50);
    }
    let whole = failed(&Returns::default(), failure(), &mut Changes::default());
    assert!(whole.text.contains("idid") && whole.meta.0.contains_key(&format!("{META}partial")));
}
