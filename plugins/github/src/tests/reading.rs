use super::*;
use wardkeep_sdk::http::Error;

#[test]
fn a_list_of_issues_leaves_out_pull_requests_and_tells_the_next_page() {
    let fakes = github(|_| {
        let mut pull = issue(3);
        pull["pull_request"] = json!({ "url": "x" });
        let link = "<https://api.github.com/repositories/1/issues?state=all&page=3>; rel=\"next\", <https://api.github.com/x?page=9>; rel=\"last\"";
        Response::json(200, &json!([issue(2), pull])).header("link", link)
    });
    let fakes = fakes.install();
    let arguments = json!({ "state": "all", "labels": ["bug", "good first issue"], "assignee": "bob", "since": "2026-01-01T00:00:00Z", "page": 2, "per_page": 50 });
    let (listed, touched) = call("list_issues", arguments).unwrap();
    let expected = json!({
        "number": 2, "title": "Issue 2", "state": "open", "pull_request": false, "author": "ada", "labels": ["bug"], "assignees": ["bob"],
        "comments": 2, "created": "2026-01-01T00:00:00Z", "updated": "2026-01-02T00:00:00Z", "url": "https://github.com/acme/web/issues/2",
    });
    assert_eq!(listed, json!({ "issues": [expected], "next_page": 3 }));
    assert_eq!(touched, ["acme/web"]);

    let asked = fakes.asked().pop().unwrap();
    assert_eq!((asked.line().as_str(), asked.secret.as_deref()), ("GET /repos/acme/web/issues", Some("github-ro")));
    for (name, value) in [
        ("state", "all"),
        ("labels", "bug,good first issue"),
        ("assignee", "bob"),
        ("since", "2026-01-01T00:00:00Z"),
        ("page", "2"),
        ("per_page", "50"),
    ] {
        assert_eq!(asked.query(name), Some(value), "{name}");
    }
    assert_eq!(
        (asked.header("accept"), asked.header("x-github-api-version")),
        (Some("application/vnd.github+json"), Some("2022-11-28"))
    );
    assert!(asked.header("user-agent").is_some(), "GitHub refuses requests without one");
}

#[test]
fn without_a_credential_reading_goes_on_and_writing_does_not() {
    let fakes = Fakes::new().http(|_| Response::json(200, &json!([]))).install();
    call("list_issues", json!({})).unwrap();
    assert_eq!(fakes.asked().pop().unwrap().secret, None);
    let before = fakes.asked().len();
    assert!(matches!(call("comment", json!({ "number": 1, "body": "x" })), Err(Failure::Denied(_))));
    assert_eq!(fakes.asked().len(), before);
}

#[test]
fn a_search_is_held_to_its_repository() {
    let fakes = github(|_| {
        let mut other = issue(9);
        other["repository_url"] = json!("https://api.github.com/repos/acme/secret-web");
        Response::json(200, &json!({ "total_count": 2, "incomplete_results": false, "items": [issue(2), other] }))
    });
    let fakes = fakes.install();
    let (found, _) = call("search_issues", json!({ "query": "is:open rain", "sort": "updated" })).unwrap();
    assert_eq!((found["issues"].as_array().unwrap().len(), &found["issues"][0]["number"]), (1, &json!(2)));
    let asked = fakes.asked().pop().unwrap();
    assert_eq!(
        (asked.line().as_str(), asked.query("q"), asked.query("sort")),
        ("GET /search/issues", Some("repo:acme/web is:open rain"), Some("updated"))
    );

    let before = fakes.asked().len();
    for query in
        ["rain repo:acme/secret", "REPO:acme/secret", "org:acme", "-user:ada", "rain) OR (sun", "rain OR sun", "(rain)"]
    {
        assert!(
            matches!(call("search_issues", json!({ "query": query })), Err(Failure::InvalidArguments(_))),
            "{query}"
        );
    }
    assert_eq!(fakes.asked().len(), before);
}

