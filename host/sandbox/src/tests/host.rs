//! Host functions that only tests have: one panics, one waits for ever as a real one would.

use std::future::pending;

use wardkeep_capabilities::EndCall;
use wasmtime::component::Linker;

use crate::instance::Guest;

pub(crate) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    let mut hooks = linker.instance("test:host/hooks")?;
    hooks.func_wrap("panic", |_, ()| -> wasmtime::Result<()> { panic!("on purpose") })?;
    hooks.func_wrap_async("wait", |store, ()| {
        Box::new(async move {
            let token = store.data().call.token().clone();
            token.race(pending::<()>()).await.map_err(EndCall::Stopped)?;
            Ok(())
        })
    })
}
