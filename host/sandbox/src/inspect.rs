//! What a component is, before anybody approved it: digest, imports, exports, and what it says of itself. `describe` runs
//! through a linker of its own, with little fuel; nothing of it can reach the linker that calls use.

mod error;

use std::{sync::Arc, time::Duration};

use wardkeep_capabilities::{CallState, CallToken, Interface, link_for_description};
use wardkeep_model::{Description, Digest, Limits};
use wasmtime::component::{Component, Linker, types::ComponentItem};

use crate::{
    Compiling, Engine,
    bindings::PurePre,
    code::Code,
    compile::{Described, bound_schemas},
    convert,
    ended::{Stopped, why},
    engine::{Inner, WasmtimeError},
    instance::{Guest, call_of, caught, store},
    lanes::Pace,
    plugin::is_test_only,
    validate::validate,
};

pub(crate) use error::list;
pub use error::{Broken, InspectError};

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
    /// What lies under it, as [`Engine::bare`].
    #[doc(hidden)]
    #[must_use]
    pub const fn bare(&self) -> &Component {
        &self.component
    }

    /// What was found out.
    #[must_use]
    pub fn inspection(&self) -> &Inspection {
        &self.inspection
    }
}

impl Engine {
    /// Checks, compiles and describes a component, or finds that all in the cache. The bytes are read once, by the caller: what is
    /// digested is what runs.
    ///
    /// # Errors
    ///
    /// Why it is no plugin.
    pub async fn inspect(&self, bytes: Arc<[u8]>) -> Result<Inspected, InspectError> {
        let limit = self.0.options.component_bytes;
        if bytes.len() > limit {
            return Err(InspectError::TooLarge { bytes: bytes.len(), limit });
        }
        match &self.0.options.compiling {
            Compiling::Here => self.inspect_here(bytes).await,
            Compiling::Child(children) => {
                let (engine, digesting) = (self.clone(), Arc::clone(&bytes));
                let looking = self.blocking(move || {
                    let digest = Digest::of(&digesting);
                    (digest, engine.cached(digest, digesting.len() as u64))
                });
                let (digest, cached) = looking.await?;
                if let Some(inspected) = cached {
                    return Ok(inspected);
                }
                let size = bytes.len() as u64;
                let (code, described) = children.compile(&self.0.options, bytes).await?;
                let engine = self.clone();
                self.blocking(move || {
                    if let Some(cache) = &engine.0.options.cache {
                        cache.keep(digest, engine.0.binding, &described, &code);
                    }
                    engine.assembled(digest, size, described, &code)
                })
                .await?
            }
        }
    }

    async fn inspect_here(&self, bytes: Arc<[u8]>) -> Result<Inspected, InspectError> {
        let engine = self.clone();
        let compiled = self.blocking(move || engine.compiled(&bytes)).await??;
        let engine = self.clone();
        let describing = async move {
            let Described { description, fuel } = engine.described(&compiled).await?;
            bound_schemas(&description)?;
            let Compiled { digest, size, imports, exports, component, .. } = compiled;
            let inspection = Inspection { digest, size, imports, exports, description, fuel };
            Ok(Inspected { inspection, component })
        };
        // Behind what callers wait for.
        self.0.lanes.run(Arc::new(Pace::unhurried()), describing).await.map_err(|_| InspectError::Interrupted)?
    }

    async fn blocking<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, InspectError> {
        let handle = self.0.lanes.handle().ok_or(InspectError::Interrupted)?;
        handle.spawn_blocking(work).await.map_err(|_| InspectError::Interrupted)
    }

    /// Lets the cache give up what nobody uses. Call it when all that is used has been inspected.
    pub fn tidy(&self) {
        if let (Some(cache), Some(handle)) = (self.0.options.cache.clone(), self.0.lanes.handle()) {
            drop(handle.spawn_blocking(move || cache.sweep()));
        }
    }

    fn cached(&self, digest: Digest, size: u64) -> Option<Inspected> {
        let cache = self.0.options.cache.as_ref()?;
        let (described, code) = cache.find(digest, self.0.binding)?;
        // What bears the host's own tag and cannot be mapped was written by a host that went wrong: it is compiled again.
        self.assembled(digest, size, described, &code)
            .map_err(|error| cache.refuse(digest, self.0.binding, &error))
            .ok()
    }

    /// Code and story of a component put together; its imports and exports are read from the code itself.
    fn assembled(
        &self,
        digest: Digest,
        size: u64,
        described: Described,
        code: &Code,
    ) -> Result<Inspected, InspectError> {
        let engine = &self.0.wasmtime;
        let component = code.component(engine).map_err(|error| InspectError::Compile(WasmtimeError(error)))?;
        let (imports, exports) = interfaces(engine, &component);
        let Described { description, fuel } = described;
        let inspection = Inspection { digest, size, imports, exports, description, fuel };
        Ok(Inspected { inspection, component })
    }

    /// Checks and compiles. Nothing of the component has run when this is done.
    pub(crate) fn compiled(&self, bytes: &[u8]) -> Result<Compiled, InspectError> {
        let engine = &self.0.wasmtime;
        let failed = |error| InspectError::Compile(WasmtimeError(error));
        validate(bytes, &self.0.options)?;
        let component = Component::from_binary(engine, bytes).map_err(failed)?;
        let (imports, exports) = interfaces(engine, &component);
        let unknown: Vec<_> = imports.iter().filter(|name| !is_known(name)).cloned().collect();
        if !unknown.is_empty() {
            return Err(InspectError::UnknownImports { unknown, imports });
        }
        let plugin = prepare(&self.0, &component).map_err(|error| InspectError::NotAPlugin(WasmtimeError(error)))?;
        Ok(Compiled { digest: Digest::of(bytes), size: bytes.len() as u64, imports, exports, component, plugin })
    }

    /// Runs `describe` twice.
    pub(crate) async fn described(&self, compiled: &Compiled) -> Result<Described, InspectError> {
        let (description, fuel) = describe(&self.0, &compiled.plugin).await.map_err(InspectError::Describe)?;
        let (again, _) = describe(&self.0, &compiled.plugin).await.map_err(InspectError::Describe)?;
        if description == again { Ok(Described { description, fuel }) } else { Err(InspectError::NotStable) }
    }
}

/// A component that is ready to describe itself.
pub(crate) struct Compiled {
    digest: Digest,
    size: u64,
    imports: Vec<String>,
    exports: Vec<String>,
    component: Component,
    plugin: PurePre<Guest>,
}

impl Compiled {
    pub(crate) fn serialize(&self) -> Result<Vec<u8>, InspectError> {
        self.component.serialize().map_err(|error| InspectError::Compile(WasmtimeError(error)))
    }
}

/// What a component imports, without mere types, and what it exports.
fn interfaces(engine: &wasmtime::Engine, component: &Component) -> (Vec<String>, Vec<String>) {
    let ty = component.component_type();
    let imports = ty.imports(engine).filter(|(_, item)| holds_something(engine, &item.ty));
    let imports = imports.map(|(name, _)| name.to_owned()).collect();
    (imports, ty.exports(engine).map(|(name, _)| name.to_owned()).collect())
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
