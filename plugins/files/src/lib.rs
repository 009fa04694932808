//! First-party plugin: list, read, search and stat files in named directories. It reads and never writes.
//!
//! With the feature `write`, which the package `wardkeep-files-write` sets, it has the tools that change something too. That is another
//! component: what an administrator approves for reading imports no function that could write.
//!
//! Which directories, the manifest says; a tool sees those that its own `uses` names. Paths are relative to one of them.

mod list;
mod place;
mod read;
mod search;
mod stat;
mod time;
#[cfg(feature = "write")]
mod writing;

use wardkeep_sdk::{Ask, Plugin, Tool};

fn plugin() -> Plugin {
    let ask = || Ask::files("files", "to show what is in it");
    let plugin = Plugin::new("files", env!("CARGO_PKG_VERSION"))
        .tool(Tool::read("list", list::DESCRIPTION, list::list).title("List files").asks(ask()))
        .tool(Tool::read("read", read::DESCRIPTION, read::read).title("Read a file").asks(ask()))
        .tool(Tool::read("search", search::DESCRIPTION, search::search).title("Search in files").asks(ask()))
        .tool(Tool::read("stat", stat::DESCRIPTION, stat::stat).title("Look at a file").asks(ask()));
    #[cfg(feature = "write")]
    let plugin = writing::tools(plugin);
    plugin
}

wardkeep_sdk::export!(plugin);

#[cfg(test)]
mod tests;
