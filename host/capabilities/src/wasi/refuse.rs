//! The answer of every WASI function that would reach out: no.

use wasmtime::{
    Result,
    component::{ComponentType, Lift, Lower, Type, Val, types::ComponentFunc},
};

use crate::EndCall;

/// How WASI's own error enums say that something is not allowed, the plainest first.
const WORDS: [&str; 5] = ["access-denied", "access", "not-permitted", "not-supported", "unsupported"];

/// Refuses in the words of the function's own type; a function whose type cannot say no ends the call.
pub(super) fn answer(ty: &ComponentFunc, results: &mut [Val]) -> Result<()> {
    let refusal = match ty.results().next() {
        Some(Type::Result(result)) => match result.err() {
            Some(Type::Enum(names)) => WORDS
                .into_iter()
                .find(|word| names.names().any(|name| name == *word))
                .map(|word| Val::Result(Err(Some(Box::new(Val::Enum(word.to_owned())))))),
            _ => None,
        },
        Some(Type::Option(_)) => Some(Val::Option(None)),
        _ => None,
    };
    match (refusal, results) {
        (Some(refusal), [result]) => {
            *result = refusal;
            Ok(())
        }
        _ => Err(EndCall::Denied("wasi").into()),
    }
}

/// `wasi:sockets/network.error-code`. Only one of them is ever given.
#[derive(ComponentType, Lower, Lift, Debug, Clone, Copy)]
#[component(enum)]
#[repr(u8)]
#[rustfmt::skip]
#[allow(dead_code, reason = "the type must be WASI's to the last case")]
pub(super) enum NetworkError {
    #[component(name = "unknown")] Unknown,
    #[component(name = "access-denied")] AccessDenied,
    #[component(name = "not-supported")] NotSupported,
    #[component(name = "invalid-argument")] InvalidArgument,
    #[component(name = "out-of-memory")] OutOfMemory,
    #[component(name = "timeout")] Timeout,
    #[component(name = "concurrency-conflict")] ConcurrencyConflict,
    #[component(name = "not-in-progress")] NotInProgress,
    #[component(name = "would-block")] WouldBlock,
    #[component(name = "invalid-state")] InvalidState,
    #[component(name = "new-socket-limit")] NewSocketLimit,
    #[component(name = "address-not-bindable")] AddressNotBindable,
    #[component(name = "address-in-use")] AddressInUse,
    #[component(name = "remote-unreachable")] RemoteUnreachable,
    #[component(name = "connection-refused")] ConnectionRefused,
    #[component(name = "connection-reset")] ConnectionReset,
    #[component(name = "connection-aborted")] ConnectionAborted,
    #[component(name = "datagram-too-large")] DatagramTooLarge,
    #[component(name = "name-unresolvable")] NameUnresolvable,
    #[component(name = "temporary-resolver-failure")] TemporaryResolverFailure,
    #[component(name = "permanent-resolver-failure")] PermanentResolverFailure,
}
