//! A plugin: a name, a version, and tools.

use crate::{
    Failure, Result, Tool,
    raw::{Description, Reply, Request},
};

/// What a component says of itself, and how it answers.
#[derive(Debug)]
pub struct Plugin {
    name: String,
    version: String,
    tools: Vec<Tool>,
}

impl Plugin {
    /// `name`: 1 to 40 of `a-z`, `0-9`, `-` and `_`. `version`: a semantic version, best `env!("CARGO_PKG_VERSION")`.
    #[must_use]
    pub fn new(name: &str, version: &str) -> Self {
        Self { name: name.into(), version: version.into(), tools: Vec::new() }
    }

    /// Adds a tool.
    #[must_use]
    pub fn tool(mut self, tool: Tool) -> Self {
        self.tools.push(tool);
        self
    }

    /// What the host asks first. It must be the same every time: administrators sign its digest.
    #[must_use]
    pub fn describe(&self) -> Description {
        Description {
            name: self.name.clone(),
            version: self.version.clone(),
            tools: self.tools.iter().map(Tool::definition).collect(),
        }
    }

    /// Answers one request.
    ///
    /// # Errors
    ///
    /// What the tool's function fails with; `not-found` for a tool that is not there, `invalid-arguments` for arguments that do not fit its
    /// type (the host has checked them against the schema, which may be wider).
    pub fn call(&self, request: Request) -> Result<Reply> {
        match self.tools.iter().find(|tool| tool.name() == request.tool) {
            Some(tool) => tool.call(&request),
            None => Err(Failure::not_found(format!("no tool `{}` in this plugin", request.tool))),
        }
    }
}
