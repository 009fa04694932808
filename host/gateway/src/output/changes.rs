//! What the filter changed in an answer, for the record: where, of which class, how many characters, values or parts. Never what they were.

use std::collections::BTreeMap;

use wardkeep_model::{Note, NoteKind};

/// Why something was changed: the first are of characters that were written out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    Control,
    Bidirectional,
    Tag,
    Invisible,
    /// Replaced by a mark, by the manifest's `returns`.
    Redacted,
    /// Cut or left out, by the same.
    Cut,
    /// A plugin's own words, for which the host's stand, by the same.
    Replaced,
}

impl Class {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Control => "control",
            Self::Bidirectional => "bidirectional",
            Self::Tag => "tag",
            Self::Invisible => "invisible",
            Self::Redacted => "redacted",
            Self::Cut => "left out",
            Self::Replaced => "replaced",
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Changes(BTreeMap<(&'static str, Class), u32>);

impl Changes {
    pub(super) fn add(&mut self, place: &'static str, class: Class) {
        self.add_many(place, class, 1);
    }

    pub(super) fn add_many(&mut self, place: &'static str, class: Class, many: usize) {
        if many > 0 {
            let count = self.0.entry((place, class)).or_default();
            *count = count.saturating_add(u32::try_from(many).unwrap_or(u32::MAX));
        }
    }

    /// One note for each place and class; there are few of both.
    pub(super) fn into_notes(self) -> Vec<Note> {
        let note = |((place, class), count): ((&str, Class), u32)| Note {
            kind: NoteKind::Altered,
            capability: "output".to_owned(),
            detail: format!("{place}: {}", class.as_str()),
            count,
        };
        self.0.into_iter().map(note).collect()
    }
}
