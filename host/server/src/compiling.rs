//! How this binary compiles components: in children of itself, which the hidden command below becomes, and once for each home,
//! whose cache keeps what came of it.

use wardkeep_sandbox::{Children, CodeCache, CompileLimits, Compiling, Engine, EngineError, EngineOptions};

use crate::{home::Home, load::Terms, screen::note};

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

/// An engine with this operator's ceilings and this home's cache.
pub(crate) fn engine(home: &Home, terms: &Terms, keep: Keep) -> Result<Engine, EngineError> {
    let key = home.keys().join("cache.key");
    let cache = CodeCache::open(&home.cache(), &key, keep == Keep::Writes, note);
    Engine::new(EngineOptions { ceilings: terms.host.ceilings, cache, ..options(terms.config.compile) })
}

fn options(limits: CompileLimits) -> EngineOptions {
    EngineOptions { compiling: Compiling::Child(Children::new(COMMAND, limits)), ..EngineOptions::default() }
}