#[test]
fn an_issue_comes_with_a_page_of_its_comments_and_long_texts_are_cut() {
    let _fakes = github(|asked| match asked.path.as_str() {
        "/repos/acme/web/issues/12" => {
            let mut issue = issue(12);
            issue["body"] = json!("ä".repeat(40_000));
            Response::json(200, &issue)
        }
        "/repos/acme/web/issues/12/comments" => Response::json(
            200,
            &json!([{ "id": 5, "user": null, "created_at": "2026-01-03T00:00:00Z", "body": "Me too" }]),
        )
        .header("link", "<https://api.github.com/x?per_page=30&page=2>; rel=\"next\""),
        _ => {
            let mut quiet = issue(13);
            quiet["comments"] = json!(0);
            quiet["body"] = json!(null);
            Response::json(200, &quiet)
        }
    })
    .install();
    let (whole, touched) = call("get_issue", json!({ "number": 12 })).unwrap();
    assert_eq!(
        whole["comments"],
        json!([{ "id": 5, "author": "ghost", "created": "2026-01-03T00:00:00Z", "text": "Me too" }])
    );
    assert!(whole["text"].as_str().unwrap().ends_with("\n[cut after 32768 bytes of 80000]"));
    assert_eq!((&whole["next_page"], &touched[..]), (&json!(2), &["acme/web#12".to_owned()][..]));
    let (quiet, _) = call("get_issue", json!({ "number": 13 })).unwrap();
    assert_eq!((&quiet["text"], &quiet["comments"]), (&json!(""), &json!([])));
}

#[test]
fn a_pull_request_comes_with_the_files_that_it_changes() {
    let pull = json!({
        "number": 4, "title": "Mend", "state": "closed", "draft": false, "merged_at": "2026-02-01T00:00:00Z", "user": { "login": "ada" }, "labels": [],
        "head": { "ref": "topic", "sha": "abc" }, "base": { "ref": "main", "sha": "def" }, "created_at": "c", "updated_at": "u", "html_url": "h",
        "body": "Mends it", "additions": 3, "deletions": 1, "changed_files": 1, "commits": 2, "mergeable_state": "clean",
    });
    let files = json!([{ "filename": "src/a.rs", "status": "renamed", "additions": 3, "deletions": 1, "previous_filename": "a.rs", "patch": "@@ -1 +1 @@" }]);
    let list = json!([pull]);
    let fakes = github(move |asked| match asked.path.as_str() {
        "/repos/acme/web/pulls/4" => Response::json(200, &pull),
        "/repos/acme/web/pulls/4/files" => Response::json(200, &files),
        _ => Response::json(200, &list),
    })
    .install();
    let (whole, touched) = call("get_pull_request", json!({ "number": 4 })).unwrap();
    assert_eq!(
        (&whole["pull_request"]["merged"], &whole["pull_request"]["head"], &whole["additions"], &whole["mergeable"]),
        (&json!(true), &json!("topic"), &json!(3), &json!("clean"))
    );
    assert_eq!(
        whole["files"],
        json!([{ "path": "src/a.rs", "status": "renamed", "additions": 3, "deletions": 1, "before": "a.rs" }])
    );
    assert_eq!(touched, ["acme/web#4"]);
    let (whole, _) = call("get_pull_request", json!({ "number": 4, "patches": true })).unwrap();
    assert_eq!(whole["files"][0]["patch"], "@@ -1 +1 @@");
    let (listed, _) = call("list_pull_requests", json!({ "base": "main", "head": "ada:topic" })).unwrap();
    assert_eq!(listed["pull_requests"][0]["number"], 4);
    let asked = fakes.asked().pop().unwrap();
    assert_eq!(
        (asked.query("base"), asked.query("head"), asked.query("state")),
        (Some("main"), Some("ada:topic"), Some("open"))
    );
}

