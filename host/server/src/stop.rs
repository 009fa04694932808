//! Ctrl-C and SIGTERM: the first asks the host to end in order, the second ends it at once. SIGHUP does the same for a command,
//! and asks a host that serves to reload.

use std::{
    future::pending,
    io::{self, IsTerminal as _},
};

use tokio::signal::unix::{Signal, SignalKind, signal};
use wardkeep_gateway::CancellationToken;

/// Cancelled at the first SIGINT, SIGTERM or SIGHUP; a second one ends the process.
pub(crate) fn on_signal() -> io::Result<CancellationToken> {
    let stop = CancellationToken::new();
    listen(&stop, Some(signal(SignalKind::hangup())?))?;
    Ok(stop)
}

/// The same without SIGHUP, and what SIGHUP asks for.
pub(crate) fn while_serving() -> io::Result<(CancellationToken, HangUps)> {
    let stop = CancellationToken::new();
    listen(&stop, None)?;
    let signal = signal(SignalKind::hangup())?;
    Ok((stop.clone(), HangUps { signal, stop, on_a_terminal: io::stderr().is_terminal() }))
}

fn listen(stop: &CancellationToken, mut hang_up: Option<Signal>) -> io::Result<()> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let stopping = stop.clone();
    tokio::spawn(async move {
        loop {
            let hung_up = async {
                match &mut hang_up {
                    Some(signal) => signal.recv().await,
                    None => pending().await,
                }
            };
            let code = tokio::select! {
                _ = interrupt.recv() => 130,
                _ = terminate.recv() => 143,
                _ = hung_up => 129,
            };
            if stopping.is_cancelled() {
                // Every acknowledged record is with the kernel already.
                std::process::exit(code);
            }
            stopping.cancel();
        }
    });
    Ok(())
}

/// SIGHUP of a host that serves.
pub(crate) struct HangUps {
    signal: Signal,
    stop: CancellationToken,
    on_a_terminal: bool,
}

impl HangUps {
    /// Waits until somebody asks for a reload. A terminal that was closed sends the same signal: nobody is left to serve there, and
    /// the host ends in order.
    pub(crate) async fn asked(&mut self) {
        while self.signal.recv().await.is_some() {
            if !self.on_a_terminal || io::stderr().is_terminal() {
                return;
            }
            self.stop.cancel();
        }
        pending().await
    }
}
