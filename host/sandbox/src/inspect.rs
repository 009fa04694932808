//! What a component is, before anybody approved it: digest, imports, exports, and what it says of itself. `describe` runs
//! through a linker of its own, with little fuel; nothing of it can reach the linker that calls use.

use std::{sync::Arc, time::Duration};

use wardkeep_capabilities::{CallState, CallToken, Interface, link_for_description};
use wardkeep_model::{Description, Digest, Limits};
use wasmtime::component::{Component, Linker, types::ComponentItem};

use crate::{
    Engine,
    bindings::PurePre,
    convert,
    ended::{Stopped, why},
    engine::{Inner, WasmtimeError},
    instance::{Guest, call_of, caught, store},
    lanes::Pace,
    plugin::is_test_only,
    validate::validate,
};

/// Fuel for one `describe`. JavaScript engines need 3 million to start.
const FUEL: u64 = 20_000_000;
/// Time for one `describe`.
const DEADLINE: Duration = Duration::from_secs(5);

/// What was found out about a component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// Of the very bytes that were checked and compiled.
    pub digest: Digest,
    /// Bytes of the component.
    pub size: u64,
    /// Interfaces it imports, such as `wardkeep:files/reader@0.1.0`, in its own order; those that hold only types are left out.
    pub imports: Vec<String>,
    /// What it exports.
    pub exports: Vec<String>,
    /// What it says of itself; two runs said the same.
    pub description: Description,
    /// Fuel that one `describe` used.
    pub fuel: u64,
}

/// An inspected component, compiled and ready to be loaded.
#[derive(Clone)]
pub struct Inspected {
    inspection: Inspection,
    pub(crate) component: Component,
}

impl std::fmt::Debug for Inspected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Inspected").field(&self.inspection).finish()
    }
}

impl Inspected {
    /// What was found out.
    #[must_use]
    pub fn inspection(&self) -> &Inspection {
        &self.inspection
    }
}

/// Why a file is no plugin.
#[derive(Debug, thiserror::Error)]
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
    Invalid(#[source] wasmparser::BinaryReaderError),
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
    /// The host is going down, or a thread of it failed.
    #[error("the host could not finish the inspection")]
    Interrupted,
}

pub(crate) fn list(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

impl Engine {
    /// Checks, compiles and describes a component. The bytes are read once, by the caller: what is digested is what runs.
    ///
    /// # Errors
    ///
    /// Why it is no plugin.
    pub async fn inspect(&self, bytes: Arc<[u8]>) -> Result<Inspected, InspectError> {
        let engine = Arc::clone(&self.0);
        let handle = self.0.lanes.handle().ok_or(InspectError::Interrupted)?;
        let compiling = handle.spawn_blocking(move || compile(&engine, &bytes));
        let compiled = compiling.await.map_err(|_| InspectError::Interrupted)??;
        let engine = Arc::clone(&self.0);
        // Behind what callers wait for.
        let describing = async move { described(&engine, compiled).await };
        self.0.lanes.run(Arc::new(Pace::unhurried()), describing).await.map_err(|_| InspectError::Interrupted)?
    }
}

struct Compiled {
    digest: Digest,
    size: u64,
    imports: Vec<String>,
    exports: Vec<String>,
    component: Component,
}

fn compile(engine: &Inner, bytes: &[u8]) -> Result<Compiled, InspectError> {
    validate(bytes, &engine.options)?;
    let component =
        Component::from_binary(&engine.wasmtime, bytes).map_err(|error| InspectError::Compile(WasmtimeError(error)))?;
    let ty = component.component_type();
    let imports = ty.imports(&engine.wasmtime).filter(|(_, item)| holds_something(&engine.wasmtime, &item.ty));
    let imports = imports.map(|(name, _)| name.to_owned()).collect();
    let exports = ty.exports(&engine.wasmtime).map(|(name, _)| name.to_owned()).collect();
    Ok(Compiled { digest: Digest::of(bytes), size: bytes.len() as u64, imports, exports, component })
}

/// Types alone need no grant and nothing linked: an instance counts if it holds a function or a resource.
fn holds_something(engine: &wasmtime::Engine, item: &ComponentItem) -> bool {
    match item {
        ComponentItem::ComponentInstance(instance) => instance
            .exports(engine)
            .any(|(_, item)| matches!(item.ty, ComponentItem::ComponentFunc(_) | ComponentItem::Resource(_))),
        ComponentItem::Type(_) => false,
        _ => true,
    }
}

fn is_known(import: &str) -> bool {
    Interface::parse(import).is_some() || is_test_only(import)
}

async fn described(engine: &Inner, compiled: Compiled) -> Result<Inspected, InspectError> {
    let Compiled { digest, size, imports, exports, component } = compiled;
    let unknown: Vec<_> = imports.iter().filter(|name| !is_known(name)).cloned().collect();
    if !unknown.is_empty() {
        return Err(InspectError::UnknownImports { unknown, imports });
    }
    let plugin = prepare(engine, &component).map_err(|error| InspectError::NotAPlugin(WasmtimeError(error)))?;
    let (description, fuel) = describe(engine, &plugin).await.map_err(InspectError::Describe)?;
    let (again, _) = describe(engine, &plugin).await.map_err(InspectError::Describe)?;
    if description != again {
        return Err(InspectError::NotStable);
    }
    let inspection = Inspection { digest, size, imports, exports, description, fuel };
    Ok(Inspected { inspection, component })
}

fn prepare(engine: &Inner, component: &Component) -> wasmtime::Result<PurePre<Guest>> {
    let mut linker = Linker::new(&engine.wasmtime);
    for (name, item) in component.component_type().imports(&engine.wasmtime) {
        if let ComponentItem::ComponentInstance(instance) = &item.ty {
            link_for_description(&mut linker, &engine.wasmtime, (name, instance), call_of)?;
        }
    }
    #[cfg(test)]
    crate::tests::host::link(&mut linker)?;
    PurePre::new(linker.instantiate_pre(component)?)
}

async fn describe(engine: &Inner, plugin: &PurePre<Guest>) -> Result<(Description, u64), Stopped> {
    let call = CallState::for_description(CallToken::new(DEADLINE));
    let limits = Limits { fuel: FUEL, memory: engine.options.ceilings.memory, ..Limits::DEFAULT };
    let host_error = |text: &str| Stopped::new(wardkeep_model::Outcome::HostError, text);
    let mut store = store(engine, call, &limits).map_err(|error| host_error(&format!("{error:#}")))?;
    let said = caught(async {
        let instance = plugin.instantiate_async(&mut store).await?;
        instance.wardkeep_tool_handler().call_describe(&mut store).await
    });
    match said.await {
        Ok(Ok(said)) => Ok((convert::description(said), FUEL.saturating_sub(store.get_fuel().unwrap_or(0)))),
        Ok(Err(error)) => Err(why(&error, store.data())),
        Err(_panic) => Err(host_error("a host function panicked")),
    }
}
