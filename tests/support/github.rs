//! A server that behaves as GitHub's REST API is documented to (version 2022-11-28), over TLS, for the repositories of `acme`:
//!
//! - `web`: 65 issues, pull requests, files, runs and branches; lists come in pages with a `link` header;
//! - `limited`, `abused`: the primary and the secondary rate limit; `moved`: a redirect; `slow`, `cut`, `stuck`: bodies that dribble, break off, never end;
//! - `echo`: repeats the credential that it was sent; any other is not there.
//!
//! Who asks without a credential or with a wrong one gets 401; who writes with the one for reading, 403.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use serde_json::{Value, json};

use super::web::{Answer, Seen, Step, Web};

/// The credentials that it knows.
pub const READ_ONLY: &str = "ghp_readonly0123456789abcdefghijklmnopqr";
pub const READ_WRITE: &str = "ghp_readwrite0123456789abcdefghijklmnop";

/// How many issues `acme/web` has.
const ISSUES: u64 = 65;

/// The server for `api.github.com` and for another name, whose requests must never carry a credential.
pub fn start() -> Web {
    let created = AtomicU64::new(ISSUES);
    Web::start(&["api.github.com", "elsewhere.example.com"], move |seen| answer(seen, &created))
}

fn told(status: u16, message: &str) -> Answer {
    let docs = "https://docs.github.com/rest";
    Answer::json(status, &json!({ "message": message, "documentation_url": docs, "status": status.to_string() }))
}

fn answer(seen: &Seen, created: &AtomicU64) -> Answer {
    if seen.host != "api.github.com" {
        return Answer::bytes(200, "text/plain", "elsewhere");
    }
    if seen.header("user-agent").is_none() {
        return told(
            403,
            "Request forbidden by administrative rules. Please make sure your request has a User-Agent header.",
        );
    }
    let writes = match seen.header("authorization").and_then(|value| value.strip_prefix("Bearer ")) {
        Some(READ_ONLY) => false,
        Some(READ_WRITE) => true,
        Some(_) => return told(401, "Bad credentials"),
        None => return told(401, "Requires authentication"),
    };
    if seen.method != "GET" && !writes {
        return told(403, "Resource not accessible by personal access token");
    }
    let parts: Vec<_> = seen.path().trim_start_matches('/').split('/').collect();
    match parts[..] {
        ["search", "issues"] => {
            let items: Vec<_> = (1..=3).map(issue).collect();
            Answer::json(200, &json!({ "total_count": 3, "incomplete_results": false, "items": items }))
        }
        ["repos", "acme", "web", ref rest @ ..] => web(seen, rest, created),
        ["repos", "acme", "limited", ..] => limited(),
        ["repos", "acme", "abused", ..] => {
            told(403, "You have exceeded a secondary rate limit.").header("retry-after", "7")
        }
        ["repos", "acme", "moved", ..] => {
            told(301, "Moved Permanently").header("location", "https://elsewhere.example.com/repositories/1/issues")
        }
        ["repos", "acme", "slow", ..] => {
            let text = json!([issue(1)]).to_string();
            let pieces = text
                .as_bytes()
                .chunks(64)
                .flat_map(|piece| [Step::Wait(Duration::from_millis(30)), Step::Bytes(piece.to_vec())]);
            pieces.fold(Answer::status(200).header("content-type", "application/json"), Answer::step)
        }
        ["repos", "acme", "cut", ..] => {
            // Without a pause the head would never leave.
            let half =
                Answer::bytes(200, "application/json", "[{\"id\": 1001, \"number\": ").header("content-length", "4000");
            half.step(Step::Wait(Duration::from_millis(50))).step(Step::Break)
        }
        ["repos", "acme", "stuck", ..] => {
            Answer::bytes(200, "application/json", "[").step(Step::Wait(Duration::from_secs(60)))
        }
        ["repos", "acme", "echo", ..] => {
            let mut echo = issue(1);
            echo["title"] = json!(seen.header("authorization"));
            Answer::json(200, &json!([echo])).header("x-echo", seen.header("authorization").unwrap_or_default())
        }
        _ => told(404, "Not Found"),
    }
}

/// The limit is used up for two minutes more.
fn limited() -> Answer {
    let now = jiff::Timestamp::now();
    let date = now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    told(403, "API rate limit exceeded for user ID 1.")
        .header("date", date)
        .header("x-ratelimit-limit", "5000")
        .header("x-ratelimit-remaining", "0")
        .header("x-ratelimit-reset", (now.as_second() + 120).to_string())
}

