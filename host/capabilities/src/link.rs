//! Fills a linker with what one component imports and its manifest grants, and nothing else.

use wasmtime::{
    Engine, Result,
    component::{HasSelf, Linker, ResourceType, types::ComponentInstance, types::ComponentItem},
};

use crate::{
    CallState, EndCall,
    bindings::{client, handle, log, progress, reader, store, writer},
    interface::{Interface, Served},
    wasi,
};

/// Links the import of this name if `served` includes it.
///
/// # Errors
///
/// What the linker says of an interface whose functions have other types than the host's.
pub fn link<T: Send + 'static>(
    linker: &mut Linker<T>,
    engine: &Engine,
    import: (&str, &ComponentInstance),
    served: &Served,
    call: fn(&mut T) -> &mut CallState,
) -> Result<()> {
    let (name, instance) = import;
    let Some(interface) = Interface::parse(name).filter(|interface| served.includes(*interface)) else {
        return Ok(());
    };
    match interface {
        Interface::Log => log::add_to_linker::<T, HasSelf<CallState>>(linker, call),
        Interface::Progress => progress::add_to_linker::<T, HasSelf<CallState>>(linker, call),
        Interface::FilesReader => reader::add_to_linker::<T, HasSelf<CallState>>(linker, call),
        Interface::FilesWriter => writer::add_to_linker::<T, HasSelf<CallState>>(linker, call),
        Interface::HttpClient => client::add_to_linker::<T, HasSelf<CallState>>(linker, call),
        Interface::SecretsHandle => handle::add_to_linker::<T, HasSelf<CallState>>(linker, call),
        Interface::SecretsStore => store::add_to_linker::<T, HasSelf<CallState>>(linker, call),
        Interface::Wasi(_) => wasi::link(linker, engine, name, instance, call),
    }
}

/// Links the import of this name for `describe`: WASI answers inertly, capabilities are there and end it when they are called.
///
/// # Errors
///
/// As [`link`].
pub fn link_for_description<T: Send + 'static>(
    linker: &mut Linker<T>,
    engine: &Engine,
    import: (&str, &ComponentInstance),
    call: fn(&mut T) -> &mut CallState,
) -> Result<()> {
    let (name, instance) = import;
    match Interface::parse(name) {
        None => Ok(()),
        Some(Interface::Wasi(_)) => wasi::link(linker, engine, name, instance, call),
        Some(_) => {
            let mut stubs = linker.instance(name)?;
            for (export, item) in instance.exports(engine) {
                match item.ty {
                    ComponentItem::ComponentFunc(_) => {
                        stubs.func_new(export, |_, _, _, _| Err(EndCall::Describing.into()))?;
                    }
                    ComponentItem::Resource(_) => {
                        stubs.resource(export, ResourceType::host::<EndCall>(), |_, _| Ok(()))?;
                    }
                    _ => {}
                }
            }
            Ok(())
        }
    }
}
