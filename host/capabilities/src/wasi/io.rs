//! `wasi:io`: waiting, an empty standard input, a standard output that is the log.

use std::time::Instant;

use wasmtime::{
    Result, StoreContextMut,
    component::{ComponentType, Lift, LinkerInstance, Lower, Resource},
};

use super::Call;
use crate::{CallState, EndCall, log::Standard};

/// What `check-write` allows at a time: bounds what one call pushes to the host.
const AT_ONCE: u64 = 64 << 10;

/// Something to wait for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Pollable {
    Ready,
    /// A moment of the monotonic clock.
    At(Instant),
    /// Only the end of the call ends this wait.
    Never,
}

/// Standard input: at its end from the beginning.
pub(super) struct EmptyStream;
/// Standard output or error.
pub(super) struct LogStream(pub(super) Standard);
/// No operation here fails with one, so none is ever made.
pub(super) enum IoError {}

#[derive(ComponentType, Lower, Lift)]
#[component(variant)]
#[allow(dead_code, reason = "the type must be WASI's to the last case")]
enum StreamError {
    #[component(name = "last-operation-failed")]
    LastOperationFailed(Resource<IoError>),
    #[component(name = "closed")]
    Closed,
}

type Read<R> = Result<(Result<R, StreamError>,)>;

/// A handle in the call's table, which is bounded.
pub(super) fn push<R: Send + 'static>(call: &mut CallState, resource: R) -> Result<Resource<R>> {
    call.table.push(resource).map_err(|_full| EndCall::Limit("handles").into())
}

pub(super) fn function<T: Send + 'static>(
    linked: &mut LinkerInstance<'_, T>,
    name: &str,
    call: Call<T>,
) -> Result<bool> {
    match name {
        "poll" => linked.func_wrap_async(name, move |store, (handles,): (Vec<Resource<Pollable>>,)| {
            Box::new(async move { Ok((poll(store, call, &handles).await?,)) })
        })?,
        "[method]pollable.ready" => linked.func_wrap(name, move |mut store, (handle,): (Resource<Pollable>,)| {
            Ok((is_ready(*call(store.data_mut()).table.get(&handle)?),))
        })?,
        "[method]pollable.block" => linked.func_wrap_async(name, move |store, (handle,): (Resource<Pollable>,)| {
            Box::new(async move { poll(store, call, &[handle]).await.map(|_ready| ()) })
        })?,
        "[method]input-stream.read" | "[method]input-stream.blocking-read" => {
            linked.func_wrap(name, |_, (_, _): (Resource<EmptyStream>, u64)| -> Read<Vec<u8>> {
                Ok((Err(StreamError::Closed),))
            })?;
        }
        "[method]input-stream.skip" | "[method]input-stream.blocking-skip" => {
            linked.func_wrap(name, |_, (_, _): (Resource<EmptyStream>, u64)| -> Read<u64> {
                Ok((Err(StreamError::Closed),))
            })?;
        }
        "[method]input-stream.subscribe" => linked
            .func_wrap(name, move |mut store, (_,): (Resource<EmptyStream>,)| {
                Ok((push(call(store.data_mut()), Pollable::Ready)?,))
            })?,
        "[method]output-stream.check-write" => {
            linked.func_wrap(name, |_, (_,): (Resource<LogStream>,)| -> Read<u64> { Ok((Ok(AT_ONCE),)) })?;
        }
        "[method]output-stream.write" | "[method]output-stream.blocking-write-and-flush" => {
            linked.func_wrap(name, move |mut store, (handle, bytes): (Resource<LogStream>, Vec<u8>)| -> Read<()> {
                let call = call(store.data_mut());
                let LogStream(stream) = *call.table.get(&handle)?;
                call.log.stream(stream, &bytes);
                Ok((Ok(()),))
            })?;
        }
        "[method]output-stream.flush" | "[method]output-stream.blocking-flush" => {
            linked.func_wrap(name, |_, (_,): (Resource<LogStream>,)| -> Read<()> { Ok((Ok(()),)) })?;
        }
        "[method]output-stream.write-zeroes" | "[method]output-stream.blocking-write-zeroes-and-flush" => {
            linked.func_wrap(name, |_, (_, _): (Resource<LogStream>, u64)| -> Read<()> { Ok((Ok(()),)) })?;
        }
        "[method]output-stream.splice" | "[method]output-stream.blocking-splice" => {
            linked.func_wrap(name, |_, (_, _, _): (Resource<LogStream>, Resource<EmptyStream>, u64)| -> Read<u64> {
                Ok((Err(StreamError::Closed),))
            })?;
        }
        "[method]output-stream.subscribe" => linked
            .func_wrap(name, move |mut store, (_,): (Resource<LogStream>,)| {
                Ok((push(call(store.data_mut()), Pollable::Ready)?,))
            })?,
        _ => return Ok(false),
    }
    Ok(true)
}

fn is_ready(pollable: Pollable) -> bool {
    match pollable {
        Pollable::Ready => true,
        Pollable::At(when) => Instant::now() >= when,
        Pollable::Never => false,
    }
}

/// The indexes of what is ready, waiting for the first; the call's token ends the wait.
async fn poll<T: Send + 'static>(
    mut store: StoreContextMut<'_, T>,
    call: Call<T>,
    handles: &[Resource<Pollable>],
) -> Result<Vec<u32>> {
    let call = call(store.data_mut());
    let mut awaited = Vec::with_capacity(handles.len());
    for handle in handles {
        awaited.push(*call.table.get(handle)?);
    }
    loop {
        let ready: Vec<u32> = (0..).zip(&awaited).filter(|(_, it)| is_ready(**it)).map(|(index, _)| index).collect();
        if !ready.is_empty() {
            return Ok(ready);
        }
        let first = awaited.iter().filter_map(|it| if let Pollable::At(when) = it { Some(*when) } else { None }).min();
        let wait = async {
            match first {
                Some(when) => tokio::time::sleep_until(when.into()).await,
                None => std::future::pending().await,
            }
        };
        call.token.race(wait).await.map_err(EndCall::Stopped)?;
    }
}
