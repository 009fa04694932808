//! The tools that change something, each one thing: what they may be used for is for the manifest to say.

mod contents;
mod directory;
mod moving;
mod remove;

use wardkeep_sdk::{Ask, Failure, Plugin, Tool, files::Error};

use crate::place;

pub(crate) fn tools(plugin: Plugin) -> Plugin {
    let ask = || Ask::files_to_write("files", "to change what is in it");
    plugin
        .tool(Tool::write("write", contents::WRITE, contents::write).title("Write a file").asks(ask()).idempotent())
        .tool(Tool::write("append", contents::APPEND, contents::append).title("Append to a file").asks(ask()))
        .tool(Tool::write("move", moving::DESCRIPTION, moving::rename).title("Move a file").asks(ask()))
        .tool(
            Tool::write("make_directory", directory::DESCRIPTION, directory::make)
                .title("Make a directory")
                .asks(ask())
                .idempotent(),
        )
        .tool(
            Tool::destructive("remove", remove::DESCRIPTION, remove::remove)
                .title("Remove files")
                .asks(ask())
                .idempotent(),
        )
}

/// What went wrong where something was to be changed.
fn failure(error: Error, root: &str, path: &str) -> Failure {
    let at = format!("`{path}` in root `{root}`");
    match error {
        Error::NotFound => Failure::not_found(format!(
            "nothing is at {at}, its directory is not there (`make_directory` makes it), or it leads out of the root"
        )),
        Error::NotAFile => Failure::invalid_arguments(format!(
            "{at} is no regular file; directories, symbolic links and the like are not written to"
        )),
        Error::NotADirectory => Failure::invalid_arguments(format!("a part of {at} is no directory")),
        Error::TooLarge => Failure::invalid_arguments(format!(
            "more than 2097152 bytes are not written at once to {at}: `append` the rest"
        )),
        other => place::failure(other, root, path),
    }
}

#[cfg(test)]
mod tests;
