//! One store and what runs in it: made for one call, ended with it.

use std::{
    any::Any,
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::Arc,
    task::Poll,
    time::Instant,
};

use wardkeep_capabilities::{CallState, EndCall, Used};
use wardkeep_model::{Cost, Failure, LimitKind, Limits, Outcome, Reply};
use wardkeep_policy::SecretTerms;
use wasmtime::{Store, UpdateDeadline};

use crate::{
    bindings::{PurePre, handler},
    convert,
    ended::{Stopped, why},
    engine::Inner,
    limiter::Limiter,
};

/// Fuel after which a guest lets others run.
const YIELD_EVERY: u64 = 1_000_000;
/// Bytes that a guest may push to the host in one host call, or in its answer.
const HOSTCALL_BYTES: u64 = 4 << 20;
/// Handles of resources that a component may hold.
const HANDLES: usize = 1_000;

/// A store's own state.
pub(crate) struct Guest {
    pub(crate) call: CallState,
    pub(crate) limiter: Limiter,
}

/// Where host functions find their call.
pub(crate) fn call_of(guest: &mut Guest) -> &mut CallState {
    &mut guest.call
}

/// A fresh store with all its bounds.
pub(crate) fn store(engine: &Inner, call: CallState, limits: &Limits) -> wasmtime::Result<Store<Guest>> {
    let limiter = Limiter::new(limits.memory, limits.table_elements as usize);
    let mut store = Store::try_new(&engine.wasmtime, Guest { call, limiter })?;
    store.limiter(|guest| &mut guest.limiter);
    store.set_fuel(limits.fuel)?;
    store.fuel_async_yield_interval(Some(YIELD_EVERY))?;
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(|store| match store.data().call.token().state() {
        Some(stop) => Err(EndCall::Stopped(stop).into()),
        None => Ok(UpdateDeadline::Yield(1)),
    });
    // What is over a limit is told to the guest; only what is far over it ends the call.
    let pushed = limits.output.max(limits.request_body).saturating_mul(2).max(HOSTCALL_BYTES);
    store.set_hostcall_fuel(usize::try_from(pushed)?);
    store.set_max_component_handles(HANDLES);
    Ok(store)
}

/// A call to be made.
pub(crate) struct Job {
    pub(crate) request: handler::Request,
    pub(crate) call: CallState,
    pub(crate) limits: Limits,
    /// All of the plugin's.
    pub(crate) secrets: Vec<Arc<SecretTerms>>,
}

/// What came of a job.
pub(crate) struct Done {
    pub(crate) result: Result<Result<Reply, Failure>, Stopped>,
    pub(crate) cost: Cost,
    pub(crate) used: Used,
    pub(crate) panicked: bool,
    /// The store, ended but not yet cleared away: that takes the kernel longer than a small call.
    pub(crate) store: Option<Store<Guest>>,
}

impl Job {
    /// Runs to the end. Must not be dropped before: what has to end early is told so by its token.
    pub(crate) async fn run(self, engine: &Inner, plugin: &PurePre<Guest>) -> Done {
        let started = Instant::now();
        let Self { request, call, limits, secrets } = self;
        let mut store = match store(engine, call, &limits) {
            Ok(store) => store,
            Err(error) => {
                let stopped = Stopped::new(Outcome::HostError, &format!("{error:#}"));
                return Done {
                    result: Err(stopped),
                    cost: Cost::default(),
                    used: Used::default(),
                    panicked: false,
                    store: None,
                };
            }
        };
        let answer = caught(async {
            // A call that was ended while it waited for its turn does not begin.
            if let Some(stop) = store.data().call.token().state() {
                return Err(EndCall::Stopped(stop).into());
            }
            let looking = store.data().call.expect_secrets(&secrets);
            if let Some(looking) = looking {
                looking.await?;
            }
            let instance = plugin.instantiate_async(&mut store).await?;
            instance.wardkeep_tool_handler().call_call(&mut store, &request).await
        })
        .await;
        let panicked = answer.is_err();
        let mut output = 0;
        let result = match answer {
            Ok(Ok(said)) => {
                let answer = said.map(convert::reply).map_err(convert::failure);
                output = convert::bytes_of(&answer);
                within(answer, output, &limits)
            }
            Ok(Err(error)) => Err(why(&error, store.data())),
            Err(panic) => {
                Err(Stopped::new(Outcome::HostError, &format!("a host function panicked: {}", words(&*panic))))
            }
        };
        let used = store.data_mut().call.finish();
        let cost = Cost {
            fuel: limits.fuel.saturating_sub(store.get_fuel().unwrap_or(0)),
            memory_peak: store.data().limiter.peak(),
            elapsed: started.elapsed(),
            host_calls: used.host_calls,
            output,
            log_lines_dropped: used.log_lines_dropped,
            progress_dropped: used.progress_dropped,
        };
        Done { result, cost, used, panicked, store: Some(store) }
    }
}

/// The answer, if it is within the output limit.
fn within<A>(answer: A, bytes: u64, limits: &Limits) -> Result<A, Stopped> {
    if bytes <= limits.output {
        return Ok(answer);
    }
    let detail = format!("the answer has {bytes} bytes, allowed are {}", limits.output);
    Err(Stopped::new(Outcome::Limit(LimitKind::Output), &detail))
}

type Panic = Box<dyn Any + Send>;

/// A panic of the future as a value. The future is not polled again after one, only dropped.
pub(crate) async fn caught<F: Future>(future: F) -> Result<F::Output, Panic> {
    let mut future = pin!(future);
    poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
        Err(panic) => Poll::Ready(Err(panic)),
    })
    .await
}

fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without words")
}
