//! The typed half of the contract: what `bindgen!` makes of the interfaces that this crate implements.
#![allow(missing_docs, unreachable_pub, reason = "generated; documented in the WIT files")]

wasmtime::component::bindgen!({
    path: "../../wit",
    inline: "
        package wardkeep:host;
        world capabilities {
            import wardkeep:files/reader@0.1.0;
            import wardkeep:files/writer@0.1.0;
            import wardkeep:http/client@0.1.0;
            import wardkeep:log/log@0.1.0;
            import wardkeep:progress/progress@0.1.0;
            import wardkeep:secrets/handle@0.1.0;
            import wardkeep:secrets/store@0.1.0;
        }
    ",
    world: "wardkeep:host/capabilities",
    with: {
        "wardkeep:http/client.body": crate::http::Body,
        "wardkeep:secrets/handle.secret": crate::secrets::Held,
    },
    imports: { default: async | trappable },
});

pub(crate) use wardkeep::files::{reader, writer};
pub(crate) use wardkeep::http::client;
pub(crate) use wardkeep::log::log;
pub(crate) use wardkeep::progress::progress;
pub(crate) use wardkeep::secrets::{handle, store};
