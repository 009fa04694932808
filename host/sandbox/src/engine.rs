//! The one wasmtime engine, its clock, and what all guests share: threads apart from those that serve health and kill, and room.

use std::{
    hash::{Hash as _, Hasher},
    io,
    sync::Arc,
    thread,
    time::Duration,
};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use wardkeep_capabilities::FilePool;
use wardkeep_model::{Digest, Digester, Limits};
use wasmtime::{Config, InstanceAllocationStrategy, ModuleVersionStrategy, PoolingAllocationConfig, WasmFeatures};

use crate::{CodeCache, Compiling, lanes::Lanes, memory, room::Room, validate::FUNCTION_BYTES};

/// The epoch moves this often; a guest that has to end does so within two of them.
const TICK: Duration = Duration::from_millis(10);
/// Bytes of the guest's own stack.
const WASM_STACK: usize = 512 << 10;
/// Bytes of the fiber that guest and host functions share.
const FIBER_STACK: usize = 1 << 20;
/// Bytes of a fiber that are cleared by hand between calls: most calls use no more.
const STACK_RESIDENT: usize = 32 << 10;
/// The same of a table.
const TABLE_RESIDENT: usize = 8 << 10;
/// Core instances of one component. Python needs 38, and more with native modules.
pub(crate) const INSTANCES: u32 = 64;
/// Memories of one component.
pub(crate) const MEMORIES: u32 = 8;
/// Tables of one component.
pub(crate) const TABLES: u32 = 8;

/// What the host gives to guests altogether.
#[derive(Debug, Clone)]
pub struct EngineOptions {
    /// Threads that run guests which need much; two more run those that need little.
    pub workers: usize,
    /// Calls that run at once, of all plugins together.
    pub calls: u32,
    /// Bytes that calls which run at once may come to use, of all plugins together.
    pub memory: u64,
    /// The operator's ceilings: the pool is made for them.
    pub ceilings: Limits,
    /// Threads for blocking file work.
    pub file_threads: usize,
    /// Bytes of a component.
    pub component_bytes: usize,
    /// Functions of a component, all its modules together.
    pub functions: u32,
    /// Where components are compiled.
    pub compiling: Compiling,
    /// Where compiled code is kept. What is compiled here is not.
    pub cache: Option<CodeCache>,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            workers: thread::available_parallelism().map_or(2, usize::from).max(2),
            calls: 256,
            memory: memory::for_guests(),
            ceilings: Limits::CEILING,
            file_threads: 32,
            component_bytes: 32 << 20,
            functions: 200_000,
            compiling: Compiling::Here,
            cache: None,
        }
    }
}

/// An engine that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The machine cannot give what the options ask for.
    #[error("cannot set up the WebAssembly engine")]
    Wasmtime(#[source] WasmtimeError),
    /// No threads to be had.
    #[error("cannot start the threads that guests run on")]
    Threads(#[source] io::Error),
}

/// Wasmtime's error as a source of ours.
#[derive(Debug, thiserror::Error)]
#[error("{0:#}")]
pub struct WasmtimeError(pub(crate) wasmtime::Error);

/// As its words.
impl Serialize for WasmtimeError {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for WasmtimeError {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|words| Self(wasmtime::Error::msg(words)))
    }
}

/// Compiles and runs components. A clone is the same engine.
#[derive(Debug, Clone)]
pub struct Engine(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) wasmtime: wasmtime::Engine,
    pub(crate) options: EngineOptions,
    /// What compiled code of this engine is bound to.
    pub(crate) binding: Digest,
    pub(crate) lanes: Lanes,
    pub(crate) room: Room,
    pub(crate) files: FilePool,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("options", &self.options).finish_non_exhaustive()
    }
}

impl Engine {
    /// Sets up compiler, pool, clock and threads.
    ///
    /// # Errors
    ///
    /// What the machine cannot give.
    pub fn new(options: EngineOptions) -> Result<Self, EngineError> {
        let engine = config(&options)
            .and_then(|config| wasmtime::Engine::new(&config))
            .map_err(|error| EngineError::Wasmtime(WasmtimeError(error)))?;
        let lanes = Lanes::new(options.workers, options.file_threads).map_err(EngineError::Threads)?;
        let binding = binding(&engine, &options);
        let inner = Arc::new(Inner {
            wasmtime: engine,
            lanes,
            room: Room::new(options.calls, options.memory),
            files: FilePool::new(options.file_threads),
            binding,
            options,
        });
        tick(&inner.wasmtime).map_err(EngineError::Threads)?;
        Ok(Self(inner))
    }

    /// What lies under it: for who measures what this crate costs beside that. Nothing that serves has a use for it.
    #[doc(hidden)]
    #[must_use]
    pub fn bare(&self) -> &wasmtime::Engine {
        &self.0.wasmtime
    }

