//! Where a tool works: which root, and what to say when that goes wrong. Models read these messages and try again, so they name what would do.

use wardkeep_sdk::{
    Failure, Result,
    files::{self, Error},
};

/// The root that was named, or the only one there is.
pub(crate) fn root(named: Option<String>) -> Result<String> {
    let mut granted: Vec<String> = files::granted().into_iter().map(|root| root.name).collect();
    match (named, granted.len()) {
        (_, 0) => {
            Err(Failure::denied("no root is granted to this tool: its `uses` in the manifest names no files grant"))
        }
        (None, 1) => Ok(granted.remove(0)),
        (None, _) => Err(Failure::invalid_arguments(format!("say which `root`: {}", quoted(&granted)))),
        (Some(name), _) if granted.contains(&name) => Ok(name),
        (Some(name), _) => Err(Failure::denied(format!(
            "the root `{name}` is not granted to this tool: granted is {}",
            quoted(&granted)
        ))),
    }
}

/// The path that was named, or the root itself.
pub(crate) fn path(named: Option<String>) -> String {
    match named.as_deref() {
        None | Some("" | "/" | "./") => ".".into(),
        Some(path) => path.strip_prefix("./").unwrap_or(path).trim_end_matches('/').into(),
    }
}

/// What went wrong at a path, and what would do instead.
pub(crate) fn failure(error: Error, root: &str, path: &str) -> Failure {
    let at = format!("`{path}` in root `{root}`");
    match error {
        Error::NotFound => Failure::not_found(format!("nothing is at {at}, or it leads out of the root")),
        Error::NotAFile => Failure::invalid_arguments(format!("{at} is no regular file; `list` shows a directory")),
        Error::NotADirectory => Failure::invalid_arguments(format!("{at} is no directory; `read` shows a file")),
        Error::InvalidPath => Failure::invalid_arguments(format!(
            "{at} is no path: it is relative to the root, parted by `/`, without `..`, a leading `/`, `\\` and control characters"
        )),
        Error::TooLarge => {
            Failure::invalid_arguments(format!("{at} holds more than one answer can; ask for a part of it"))
        }
        Error::Exhausted => Failure::internal(format!(
            "no host call was left at {at}: ask for less, or raise `limits.host_calls` in the manifest"
        )),
        Error::Failed => Failure::internal(format!("the operating system would not read {at}")),
        other => Failure::from(other),
    }
}

fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
