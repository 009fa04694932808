//! Why a file is no plugin, in words for whoever brought it.

use serde::{Deserialize, Serialize};

use crate::{ChildError, ended::Stopped, engine::WasmtimeError};

/// Why a file is no plugin. It is what a compiling child says, too: it goes over the pipe with its words.
#[derive(Debug, thiserror::Error, Serialize, Deserialize)]
pub enum InspectError {
    /// Above the cap.
    #[error("the component has {bytes} bytes, allowed are {limit}")]
    #[allow(missing_docs, reason = "said in the message")]
    TooLarge { bytes: usize, limit: usize },
    /// A core module, not a component.
    #[error("this is a core WebAssembly module, not a component; build it with a component toolchain")]
    CoreModule,
    /// Something else.
    #[error("this is not WebAssembly")]
    NotWebAssembly,
    /// Broken, or beyond the features that guests may use.
    #[error("the component is not valid here: {0}")]
    Invalid(#[source] Broken),
    /// Above the cap.
    #[error("the component has more than {limit} functions")]
    #[allow(missing_docs, reason = "said in the message")]
    TooManyFunctions { limit: u32 },
    /// Above the cap.
    #[error("a function of the component has {bytes} bytes, allowed are {limit}")]
    #[allow(missing_docs, reason = "said in the message")]
    FunctionTooLarge { bytes: usize, limit: usize },
    /// The compiler refused it.
    #[error("the component cannot be compiled")]
    Compile(#[source] WasmtimeError),
    /// It needs what no manifest can grant.
    #[error("the component imports what this host does not know: {}", list(unknown))]
    UnknownImports {
        /// Those that are not known.
        unknown: Vec<String>,
        /// All that it imports.
        imports: Vec<String>,
    },
    /// It does not export `wardkeep:tool/handler`, or not with the types of the contract.
    #[error("the component is no plugin: it does not export `wardkeep:tool/handler@0.1.0` as the contract has it")]
    NotAPlugin(#[source] WasmtimeError),
    /// It ended instead of describing itself.
    #[error("`describe` ended with {}: {}", .0.outcome, .0.detail)]
    Describe(Stopped),
    /// It tells different stories.
    #[error("two runs of `describe` do not agree")]
    NotStable,
    /// Its schemas cost too much to compile.
    #[error("the schemas of the component take too long to compile, at the latest that of `{tool}`")]
    CostlySchemas {
        /// The tool whose schema was compiled last.
        tool: String,
    },
    /// The child that was to compile it gave no answer.
    #[error(transparent)]
    #[serde(skip)]
    Child(#[from] ChildError),
    /// The host is going down, or a thread of it failed.
    #[error("the host could not finish the inspection")]
    Interrupted,
}

/// What the parser says of a broken component.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{0}")]
pub struct Broken(pub(crate) String);

impl From<wasmparser::BinaryReaderError> for Broken {
    fn from(error: wasmparser::BinaryReaderError) -> Self {
        Self(error.to_string())
    }
}

pub(crate) fn list(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
