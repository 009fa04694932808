//! The first-party plugin `github` through a real host, over TLS, against a server that behaves as GitHub's API is documented to: it does its job,
//! and a credential reaches exactly where the manifest binds it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::{
    confirming::{self, PERSON},
    support::{
        github::{self, READ_ONLY, READ_WRITE},
        guests,
        home::Home,
        outside::Outside,
        serving::Serving,
        web::Seen,
    },
};

struct Github {
    outside: Outside,
    home: Home,
    serving: Serving,
}

impl Github {
    fn new(changes: &[(&str, &str)], writes: bool) -> Self {
        let outside = Outside::new(github::start());
        let home = outside.home(&[("github-ro", READ_ONLY), ("github-rw", READ_WRITE)]);
        outside.install(&home, "github", &guests::github(), changes);
        if writes {
            let operator = String::from_utf8(home.read("wardkeep.toml")).unwrap();
            let groups = "groups = [\"tests\"]\n";
            home.write("wardkeep.toml", &operator.replace(groups, &format!("{groups}{PERSON}")));
        }
        let serving = home.serve();
        Self { outside, home, serving }
    }

    /// A call about a repository of `acme`; the whole answer.
    fn call(&self, tool: &str, repo: &str, mut arguments: Value) -> Value {
        for (name, value) in [("owner", "acme"), ("repo", repo)] {
            arguments[name] = json!(value);
        }
        self.serving.mcp().call(&format!("github_{tool}"), arguments)["result"].clone()
    }

    /// The same by a client whose person says yes to it.
    fn confirmed(&self, tool: &str, mut arguments: Value) -> Value {
        for (name, value) in [("owner", "acme"), ("repo", "web")] {
            arguments[name] = json!(value);
        }
        let (mcp, tool) = (self.serving.mcp(), format!("github_{tool}"));
        let before = self.seen().len();
        let asked = confirming::call(&mcp, &tool, arguments.clone(), &json!({}))["result"].clone();
        assert_eq!((&asked["resultType"], self.seen().len()), (&json!("input_required"), before), "{asked}");
        confirming::call(&mcp, &tool, arguments, &confirming::yes(&asked))["result"].clone()
    }

    fn structured(&self, tool: &str, arguments: Value) -> Value {
        let answer = self.call(tool, "web", arguments);
        assert_eq!(answer["isError"], json!(false), "{answer}");
        answer["structuredContent"].clone()
    }

    fn seen(&self) -> Vec<Seen> {
        self.outside.web.seen()
    }

    /// The last outcome on record.
    fn outcome(&self) -> Value {
        self.home.journal().pop().unwrap()
    }
}

/// All repositories of `acme`, for what the server has besides `web`.
const ALL: (&str, &str) = ("[\"web\", \"api-*\"]", "[\"*\"]");

fn bearer(seen: &Seen) -> Option<&str> {
    seen.header("authorization").and_then(|value| value.strip_prefix("Bearer "))
}

#[test]
fn the_manifest_of_the_readme_reads_issues_page_by_page_and_serves_no_unconfirmed_write() {
    let github = Github::new(&[], false);
    assert_eq!(github.serving.mcp().tools(), ["github_get_issue", "github_list_issues", "github_search_issues"]);

    let (mut numbers, mut page) = (Vec::new(), json!(1));
    while page.is_number() {
        let listed = github.structured("list_issues", json!({ "page": page, "per_page": 25 }));
        numbers.extend(listed["issues"].as_array().unwrap().iter().map(|issue| issue["number"].as_u64().unwrap()));
        page = listed["next_page"].clone();
    }
    assert_eq!(numbers, (1..=65).collect::<Vec<_>>());
    let whole = github.structured("get_issue", json!({ "number": 12 }));
    assert_eq!((&whole["issue"]["title"], whole["comments"].as_array().map(Vec::len)), (&json!("Issue 12"), Some(2)));
    let found = github.structured("search_issues", json!({ "query": "is:open rain" }));
    assert_eq!(found["total"], json!(3));

    let seen = github.seen();
    assert_eq!(seen.len(), 6, "three pages, an issue with its comments, a search");
    for seen in &seen {
        assert_eq!(
            (bearer(seen), seen.method.as_str(), seen.host.as_str()),
            (Some(READ_ONLY), "GET", "api.github.com")
        );
        assert_eq!(seen.headers.get_all("authorization").iter().count(), 1);
        assert!(!seen.target.contains("ghp_"), "{}", seen.target);
    }
    assert_eq!(seen.last().unwrap().query("q"), Some("repo%3Aacme%2Fweb%20is%3Aopen%20rain"));
    assert!(seen.iter().all(|one| one.connection == seen[0].connection), "one connection is used again: {seen:?}");
}