    /// Calls that are admitted now, and what runs or waits on the guests' threads.
    #[must_use]
    pub fn busy(&self) -> (u64, usize) {
        (self.0.room.calls(), self.0.lanes.alive())
    }
}

/// All that decides whether code and story of a component would come out the same: wasmtime with its version, the processor and
/// the settings of the compiler, this host's version, and the bounds that were checked before compiling.
fn binding(engine: &wasmtime::Engine, options: &EngineOptions) -> Digest {
    let mut feeding = Feeding(Digester::new("wardkeep compiled code"));
    engine.precompile_compatibility_hash().hash(&mut feeding);
    let mut digester = feeding.0;
    digester.field(env!("CARGO_PKG_VERSION").as_bytes());
    for bound in [options.component_bytes as u64, options.functions.into(), FUNCTION_BYTES as u64] {
        digester.number(bound);
    }
    digester.number(options.ceilings.memory);
    digester.number(options.ceilings.table_elements.into());
    digester.finish()
}

/// Wasmtime tells what matters through `Hash`; all of it is digested.
struct Feeding(Digester);

impl Hasher for Feeding {
    fn write(&mut self, bytes: &[u8]) {
        self.0.field(bytes);
    }

    /// Nobody asks: the digest is taken.
    fn finish(&self) -> u64 {
        0
    }
}

/// Moves the epoch from a thread of its own, so that no load on any runtime can hold it up. Ends with the engine.
fn tick(engine: &wasmtime::Engine) -> io::Result<()> {
    let engine = engine.weak();
    thread::Builder::new().name("epoch".to_owned()).spawn(move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            thread::sleep(TICK);
        }
    })?;
    Ok(())
}

/// The settings that security depends on. Fuel is the budget that is the same for the same call; the epoch ends what has to end
/// earlier. NaNs are canonical so that results are the same everywhere. What guests may not use is off here too, although
/// validation has refused it: most of wasmtime's advisories lie behind those switches.
fn config(options: &EngineOptions) -> wasmtime::Result<Config> {
    // Components describe themselves while all places for calls are taken; a compiling child has one.
    let calls = options.calls.saturating_add((options.calls / 16).max(2));
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(calls)
        .total_core_instances(calls.saturating_mul(INSTANCES))
        .total_memories(calls.saturating_mul(MEMORIES))
        .total_tables(calls.saturating_mul(TABLES))
        .total_stacks(calls)
        .max_core_instances_per_component(INSTANCES)
        .max_memories_per_component(MEMORIES)
        .max_tables_per_component(TABLES)
        .max_tables_per_module(TABLES)
        .max_memories_per_module(1)
        .table_elements(options.ceilings.table_elements as usize)
        .max_memory_size(usize::try_from(options.ceilings.memory)?)
        // What of a slot is cleared by hand stays in place: a system call, an interruption of the other processors and a fault less for each
        // page. Of memories nothing: what a guest wrote lies scattered, and the scan for it (PAGEMAP_SCAN) passes over pages that are
        // swapped out or on the move, which the next call would find.
        .linear_memory_keep_resident(0)
        .table_keep_resident(TABLE_RESIDENT)
        .async_stack_keep_resident(STACK_RESIDENT);
    let mut config = Config::new();
    config
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
        .consume_fuel(true)
        .epoch_interruption(true)
        .max_wasm_stack(WASM_STACK)
        .async_stack_size(FIBER_STACK)
        .async_stack_zeroing(true)
        .memory_init_cow(true)
        .cranelift_nan_canonicalization(true)
        .generate_address_map(false)
        .wasm_backtrace_max_frames(None)
        .concurrency_support(false)
        .gc_support(false)
        .shared_memory(false)
        .module_version(ModuleVersionStrategy::WasmtimeVersion)?
        // Inner components need it on (off panics the compiler); guest modules with several memories are refused before.
        .wasm_multi_memory(true);
    for feature in [
        WasmFeatures::THREADS,
        WasmFeatures::SHARED_EVERYTHING_THREADS,
        WasmFeatures::MEMORY64,
        WasmFeatures::GC,
        WasmFeatures::FUNCTION_REFERENCES,
        WasmFeatures::EXCEPTIONS,
        WasmFeatures::STACK_SWITCHING,
        WasmFeatures::RELAXED_SIMD,
        WasmFeatures::TAIL_CALL,
        WasmFeatures::CUSTOM_PAGE_SIZES,
        WasmFeatures::WIDE_ARITHMETIC,
        WasmFeatures::CM_ASYNC,
        WasmFeatures::CM_MAP,
        WasmFeatures::CM_GC,
        WasmFeatures::CM64,
        WasmFeatures::CM_ERROR_CONTEXT,
        WasmFeatures::CM_FIXED_LENGTH_LISTS,
    ] {
        config.wasm_features(feature, false);
    }
    Ok(config)
}
