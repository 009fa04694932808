//! What the filter changed in an answer, for the record: where, of which class, how many characters. Never the characters.

use std::collections::BTreeMap;

use wardkeep_model::{Note, NoteKind};

/// Why a character was written out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    Control,
    Bidirectional,
    Tag,
    Invisible,
}

impl Class {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Control => "control",
            Self::Bidirectional => "bidirectional",
            Self::Tag => "tag",
            Self::Invisible => "invisible",
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Changes(BTreeMap<(&'static str, Class), u32>);

impl Changes {
    pub(super) fn add(&mut self, place: &'static str, class: Class) {
        let count = self.0.entry((place, class)).or_default();
        *count = count.saturating_add(1);
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
