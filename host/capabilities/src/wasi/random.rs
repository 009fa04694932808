//! `wasi:random`: the operating system's numbers for a tool that is granted them, a fixed sequence under `wasi = "inert"`.

use wasmtime::{Result, component::LinkerInstance};

use super::Call;
use crate::{CallState, EndCall};

/// Bytes of one answer: the host makes them, so fuel does not bound them.
const LONGEST: u64 = 64 << 10;

/// The fixed sequence of a call without the grant: the same in every call, and no secret.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seed(u64);

impl Seed {
    pub(crate) const FIXED: Self = Self(0x5741_5244_4b45_4550);

    /// SplitMix64 (Steele, Lea and Flood, 2014).
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

pub(super) fn function<T: Send + 'static>(
    linked: &mut LinkerInstance<'_, T>,
    name: &str,
    call: Call<T>,
) -> Result<bool> {
    match name {
        "get-random-bytes" | "get-insecure-random-bytes" => {
            linked
                .func_wrap(name, move |mut store, (length,): (u64,)| Ok((bytes(call(store.data_mut()), length)?,)))?;
        }
        "get-random-u64" | "get-insecure-random-u64" => {
            linked.func_wrap(name, move |mut store, ()| Ok((number(call(store.data_mut()))?,)))?;
        }
        // 0.2.8 renamed the function; both are served to whoever imports them.
        "insecure-seed" | "get-insecure-seed" => linked.func_wrap(name, move |mut store, ()| {
            let call = call(store.data_mut());
            Ok(((number(call)?, number(call)?),))
        })?,
        _ => return Ok(false),
    }
    Ok(true)
}

fn bytes(call: &mut CallState, length: u64) -> Result<Vec<u8>> {
    let length = usize::try_from(length.min(LONGEST + 1))?;
    if length as u64 > LONGEST {
        return Err(EndCall::Limit("random bytes").into());
    }
    let mut bytes = vec![0; length];
    fill(call, &mut bytes)?;
    Ok(bytes)
}

fn number(call: &mut CallState) -> Result<u64> {
    let mut bytes = [0; 8];
    fill(call, &mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}

fn fill(call: &mut CallState, bytes: &mut [u8]) -> Result<()> {
    if call.random {
        call.host_call_or_end("random")?;
        getrandom::fill(bytes)?;
    } else if call.inert {
        for chunk in bytes.chunks_mut(8) {
            let number = call.seed.next().to_le_bytes();
            chunk.iter_mut().zip(number).for_each(|(byte, fixed)| *byte = fixed);
        }
    } else {
        call.note_denied("random", "wasi:random", "wasi:random");
        return Err(EndCall::Denied("random").into());
    }
    Ok(())
}
