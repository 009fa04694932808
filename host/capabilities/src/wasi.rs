//! WASI 0.2 as a guest finds it here: an inert baseline of our own, no more than what toolchains need to start.
//!
//! No environment, no arguments, no files, no sockets, no names resolved, an empty standard input; standard output and error
//! go to the log with a cap. Clocks and random numbers are real for a tool that is granted them, frozen under
//! `wasi = "inert"`, and end the call otherwise. Waiting races the call's token.
//!
//! Functions that carry anything are typed. The rest, all of files and sockets, is refused by one untyped function that looks
//! for the word of refusal in the component's own type: it reads no argument, so there is nothing to get wrong in it.

mod clocks;
mod io;
mod random;
mod refuse;

use wasmtime::{
    Engine, Result,
    component::{Linker, LinkerInstance, Resource, ResourceType, types::ComponentInstance, types::ComponentItem},
};

use crate::{CallState, EndCall, log::Standard};

pub(crate) use random::Seed;

/// How a linked function finds its call in the store.
type Call<T> = fn(&mut T) -> &mut CallState;

/// Links one interface of WASI, under the very name that the component imports.
pub(crate) fn link<T: Send + 'static>(
    linker: &mut Linker<T>,
    engine: &Engine,
    import: &str,
    instance: &ComponentInstance,
    call: Call<T>,
) -> Result<()> {
    let interface = import.split('@').next().and_then(|name| name.strip_prefix("wasi:")).unwrap_or_default();
    let mut linked = linker.instance(import)?;
    for (name, item) in instance.exports(engine) {
        match item.ty {
            ComponentItem::ComponentFunc(_) => function(&mut linked, interface, name, call)?,
            ComponentItem::Resource(_) => resource(&mut linked, interface, name, call)?,
            _ => {}
        }
    }
    Ok(())
}

fn function<T: Send + 'static>(
    linked: &mut LinkerInstance<'_, T>,
    interface: &str,
    name: &str,
    call: Call<T>,
) -> Result<()> {
    let answered = match interface {
        "io/poll" | "io/streams" | "io/error" => io::function(linked, name, call)?,
        "clocks/monotonic-clock" | "clocks/wall-clock" => clocks::function(linked, interface, name, call)?,
        "random/random" | "random/insecure" | "random/insecure-seed" => random::function(linked, name, call)?,
        _ => command(linked, interface, name, call)?,
    };
    if answered { Ok(()) } else { linked.func_new(name, |_, ty, _, results| refuse::answer(&ty, results)) }
}

/// The functions of `wasi:cli`, and the few of files and sockets that a start of a program calls.
fn command<T: Send + 'static>(
    linked: &mut LinkerInstance<'_, T>,
    interface: &str,
    name: &str,
    call: Call<T>,
) -> Result<bool> {
    match (interface, name) {
        ("cli/environment", "get-environment") => {
            linked.func_wrap(name, |_, ()| Ok((Vec::<(String, String)>::new(),)))?;
        }
        ("cli/environment", "get-arguments") => linked.func_wrap(name, |_, ()| Ok((Vec::<String>::new(),)))?,
        ("cli/exit", "exit") => {
            linked.func_wrap(name, |_, (_,): (Result<(), ()>,)| -> Result<()> { Err(EndCall::Exited.into()) })?;
        }
        ("cli/exit", "exit-with-code") => {
            linked.func_wrap(name, |_, (_,): (u8,)| -> Result<()> { Err(EndCall::Exited.into()) })?;
        }
        ("cli/stdin", "get-stdin") => {
            linked.func_wrap(name, move |mut store, ()| Ok((io::push(call(store.data_mut()), io::EmptyStream)?,)))?
        }
        ("cli/stdout", "get-stdout") => linked.func_wrap(name, move |mut store, ()| {
            Ok((io::push(call(store.data_mut()), io::LogStream(Standard::Output))?,))
        })?,
        ("cli/stderr", "get-stderr") => linked.func_wrap(name, move |mut store, ()| {
            Ok((io::push(call(store.data_mut()), io::LogStream(Standard::Error))?,))
        })?,
        ("filesystem/preopens", "get-directories") => {
            linked.func_wrap(name, |_, ()| Ok((Vec::<(Resource<Descriptor>, String)>::new(),)))?;
        }
        ("sockets/instance-network", "instance-network") => {
            linked.func_wrap(name, move |mut store, ()| Ok((io::push(call(store.data_mut()), Network)?,)))?
        }
        ("sockets/ip-name-lookup", "resolve-addresses") => linked.func_wrap(
            name,
            |_, (_, _): (Resource<Network>, String)| -> Result<(Result<Resource<Lookup>, refuse::NetworkError>,)> {
                Ok((Err(refuse::NetworkError::AccessDenied),))
            },
        )?,
        _ => return Ok(false),
    }
    Ok(true)
}

/// Each resource where WASI defines it. Where an interface only uses one of another, it must not be defined a second time.
fn resource<T: Send + 'static>(
    linked: &mut LinkerInstance<'_, T>,
    interface: &str,
    name: &str,
    call: Call<T>,
) -> Result<()> {
    match (interface, name) {
        ("io/error", "error") => never::<T, io::IoError>(linked, name),
        ("io/poll", "pollable") => held::<T, io::Pollable>(linked, name, call),
        ("io/streams", "input-stream") => held::<T, io::EmptyStream>(linked, name, call),
        ("io/streams", "output-stream") => held::<T, io::LogStream>(linked, name, call),
        ("cli/terminal-input", "terminal-input") => never::<T, TerminalInput>(linked, name),
        ("cli/terminal-output", "terminal-output") => never::<T, TerminalOutput>(linked, name),
        ("filesystem/types", "descriptor") => never::<T, Descriptor>(linked, name),
        ("filesystem/types", "directory-entry-stream") => never::<T, Entries>(linked, name),
        ("sockets/network", "network") => held::<T, Network>(linked, name, call),
        ("sockets/ip-name-lookup", "resolve-address-stream") => never::<T, Lookup>(linked, name),
        ("sockets/tcp", "tcp-socket") => never::<T, Tcp>(linked, name),
        ("sockets/udp", "udp-socket") => never::<T, Udp>(linked, name),
        ("sockets/udp", "incoming-datagram-stream") => never::<T, UdpIncoming>(linked, name),
        ("sockets/udp", "outgoing-datagram-stream") => never::<T, UdpOutgoing>(linked, name),
        _ => Ok(()),
    }
}

/// A resource whose handles live in the call's table.
fn held<T: Send + 'static, R: Send + 'static>(
    linked: &mut LinkerInstance<'_, T>,
    name: &str,
    call: Call<T>,
) -> Result<()> {
    linked.resource(name, ResourceType::host::<R>(), move |mut store, rep| {
        call(store.data_mut()).table.delete(Resource::<R>::new_own(rep))?;
        Ok(())
    })
}

/// A resource of which no handle is ever made.
fn never<T: Send + 'static, R: 'static>(linked: &mut LinkerInstance<'_, T>, name: &str) -> Result<()> {
    linked.resource(name, ResourceType::host::<R>(), |_, _| Ok(()))
}

struct Network;
enum Descriptor {}
enum Entries {}
enum Lookup {}
enum Tcp {}
enum Udp {}
enum UdpIncoming {}
enum UdpOutgoing {}
enum TerminalInput {}
enum TerminalOutput {}
