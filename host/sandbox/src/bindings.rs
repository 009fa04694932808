//! The typed contract of a plugin: what it exports.
#![allow(missing_docs, unreachable_pub, reason = "generated; documented in the WIT files")]

wasmtime::component::bindgen!({
    path: "../../wit",
    world: "wardkeep:plugin/pure",
    exports: { default: async },
});

pub(crate) use exports::wardkeep::tool::handler;
