//! Ctrl-C and SIGTERM: the first asks the host to end in order, the second ends it at once.

use tokio::signal::unix::{SignalKind, signal};
use wardkeep_gateway::CancellationToken;

/// Cancelled at the first SIGINT, SIGTERM or SIGHUP; a second one ends the process.
pub(crate) fn on_signal() -> std::io::Result<CancellationToken> {
    let stop = CancellationToken::new();
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let mut hang_up = signal(SignalKind::hangup())?;
    let stopping = stop.clone();
    tokio::spawn(async move {
        loop {
            let code = tokio::select! {
                _ = interrupt.recv() => 130,
                _ = terminate.recv() => 143,
                _ = hang_up.recv() => 129,
            };
            if stopping.is_cancelled() {
                // Every acknowledged record is with the kernel already.
                std::process::exit(code);
            }
            stopping.cancel();
        }
    });
    Ok(stop)
}
