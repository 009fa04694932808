//! When each target was stopped last. What somebody agreed to before that moment is good for nothing after it, also once the kill is lifted.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use wardkeep_model::{Effect, PluginName, Principal, PublishedName};

use super::Target;
use crate::plugin::Tool;

/// Nothing that a moment of this age could end is still good: an approval lives for 14 days at most.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(15 * 24);
/// So many targets are told apart. Where more come, the oldest moment counts for everything: it ends more than it has to, and never less.
const MOST: usize = 1_000;

/// What of a call a kill looks at.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// The tool's published name.
    pub tool: &'a PublishedName,
    /// Its plugin.
    pub plugin: &'a PluginName,
    /// What the tool does.
    pub effect: Effect,
    /// Who calls.
    pub caller: &'a str,
    /// Who acts for them.
    pub actors: &'a [String],
}

/// The last moment at which each target was stopped. Bounded: see [`Self::mark`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Stops(BTreeMap<Target, Timestamp>);

impl<'a> Call<'a> {
    /// Of this tool by this caller.
    #[must_use]
    pub fn of(tool: &'a Tool, principal: &'a Principal) -> Self {
        Self {
            tool: tool.published(),
            plugin: tool.plugin(),
            effect: tool.effect(),
            caller: &principal.name,
            actors: &principal.actors,
        }
    }
}

impl Target {
    /// Whether it is such a call that this stops.
    #[must_use]
    pub fn covers(&self, call: &Call<'_>) -> bool {
        match self {
            Self::All => true,
            Self::Writes => call.effect != Effect::Read,
            Self::Plugin(plugin) => plugin == call.plugin,
            Self::Tool(tool) => tool == call.tool,
            Self::Caller(name) => name == call.caller || call.actors.contains(name),
        }
    }
}

impl Stops {
    /// This target was stopped at this moment still. What is older than anything that it could end is forgotten.
    pub fn mark(&mut self, target: Target, at: Timestamp) {
        let last = self.0.entry(target).or_insert(at);
        *last = at.max(*last);
        self.0.retain(|_, last| at.duration_since(*last) < REMEMBERED);
        while self.0.len() > MOST
            && let Some(oldest) = self.0.iter().filter(|(target, _)| **target != Target::All).min_by_key(|(_, at)| **at)
        {
            let (target, at) = (oldest.0.clone(), *oldest.1);
            self.0.remove(&target);
            let all = self.0.entry(Target::All).or_insert(at);
            *all = at.max(*all);
        }
    }

    /// With what another knows of targets that are not known here.
    pub fn learn(&mut self, other: &Self) {
        for (target, at) in &other.0 {
            if !self.0.contains_key(target) {
                self.mark(target.clone(), *at);
            }
        }
    }

    /// None of them later than this: a clock that was ahead must not end what is agreed to from now on.
    pub fn until(&mut self, now: Timestamp) {
        self.0.values_mut().for_each(|at| *at = now.min(*at));
    }

    /// What stopped such a call at this moment or after it.
    #[must_use]
    pub fn since(&self, call: &Call<'_>, since: Timestamp) -> Option<&Target> {
        self.0.iter().find(|(target, at)| **at >= since && target.covers(call)).map(|(target, _)| target)
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = (&Target, Timestamp)> {
        self.0.iter().map(|(target, at)| (target, *at))
    }
}

impl Extend<(Target, Timestamp)> for Stops {
    fn extend<I: IntoIterator<Item = (Target, Timestamp)>>(&mut self, marks: I) {
        marks.into_iter().for_each(|(target, at)| self.mark(target, at));
    }
}

impl FromIterator<(Target, Timestamp)> for Stops {
    fn from_iter<I: IntoIterator<Item = (Target, Timestamp)>>(marks: I) -> Self {
        let mut stops = Self::default();
        stops.extend(marks);
        stops
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn target(text: &str) -> Target {
        text.parse().unwrap()
    }

    #[test]
    fn a_target_covers_its_own_calls_and_no_others() {
        let (tool, plugin, actors) = ("files_write".parse().unwrap(), "files".parse().unwrap(), ["service:bot".into()]);
        let mut call =
            Call { tool: &tool, plugin: &plugin, effect: Effect::Write, caller: "user:ada", actors: &actors };
        for own in ["all", "writes", "plugin:files", "tool:files_write", "caller:user:ada", "caller:service:bot"] {
            assert!(target(own).covers(&call), "{own}");
        }
        for other in ["plugin:filed", "tool:files_writ", "caller:user:ad", "caller:service:bots"] {
            assert!(!target(other).covers(&call), "{other}");
        }
        call.effect = Effect::Read;
        assert!(!target("writes").covers(&call));
    }

    #[test]
    fn the_last_moment_counts_and_what_comes_after_it_is_free() {
        let (tool, plugin) = ("files_write".parse().unwrap(), "files".parse().unwrap());
        let call = Call { tool: &tool, plugin: &plugin, effect: Effect::Write, caller: "user:ada", actors: &[] };
        let mut stops = Stops::default();
        stops.mark(target("plugin:files"), at(10));
        stops.mark(target("plugin:files"), at(5));
        stops.mark(target("plugin:other"), at(20));
        assert_eq!(stops.since(&call, at(10)), Some(&target("plugin:files")), "the very moment is before");
        assert_eq!(stops.since(&call, at(11)), None);
        let mut less = Stops::from_iter([(target("plugin:files"), at(3))]);
        less.learn(&stops);
        assert_eq!((less.since(&call, at(4)), less.iter().count()), (None, 2), "its own word holds");
        stops.until(at(7));
        assert_eq!((stops.since(&call, at(7)).is_some(), stops.since(&call, at(8))), (true, None));
    }

    #[test]
    fn it_is_bounded_in_time_and_number_and_never_ends_less_for_that() {
        let mut stops = Stops::default();
        stops.mark(target("writes"), at(0));
        stops.mark(target("tool:files_stat"), at(15 * 24 * 3_600 - 1));
        assert_eq!(stops.iter().count(), 2);
        stops.mark(target("tool:files_stat"), at(15 * 24 * 3_600));
        assert_eq!(stops.iter().count(), 1);

        let mut many: Stops = (0..1_500).map(|n| (target(&format!("caller:user:{n}")), at(n))).collect();
        assert_eq!(many.iter().count(), MOST);
        let (tool, plugin) = ("files_write".parse().unwrap(), "files".parse().unwrap());
        for n in 0..1_500 {
            let name = format!("user:{n}");
            let call = Call { tool: &tool, plugin: &plugin, effect: Effect::Write, caller: &name, actors: &[] };
            assert!(many.since(&call, at(n)).is_some(), "{n}");
        }
        many.mark(Target::All, at(9_000));
        assert_eq!(many.iter().count(), MOST);
    }
}
