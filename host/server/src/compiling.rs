//! How this binary compiles components: in children of itself, which the hidden command below becomes, and once for each home,
//! whose cache keeps what came of it.

use std::path::Path;

use wardkeep_model::CompileLimits;
use wardkeep_sandbox::{Children, CodeCache, Compiling, Engine, EngineError, EngineOptions};

use crate::{
    home::Home,
    load::Terms,
    screen::{escaped, note},
};

/// What the binary is called with to become a compiling child.
pub(crate) const COMMAND: &str = "compile-component";

/// May a command write into the cache of a home.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    /// It owns the home.
    Writes,
    /// It leaves a home as it is.
    Reads,
}

/// An engine for components that are of no home, or not yet.
pub(crate) fn plain() -> Result<Engine, EngineError> {
    Engine::new(options(CompileLimits::default()))
}

/// An engine that keeps what it compiles in a directory that will not last.
pub(crate) fn throwaway(directory: &Path) -> Result<Engine, EngineError> {
    let cache = cache(&directory.join("cache"), &directory.join("cache.key"), Keep::Writes);
    Engine::new(EngineOptions { cache, ..options(CompileLimits::default()) })
}

/// An engine with this operator's ceilings and this home's cache.
pub(crate) fn engine(home: &Home, terms: &Terms, keep: Keep) -> Result<Engine, EngineError> {
    let cache = cache(&home.cache(), &home.keys().join("cache.key"), keep);
    Engine::new(EngineOptions { ceilings: terms.host.ceilings, cache, ..options(terms.config.compile) })
}

fn cache(path: &Path, key: &Path, keep: Keep) -> Option<CodeCache> {
    CodeCache::open(path, key, keep == Keep::Writes, |said| note(escaped(&said.to_string())))
}

fn options(limits: CompileLimits) -> EngineOptions {
    EngineOptions { compiling: Compiling::Child(Children::new(COMMAND, limits)), ..EngineOptions::default() }
}
