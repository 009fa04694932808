use super::*;
use wardkeep_sdk::http::Error;

#[test]
fn an_issue_is_created_with_the_writing_credential_and_tells_what_was_left_out() {
    let fakes = github(|_| Response::json(201, &issue(31))).install();
    let arguments =
        json!({ "title": "It rains in", "body": "There", "labels": ["Bug", "urgent"], "assignees": ["bob", "eve"] });
    let (created, touched) = call("create_issue", arguments).unwrap();
    assert_eq!(
        created,
        json!({ "number": 31, "url": "https://github.com/acme/web/issues/31", "left_out": ["urgent", "eve"] })
    );
    assert_eq!(touched, ["acme/web#31"]);
    let asked = fakes.asked();
    let [asked] = &asked[..] else { panic!("{asked:?}") };
    assert_eq!((asked.line().as_str(), asked.secret.as_deref()), ("POST /repos/acme/web/issues", Some("github-rw")));
    assert_eq!(
        asked.json(),
        json!({ "title": "It rains in", "body": "There", "labels": ["Bug", "urgent"], "assignees": ["bob", "eve"] })
    );
}

#[test]
fn what_was_created_is_told_even_if_its_answer_is_lost() {
    let _fakes = github(|_| Response::text(201, "{\"number\":").breaks_off()).install();
    let failed = call("create_issue", json!({ "title": "x" })).unwrap_err();
    assert!(matches!(&failed, Failure::Partial(part) if part.done == ["an issue in acme/web"]), "{failed:?}");
}

#[test]
fn a_write_without_an_answer_may_have_happened() {
    for error in [Error::Timeout, Error::Unreachable("the connection broke off".into())] {
        let _fakes = github(move |_| Response::error(error.clone())).install();
        let failed = call("comment", json!({ "number": 12, "body": "x" })).unwrap_err();
        assert!(
            matches!(&failed, Failure::Upstream(told) if told.message.ends_with("it may have happened all the same: look before you try again")),
            "{failed:?}"
        );
    }
}

#[test]
fn comments_and_labels_are_written() {
    let fakes = github(|asked| match asked.line().as_str() {
        "POST /repos/acme/web/issues/12/comments" => {
            Response::json(201, &json!({ "id": 1, "html_url": "https://github.com/c" }))
        }
        "POST /repos/acme/web/issues/12/labels" => {
            Response::json(200, &json!([{ "name": "bug" }, { "name": "urgent" }]))
        }
        "DELETE /repos/acme/web/issues/12/labels/good%20first" => Response::json(200, &json!([{ "name": "bug" }])),
        _ => Response::json(404, &json!({ "message": "Label does not exist" })),
    })
    .install();
    assert_eq!(
        call("comment", json!({ "number": 12, "body": "Me too" })).unwrap().0,
        json!({ "url": "https://github.com/c" })
    );
    assert_eq!(
        call("add_labels", json!({ "number": 12, "labels": ["urgent"] })).unwrap().0["labels"],
        json!(["bug", "urgent"])
    );
    let (left, touched) = call("remove_label", json!({ "number": 12, "label": "good first" })).unwrap();
    assert_eq!((&left["labels"], &touched[..]), (&json!(["bug"]), &["acme/web#12".to_owned()][..]));
    assert_eq!(fakes.asked()[1].json(), json!({ "labels": ["urgent"] }));
    let missing = call("remove_label", json!({ "number": 12, "label": "other" })).unwrap_err();
    assert!(
        matches!(&missing, Failure::NotFound(why) if why.contains("the label `other` of acme/web#12")),
        "{missing:?}"
    );
    let slash = call("remove_label", json!({ "number": 12, "label": "a/b" })).unwrap_err();
    assert!(matches!(&slash, Failure::InvalidArguments(_)), "{slash:?}");
    assert!(fakes.asked().iter().all(|asked| asked.secret.as_deref() == Some("github-rw")));
}

#[test]
fn closing_labels_comments_and_closes_in_this_order() {
    let fakes = github(|_| Response::json(200, &json!({}))).install();
    let (closed, _) =
        call("close_issue", json!({ "number": 12, "labels": ["done"], "comment": "Mended", "reason": "not_planned" }))
            .unwrap();
    assert_eq!(closed["done"], json!(["labels of acme/web#12", "a comment on acme/web#12", "closing acme/web#12"]));
    let asked = fakes.asked();
    let lines: Vec<_> = asked.iter().map(Asked::line).collect();
    assert_eq!(
        lines,
        [
            "POST /repos/acme/web/issues/12/labels",
            "POST /repos/acme/web/issues/12/comments",
            "PATCH /repos/acme/web/issues/12"
        ]
    );
    assert_eq!(asked[2].json(), json!({ "state": "closed", "state_reason": "not_planned" }));
    call("close_issue", json!({ "number": 12 })).unwrap();
    assert_eq!(fakes.asked().len(), 4);
}

#[test]
fn what_was_done_before_something_failed_is_told() {
    let close = |fails: &'static str| {
        let answers = move |asked: &Asked| match asked.line() {
            line if line.starts_with(fails) => Response::json(403, &json!({ "message": "Must have write access" })),
            _ => Response::json(200, &json!({})),
        };
        let _fakes = github(answers).install();
        call("close_issue", json!({ "number": 12, "labels": ["done"], "comment": "Mended" })).unwrap_err()
    };
    let Failure::Partial(part) = close("PATCH") else { panic!("a part") };
    assert_eq!(
        (&part.done[..], &part.not_done[..]),
        (
            &["labels of acme/web#12".to_owned(), "a comment on acme/web#12".to_owned()][..],
            &["closing acme/web#12".to_owned()][..]
        )
    );
    assert!(part.message.contains("Must have write access"), "{}", part.message);
    assert!(matches!(close("POST"), Failure::Denied(_)), "nothing was done yet");
}

#[test]
fn a_branch_is_deleted_by_its_parts() {
    let fakes = github(|asked| match asked.path.as_str() {
        "/repos/acme/web/git/refs/heads/topic/one%231" => Response::status(204),
        _ => Response::json(422, &json!({ "message": "Reference does not exist" })),
    })
    .install();
    let (deleted, touched) = call("delete_branch", json!({ "branch": "topic/one#1" })).unwrap();
    assert_eq!(
        (&deleted["branch"], &touched[..]),
        (&json!("topic/one#1"), &["acme/web:refs/heads/topic/one#1".to_owned()][..])
    );
    let asked = fakes.asked().pop().unwrap();
    assert_eq!((asked.method.name(), asked.secret.as_deref()), ("DELETE", Some("github-rw")));
    let missing = call("delete_branch", json!({ "branch": "other" })).unwrap_err();
    assert!(
        matches!(&missing, Failure::InvalidArguments(why) if why.contains("Reference does not exist")),
        "{missing:?}"
    );
    let before = fakes.asked().len();
    assert!(matches!(call("delete_branch", json!({ "branch": "../../../issues" })), Err(Failure::InvalidArguments(_))));
    assert_eq!(fakes.asked().len(), before);
}
