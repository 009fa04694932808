//! Where components are compiled: here, or in a child process that has bounds of its own. What hostile bytes can do to a compiler
//! (burn processor time, take memory) they then do to the child, which ends alone.

mod child;
pub(crate) mod confine;
mod frame;
mod parent;

use serde::{Deserialize, Serialize};
use wardkeep_model::{CompileLimits, Description, Limits};

use crate::EngineOptions;

pub(crate) use child::bound_schemas;
pub use child::compile_child;
pub use parent::{ChildError, Children};

/// Where components are compiled.
#[derive(Debug, Clone, Default)]
pub enum Compiling {
    /// In this process: for tests, and for the child itself.
    #[default]
    Here,
    /// In a child for each component.
    Child(Children),
}

/// What a component says of itself, as it goes over the pipe and into the cache.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Described {
    pub(crate) description: Description,
    pub(crate) fuel: u64,
}

/// What a child is told. Only what the compiled code and `describe` depend on.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Order {
    /// The process that waits for it.
    parent: u32,
    limits: CompileLimits,
    component_bytes: usize,
    functions: u32,
    memory: u64,
    table_elements: u32,
}

impl Order {
    fn new(limits: CompileLimits, options: &EngineOptions) -> Self {
        Self {
            parent: std::process::id(),
            limits,
            component_bytes: options.component_bytes,
            functions: options.functions,
            memory: options.ceilings.memory,
            table_elements: options.ceilings.table_elements,
        }
    }

    /// An engine that makes the same code and has room for one guest.
    fn options(&self) -> EngineOptions {
        EngineOptions {
            workers: 1,
            calls: 1,
            memory: self.memory,
            file_threads: 1,
            component_bytes: self.component_bytes,
            functions: self.functions,
            ceilings: Limits { memory: self.memory, table_elements: self.table_elements, ..Limits::CEILING },
            compiling: Compiling::Here,
            cache: None,
        }
    }
}

#[cfg(test)]
mod tests;
