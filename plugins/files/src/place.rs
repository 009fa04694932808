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

/// The root to be changed that was named, or the only one there is.
#[cfg(feature = "write")]
pub(crate) fn writable(named: Option<String>) -> Result<String> {
    let granted = files::granted();
    let writable: Vec<String> = granted.iter().filter(|root| root.writable).map(|root| root.name.clone()).collect();
    match (named, writable.as_slice()) {
        (_, []) => Err(Failure::denied(
            "no root is granted to this tool for writing: its `uses` in the manifest names no files grant with access = \"write\"",
        )),
        (None, [only]) => Ok(only.clone()),
        (None, all) => Err(Failure::invalid_arguments(format!("say which `root`: {}", quoted(all)))),
        (Some(name), all) if all.contains(&name) => Ok(name),
        (Some(name), all) if granted.iter().any(|root| root.name == name) => Err(Failure::denied(format!(
            "the root `{name}` is granted to this tool for reading only: it may write to {}",
            quoted(all)
        ))),
        (Some(name), all) => Err(Failure::denied(format!(
            "the root `{name}` is not granted to this tool: it may write to {}",
            quoted(all)
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
        Error::Exists => Failure::invalid_arguments(format!("something is at {at} already, and nothing was changed")),
        Error::NotEmpty => Failure::invalid_arguments(format!("{at} is a directory that is not empty")),
        Error::Full => Failure::internal(format!("no space is left on the device of {at}; nothing was changed")),
        Error::Failed => Failure::internal(format!("the operating system refused or failed at {at}")),
        other => Failure::from(other),
    }
}

fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