#[test]
fn the_record_of_a_call_has_its_resources_and_where_it_went_but_no_content_and_no_secret() {
    let github = Github::new(&[], false);
    let answer = github.call("get_issue", "web", json!({ "number": 12 }));
    assert_eq!(answer["isError"], json!(false), "{answer}");
    assert!(answer.to_string().contains("The body of issue 12"));
    let records = github.home.journal();
    let text = json!(records).to_string();
    for word in ["acme", "web", "12", "api.github.com"] {
        assert!(text.contains(word), "{word}: {text}");
    }
    for word in ["The body of issue", "Comment 1", "ghp_", READ_ONLY] {
        assert!(!text.contains(word), "{word}: {text}");
    }
    let everything = format!("{answer}{}", github.serving.stderr());
    assert!(!everything.contains(READ_ONLY), "{everything}");
}

#[test]
fn what_the_manifest_does_not_name_is_not_asked_for() {
    let github = Github::new(&[], false);
    for (tool, repo, arguments) in [
        ("list_issues", "payroll", json!({})),
        ("list_issues", "..", json!({})),
        ("list_issues", "web/../payroll", json!({})),
        ("list_issues", "web", json!({ "api": "elsewhere.example.com" })),
        ("list_issues", "web", json!({ "api": "api.github.com/evil" })),
        ("search_issues", "web", json!({ "query": "repo:acme/payroll" })),
        ("search_issues", "payroll", json!({ "query": "x" })),
    ] {
        let answer = github.call(tool, repo, arguments.clone());
        assert_ne!(answer["isError"], json!(false), "{tool} {repo} {arguments}: {answer}");
    }
    assert_eq!(github.seen().len(), 0);
    assert_eq!(github.outside.names.asked().len(), 0, "no name was even looked up");
}

#[test]
fn a_redirect_is_told_and_not_followed_and_takes_no_credential_along() {
    let github = Github::new(&[ALL], false);
    let answer = github.call("list_issues", "moved", json!({}));
    assert_eq!(answer["isError"], json!(true), "{answer}");
    assert!(answer.to_string().contains("new name"), "{answer}");
    let hosts: Vec<_> = github.seen().iter().map(|seen| seen.host.clone()).collect();
    assert_eq!(hosts, ["api.github.com"]);
}

#[test]
fn limits_of_the_api_are_told_with_the_time_to_wait() {
    let github = Github::new(&[ALL], false);
    let limited = github.call("list_issues", "limited", json!({})).to_string();
    assert!(limited.contains("rate-limited") || limited.contains("too often"), "{limited}");
    assert!(["119", "120"].iter().any(|seconds| limited.contains(seconds)), "{limited}");
    let abused = github.call("list_issues", "abused", json!({})).to_string();
    assert!(abused.contains("secondary rate limit") && abused.contains('7'), "{abused}");
}

#[test]
fn bodies_that_dribble_are_read_and_those_that_break_off_or_never_end_are_failures() {
    let github = Github::new(&[ALL, ("deadline = \"30s\"", "deadline = \"3s\"")], false);
    let slow = github.call("list_issues", "slow", json!({}));
    assert_eq!(
        (&slow["isError"], slow["structuredContent"]["issues"].as_array().map(Vec::len)),
        (&json!(false), Some(1)),
        "{slow}"
    );
    let cut = github.call("list_issues", "cut", json!({}));
    assert_eq!(cut["isError"], json!(true), "{cut}");
    assert!(cut.to_string().contains("no usable answer"), "{cut}");
    let begun = Instant::now();
    let stuck = github.call("list_issues", "stuck", json!({}));
    assert_ne!(stuck["isError"], json!(false), "{stuck}");
    assert!(begun.elapsed() < Duration::from_secs(15), "the deadline ends it: {:?}", begun.elapsed());
    let after = github.call("list_issues", "web", json!({}));
    assert_eq!(after["isError"], json!(false), "{after}");
}

