//! The parent's side: starts a child, hands it the bytes, takes what it says, and ends it when its time is up or nobody waits for
//! it any more. A child is always reaped.

use std::{
    io::{self, Read, Write},
    os::unix::process::{CommandExt as _, ExitStatusExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use rustix::process::Signal;
use tokio::sync::{Semaphore, oneshot};
use wardkeep_capabilities::shown;
use wardkeep_model::CompileLimits;

use super::{Described, Order, frame};
use crate::{EngineOptions, InspectError, code::Code};

/// How much longer than its processor time a child may take by the clock: it has to share the processors, and lets others go first.
const PATIENCE: u32 = 10;
/// Bytes of a child's last words.
const LAST_WORDS: u64 = 4 << 10;
/// What the standard library says when memory is refused; the process has no other way to tell.
const NO_MEMORY: &str = "memory allocation of ";
/// What the system says where wasmtime asked it for memory: `ENOMEM`.
const NO_MAPPING: &str = "(os error 12)";

/// How to start children, and how many at once: as many as there are processors.
#[derive(Debug, Clone)]
pub struct Children {
    program: PathBuf,
    command: &'static str,
    limits: CompileLimits,
    places: Arc<Semaphore>,
}

/// A child that gave no verdict.
#[derive(Debug, thiserror::Error)]
pub enum ChildError {
    /// There is no process to be had, or it could not be spoken to.
    #[error("the compiling child cannot be used: {0}")]
    Failed(#[source] io::Error),
    /// Its processor time was used up.
    #[error(
        "compiling the component took more than {} s of processor time\n  \
         mend: a component that needs longer is rarely an honest one; `time` in [compile] of wardkeep.toml raises the limit", .0.as_secs()
    )]
    Processor(Duration),
    /// Its time by the clock was used up.
    #[error(
        "compiling the component did not end within {} s\n  \
         mend: try again when the machine is less busy, or raise `time` in [compile] of wardkeep.toml", .0.as_secs()
    )]
    Clock(Duration),
    /// It wanted more memory than it may have.
    #[error(
        "compiling the component took more than {} MiB of memory\n  \
         mend: a component that needs more is rarely an honest one; `memory` in [compile] of wardkeep.toml raises the limit", .0 >> 20
    )]
    Memory(u64),
    /// The system ended it.
    #[error("the compiling child was killed, perhaps because the machine ran out of memory")]
    Killed,
    /// It ended otherwise.
    #[error("the compiling child ended with {status}{}{}", if said.is_empty() { "" } else { ": " }, said)]
    Ended {
        /// How.
        status: ExitStatus,
        /// The end of its standard error, escaped.
        said: String,
    },
}

impl Children {
    /// Children are this program again with `command` as its first argument; it then calls [`super::compile_child`] with the next.
    #[must_use]
    pub fn new(command: &'static str, limits: CompileLimits) -> Self {
        let own = Path::new("/proc/self/exe");
        // Not by name where that can be helped: another version may have been put there since this one was started.
        let program = if own.exists() { own.to_path_buf() } else { std::env::current_exe().unwrap_or_default() };
        Self::of(program, command, limits)
    }

    pub(crate) fn of(program: PathBuf, command: &'static str, limits: CompileLimits) -> Self {
        let cores = thread::available_parallelism().map_or(2, usize::from);
        Self { program, command, limits, places: Arc::new(Semaphore::new(cores)) }
    }