fn web(seen: &Seen, path: &[&str], created: &AtomicU64) -> Answer {
    let number = |text: &str| text.parse::<u64>().ok().filter(|number| (1..=ISSUES).contains(number));
    match (seen.method.as_str(), path) {
        ("GET", ["issues"]) => paged(seen, "issues", (1..=ISSUES).map(issue).collect()),
        ("POST", ["issues"]) => match seen.json()["title"].as_str() {
            Some(title) if !title.is_empty() => {
                let mut new = issue(created.fetch_add(1, Ordering::Relaxed) + 1);
                new["title"] = json!(title);
                Answer::json(201, &new)
            }
            _ => Answer::json(
                422,
                &json!({ "message": "Validation Failed", "errors": [{ "resource": "Issue", "field": "title", "code": "missing_field" }] }),
            ),
        },
        (method, ["issues", one, rest @ ..]) => match number(one) {
            Some(number) => about(method, seen, number, rest),
            None => told(404, "Not Found"),
        },
        ("GET", ["contents", "README.md"]) => {
            let raw = seen.header("accept") == Some("application/vnd.github.raw+json");
            if raw {
                Answer::bytes(200, "application/vnd.github.raw+json; charset=utf-8", "# Web\n")
            } else {
                told(415, "only raw here")
            }
        }
        ("GET", ["actions", "runs"]) => Answer::json(200, &json!({ "total_count": 0, "workflow_runs": [] })),
        ("DELETE", ["git", "refs", "heads", "topic"]) => Answer::status(204),
        ("DELETE", ["git", "refs", "heads", ..]) => told(422, "Reference does not exist"),
        _ => told(404, "Not Found"),
    }
}

/// One issue.
fn about(method: &str, seen: &Seen, number: u64, path: &[&str]) -> Answer {
    let comment = |id: u64| json!({ "id": id, "user": { "login": "bob" }, "created_at": "2026-01-03T00:00:00Z", "body": format!("Comment {id}"), "html_url": format!("https://github.com/acme/web/issues/{number}#issuecomment-{id}") });
    match (method, path) {
        ("GET", []) => Answer::json(200, &issue(number)),
        ("GET", ["comments"]) => paged(seen, &format!("issues/{number}/comments"), vec![comment(1), comment(2)]),
        ("POST", ["comments"]) => Answer::json(201, &comment(3)),
        ("POST", ["labels"]) => {
            let labels = seen.json()["labels"].as_array().cloned().unwrap_or_default();
            let named: Vec<_> = labels.into_iter().map(|name| json!({ "name": name })).collect();
            Answer::json(200, &json!(named))
        }
        // Issue 13 cannot be closed, whoever tries.
        ("PATCH", []) if number == 13 => told(403, "Must have admin rights to Repository."),
        ("PATCH", []) => {
            let mut closed = issue(number);
            closed["state"] = json!("closed");
            Answer::json(200, &closed)
        }
        _ => told(404, "Not Found"),
    }
}

fn issue(number: u64) -> Value {
    json!({
        "id": number + 1_000, "number": number, "title": format!("Issue {number}"), "state": "open", "state_reason": null,
        "user": { "login": "ada", "id": 7 }, "labels": [{ "id": 1, "name": "bug" }], "assignees": [], "comments": 2,
        "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-02T00:00:00Z",
        "html_url": format!("https://github.com/acme/web/issues/{number}"),
        "repository_url": "https://api.github.com/repos/acme/web", "body": format!("The body of issue {number}"),
    })
}

/// A page of a list, with the links that GitHub gives.
fn paged(seen: &Seen, path: &str, all: Vec<Value>) -> Answer {
    let number = |name: &str, most: usize| {
        seen.query(name).and_then(|value| value.parse::<usize>().ok()).filter(|value| (1..=most).contains(value))
    };
    let (size, page) = (number("per_page", 100).unwrap_or(30), number("page", usize::MAX).unwrap_or(1));
    let last = all.len().div_ceil(size).max(1);
    let link = |page: usize, rel: &str| {
        format!("<https://api.github.com/repositories/1/{path}?per_page={size}&page={page}>; rel=\"{rel}\"")
    };
    let mut links = Vec::new();
    if page > 1 {
        links.extend([link(page - 1, "prev"), link(1, "first")]);
    }
    if page < last {
        links.extend([link(page + 1, "next"), link(last, "last")]);
    }
    let shown: Vec<_> = all.into_iter().skip((page - 1) * size).take(size).collect();
    let answer = Answer::json(200, &json!(shown)).header("x-ratelimit-remaining", "4999");
    if links.is_empty() { answer } else { answer.header("link", links.join(", ")) }
}
