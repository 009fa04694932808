//! Reading workflow runs: listing, and one with its jobs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wardkeep_sdk::{Answer, Result, http::Method};

use crate::{
    client::{Client, MOST},
    paging,
    repo::arguments,
};

pub(crate) const LIST: &str =
    "Lists the workflow runs of a repository, newest first. `next_page` tells whether there is more.";
pub(crate) const GET: &str = "Reads one workflow run with a page of its jobs and the steps that did not succeed.";

/// As the API has it.
#[derive(Deserialize)]
struct Run {
    id: u64,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    display_title: String,
    #[serde(default)]
    head_branch: Option<String>,
    #[serde(default)]
    head_sha: String,
    #[serde(default)]
    event: String,
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    conclusion: Option<String>,
    #[serde(default)]
    run_number: u64,
    #[serde(default)]
    run_attempt: Option<u64>,
    #[serde(default)]
    created_at: String,
    #[serde(default)]
    html_url: String,
}

/// A run as a line of a list.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Item {
    id: u64,
    workflow: String,
    title: String,
    branch: String,
    sha: String,
    /// What began it, as in `push`.
    event: String,
    /// `queued`, `in_progress`, `completed` and so on.
    status: String,
    /// How it ended, as in `success`, once it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    conclusion: Option<String>,
    number: u64,
    attempt: u64,
    created: String,
    /// For people.
    url: String,
}

impl From<Run> for Item {
    fn from(run: Run) -> Self {
        Self {
            id: run.id,
            workflow: run.name.unwrap_or_default(),
            title: run.display_title,
            branch: run.head_branch.unwrap_or_default(),
            sha: run.head_sha,
            event: run.event,
            status: run.status.unwrap_or_default(),
            conclusion: run.conclusion,
            number: run.run_number,
            attempt: run.run_attempt.unwrap_or(1),
            created: run.created_at,
            url: run.html_url,
        }
    }
}

arguments! {
    paged List {
        /// Only those of this branch.
        #[serde(default)]
        branch: Option<String>,
        /// Only those that this began, as in `push`.
        #[serde(default)]
        event: Option<String>,
        /// Only those of this status or conclusion, as in `failure`.
        #[serde(default)]
        status: Option<String>,
    }
}

#[derive(Deserialize)]
struct Runs {
    total_count: u64,
    workflow_runs: Vec<Run>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Listed {
    total: u64,
    runs: Vec<Item>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page: Option<u32>,
}

pub(crate) fn list(arguments: List) -> Result<Answer<Listed>> {
    let repo = arguments.repository();
    let client = Client::reading(arguments.api.as_deref())?;
    let what = format!("the workflow runs of {repo}");
    let mut request = client.of(Method::Get, &repo, &["actions", "runs"]);
    for (name, value) in [("branch", &arguments.branch), ("event", &arguments.event), ("status", &arguments.status)] {
        if let Some(value) = value {
            request = request.query(name, value);
        }
    }
    let response = client.send(&what, arguments.page().of(request))?;
    let next_page = paging::next(&response);
    let runs: Runs = response.json(MOST).map_err(|error| client.lost(&what, error))?;
    let listed =
        Listed { total: runs.total_count, runs: runs.workflow_runs.into_iter().map(Item::from).collect(), next_page };
    Ok(Answer::new(listed).touched(repo.to_string()))
}

arguments! {
    paged Get {
        /// The run's id, as `list_workflow_runs` tells it.
        #[schemars(range(min = 1))]
        id: u64,
    }
}

#[derive(Deserialize)]
struct Step {
    name: String,
    number: u64,
    #[serde(default)]
    conclusion: Option<String>,
}

#[derive(Deserialize)]
struct Work {
    id: u64,
    name: String,
    #[serde(default)]
    status: String,
    #[serde(default)]
    conclusion: Option<String>,
    #[serde(default)]
    steps: Vec<Step>,
}

#[derive(Deserialize)]
struct Jobs {
    jobs: Vec<Work>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Job {
    id: u64,
    name: String,
    status: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    conclusion: Option<String>,
    /// The steps that ended and did not succeed.
    failed_steps: Vec<Failed>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Failed {
    number: u64,
    name: String,
    conclusion: String,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Whole {
    run: Item,
    /// One page of its jobs.
    jobs: Vec<Job>,
    /// The next page of jobs.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page: Option<u32>,
}

pub(crate) fn get(arguments: Get) -> Result<Answer<Whole>> {
    let (repo, number) = (arguments.repository(), arguments.id.to_string());
    let id = format!("{repo}/actions/runs/{number}");
    let client = Client::reading(arguments.api.as_deref())?;
    let run: Run = client.ask(&id, client.of(Method::Get, &repo, &["actions", "runs", &number]))?;
    let request = arguments.page().of(client.of(Method::Get, &repo, &["actions", "runs", &number, "jobs"]));
    let response = client.send(&format!("the jobs of {id}"), request)?;
    let next_page = paging::next(&response);
    let jobs: Jobs = response.json(MOST).map_err(|error| client.lost(&id, error))?;
    let failed = |step: Step| {
        let conclusion = step.conclusion.filter(|how| how != "success" && how != "skipped")?;
        Some(Failed { number: step.number, name: step.name, conclusion })
    };
    let job = |work: Work| Job {
        id: work.id,
        name: work.name,
        status: work.status,
        conclusion: work.conclusion,
        failed_steps: work.steps.into_iter().filter_map(failed).collect(),
    };
    let jobs = jobs.jobs.into_iter().map(job).collect();
    Ok(Answer::new(Whole { run: run.into(), jobs, next_page }).touched(id))
}
