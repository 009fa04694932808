//! What a call tried that it should not have: a bounded list for its audit record.

use wardkeep_model::{Note, NoteKind};

use crate::log::escaped;

/// Notes of one call that are kept apart; what comes after is counted in one more.
const APART: usize = 15;
/// Bytes of a note's detail.
const DETAIL: usize = 256;

/// The notes of one call. The same thing noted again is counted, so that a loop cannot fill the record.
#[derive(Debug, Default)]
pub(crate) struct Notes(Vec<Note>);

impl Notes {
    /// Notes one thing. `detail` may be the guest's own words: it is escaped and cut here.
    pub(crate) fn add(&mut self, kind: NoteKind, capability: &str, detail: &str) {
        let detail = escaped(detail, DETAIL);
        let same = |note: &&mut Note| note.kind == kind && note.capability == capability && note.detail == detail;
        if let Some(note) = self.0.iter_mut().find(same) {
            note.count = note.count.saturating_add(1);
        } else if self.0.len() < APART {
            self.0.push(Note { kind, capability: capability.to_owned(), detail, count: 1 });
        } else if let Some(rest) = self.0.get_mut(APART) {
            rest.count = rest.count.saturating_add(1);
        } else {
            self.0.push(Note { kind, capability: "all".to_owned(), detail: "further notes".to_owned(), count: 1 });
        }
    }

    pub(crate) fn into_vec(self) -> Vec<Note> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_thing_is_counted_and_a_flood_ends_in_one_note() {
        let mut notes = Notes::default();
        for _ in 0..3 {
            notes.add(NoteKind::Denied, "files", "a/b");
        }
        for index in 0..100 {
            notes.add(NoteKind::Denied, "files", &format!("x/{index}"));
        }
        let notes = notes.into_vec();
        assert_eq!(notes.len(), 16);
        assert_eq!((notes[0].detail.as_str(), notes[0].count), ("a/b", 3));
        assert_eq!((notes[15].detail.as_str(), notes[15].count), ("further notes", 86));
    }

    #[test]
    fn a_detail_is_cut_and_cannot_forge_a_line() {
        let mut notes = Notes::default();
        notes.add(NoteKind::Denied, "files", &format!("a\n{}", "ä".repeat(300)));
        let detail = notes.into_vec().remove(0).detail;
        assert!(detail.len() <= 256 && detail.starts_with(r"a\u{a}ä"), "{detail}");
    }
}
