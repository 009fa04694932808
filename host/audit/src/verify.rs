//! Reads a whole journal and checks it: chain, order, and that every outcome has its intent. The writer opens through the same walk.

use std::{collections::HashMap, fmt, path::Path};

use jiff::Timestamp;
use wardkeep_model::{CorrelationId, Digest};

use crate::{
    Event, ReadError, Replay, Torn, Unfinished,
    chain::{Chain, Damage},
    line::{Line, Phase},
    segment::{self, Judge, Lines, Next},
    trust,
};

/// What a whole journal says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Records in all segments.
    pub records: u64,
    /// Segments.
    pub segments: u64,
    /// Digest of the last line: keep it elsewhere, and a log that was cut or rewritten before it cannot pass for this one.
    pub head: Digest,
    /// Calls without outcome so far. In a live journal they are running; in one that nobody writes the host died while they did.
    pub unfinished: Vec<Unfinished>,
    /// Bytes after the last whole line. In a live journal a line is just being written; otherwise the next start cuts and records them.
    pub incomplete: Option<Torn>,
}

impl Verified {
    /// What verification cannot know.
    pub const NOT_PROVEN: &'static str = "this does not prove that no records were cut off the end, nor that nobody who can write the files computed the chain anew: compare the head with one that you kept elsewhere";
}

impl fmt::Display for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { records, segments, head, unfinished, incomplete } = self;
        writeln!(f, "{records} records in {segments} segments, the chain is whole, head {head}")?;
        if !unfinished.is_empty() {
            writeln!(f, "{} calls without outcome: running now, or the host died while they ran", unfinished.len())?;
        }
        if let Some(torn) = incomplete {
            writeln!(
                f,
                "{}:{}: {} bytes of an incomplete line: being written now, or to be cut at the next start",
                torn.segment, torn.line, torn.bytes
            )?;
        }
        f.write_str(Self::NOT_PROVEN)
    }
}

/// Checks all segments of a directory. Works on a live journal too.
pub fn verify(directory: &Path) -> Result<Verified, ReadError> {
    let walk = Walk::whole(directory)?;
    let records = walk.chain.next - 1;
    let Walk { chain, segments, torn, .. } = walk;
    Ok(Verified { records, segments, head: chain.head, unfinished: walk.open.unfinished(), incomplete: torn })
}

/// The state that the journal of a directory mirrors. Needs no lock; checks the whole journal on the way.
pub fn replay(directory: &Path) -> Result<Replay, ReadError> {
    Walk::whole(directory).map(|walk| walk.replay)
}

/// Calls that began and have not ended.
#[derive(Debug, Default)]
pub(crate) struct Open(HashMap<CorrelationId, (u64, String, String)>);

impl Open {
    fn apply(&mut self, line: &Line<'_>) -> Result<(), Damage> {
        let phase = line.unmapped.phase;
        let correlation = match (&line.unmapped.event, phase) {
            // Closes the intent, so that it is not found again.
            (Some(event), Phase::Event) => match &**event {
                Event::Unfinished { correlation, .. } => Some(correlation),
                _ => return Ok(()),
            },
            (_, Phase::Intent | Phase::Outcome) => line.metadata.correlation_uid.as_ref(),
            _ => return Ok(()),
        };
        let correlation = correlation.ok_or(Damage::Anonymous { phase })?;
        if phase == Phase::Intent {
            let user = line.actor.user.as_ref().map_or("", |user| &user.name).to_owned();
            let begun = (line.metadata.sequence, line.api.operation.clone().into_owned(), user);
            if self.0.insert(correlation.clone(), begun).is_some() {
                return Err(Damage::SecondIntent { correlation: correlation.clone() });
            }
        } else if self.0.remove(correlation).is_none() {
            return Err(Damage::OutcomeWithoutIntent { correlation: correlation.clone() });
        }
        Ok(())
    }

    /// In the order in which they began.
    pub(crate) fn unfinished(self) -> Vec<Unfinished> {
        let mut all: Vec<_> = self.0.into_iter().collect();
        all.sort_by_key(|(_, (sequence, ..))| *sequence);
        all.into_iter().map(|(correlation, (_, tool, user))| Unfinished { correlation, tool, user }).collect()
    }
}

/// A journal that was read to its end.
#[derive(Debug)]
pub(crate) struct Walk {
    pub(crate) chain: Chain,
    pub(crate) segments: u64,
    pub(crate) open: Open,
    pub(crate) replay: Replay,
    /// Bytes of whole lines in the last segment.
    pub(crate) length: u64,
    pub(crate) torn: Option<Torn>,
}

impl Walk {
    /// Reads all of it, whoever it belongs to: a copy, or the log of another user.
    pub(crate) fn whole(directory: &Path) -> Result<Self, ReadError> {
        Self::judged(directory, trust::regular)
    }

    /// Reads all of it to go on writing, and so refuses what others could change.
    pub(crate) fn owned(directory: &Path) -> Result<Self, ReadError> {
        Self::judged(directory, trust::owned)
    }

    fn judged(directory: &Path, judge: Judge) -> Result<Self, ReadError> {
        let segments = segment::count(directory)?;
        let mut walk = Self {
            chain: Chain::new(),
            segments,
            open: Open::default(),
            replay: Replay::default(),
            length: 0,
            torn: None,
        };
        for number in 1..=segments {
            walk.segment(Lines::open(directory, number, judge)?)?;
        }
        Ok(walk)
    }

    fn segment(&mut self, mut lines: Lines) -> Result<(), ReadError> {
        self.length = 0;
        // A segment is whole and synced before the next one is made: only the last may be torn.
        let last = lines.number() == self.segments;
        loop {
            let damage = match lines.next()? {
                Next::End => return Ok(()),
                Next::Line(bytes) => {
                    self.length += bytes.len() as u64;
                    match self.line(bytes) {
                        Ok(()) => continue,
                        Err(damage) => damage,
                    }
                }
                Next::Partial(bytes) if last => {
                    let (bytes, digest) = (bytes.len() as u64, Digest::of(bytes));
                    self.torn = Some(Torn { segment: lines.segment(), line: lines.line(), bytes, digest });
                    return Ok(());
                }
                Next::Partial(_) => Damage::Incomplete,
            };
            return Err(lines.damaged(damage).into());
        }
    }

    fn line(&mut self, bytes: &[u8]) -> Result<(), Damage> {
        let line = self.chain.check(bytes)?;
        self.open.apply(&line)?;
        self.replay.records += 1;
        let time = Timestamp::from_millisecond(line.time).unwrap_or_default();
        if let Some(event) = &line.unmapped.event {
            self.replay.apply(event, time);
        }
        if let (Some(confirmed), Some(call)) = (&line.unmapped.confirmed, &line.metadata.correlation_uid)
            && let Some(approval) = &confirmed.approval
        {
            self.replay.used(approval, call, time);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
