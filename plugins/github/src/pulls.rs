//! Reading pull requests: listing, and one with what it changes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wardkeep_sdk::{Answer, Result, http::Method};

use crate::{
    client::{Client, MOST},
    issues::{Label, Login, State, author},
    paging,
    repo::arguments,
    words,
};

pub(crate) const LIST: &str =
    "Lists the pull requests of a repository, newest first. `next_page` tells whether there is more.";
pub(crate) const GET: &str = "Reads one pull request: what it says, from which branch into which, and a page of the files that it changes with how many lines; \
with `patches` the changed lines too. Its conversation is read with `get_issue`.";

#[derive(Deserialize)]
struct End {
    #[serde(rename = "ref")]
    branch: String,
    #[serde(default)]
    sha: String,
}

/// As the API has it.
#[derive(Deserialize)]
struct Pull {
    number: u64,
    title: String,
    state: String,
    #[serde(default)]
    draft: bool,
    #[serde(default)]
    merged_at: Option<String>,
    #[serde(default)]
    user: Option<Login>,
    #[serde(default)]
    labels: Vec<Label>,
    head: End,
    base: End,
    #[serde(default)]
    created_at: String,
    #[serde(default)]
    updated_at: String,
    #[serde(default)]
    html_url: String,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    additions: u64,
    #[serde(default)]
    deletions: u64,
    #[serde(default)]
    changed_files: u64,
    #[serde(default)]
    commits: u64,
    #[serde(default)]
    mergeable_state: Option<String>,
}

/// A pull request as a line of a list.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Item {
    number: u64,
    title: String,
    /// `open` or `closed`.
    state: String,
    draft: bool,
    merged: bool,
    author: String,
    labels: Vec<String>,
    /// The branch that it comes from.
    head: String,
    /// Its newest commit.
    head_sha: String,
    /// The branch that it goes into.
    base: String,
    created: String,
    updated: String,
    /// For people.
    url: String,
}

impl From<Pull> for Item {
    fn from(pull: Pull) -> Self {
        Self {
            number: pull.number,
            title: pull.title,
            state: pull.state,
            draft: pull.draft,
            merged: pull.merged_at.is_some(),
            author: author(pull.user),
            labels: pull.labels.into_iter().map(Label::name).collect(),
            head: pull.head.branch,
            head_sha: pull.head.sha,
            base: pull.base.branch,
            created: pull.created_at,
            updated: pull.updated_at,
            url: pull.html_url,
        }
    }
}

arguments! {
    paged List {
        /// Open ones by default.
        #[serde(default)]
        state: Option<State>,
        /// Only those into this branch.
        #[serde(default)]
        base: Option<String>,
        /// Only those from this branch, as in `someone:topic`.
        #[serde(default)]
        head: Option<String>,
    }
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Listed {
    pull_requests: Vec<Item>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page: Option<u32>,
}

pub(crate) fn list(arguments: List) -> Result<Answer<Listed>> {
    let repo = arguments.repository();
    let client = Client::reading(arguments.api.as_deref())?;
    let what = format!("the pull requests of {repo}");
    let mut request =
        client.of(Method::Get, &repo, &["pulls"]).query("state", arguments.state.unwrap_or_default().name());
    for (name, value) in [("base", &arguments.base), ("head", &arguments.head)] {
        if let Some(value) = value {
            request = request.query(name, value);
        }
    }
    let response = client.send(&what, arguments.page().of(request))?;
    let next_page = paging::next(&response);
    let pulls: Vec<Pull> = response.json(MOST).map_err(|error| client.lost(&what, error))?;
    let pull_requests = pulls.into_iter().map(Item::from).collect();
    Ok(Answer::new(Listed { pull_requests, next_page }).touched(repo.to_string()))
}

arguments! {
    paged Get {
        /// The number behind the `#`.
        #[schemars(range(min = 1))]
        number: u64,
        /// The changed lines of each file too, each file's cut after 4 KiB.
        #[serde(default)]
        patches: bool,
    }
}

#[derive(Deserialize)]
struct File {
    filename: String,
    status: String,
    additions: u64,
    deletions: u64,
    #[serde(default)]
    previous_filename: Option<String>,
    #[serde(default)]
    patch: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Changed {
    path: String,
    /// `added`, `modified`, `removed`, `renamed` and so on.
    status: String,
    additions: u64,
    deletions: u64,
    /// Its path before.
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    patch: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Whole {
    pull_request: Item,
    /// What its author says of it, as Markdown.
    text: String,
    additions: u64,
    deletions: u64,
    changed_files: u64,
    commits: u64,
    /// Whether it could be merged, in the service's words: `clean`, `dirty`, `blocked`, `unknown`.
    #[serde(skip_serializing_if = "Option::is_none")]
    mergeable: Option<String>,
    /// One page of the files that it changes.
    files: Vec<Changed>,
    /// The next page of files.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page: Option<u32>,
}

pub(crate) fn get(arguments: Get) -> Result<Answer<Whole>> {
    let (repo, number) = (arguments.repository(), arguments.number.to_string());
    let id = repo.issue(arguments.number);
    let client = Client::reading(arguments.api.as_deref())?;
    let mut pull: Pull = client.ask(&id, client.of(Method::Get, &repo, &["pulls", &number]))?;
    let text = words::cut(pull.body.take(), words::BODY);
    let request = arguments.page().of(client.of(Method::Get, &repo, &["pulls", &number, "files"]));
    let response = client.send(&format!("the files of {id}"), request)?;
    let next_page = paging::next(&response);
    let files: Vec<File> = response.json(MOST).map_err(|error| client.lost(&id, error))?;
    let changed = |file: File| Changed {
        path: file.filename,
        status: file.status,
        additions: file.additions,
        deletions: file.deletions,
        before: file.previous_filename,
        patch: file.patch.filter(|_| arguments.patches).map(|patch| words::cut(Some(patch), words::PATCH)),
    };
    let whole = Whole {
        text,
        additions: pull.additions,
        deletions: pull.deletions,
        changed_files: pull.changed_files,
        commits: pull.commits,
        mergeable: pull.mergeable_state.take(),
        files: files.into_iter().map(changed).collect(),
        next_page,
        pull_request: pull.into(),
    };
    Ok(Answer::new(whole).touched(id))
}