    /// Has a component compiled and described.
    pub(crate) async fn compile(
        &self,
        options: &EngineOptions,
        bytes: Arc<[u8]>,
    ) -> Result<(Code, Described), InspectError> {
        let _place = self.places.acquire().await.map_err(|_| InspectError::Interrupted)?;
        let order = serde_json::to_string(&Order::new(self.limits, options)).map_err(|_| InspectError::Interrupted)?;
        let running = Running::default();
        let _ends = EndOnDrop(running.clone());
        let (tell, mut told) = oneshot::channel();
        let (mut command, limits, run) = (self.command(&order), self.limits, running.clone());
        // A thread for each: the child dies with the thread that started it, and that must not be one which a pool may end.
        thread::Builder::new()
            .name("compiling".to_owned())
            .spawn(move || {
                // Nobody may be waiting any more.
                let _ = tell.send(run.through(&mut command, &bytes, &limits));
            })
            .map_err(ChildError::Failed)?;
        let by_the_clock = self.limits.time.saturating_mul(PATIENCE);
        match tokio::time::timeout(by_the_clock, &mut told).await {
            Ok(said) => said.map_err(|_| InspectError::Interrupted)?,
            Err(_) => {
                running.end();
                // Reaped before anybody is told.
                let _ = told.await;
                Err(ChildError::Clock(by_the_clock).into())
            }
        }
    }

    fn command(&self, order: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.arg0("wardkeep").arg(self.command).arg(order).env_clear().current_dir("/");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }
}

/// One child, reachable from the thread that speaks to it and from whoever waits for that.
#[derive(Debug, Clone, Default)]
struct Running(Arc<Mutex<State>>);

#[derive(Debug, Default)]
enum State {
    #[default]
    NotYet,
    Runs(Child),
    Over,
}

impl Running {
    /// From its first to its last moment.
    fn through(
        &self,
        command: &mut Command,
        bytes: &[u8],
        limits: &CompileLimits,
    ) -> Result<(Code, Described), InspectError> {
        let mut child = command.spawn().map_err(ChildError::Failed)?;
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(mut stdin), Some(stdout), Some(stderr)) = (stdin, stdout, stderr) else {
            return Err(InspectError::Interrupted);
        };
        self.begin(child)?;
        // It may have ended before it read all; what it says then tells why.
        let _ = stdin.write_all(bytes);
        drop(stdin);
        let said = frame::read(stdout);
        // Its output has ended, so it has too, or will not speak again.
        let status = self.reap().map_err(ChildError::Failed)?;
        let mut words = Vec::new();
        // What is left in the pipe; nobody holds the other end any more.
        let _ = stderr.take(LAST_WORDS).read_to_end(&mut words);
        match said {
            Ok((Some(code), Ok(described))) if status.success() => Ok((code, described)),
            Ok((_, Err(InspectError::Compile(error)))) if error.to_string().contains(NO_MAPPING) => {
                Err(ChildError::Memory(limits.memory).into())
            }
            Ok((_, Err(error))) if status.success() => Err(error),
            _ => Err(why(status, &String::from_utf8_lossy(&words), limits).into()),
        }
    }

    fn begin(&self, mut child: Child) -> Result<(), InspectError> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*state, State::Over) {
            let _ = child.kill().and_then(|()| child.wait().map(drop));
            return Err(InspectError::Interrupted);
        }
        *state = State::Runs(child);
        Ok(())
    }

    /// Kills it if it still runs.
    fn end(&self) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *state {
            // It may have ended by itself just now.
            State::Runs(child) => drop(child.kill()),
            state => *state = State::Over,
        }
    }

    fn reap(&self) -> io::Result<ExitStatus> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let State::Runs(mut child) = std::mem::replace(&mut *state, State::Over) else {
            return Err(io::ErrorKind::NotFound.into());
        };
        // One that ends by itself has its status already; one that only closed its output must not be waited for.
        child.kill()?;
        child.wait()
    }
}

struct EndOnDrop(Running);

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        self.0.end();
    }
}

fn why(status: ExitStatus, said: &str, limits: &CompileLimits) -> ChildError {
    let is = |signal: Signal| status.signal() == Some(signal.as_raw());
    if is(Signal::XCPU) {
        ChildError::Processor(limits.time)
    } else if said.contains(NO_MEMORY) {
        ChildError::Memory(limits.memory)
    } else if is(Signal::KILL) {
        ChildError::Killed
    } else {
        ChildError::Ended { status, said: shown(said.trim_end(), 512) }
    }
}
