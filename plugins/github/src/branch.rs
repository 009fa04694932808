//! The tool `delete_branch`.

use schemars::JsonSchema;
use serde::Serialize;
use wardkeep_sdk::{Answer, Result, http::Method};

use crate::{client::Client, repo::arguments};

pub(crate) const DELETE: &str = "Deletes a branch. Commits that nothing else holds are lost with it.";

arguments! {
    Delete {
        /// As in `topic/one`, without `refs/heads/`.
        #[schemars(length(min = 1, max = 250))]
        branch: String,
    }
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Deleted {
    branch: String,
}

pub(crate) fn delete(arguments: Delete) -> Result<Answer<Deleted>> {
    let repo = arguments.repository();
    let id = format!("{repo}:refs/heads/{}", arguments.branch);
    let client = Client::writing(arguments.api.as_deref())?;
    let path: Vec<_> = ["git", "refs", "heads"].into_iter().chain(arguments.branch.split('/')).collect();
    client.send(&id, client.of(Method::Delete, &repo, &path))?;
    Ok(Answer::new(Deleted { branch: arguments.branch }).touched(id))
}
