//! Automatic brakes: a caller, or a plugin, that is refused or writes far more often than honest use does is stopped for a time.
//!
//! A brake is a kill that the host sets by itself. It only counts here and says who has gone too far; whoever keeps the kills stops them.
//! What was throttled counts for nothing: it was refused for being too much, and did nothing. Reads that are allowed never come here.
//!
//! A call that tries what it may not counts once for its caller and once for its plugin, and a plugin may be denied five times as often as
//! a caller: what one caller makes a plugin try stops that caller, and not the plugin for everybody else.

mod counts;

use std::{
    num::NonZeroU32,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::mpsc;
use wardkeep_audit::Closing;
use wardkeep_model::{Effect, NoteKind, Outcome, PluginName};
use wardkeep_policy::{Rule, kill::Target};

use crate::NoAnswer;
pub use counts::Counted;
use counts::Counts;

/// Callers that are counted at once; each costs a few hundred bytes.
const CALLERS: usize = 10_000;
/// Plugins that are counted at once. A home has fewer.
const PLUGINS: usize = 1_000;
/// Brakes that wait to be put on.
const WAITING: usize = 256;
/// An answer that was withheld because it held a secret's value counts so many times for its plugin: twenty stop it. No argument makes an
/// honest plugin say a value, which it never had.
const LEAK: u32 = 50;

/// What the operator's file says of brakes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BrakeTerms {
    /// Whether there are any.
    pub enabled: bool,
    /// The time within which is counted.
    pub window: Duration,
    /// How long a brake holds.
    pub hold: Duration,
    /// What one caller may come to.
    pub caller: Most,
    /// What all calls of one plugin may come to.
    pub plugin: Most,
}

/// How much is still honest, within a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Most {
    /// Calls that were refused, or that tried what they may not.
    pub denials: NonZeroU32,
    /// Calls of tools that write or destroy.
    pub writes: NonZeroU32,
}

impl Default for BrakeTerms {
    /// A model takes seconds for a turn: one that asks for the same forbidden thing every two seconds comes to 150 in five minutes, and 64
    /// calls for a tool that was switched off a moment ago, each tried three times, to 192. Neither comes to 200; a program that loops comes
    /// there within a second. A call that writes every second for five minutes comes to 300: a person has long stopped looking, and a batch
    /// that is meant to can be given its number. Ten minutes are long enough for somebody to look and short enough where nobody has to.
    fn default() -> Self {
        let most = |denials, writes| Most { denials, writes };
        const MINUTE: Duration = Duration::from_secs(60);
        Self {
            enabled: true,
            window: 5 * MINUTE,
            hold: 10 * MINUTE,
            caller: most(number(200), number(300)),
            // Five callers, each at its own limit.
            plugin: most(number(1_000), number(1_500)),
        }
    }
}

const fn number(number: u32) -> NonZeroU32 {
    match NonZeroU32::new(number) {
        Some(number) => number,
        None => NonZeroU32::MIN,
    }
}

/// Somebody has gone too far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tripped {
    /// Who is to be stopped: a caller or a plugin.
    pub target: Target,
    /// What there was too much of.
    pub what: Counted,
    /// How much.
    pub count: u32,
    /// Within which time.
    pub window: Duration,
    /// For how long it is to be stopped.
    pub hold: Duration,
}

impl std::fmt::Display for Tripped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let what = match self.what {
            Counted::Denials => "denials",
            Counted::Writes => "writes",
        };
        write!(f, "{} {what} within {} s", self.count, self.window.as_secs())
    }
}

/// The counters of one host.
#[derive(Debug)]
pub(crate) struct Brakes {
    since: Instant,
    counted: Mutex<Counters>,
    tripped: mpsc::Sender<Tripped>,
}

#[derive(Debug)]
struct Counters {
    /// With another window the counts mean something else.
    window: Duration,
    callers: Counts<String>,
    plugins: Counts<PluginName>,
}

impl Brakes {
    /// With the end at which those that have gone too far are told.
    pub(crate) fn new() -> (Self, mpsc::Receiver<Tripped>) {
        let (tripped, told) = mpsc::channel(WAITING);
        let counted = Counters { window: Duration::ZERO, callers: Counts::new(CALLERS), plugins: Counts::new(PLUGINS) };
        (Self { since: Instant::now(), counted: Mutex::new(counted), tripped }, told)
    }

    /// A call that was refused before it ran.
    pub(crate) fn refused(&self, terms: &BrakeTerms, caller: &str, why: &NoAnswer) {
        let counts = match why {
            // A kill refuses already: what it refuses must not make it longer.
            NoAnswer::Denied(denial) => denial.rule != Rule::Killed,
            // Altered, used up, or somebody else's: nobody comes to that by honest means often.
            NoAnswer::State(_) => true,
            _ => false,
        };
        if counts {
            self.count(terms, Some(caller), None, Counted::Denials, (1, 0));
        }
    }

    /// A call that ran.
    pub(crate) fn ran(&self, terms: &BrakeTerms, caller: &str, tool: (&PluginName, Effect), closing: &Closing) {
        let (plugin, effect) = tool;
        let leaked = closing.outcome == Outcome::OutputRejected && closing.error_class.as_deref() == Some("secret");
        let tried =
            closing.outcome == Outcome::Denied || closing.notes.iter().any(|note| note.kind == NoteKind::Denied);
        if leaked || tried {
            let times = if leaked { LEAK } else { 1 };
            self.count(terms, Some(caller), Some(plugin), Counted::Denials, (1, times));
        }
        if effect != Effect::Read {
            self.count(terms, Some(caller), Some(plugin), Counted::Writes, (1, 1));
        }
    }

    fn count(
        &self,
        terms: &BrakeTerms,
        caller: Option<&str>,
        plugin: Option<&PluginName>,
        what: Counted,
        (of_caller, of_plugin): (u32, u32),
    ) {
        if !terms.enabled {
            return;
        }
        let at = self.since.elapsed();
        let most = |most: Most| match what {
            Counted::Denials => most.denials.get(),
            Counted::Writes => most.writes.get(),
        };
        let trip = |target: Target, count| {
            // What reads back as no target would be taken for damage where kills are kept. Such a name cannot be killed by hand either.
            if target.to_string().parse() != Ok(target.clone()) {
                tracing::error!(target = ?target, count, "went too far and cannot be stopped: its name is no target");
                return true;
            }
            let tripped = Tripped { target, what, count, window: terms.window, hold: terms.hold };
            // Where too many wait the next of its calls trips it again.
            self.tripped.try_send(tripped).is_ok()
        };
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        if counted.window != terms.window {
            counted.window = terms.window;
            counted.callers.clear();
            counted.plugins.clear();
        }
        if let Some(caller) = caller {
            let count = counted.callers.add(caller, what, of_caller, at, terms.window);
            if count > most(terms.caller) && trip(Target::Caller(caller.to_owned()), count) {
                counted.callers.forget(caller);
            }
        }
        if let Some(plugin) = plugin {
            let count = counted.plugins.add(plugin, what, of_plugin, at, terms.window);
            if count > most(terms.plugin) && trip(Target::Plugin(plugin.clone()), count) {
                counted.plugins.forget(plugin);
            }
        }
    }
}

#[cfg(test)]
mod tests;
