//! Writing to issues. What was done before something failed is told, so that nobody does it twice.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use wardkeep_sdk::{Answer, Failure, Result, http::Method};

use crate::{
    client::{Client, MOST},
    issues::{Issue, Label},
    repo::{Repo, arguments},
};

pub(crate) const CREATE: &str =
    "Creates an issue, and tells its number. Everybody who watches the repository is notified.";
pub(crate) const COMMENT: &str = "Comments on an issue or a pull request. Everybody who takes part in it is notified.";
pub(crate) const ADD_LABELS: &str = "Adds labels to an issue or a pull request; those that it has stay.";
pub(crate) const REMOVE_LABEL: &str = "Takes one label off an issue or a pull request.";
pub(crate) const CLOSE: &str = "Closes an issue or a pull request; before that it can add labels and a comment that says why. If not all of it succeeds, it tells \
what was done and what was not.";

arguments! {
    Create {
        #[schemars(length(min = 1, max = 256))]
        title: String,
        /// Markdown.
        #[serde(default)]
        #[schemars(length(max = 60_000))]
        body: Option<String>,
        #[serde(default)]
        #[schemars(length(max = 20))]
        labels: Vec<String>,
        #[serde(default)]
        #[schemars(length(max = 10))]
        assignees: Vec<String>,
    }
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Created {
    number: u64,
    /// For people.
    url: String,
    /// Labels and assignees that were asked for and that the service left out: the credential may not set them.
    left_out: Vec<String>,
}

pub(crate) fn create(arguments: Create) -> Result<Answer<Created>> {
    let repo = arguments.repository();
    let client = Client::writing(arguments.api.as_deref())?;
    let mut body = json!({ "title": arguments.title });
    if let (Some(text), Some(body)) = (&arguments.body, body.as_object_mut()) {
        body.insert("body".into(), json!(text));
    }
    for (name, list) in [("labels", &arguments.labels), ("assignees", &arguments.assignees)] {
        if let (false, Some(body)) = (list.is_empty(), body.as_object_mut()) {
            body.insert(name.into(), json!(list));
        }
    }
    let response =
        client.send(&format!("an issue in {repo}"), client.of(Method::Post, &repo, &["issues"]).json(&body))?;
    // From here on it is there, whatever becomes of the answer.
    let issue: Issue = response.json(MOST).map_err(|_| {
        Failure::partial(
            "the issue was created, and the answer that tells its number could not be read",
            vec![format!("an issue in {repo}")],
            vec![],
        )
    })?;
    let same = |one: &str, other: &str| one.eq_ignore_ascii_case(other);
    let labels: Vec<_> = issue.labels.into_iter().map(Label::name).collect();
    let missing_labels = arguments.labels.into_iter().filter(|wanted| !labels.iter().any(|label| same(label, wanted)));
    let missing_people =
        arguments.assignees.into_iter().filter(|wanted| !issue.assignees.iter().any(|user| same(&user.login, wanted)));
    let left_out = missing_labels.chain(missing_people).collect();
    Ok(Answer::new(Created { number: issue.number, url: issue.html_url, left_out }).touched(repo.issue(issue.number)))
}

arguments! {
    Comment {
        /// The number behind the `#`.
        #[schemars(range(min = 1))]
        number: u64,
        /// Markdown.
        #[schemars(length(min = 1, max = 60_000))]
        body: String,
    }
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Commented {
    /// For people; empty if the service did not say.
    url: String,
}

#[derive(Deserialize, Default)]
struct Posted {
    #[serde(default)]
    html_url: String,
}

/// Sends one comment.
fn say(client: &Client, repo: &Repo, number: u64, body: &str) -> Result<Posted> {
    let request =
        client.of(Method::Post, repo, &["issues", &number.to_string(), "comments"]).json(&json!({ "body": body }));
    let response = client.send(&repo.issue(number), request)?;
    // It is there; where, is worth no failure.
    Ok(response.json(MOST).unwrap_or_default())
}

pub(crate) fn comment(arguments: Comment) -> Result<Answer<Commented>> {
    let repo = arguments.repository();
    let client = Client::writing(arguments.api.as_deref())?;
    let posted = say(&client, &repo, arguments.number, &arguments.body)?;
    Ok(Answer::new(Commented { url: posted.html_url }).touched(repo.issue(arguments.number)))
}

arguments! {
    AddLabels {
        /// The number behind the `#`.
        #[schemars(range(min = 1))]
        number: u64,
        #[schemars(length(min = 1, max = 20))]
        labels: Vec<String>,
    }
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Labelled {
    /// Those that it has now; nothing if the service did not say.
    labels: Vec<String>,
}

/// Adds labels, and tells those that there are then.
fn label(client: &Client, repo: &Repo, number: u64, labels: &[String]) -> Result<Vec<String>> {
    let request =
        client.of(Method::Post, repo, &["issues", &number.to_string(), "labels"]).json(&json!({ "labels": labels }));
    let response = client.send(&repo.issue(number), request)?;
    let labels: Vec<Label> = response.json(MOST).unwrap_or_default();
    Ok(labels.into_iter().map(Label::name).collect())
}

pub(crate) fn add_labels(arguments: AddLabels) -> Result<Answer<Labelled>> {
    let repo = arguments.repository();
    let client = Client::writing(arguments.api.as_deref())?;
    let labels = label(&client, &repo, arguments.number, &arguments.labels)?;
    Ok(Answer::new(Labelled { labels }).touched(repo.issue(arguments.number)))
}

arguments! {
    RemoveLabel {
        /// The number behind the `#`.
        #[schemars(range(min = 1))]
        number: u64,
        #[schemars(length(min = 1, max = 100))]
        label: String,
    }
}

pub(crate) fn remove_label(arguments: RemoveLabel) -> Result<Answer<Labelled>> {
    let repo = arguments.repository();
    let id = repo.issue(arguments.number);
    let client = Client::writing(arguments.api.as_deref())?;
    let path = ["issues", &arguments.number.to_string(), "labels", &arguments.label];
    let response =
        client.send(&format!("the label `{}` of {id}", arguments.label), client.of(Method::Delete, &repo, &path))?;
    let labels: Vec<Label> = response.json(MOST).unwrap_or_default();
    Ok(Answer::new(Labelled { labels: labels.into_iter().map(Label::name).collect() }).touched(id))
}

arguments! {
    Close {
        /// The number behind the `#`.
        #[schemars(range(min = 1))]
        number: u64,
        /// Why; `completed` by default. A pull request has no reason.
        #[serde(default)]
        reason: Option<Reason>,
        /// Added before it closes.
        #[serde(default)]
        #[schemars(length(max = 20))]
        labels: Vec<String>,
        /// Said before it closes, as Markdown.
        #[serde(default)]
        #[schemars(length(min = 1, max = 60_000))]
        comment: Option<String>,
    }
}

#[derive(Deserialize, Serialize, JsonSchema, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum Reason {
    Completed,
    NotPlanned,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Closed {
    number: u64,
    /// What was done, in its order.
    done: Vec<String>,
}

/// What is done, and how.
type Step<'a> = (String, Box<dyn Fn() -> Result<()> + 'a>);

pub(crate) fn close(arguments: Close) -> Result<Answer<Closed>> {
    let (repo, number) = (arguments.repository(), arguments.number);
    let id = repo.issue(number);
    let client = Client::writing(arguments.api.as_deref())?;

    let mut steps: Vec<Step<'_>> = Vec::new();
    if !arguments.labels.is_empty() {
        let act = || label(&client, &repo, number, &arguments.labels).map(drop);
        steps.push((format!("labels of {id}"), Box::new(act)));
    }
    if let Some(body) = &arguments.comment {
        let (client, repo) = (&client, &repo);
        steps.push((format!("a comment on {id}"), Box::new(move || say(client, repo, number, body).map(drop))));
    }
    steps.push((format!("closing {id}"), Box::new(|| shut(&client, &repo, number, arguments.reason))));

    let mut done = Vec::new();
    let mut left = steps.into_iter();
    while let Some((what, act)) = left.next() {
        if let Err(failure) = act() {
            let not_done = std::iter::once(what).chain(left.map(|(what, _)| what)).collect();
            return Err(after(failure, done, not_done));
        }
        done.push(what);
    }
    Ok(Answer::new(Closed { number, done }).touched(id))
}

fn shut(client: &Client, repo: &Repo, number: u64, reason: Option<Reason>) -> Result<()> {
    let body = match reason {
        Some(reason) => json!({ "state": "closed", "state_reason": reason }),
        None => json!({ "state": "closed" }),
    };
    let request = client.of(Method::Patch, repo, &["issues", &number.to_string()]).json(&body);
    client.send(&repo.issue(number), request).map(drop)
}

/// A failure after something was done is a part; one at the first step is itself.
fn after(failure: Failure, done: Vec<String>, not_done: Vec<String>) -> Failure {
    if done.is_empty() {
        return failure;
    }
    let why = match failure {
        Failure::InvalidArguments(why) | Failure::NotFound(why) | Failure::Denied(why) | Failure::Internal(why) => why,
        Failure::RateLimited(retry) => retry.message,
        Failure::Upstream(failed) => failed.message,
        Failure::Partial(part) => part.message,
    };
    Failure::partial(why, done, not_done)
}
