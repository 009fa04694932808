//! `wasi:clocks`: the time for a tool that is granted it, a frozen moment under `wasi = "inert"`.
//!
//! Reading a clock is not counted as a host call: runtimes read it at every step, and fuel bounds it.

use std::time::{Duration, SystemTime};

use wasmtime::{
    Result,
    component::{ComponentType, Lift, LinkerInstance, Lower},
};

use super::{
    Call,
    io::{Pollable, push},
};
use crate::{CallState, EndCall};

/// Where a frozen clock stands, in seconds since 1970: the beginning of 2020. Some programs take 0 for unset.
const FROZEN: u64 = 1_577_836_800;

#[derive(ComponentType, Lower, Lift, Debug, Clone, Copy, PartialEq, Eq)]
#[component(record)]
struct Datetime {
    #[component(name = "seconds")]
    seconds: u64,
    #[component(name = "nanoseconds")]
    nanoseconds: u32,
}

pub(super) fn function<T: Send + 'static>(
    linked: &mut LinkerInstance<'_, T>,
    interface: &str,
    name: &str,
    call: Call<T>,
) -> Result<bool> {
    match (interface, name) {
        ("clocks/wall-clock", "now") => {
            linked.func_wrap(name, move |mut store, ()| Ok((wall(call(store.data_mut()))?,)))?;
        }
        ("clocks/wall-clock", "resolution") => {
            linked.func_wrap(name, |_, ()| Ok((Datetime { seconds: 0, nanoseconds: 1_000_000 },)))?;
        }
        ("clocks/monotonic-clock", "now") => {
            linked.func_wrap(name, move |mut store, ()| Ok((monotonic(call(store.data_mut()))?,)))?;
        }
        ("clocks/monotonic-clock", "resolution") => linked.func_wrap(name, |_, ()| Ok((1_000_000_u64,)))?,
        ("clocks/monotonic-clock", "subscribe-duration") => {
            linked.func_wrap(name, move |mut store, (duration,): (u64,)| {
                let call = call(store.data_mut());
                let when = monotonic(call)?.saturating_add(duration);
                let pollable = until(call, when);
                Ok((push(call, pollable)?,))
            })?;
        }
        ("clocks/monotonic-clock", "subscribe-instant") => {
            linked.func_wrap(name, move |mut store, (when,): (u64,)| {
                let call = call(store.data_mut());
                monotonic(call)?;
                let pollable = until(call, when);
                Ok((push(call, pollable)?,))
            })?;
        }
        _ => return Ok(false),
    }
    Ok(true)
}

/// Is the running tool's clock a real one; without grant and without the inert baseline the call ends.
fn is_real(call: &mut CallState) -> Result<bool, EndCall> {
    if !call.clock && !call.inert {
        call.note_denied("clock", "wasi:clocks", "wasi:clocks");
        return Err(EndCall::Denied("clock"));
    }
    Ok(call.clock)
}

fn wall(call: &mut CallState) -> Result<Datetime> {
    if !is_real(call)? {
        return Ok(Datetime { seconds: FROZEN, nanoseconds: 0 });
    }
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Ok(Datetime { seconds: now.as_secs(), nanoseconds: now.subsec_nanos() })
}

/// Nanoseconds since the call began: says nothing of the host's own uptime.
fn monotonic(call: &mut CallState) -> Result<u64> {
    if !is_real(call)? {
        return Ok(0);
    }
    Ok(u64::try_from(call.started.elapsed().as_nanos()).unwrap_or(u64::MAX))
}

/// A wait until the monotonic clock shows `when`. A frozen clock never gets there: that wait ends with the call.
fn until(call: &CallState, when: u64) -> Pollable {
    if when == 0 {
        Pollable::Ready
    } else if call.clock {
        call.started.checked_add(Duration::from_nanos(when)).map_or(Pollable::Never, Pollable::At)
    } else {
        Pollable::Never
    }
}
