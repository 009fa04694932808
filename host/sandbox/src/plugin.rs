//! A component linked with what its manifest grants, and nothing else.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use wardkeep_capabilities::{FilePool, Interface, Served, link};
use wardkeep_model::{PluginName, ToolName};
use wasmtime::component::{Linker, types::ComponentItem};

use crate::{
    Engine, Inspected,
    admission::Places,
    bindings::PurePre,
    engine::WasmtimeError,
    instance::{Guest, call_of},
    lanes::{Line, Pace},
};

/// Panics of host functions after which a plugin is out of service until the next load.
const PANICS: u32 = 3;

/// A loaded plugin. A clone is the same plugin.
#[derive(Clone)]
pub struct Plugin(pub(crate) Arc<Loaded>);

pub(crate) struct Loaded {
    pub(crate) name: PluginName,
    pub(crate) guest: PurePre<Guest>,
    pub(crate) tools: BTreeMap<ToolName, Tool>,
    /// Where its file work runs.
    pub(crate) files: FilePool,
    panics: AtomicU32,
}

/// What the host keeps of one tool between its calls: nothing that a guest could see.
pub(crate) struct Tool {
    pub(crate) places: Arc<Places>,
    pub(crate) pace: Arc<Pace>,
}

impl std::fmt::Debug for Plugin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Plugin").field(&self.0.name).finish()
    }
}

/// Why an inspected component cannot be linked.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Its imports go beyond its grants.
    #[error(
        "the component imports {}, not granted to any of its tools; what is not used can be left out of its world",
        crate::inspect::list(imports)
    )]
    NotGranted {
        /// All of them.
        imports: Vec<String>,
    },
    /// An interface has this name and other types.
    #[error("the component does not fit the host's interfaces")]
    Link(#[source] WasmtimeError),
    /// The terms are for other bytes.
    #[error("the approved component is another: its digest differs")]
    OtherComponent,
}

impl Plugin {
    /// The plugin's name.
    #[must_use]
    pub fn name(&self) -> &PluginName {
        &self.0.name
    }

    /// Did host functions panic so often in its calls that it is not called any more.
    #[must_use]
    pub fn is_out_of_service(&self) -> bool {
        self.0.panics.load(Ordering::Relaxed) >= PANICS
    }

    pub(crate) fn note_panic(&self) {
        self.0.panics.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn link(
        engine: &Engine,
        inspected: &Inspected,
        name: PluginName,
        served: &Served,
        tools: impl Iterator<Item = (ToolName, u32)>,
    ) -> Result<Self, LoadError> {
        let known = |name: &String| Interface::parse(name).is_some_and(|interface| served.includes(interface));
        let wanted = inspected.inspection().imports.iter();
        let imports: Vec<_> = wanted.filter(|name| !known(name) && !is_test_only(name)).cloned().collect();
        if !imports.is_empty() {
            return Err(LoadError::NotGranted { imports });
        }
        let guest = linked(engine, inspected, served).map_err(|error| LoadError::Link(WasmtimeError(error)))?;
        let line = Line::new();
        let tool = |calls: u32| Tool { places: Places::new(calls), pace: Arc::new(Pace::new(line)) };
        let tools = tools.map(|(name, calls)| (name, tool(calls))).collect();
        Ok(Self(Arc::new(Loaded { name, guest, tools, files: engine.0.files.share(), panics: AtomicU32::new(0) })))
    }
}

fn linked(engine: &Engine, inspected: &Inspected, served: &Served) -> wasmtime::Result<PurePre<Guest>> {
    let engine = &engine.0.wasmtime;
    let mut linker = Linker::new(engine);
    for (name, item) in inspected.component.component_type().imports(engine) {
        if let ComponentItem::ComponentInstance(instance) = &item.ty {
            link(&mut linker, engine, (name, instance), served, call_of)?;
        }
    }
    #[cfg(test)]
    crate::tests::host::link(&mut linker)?;
    PurePre::new(linker.instantiate_pre(&inspected.component)?)
}

/// Tests bring host functions of their own that panic and wait.
pub(crate) fn is_test_only(import: &str) -> bool {
    cfg!(test) && import.starts_with("test:")
}