#[test]
fn a_credential_that_the_service_repeats_never_comes_back() {
    let github = Github::new(&[ALL], false);
    let answer = github.call("list_issues", "echo", json!({}));
    assert_eq!(bearer(&github.seen()[0]), Some(READ_ONLY));
    assert!(!answer.to_string().contains(READ_ONLY), "{answer}");
    assert_eq!(answer["structuredContent"]["issues"][0]["title"], json!("Bearer [secret]"), "{answer}");
    assert!(!json!(github.home.journal()).to_string().contains(READ_ONLY));
    assert!(!github.serving.stderr().contains(READ_ONLY));
}

#[test]
fn a_confirmed_write_goes_with_its_own_credential_and_tells_what_was_done() {
    let github = Github::new(&[], true);
    let created = github.confirmed("create_issue", json!({ "title": "It rains in", "body": "There" }));
    assert_eq!(created["structuredContent"]["number"], json!(66), "{created}");
    let closed = github.confirmed("close_issue", json!({ "number": 12, "labels": ["done"], "comment": "Mended" }));
    assert_eq!(closed["structuredContent"]["done"].as_array().map(Vec::len), Some(3), "{closed}");
    github.structured("list_issues", json!({}));

    let asked: Vec<_> = github
        .seen()
        .iter()
        .map(|seen| (format!("{} {}", seen.method, seen.path()), bearer(seen).map(str::to_owned)))
        .collect();
    let with = |line: &str, secret: &str| (line.to_owned(), Some(secret.to_owned()));
    let expected = [
        with("POST /repos/acme/web/issues", READ_WRITE),
        with("POST /repos/acme/web/issues/12/labels", READ_WRITE),
        with("POST /repos/acme/web/issues/12/comments", READ_WRITE),
        with("PATCH /repos/acme/web/issues/12", READ_WRITE),
        with("GET /repos/acme/web/issues", READ_ONLY),
    ];
    assert_eq!(asked, expected);
    assert!(!github.outcome().to_string().contains("ghp_"));

    let partly = github.confirmed("close_issue", json!({ "number": 13, "labels": ["done"] }));
    assert_eq!(partly["isError"], json!(true), "{partly}");
    for words in ["labels of acme/web#13", "closing acme/web#13", "admin rights"] {
        assert!(partly.to_string().contains(words), "{words}: {partly}");
    }
}

#[test]
fn a_branch_is_deleted_after_an_operator_said_yes_and_not_by_the_person_at_the_client() {
    let github = Github::new(&[], true);
    let arguments = || json!({ "owner": "acme", "repo": "web", "branch": "topic" });
    let mcp = github.serving.mcp();
    let delete = || confirming::call(&mcp, "github_delete_branch", arguments(), &json!({}))["result"].clone();
    let waits = delete();
    let id = waits["_meta"]["dev.wardkeep/approval"].as_str().unwrap_or_else(|| panic!("{waits}")).to_owned();
    assert_eq!(github.seen().len(), 0, "nothing is asked of the service before");
    github.home.json(&["approvals", "approve", &id]);
    let deleted = delete();
    assert_eq!(deleted["isError"], json!(false), "{deleted}");
    let seen = github.seen();
    assert_eq!((seen.len(), seen[0].method.as_str(), bearer(&seen[0])), (1, "DELETE", Some(READ_WRITE)));
    let outcome = github.outcome();
    assert_eq!(outcome["unmapped"]["confirmed"]["approval"], json!(id), "{outcome}");
    assert_eq!(outcome["activity_name"], "Delete");
}

#[test]
fn a_caller_who_may_not_write_is_neither_shown_writing_tools_nor_let_into_them() {
    let github = Github::new(&[], false);
    assert!(!github.serving.mcp().tools().iter().any(|tool| tool == "github_create_issue"));
    let refused = github.call("create_issue", "web", json!({ "title": "x" }));
    assert_ne!(refused["isError"], json!(false), "{refused}");
    assert_eq!(github.seen().len(), 0);
    assert_eq!(github.structured("search_issues", json!({ "query": "x" }))["total"], json!(3), "reading goes on");
}
