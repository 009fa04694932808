//! First-party plugin: a page of the web as Markdown, text or raw. It reads and never writes.
//!
//! Which hosts, the manifest says. Pages are written by strangers: what they say is data, and what they are made of is bounded here, in depth
//! and in length, before it is turned into anything.

mod answer;
mod page;
mod place;
mod plain;
mod slice;
mod text;
mod tool;

use wardkeep_sdk::{Ask, Plugin, Tool, http::Method};

fn plugin() -> Plugin {
    let ask = Ask::http("*.example.com", [Method::Get], "to read the pages that the administrator lists");
    Plugin::new("fetch", env!("CARGO_PKG_VERSION"))
        .tool(Tool::read("fetch", tool::DESCRIPTION, tool::fetch).title("Read a page").asks(ask))
}

wardkeep_sdk::export!(plugin);

#[cfg(test)]
mod tests;
