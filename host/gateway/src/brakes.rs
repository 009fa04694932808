//! Automatic brakes: a caller, or a plugin, that is refused or writes far more often than honest use does is stopped for a time.
//!
//! A brake is a kill that the host sets by itself. It only counts here and says who has gone too far; whoever keeps the kills stops them.
//! What was throttled counts for nothing: it was refused for being too much, and did nothing. Reads that are allowed never come here.
//!
//! A call that tries what it may not counts once for its caller and once for its plugin, and a plugin may be denied five times as often as
//! a caller. What one caller adds to a plugin's count ends at that caller's own limit, whatever its calls weigh and however often it was
//! stopped meanwhile: what one caller makes a plugin do stops that caller, and not the plugin for everybody else.

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

use crate::{
    NoAnswer,
    output::{ECHOED, SECRET},
};
pub use counts::Counted;
use counts::Counts;

/// Callers that are counted at once; each costs a few hundred bytes.
const CALLERS: usize = 10_000;
/// Plugins that are counted at once. A home has fewer.
const PLUGINS: usize = 1_000;
/// Brakes that wait to be put on.
const WAITING: usize = 256;
/// Pairs of them that are counted at once.
const PAIRS: usize = 20_000;
/// An answer that was withheld because it held a secret's value, which its caller had not said, counts so many times for its plugin: with four
/// of them a caller has added all that it may, and five such callers stop the plugin.
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
    /// there within a second. Ten writes a second are what the default limit lets through and far more than honest use; who keeps at it for five
    /// minutes is a loop, or a batch whose operator gives it its number. Ten minutes are long enough for somebody to look and short
    /// enough where nobody has to.
    fn default() -> Self {
        let most = |denials, writes| Most { denials, writes };
        const MINUTE: Duration = Duration::from_secs(60);
        Self {
            enabled: true,
            window: 5 * MINUTE,
            hold: 10 * MINUTE,
            caller: most(number(200), number(3_000)),
            // Five callers, each at its own limit, and one more.
            plugin: most(number(1_000), number(15_000)),
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
    /// What each caller has added to a plugin's count.
    added: Counts<(PluginName, String)>,
}

impl Counters {
    fn new() -> Self {
        let (callers, plugins, added) = (Counts::new(CALLERS), Counts::new(PLUGINS), Counts::new(PAIRS));
        Self { window: Duration::ZERO, callers, plugins, added }
    }
}

impl Brakes {
    /// With the end at which those that have gone too far are told.
    pub(crate) fn new() -> (Self, mpsc::Receiver<Tripped>) {
        let (tripped, told) = mpsc::channel(WAITING);
        (Self { since: Instant::now(), counted: Mutex::new(Counters::new()), tripped }, told)
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
            self.count(terms, caller, None, Counted::Denials);
        }
    }

    /// A call that ran.
    pub(crate) fn ran(&self, terms: &BrakeTerms, caller: &str, tool: (&PluginName, Effect), closing: &Closing) {
        let (plugin, effect) = tool;
        let rejected = closing.error_class.as_deref().filter(|_| closing.outcome == Outcome::OutputRejected);
        let tried =
            closing.outcome == Outcome::Denied || closing.notes.iter().any(|note| note.kind == NoteKind::Denied);
        if tried || matches!(rejected, Some(SECRET | ECHOED)) {
            // a value that its caller had said already is a guess of the caller's
            let times = if rejected == Some(SECRET) { LEAK } else { u32::from(tried) };
            self.count(terms, caller, Some((plugin, times)), Counted::Denials);
        }
        if effect != Effect::Read {
            self.count(terms, caller, Some((plugin, 1)), Counted::Writes);
        }
    }

    /// Counts once for the caller, and so many times for the plugin.
    fn count(&self, terms: &BrakeTerms, caller: &str, plugin: Option<(&PluginName, u32)>, what: Counted) {
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
        let pair = plugin.map(|(plugin, times)| ((plugin.clone(), caller.to_owned()), times));
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        if counted.window != terms.window {
            *counted = Counters { window: terms.window, ..Counters::new() };
        }
        let count = counted.callers.add(caller, what, 1, at, terms.window);
        if count > most(terms.caller) && trip(Target::Caller(caller.to_owned()), count) {
            counted.callers.forget(caller);
        }
        let Some((pair, times)) = pair else { return };
        let before = counted.added.add(&pair, what, 0, at, terms.window);
        let times = times.min(most(terms.caller).saturating_sub(before));
        counted.added.add(&pair, what, times, at, terms.window);
        let (plugin, _) = &pair;
        let count = counted.plugins.add(plugin, what, times, at, terms.window);
        if count > most(terms.plugin) && trip(Target::Plugin(plugin.clone()), count) {
            counted.plugins.forget(plugin);
            counted.added.retain(|(of, _)| of != plugin);
        }
    }
}

#[cfg(test)]
mod tests;
