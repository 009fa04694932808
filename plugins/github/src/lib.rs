//! First-party plugin: issues, pull requests, files and workflow runs of GitHub, or of a server that speaks GitHub's REST API (2022-11-28).
//!
//! Reading goes with the credential `github-ro`, writing with `github-rw`: a tool never opens the other's. Which hosts, repositories and methods
//! are reached, the manifest says. What people wrote into issues and files is data, whatever it says.

mod branch;
mod client;
mod files;
mod issues;
mod limits;
mod paging;
mod pulls;
mod repo;
mod runs;
mod words;
mod writing;

use wardkeep_sdk::{Ask, Plugin, Tool, http::Method};

/// What a reading tool asks for.
fn reads(tool: Tool) -> Tool {
    tool.asks(Ask::http(client::PUBLIC, [Method::Get], "to read what the repository holds"))
        .asks(Ask::secret(client::READ_ONLY, "to read as somebody who may; a token that can only read"))
}

/// What a writing tool asks for.
fn writes(tool: Tool, method: Method) -> Tool {
    tool.asks(Ask::http(client::PUBLIC, [method], "to change what this tool changes"))
        .asks(Ask::secret(client::READ_WRITE, "to write as somebody who may"))
}

fn plugin() -> Plugin {
    Plugin::new("github", env!("CARGO_PKG_VERSION"))
        .tool(reads(Tool::read("search_issues", issues::SEARCH, issues::search).title("Search issues")))
        .tool(reads(Tool::read("list_issues", issues::LIST, issues::list).title("List issues")))
        .tool(reads(Tool::read("get_issue", issues::GET, issues::get).title("Read an issue")))
        .tool(reads(Tool::read("list_pull_requests", pulls::LIST, pulls::list).title("List pull requests")))
        .tool(reads(Tool::read("get_pull_request", pulls::GET, pulls::get).title("Read a pull request")))
        .tool(reads(Tool::read("list_directory", files::LIST, files::list).title("List a directory")))
        .tool(reads(Tool::read("get_file", files::GET, files::get).title("Read a file")))
        .tool(reads(Tool::read("list_workflow_runs", runs::LIST, runs::list).title("List workflow runs")))
        .tool(reads(Tool::read("get_workflow_run", runs::GET, runs::get).title("Read a workflow run")))
        .tool(writes(
            Tool::write("create_issue", writing::CREATE, writing::create).title("Create an issue"),
            Method::Post,
        ))
        .tool(writes(Tool::write("comment", writing::COMMENT, writing::comment).title("Comment"), Method::Post))
        .tool(writes(
            Tool::write("add_labels", writing::ADD_LABELS, writing::add_labels).title("Add labels").idempotent(),
            Method::Post,
        ))
        .tool(writes(
            Tool::write("remove_label", writing::REMOVE_LABEL, writing::remove_label).title("Remove a label"),
            Method::Delete,
        ))
        .tool(
            writes(Tool::write("close_issue", writing::CLOSE, writing::close).title("Close an issue"), Method::Patch)
                .asks(Ask::http(client::PUBLIC, [Method::Post], "to comment and label while it closes")),
        )
        .tool(writes(
            Tool::destructive("delete_branch", branch::DELETE, branch::delete).title("Delete a branch"),
            Method::Delete,
        ))
}

wardkeep_sdk::export!(plugin);

#[cfg(test)]
mod tests;
