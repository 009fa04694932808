//! What is stopped. Values only: who stops what is stored and carried out elsewhere, and decisions ask here whether a call is among it.
//!
//! A kill only ever takes away: adding one can permit nothing that was refused before.

mod stops;

use std::{collections::BTreeMap, fmt, str::FromStr};

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use wardkeep_model::{Effect, PluginName, Principal, PublishedName};

pub use self::stops::{Call, Stops};
use crate::{document::hidden, plugin::Tool};

/// What a kill stops.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// Every call.
    All,
    /// Every call of a tool that writes or destroys.
    Writes,
    /// Every tool of a plugin.
    Plugin(PluginName),
    /// One tool.
    Tool(PublishedName),
    /// One caller, by its principal's name, also where it acts for another.
    Caller(String),
}

/// Who stops everything where nobody can tell what is stopped, so that there is nothing to revive. No user of the operating system has such a name.
pub const UNREADABLE: &str = "wardkeep (unreadable)";

/// Text that names nothing to stop.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a target is all, writes, plugin:NAME, tool:NAME or caller:NAME, such as caller:service:ci")]
pub struct InvalidTarget;

/// One thing that is stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kill {
    /// What.
    pub target: Target,
    /// Why, in the words of who did it.
    pub reason: String,
    /// Who did it.
    pub by: String,
    /// Since when.
    pub since: Timestamp,
    /// Until when; nothing is until it is revived.
    pub until: Option<Timestamp>,
}

/// All that is stopped at one moment. Immutable: a change makes a new one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kills {
    all: Option<Kill>,
    writes: Option<Kill>,
    plugins: BTreeMap<PluginName, Kill>,
    tools: BTreeMap<PublishedName, Kill>,
    callers: BTreeMap<String, Kill>,
    stops: Stops,
}

impl Kill {
    /// Whether it holds at this time.
    #[must_use]
    pub fn holds(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now < until)
    }

    /// Whether it ends later than the other.
    #[must_use]
    pub fn outlasts(&self, other: &Self) -> bool {
        match (self.until, other.until) {
            (_, None) => false,
            (None, Some(_)) => true,
            (Some(own), Some(others)) => own > others,
        }
    }
}

impl Kills {
    /// Nothing is stopped.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// These. Of two with one target, the one that lasts longer counts: a second kill never shortens the first.
    #[must_use]
    pub fn new(kills: Vec<Kill>) -> Self {
        let mut all = Self::default();
        kills.into_iter().for_each(|kill| all.add(kill));
        all
    }

    /// With when each target was stopped last.
    #[must_use]
    pub fn after(self, stops: Stops) -> Self {
        Self { stops, ..self }
    }

    /// What has stopped such a call at this moment or since then, whether it still does or not: what was agreed to at that moment is void.
    #[must_use]
    pub fn stopped_since(&self, call: &Call<'_>, since: Timestamp, now: Timestamp) -> Option<&Target> {
        let stops = |kill: &&Kill| kill.holds(now) || kill.until.is_some_and(|until| until >= since);
        let held = self.iter().filter(stops).find(|kill| kill.target.covers(call));
        held.map(|kill| &kill.target).or_else(|| self.stops.since(call, since))
    }

    fn add(&mut self, kill: Kill) {
        match kill.target.clone() {
            Target::All => longer(&mut self.all, kill),
            Target::Writes => longer(&mut self.writes, kill),
            Target::Plugin(name) => merge(&mut self.plugins, name, kill),
            Target::Tool(name) => merge(&mut self.tools, name, kill),
            Target::Caller(name) => merge(&mut self.callers, name, kill),
        }
    }

    /// What stops this principal's call of this tool now.
    #[must_use]
    pub fn covers(&self, tool: &Tool, principal: &Principal, now: Timestamp) -> Option<&Kill> {
        let writes = || self.writes.as_ref().filter(|_| tool.effect() != Effect::Read);
        // Most of the time nothing is stopped, and then no name is compared.
        let names = std::iter::once(&principal.name).chain(&principal.actors);
        (self.all.iter())
            .chain(writes())
            .chain(self.plugins.get(tool.plugin()))
            .chain(self.tools.get(tool.published()))
            .chain(names.filter_map(|name| self.callers.get(name)))
            .find(|kill| kill.holds(now))
    }

    /// Each of them, whether it still holds or not.
    pub fn iter(&self) -> impl Iterator<Item = &Kill> {
        (self.all.iter())
            .chain(&self.writes)
            .chain(self.plugins.values())
            .chain(self.tools.values())
            .chain(self.callers.values())
    }

    /// The next moment at which one of them ends by time alone.
    #[must_use]
    pub fn next_change(&self, now: Timestamp) -> Option<Timestamp> {
        self.iter().filter_map(|kill| kill.until).filter(|until| *until > now).min()
    }
}

fn longer(held: &mut Option<Kill>, kill: Kill) {
    if held.as_ref().is_none_or(|held| kill.outlasts(held)) {
        *held = Some(kill);
    }
}

fn merge<K: Ord>(kills: &mut BTreeMap<K, Kill>, name: K, kill: Kill) {
    let mut held = kills.remove(&name);
    longer(&mut held, kill);
    kills.extend(held.map(|held| (name, held)));
}

impl FromStr for Target {
    type Err = InvalidTarget;

    fn from_str(text: &str) -> Result<Self, InvalidTarget> {
        match text.split_once(':') {
            None if text == "all" => Ok(Self::All),
            None if text == "writes" => Ok(Self::Writes),
            Some(("plugin", name)) => name.parse().map(Self::Plugin).map_err(|_| InvalidTarget),
            Some(("tool", name)) => name.parse().map(Self::Tool).map_err(|_| InvalidTarget),
            // Longer than names in wardkeep.toml may be: an issuer's name is part of some.
            Some(("caller", name)) => {
                let valid = (1..=1024).contains(&name.len()) && !name.chars().any(|c| c.is_whitespace() || hidden(c));
                valid.then(|| Self::Caller(name.to_owned())).ok_or(InvalidTarget)
            }
            _ => Err(InvalidTarget),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Writes => f.write_str("writes"),
            Self::Plugin(name) => write!(f, "plugin:{name}"),
            Self::Tool(name) => write!(f, "tool:{name}"),
            Self::Caller(name) => write!(f, "caller:{name}"),
        }
    }
}

impl Serialize for Target {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Target {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests;
