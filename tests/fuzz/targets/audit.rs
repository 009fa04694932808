//! Audit logs. Of a log that a journal wrote, no changed byte, no line moved, left out or added passes verification; only the end can
//! be missing, which `docs/audit.md` says. And a log whose chain somebody computed anew panics no reader.
#![no_main]

use std::{path::PathBuf, sync::LazyLock};

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use wardkeep_audit::{Query, ReadError, query, replay, scan, tail, verify};
use wardkeep_fuzz::log;

#[derive(Debug, Arbitrary)]
enum Input<'a> {
    /// A segment of any bytes.
    Bytes(&'a [u8]),
    /// The sample with edits, in segments that end where these say.
    Changed { edits: Vec<Edit>, ends: Vec<u16> },
    /// The sample with edits within its lines, and then sealed anew.
    Resealed { edits: Vec<Edit>, end: u16 },
}

#[derive(Debug, Arbitrary)]
enum Edit {
    Set { line: u8, at: u16, value: u8 },
    Insert { line: u8, at: u16, text: Vec<u8> },
    Remove { line: u8, at: u16, count: u8 },
    Cut { line: u8, at: u16 },
    Swap { line: u8, with: u8 },
    Repeat { line: u8, before: u8 },
    Drop { line: u8 },
    Add { before: u8, bytes: Vec<u8> },
}

impl Edit {
    fn apply(&self, lines: &mut Vec<Vec<u8>>) {
        fn line(lines: &mut [Vec<u8>], line: u8, at: u16) -> Option<(&mut Vec<u8>, usize)> {
            let index = usize::from(line) % lines.len().max(1);
            let bytes = lines.get_mut(index)?;
            let at = usize::from(at) % (bytes.len() + 1);
            Some((bytes, at))
        }
        let index = |line: u8, lines: &Vec<Vec<u8>>| usize::from(line) % lines.len().max(1);
        match self {
            Self::Set { line: number, at, value } => {
                if let Some((bytes, at)) = line(lines, *number, *at)
                    && let Some(byte) = bytes.get_mut(at)
                {
                    *byte = *value;
                }
            }
            Self::Insert { line: number, at, text } => {
                if let Some((bytes, at)) = line(lines, *number, *at) {
                    bytes.splice(at..at, text.iter().copied());
                }
            }
            Self::Remove { line: number, at, count } => {
                if let Some((bytes, at)) = line(lines, *number, *at) {
                    let end = (at + usize::from(*count)).min(bytes.len());
                    bytes.drain(at..end);
                }
            }
            Self::Cut { line: number, at } => {
                if let Some((bytes, at)) = line(lines, *number, *at) {
                    bytes.truncate(at);
                }
            }
            Self::Swap { line, with } => {
                let (a, b) = (index(*line, lines), index(*with, lines));
                if !lines.is_empty() {
                    lines.swap(a, b);
                }
            }
            Self::Repeat { line, before } => {
                let (from, to) = (index(*line, lines), index(*before, lines));
                if let Some(line) = lines.get(from).cloned() {
                    lines.insert(to, line);
                }
            }
            Self::Drop { line } => {
                let at = index(*line, lines);
                if !lines.is_empty() {
                    lines.remove(at);
                }
            }
            Self::Add { before, bytes } => lines.insert(index(*before, lines), bytes.clone()),
        }
    }
}

fn edited(edits: &[Edit]) -> Vec<Vec<u8>> {
    let mut lines = log::lines();
    edits.iter().take(32).for_each(|edit| edit.apply(&mut lines));
    lines
}

static DIRECTORY: LazyLock<PathBuf> = LazyLock::new(|| {
    let directory = tempfile::tempdir().unwrap().keep();
    log::write(&directory, &log::SEGMENTS.map(<[u8]>::to_vec));
    let verified = verify(&directory).expect("the sample is a log: write it anew with --example sample-log");
    assert_eq!(verified.records, log::lines().len() as u64);
    directory
});

/// What passes is the sample, or a part of it from the beginning.
fn judge(segments: &[Vec<u8>]) {
    log::write(&DIRECTORY, segments);
    let Ok(verified) = verify(&DIRECTORY) else { return };
    let bytes = segments.concat();
    let (sample, whole) = (log::lines(), log::whole_lines(&bytes));
    assert!(sample.starts_with(&whole), "a log that was changed passed for a whole one");
    assert_eq!(verified.records, whole.len() as u64);
    let rest = bytes.len() - whole.concat().len();
    assert_eq!(verified.incomplete.map_or(0, |torn| torn.bytes), rest as u64, "a torn end goes unseen");
    consistent(verified.records);
}

/// Every reader takes what verification takes.
fn consistent(records: u64) {
    let scanned: Vec<_> = scan(&DIRECTORY).unwrap().collect::<Result<_, ReadError>>().expect("verified lines are read");
    assert_eq!(scanned.len() as u64, records);
    assert!((1..).zip(&scanned).all(|(sequence, record)| record.sequence == sequence));
    assert_eq!(replay(&DIRECTORY).expect("verified logs are replayed").records, records);
    let (last, _) = tail(&DIRECTORY, 3).unwrap();
    assert_eq!(last.as_slice(), &scanned[scanned.len().saturating_sub(3)..]);
    let mine = Query { user: Some("user:me".into()), limit: Some(2), ..Query::default() };
    assert!(query(&DIRECTORY, &mine).unwrap().len() <= 2);
}

fuzz_target!(|input: Input<'_>| {
    match input {
        Input::Bytes(bytes) => judge(&[bytes.to_vec()]),
        Input::Changed { edits, ends } => {
            let mut rest = edited(&edits).concat();
            let mut segments = Vec::new();
            for end in ends.iter().take(4) {
                let tail = rest.split_off(usize::from(*end) % (rest.len() + 1));
                segments.push(std::mem::replace(&mut rest, tail));
            }
            segments.push(rest);
            judge(&segments);
        }
        Input::Resealed { edits, end } => {
            let lines = log::sealed(&edited(&edits));
            let (first, second) = lines.split_at(usize::from(end) % (lines.len() + 1));
            log::write(&DIRECTORY, &[first.concat(), second.concat()]);
            // What the readers make of it must not hang on the chain: the log of another host is no less foreign.
            for record in scan(&DIRECTORY).unwrap() {
                let _ = record.map(|record| serde_json::to_string(&record).unwrap());
            }
            match verify(&DIRECTORY) {
                Ok(verified) => consistent(verified.records),
                Err(error) => assert!(!error.to_string().is_empty()),
            }
        }
    }
});