#[test]
fn files_and_directories_are_told_apart() {
    let fakes = github(|asked| match asked.path.as_str() {
        "/repos/acme/web/contents/src/a%20b.rs" if asked.header("accept") == Some("application/vnd.github.raw+json") => {
            Response::bytes(200, "application/vnd.github.raw+json; charset=utf-8", "fn main() { /* ü */ }")
        }
        "/repos/acme/web/contents/pic.png" if asked.header("accept") == Some("application/vnd.github.raw+json") => {
            Response::bytes(200, "application/vnd.github.raw+json", vec![0xff, 0xfe])
        }
        "/repos/acme/web/contents/src" | "/repos/acme/web/contents" => {
            Response::json(200, &json!([{ "name": "a b.rs", "path": "src/a b.rs", "type": "file", "size": 21 }, { "name": "bin", "path": "src/bin", "type": "dir", "size": 0 }]))
        }
        _ => Response::json(200, &json!({ "name": "a b.rs", "path": "src/a b.rs", "type": "file", "size": 21, "content": "" })),
    })
    .install();
    let (piece, touched) = call("get_file", json!({ "path": "src/a b.rs", "at": "v1.0" })).unwrap();
    assert_eq!(piece, json!({ "path": "src/a b.rs", "size": 22, "text": "fn main() { /* ü */ }", "offset": 0 }));
    assert_eq!((touched, fakes.asked()[0].query("ref")), (vec!["acme/web:src/a b.rs@v1.0".to_owned()], Some("v1.0")));
    let (piece, _) = call("get_file", json!({ "path": "src/a b.rs", "offset": 3, "length": 4 })).unwrap();
    assert_eq!((&piece["text"], &piece["next_offset"]), (&json!("main"), &json!(7)));

    let (listed, _) = call("list_directory", json!({ "path": "src/" })).unwrap();
    assert_eq!(listed["entries"][1], json!({ "name": "bin", "path": "src/bin", "kind": "dir", "size": 0 }));
    assert_eq!(call("list_directory", json!({})).unwrap().0["entries"].as_array().unwrap().len(), 2);

    let wrong = |tool: &str, path: &str| match call(tool, json!({ "path": path })) {
        Err(Failure::InvalidArguments(told)) => told,
        other => panic!("{other:?}"),
    };
    assert_eq!(wrong("get_file", "src"), "acme/web:src is no file; `list_directory` shows a directory");
    assert_eq!(
        wrong("list_directory", "src/a b.rs"),
        "acme/web:src/a b.rs is no directory but a file; `get_file` shows a file"
    );
    assert!(wrong("get_file", "pic.png").contains("no text in UTF-8"));
}

#[test]
fn a_workflow_run_comes_with_its_jobs_and_the_steps_that_failed() {
    let run = json!({
        "id": 77, "name": "CI", "display_title": "Mend", "head_branch": null, "head_sha": "abc", "event": "push", "status": "completed", "conclusion": "failure",
        "run_number": 5, "run_attempt": 2, "created_at": "c", "html_url": "h",
    });
    let jobs = json!({ "total_count": 1, "jobs": [{ "id": 8, "name": "test", "status": "completed", "conclusion": "failure", "steps": [
        { "name": "build", "number": 1, "conclusion": "success" }, { "name": "test", "number": 2, "conclusion": "failure" },
        { "name": "report", "number": 3, "conclusion": "skipped" }, { "name": "later", "number": 4, "conclusion": null },
    ] }] });
    let runs = json!({ "total_count": 1, "workflow_runs": [run] });
    let fakes = github(move |asked| match asked.path.as_str() {
        "/repos/acme/web/actions/runs/77" => Response::json(200, &run),
        "/repos/acme/web/actions/runs/77/jobs" => Response::json(200, &jobs),
        _ => Response::json(200, &runs),
    })
    .install();
    let (whole, touched) = call("get_workflow_run", json!({ "id": 77 })).unwrap();
    assert_eq!((&whole["run"]["conclusion"], &whole["run"]["attempt"]), (&json!("failure"), &json!(2)));
    assert_eq!(whole["jobs"][0]["failed_steps"], json!([{ "number": 2, "name": "test", "conclusion": "failure" }]));
    assert_eq!(touched, ["acme/web/actions/runs/77"]);
    let (listed, _) = call("list_workflow_runs", json!({ "status": "failure" })).unwrap();
    assert_eq!((&listed["total"], &listed["runs"][0]["id"]), (&json!(1), &json!(77)));
    assert_eq!(fakes.asked().pop().unwrap().query("status"), Some("failure"));
}

fn failed(response: Response) -> Failure {
    let _fakes = github(move |_| response.clone()).install();
    call("get_issue", json!({ "number": 12 })).unwrap_err()
}

