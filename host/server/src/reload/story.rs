//! What a reload has come to, in a line for whoever reads standard error.

use std::fmt;

use wardkeep_model::PluginName;
use wardkeep_policy::PluginTerms;

use crate::screen::escaped;

/// What changed so far.
#[derive(Debug, Default)]
pub(crate) struct Story {
    pub(crate) added: Vec<String>,
    pub(crate) replaced: Vec<String>,
    pub(crate) again: Vec<String>,
    pub(crate) stopped: Vec<String>,
    pub(crate) refused: usize,
    pub(crate) ended: usize,
}

impl Story {
    pub(crate) fn added(&mut self, terms: &PluginTerms) {
        let manifest = terms.manifest();
        self.added.push(format!(
            "{} {}, serial {}",
            manifest.name(),
            escaped(&manifest.version().to_string()),
            manifest.serial()
        ));
    }

    pub(crate) fn replaced(&mut self, old: &PluginTerms, new: &PluginTerms) {
        let (old, new) = (old.manifest(), new.manifest());
        let versions = if old.version() == new.version() {
            new.version().to_string()
        } else {
            format!("{} → {}", old.version(), new.version())
        };
        self.replaced.push(format!("{} {}, serial {}", new.name(), escaped(&versions), new.serial()));
    }

    pub(crate) fn stopped(&mut self, plugin: &PluginName, reason: &str) {
        self.stopped.push(if reason == "removed" { plugin.to_string() } else { format!("{plugin}: {reason}") });
    }

    pub(crate) fn is_empty(&self) -> bool {
        let lists = [&self.added, &self.replaced, &self.again, &self.stopped];
        lists.into_iter().all(Vec::is_empty) && self.refused == 0 && self.ended == 0
    }
}

impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lists = [
            ("added", &self.added),
            ("replaced", &self.replaced),
            ("loaded again", &self.again),
            ("stopped", &self.stopped),
        ];
        let told: Vec<_> = lists
            .into_iter()
            .filter(|(_, names)| !names.is_empty())
            .map(|(what, names)| format!("{} {what} ({})", names.len(), names.join("; ")))
            .collect();
        let changed = if told.is_empty() { "no plugin changed".to_owned() } else { told.join(", ") };
        write!(f, "reloaded: {changed}")?;
        match self.ended {
            0 => {}
            1 => write!(f, "; 1 running call was ended")?,
            ended => write!(f, "; {ended} running calls were ended")?,
        }
        if self.refused > 0 {
            write!(f, "; {} refused (see `wardkeep check`)", self.refused)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Story;

    #[test]
    fn a_reload_is_told_in_one_line() {
        assert_eq!(Story::default().to_string(), "reloaded: no plugin changed");
        let story = Story {
            added: vec!["x 1.0.0, serial 1".into()],
            replaced: vec!["y 1.0.0 → 1.1.0, serial 2".into()],
            stopped: vec!["z".into(), "w: revoked".into()],
            refused: 1,
            ended: 2,
            ..Story::default()
        };
        assert_eq!(
            story.to_string(),
            "reloaded: 1 added (x 1.0.0, serial 1), 1 replaced (y 1.0.0 → 1.1.0, serial 2), 2 stopped (z; w: revoked); \
             2 running calls were ended; 1 refused (see `wardkeep check`)"
        );
    }
}
