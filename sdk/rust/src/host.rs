//! What lies behind the modules: the imports of the component, or the fakes when the code runs natively.

#[cfg(target_arch = "wasm32")]
pub(crate) use wasm::*;

#[cfg(not(target_arch = "wasm32"))]
pub(crate) use crate::fake::host::*;

/// What `export!` puts around every entry: a panic says why before it ends the call. WebAssembly has no unwinding here, so a
/// trap is all that the host would see.
#[doc(hidden)]
pub fn enter<T>(body: impl FnOnce() -> T) -> T {
    #[cfg(target_arch = "wasm32")]
    std::panic::set_hook(Box::new(|panic| crate::log::error(panic)));
    body()
}

/// All generated types are compared in tests, and records that hold a handle would not be without this: the same handle is the same thing.
mod same {
    use crate::bindings::wardkeep::{http::client::Body, secrets::handle::Secret};

    impl PartialEq for Body {
        fn eq(&self, other: &Self) -> bool {
            self.handle() == other.handle()
        }
    }

    impl PartialEq for Secret {
        fn eq(&self, other: &Self) -> bool {
            self.handle() == other.handle()
        }
    }
}

#[cfg(target_arch = "wasm32")]
mod wasm {
    use std::time::Duration;

    use wasip2::{clocks, random};

    use crate::{
        bindings::wardkeep::http::client,
        http::{Error, Header, Parts},
    };

    pub(crate) use crate::bindings::wardkeep::{
        files::{
            reader::{granted, list, read, read_batch, read_text, stat, walk},
            writer::{mkdir, move_, remove, write},
        },
        http::client::Body,
        log::log::write as log,
        progress::progress::report as progress,
        secrets::{handle::Secret, store::open},
    };

    pub(crate) fn send(parts: Parts, secret: Option<&Secret>) -> Result<(u16, Vec<Header>, Body), Error> {
        let Parts { method, host, path, query, headers, body } = parts;
        let client::Response { status, headers, body } =
            client::send(&client::Request { method, host, path, query, headers, body, secret })?;
        Ok((status, headers, body))
    }

    pub(crate) fn wall_clock() -> Duration {
        let now = clocks::wall_clock::now();
        Duration::new(now.seconds, now.nanoseconds)
    }

    pub(crate) fn monotonic_clock() -> Duration {
        Duration::from_nanos(clocks::monotonic_clock::now())
    }

    pub(crate) fn random_bytes(count: u32) -> Vec<u8> {
        random::random::get_random_bytes(count.into())
    }

    pub(crate) fn random_number() -> u64 {
        random::random::get_random_u64()
    }
}