#[test]
fn too_many_requests_are_told_with_the_time_to_wait() {
    let wait = |response: Response| match failed(response) {
        Failure::RateLimited(told) => told.after_seconds,
        other => panic!("{other:?}"),
    };
    let told =
        json!({ "message": "API rate limit exceeded for user ID 1.", "documentation_url": "https://docs.github.com" });
    let primary = |status| {
        Response::json(status, &told).header("x-ratelimit-remaining", "0").header("x-ratelimit-reset", "1767225660")
    };
    assert_eq!(wait(primary(403).header("date", "Thu, 01 Jan 2026 00:00:00 GMT")), Some(60));
    assert_eq!(wait(primary(429).header("date", "Thu, 01 Jan 2026 00:00:58 GMT")), Some(2));
    assert_eq!(wait(primary(403).header("date", "Thu, 01 Jan 2026 00:02:00 GMT")), Some(1), "it is over by now");
    assert_eq!(wait(primary(403)), Some(60), "nobody says what time it is");
    assert_eq!(wait(Response::json(403, &told).header("retry-after", "17")), Some(17));
    assert_eq!(wait(Response::status(429)), Some(60));
    assert_eq!(wait(Response::json(403, &json!({ "message": "You have exceeded a secondary rate limit." }))), Some(60));
    let plenty = Response::json(403, &json!({ "message": "Resource not accessible by personal access token" }))
        .header("x-ratelimit-remaining", "4999");
    assert!(matches!(failed(plenty), Failure::Denied(_)), "a 403 with requests left is no limit");
}

#[test]
fn what_the_api_says_no_to_is_a_failure_of_its_kind() {
    let told = |status, message: &str| failed(Response::json(status, &json!({ "message": message })));
    assert_eq!(
        told(404, "Not Found"),
        Failure::not_found("acme/web#12 is not there, or the credential may not see it: Not Found")
    );
    assert!(matches!(told(410, "This issue was deleted"), Failure::NotFound(_)));
    assert!(
        matches!(told(401, "Bad credentials"), Failure::Upstream(failed) if failed.status == Some(401) && failed.message.contains("Bad credentials"))
    );
    assert!(
        matches!(told(403, "Resource not accessible"), Failure::Denied(why) if why.contains("Resource not accessible"))
    );
    assert!(
        matches!(told(301, "Moved Permanently"), Failure::Upstream(failed) if failed.status == Some(301) && failed.message.contains("new name"))
    );
    assert!(matches!(told(502, "Server Error"), Failure::Upstream(failed) if failed.status == Some(502)));
    let long = format!("a\nb\u{7} {}", "x".repeat(10_000));
    assert!(matches!(told(422, &long), Failure::InvalidArguments(why) if why.len() < 500 && !why.contains('\n')));
    let errors = json!({ "message": "Validation Failed", "errors": [{ "resource": "Search", "field": "q", "code": "invalid" }, { "message": "no such label" }, "text"] });
    assert!(
        matches!(failed(Response::json(422, &errors)), Failure::InvalidArguments(why) if why.ends_with("Validation Failed q invalid; no such label; text"))
    );
    let page = Response::bytes(500, "text/html", "<html>Unicorn!</html>");
    assert_eq!(failed(page), Failure::upstream("acme/web#12: the API failed", Some(500)));
}

#[test]
fn answers_that_are_none_are_failures_of_the_other_side() {
    let upstream = |response: Response| match failed(response) {
        Failure::Upstream(failed) => failed.message,
        other => panic!("{other:?}"),
    };
    assert_eq!(upstream(Response::error(Error::Timeout)), "acme/web#12: no answer in time");
    assert!(upstream(Response::text(200, "{\"number\": 1").breaks_off()).contains("broke off"));
    assert!(upstream(Response::text(200, "{\"number\": \"secret words\"}")).contains("not the JSON"));
    assert!(!upstream(Response::text(200, "{\"number\": \"secret words\"}")).contains("secret"));
    let denied = failed(Response::error(Error::Denied("no grant has this path".into())));
    assert!(
        matches!(&denied, Failure::Denied(why) if why.contains("`api.github.com` is not granted") && why.contains("`api`")),
        "{denied:?}"
    );
}
