//! Reading the log: records one by one, those that match, the last ones, and those that are still to come. Works on a live journal.

use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use serde::Serialize;
use wardkeep_model::{CorrelationId, Egress, Note, Outcome};

use crate::{
    Confirmed, Event, Phase, ReadError,
    chain::Damage,
    line::{CLAIMED, Line, NAMED, Resource},
    segment::{self, Lines, Next},
    trust,
};

/// One line of the log, with what people ask for at hand. `raw` has the rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Record {
    /// The segment's file name.
    pub segment: String,
    /// Which line of it, from 1.
    pub line: u64,
    /// Its number through all segments, from 1.
    pub sequence: u64,
    /// When it was handed to the journal.
    pub time: Timestamp,
    /// What kind of line it is.
    pub phase: Phase,
    /// `intent`, `outcome`, `refusal` or the event's code.
    pub code: String,
    /// The call.
    pub correlation: Option<CorrelationId>,
    /// Who called.
    pub user: Option<String>,
    /// Who acted for them, the nearest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub actors: Vec<String>,
    /// The name that the client called.
    pub tool: Option<String>,
    /// The plugin.
    pub plugin: Option<String>,
    /// The rule that allowed or refused.
    pub rule: Option<String>,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// Who said yes to it, where somebody had to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confirmed: Option<Confirmed>,
    /// The host's word for what went wrong.
    pub error_class: Option<String>,
    /// How many refusals a line counts.
    pub count: Option<u64>,
    /// When the first and the last of them were.
    pub counted: Option<(Timestamp, Timestamp)>,
    /// The address that it came from.
    pub peer: Option<String>,
    /// Units of fuel.
    pub fuel: Option<u64>,
    /// Microseconds in the sandbox.
    pub elapsed_us: Option<u64>,
    /// What the call is about.
    pub resources: Vec<About>,
    /// What it sent to which host.
    pub egress: Vec<Egress>,
    /// What it tried that it should not have, and what of its answer was changed.
    pub notes: Vec<Note>,
    /// What happened to the host.
    pub event: Option<Event>,
    /// The tool's name inside its plugin.
    plugin_tool: Option<String>,
    /// The line as it stands in the log, without its line feed.
    #[serde(skip)]
    pub raw: String,
}

/// Something that a call is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct About {
    /// Its id.
    pub id: String,
    /// Where the manifest says that it stands in the arguments; nothing if the plugin alone claims to have touched it.
    pub place: Option<String>,
}

/// What to look for; what is `None` is not asked about.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// The name of the caller, such as `user:me`, or of who acted for them.
    pub user: Option<String>,
    /// A tool's published name, or its name inside its plugin.
    pub tool: Option<String>,
    /// How it ended; intents have no outcome and do not match.
    pub outcome: Option<Outcome>,
    /// The call.
    pub correlation: Option<CorrelationId>,
    /// An id that the manifest's `resources` found in the arguments, whole; what plugins claim is not looked at.
    pub resource: Option<String>,
    /// No record before this time.
    pub since: Option<Timestamp>,
    /// The last so many; all if `None`.
    pub limit: Option<usize>,
}

impl Query {
    /// Does this record answer the query.
    #[must_use]
    pub fn matches(&self, record: &Record) -> bool {
        fn asked(wanted: Option<&String>, found: &[Option<&String>]) -> bool {
            wanted.is_none_or(|wanted| found.contains(&Some(wanted)))
        }
        let event = match &record.event {
            Some(
                Event::Unfinished { tool, user, .. }
                | Event::ApprovalAsked { tool, user, .. }
                | Event::Approved { tool, user, .. }
                | Event::ApprovalDenied { tool, user, .. }
                | Event::ApprovalExpired { tool, user, .. }
                | Event::ApprovalWithdrawn { tool, user, .. },
            ) => Some((Some(tool), user)),
            Some(Event::KeyMade { user, .. } | Event::KeyRevoked { user, .. }) => Some((None, user)),
            _ => None,
        };
        let acted = || self.user.as_ref().is_some_and(|wanted| record.actors.contains(wanted));
        (asked(self.user.as_ref(), &[record.user.as_ref(), event.map(|(_, user)| user)]) || acted())
            && asked(
                self.tool.as_ref(),
                &[record.tool.as_ref(), record.plugin_tool.as_ref(), event.and_then(|(tool, _)| tool)],
            )
            && self.outcome.is_none_or(|outcome| record.outcome == Some(outcome))
            && self.correlation.as_ref().is_none_or(|correlation| record.correlation.as_ref() == Some(correlation))
            && self
                .resource
                .as_ref()
                .is_none_or(|wanted| record.resources.iter().any(|about| about.place.is_some() && about.id == *wanted))
            && self.since.is_none_or(|since| record.time >= since)
    }
}

/// Every record from the first segment on, up to the last whole line. The chain is not checked: that is [`crate::verify`]'s duty.
pub fn scan(directory: &Path) -> Result<Scan, ReadError> {
    Ok(Scan { follow: Some(Follow::from(directory, 1)) })
}

/// The records that answer, oldest first; the last ones if there are more than the limit.
pub fn query(directory: &Path, query: &Query) -> Result<Vec<Record>, ReadError> {
    let mut found = VecDeque::new();
    for record in scan(directory)? {
        let record = record?;
        if !query.matches(&record) {
            continue;
        }
        if query.limit.is_some_and(|limit| found.len() >= limit) {
            found.pop_front();
        }
        if query.limit != Some(0) {
            found.push_back(record);
        }
    }
    Ok(found.into())
}

/// The last `records` records, oldest first, and what follows them.
pub fn tail(directory: &Path, records: usize) -> Result<(Vec<Record>, Follow), ReadError> {
    let mut first = segment::count(directory)?.max(1);
    loop {
        let mut follow = Follow::from(directory, first);
        let mut last = VecDeque::new();
        while let Some(record) = follow.next()? {
            if last.len() >= records {
                last.pop_front();
            }
            if records > 0 {
                last.push_back(record);
            }
        }
        // Segments are read from the end until there are enough.
        if last.len() >= records || first == 1 {
            return Ok((last.into(), follow));
        }
        first -= 1;
    }
}

/// All records of a directory; ends at the last whole line, or with the first error.
#[derive(Debug)]
pub struct Scan {
    /// Nothing after an error: what is torn in the middle would be told again for ever.
    follow: Option<Follow>,
}

impl Iterator for Scan {
    type Item = Result<Record, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.follow.as_mut()?.next().transpose();
        if matches!(next, Some(Err(_))) {
            self.follow = None;
        }
        next
    }
}

/// Reads on where it stopped, over the border of segments too.
#[derive(Debug)]
pub struct Follow {
    directory: PathBuf,
    next_segment: u64,
    lines: Option<Lines>,
    /// Is the current segment known to be closed.
    complete: bool,
}

impl Follow {
    fn from(directory: &Path, segment: u64) -> Self {
        Self { directory: directory.to_owned(), next_segment: segment, lines: None, complete: false }
    }

    /// The next record, or `None` if there is none yet. A line that a live writer has not finished is none yet.
    #[expect(clippy::should_implement_trait, reason = "an iterator that ended and goes on would surprise")]
    pub fn next(&mut self) -> Result<Option<Record>, ReadError> {
        loop {
            let Some(lines) = &mut self.lines else {
                if !self.next_exists() {
                    return Ok(None);
                }
                self.lines = Some(Lines::open(&self.directory, self.next_segment, trust::regular)?);
                self.next_segment += 1;
                self.complete = false;
                continue;
            };
            let segment = lines.segment();
            let partial = match lines.next()? {
                Next::Line(bytes) => match Record::read(bytes) {
                    Ok(record) => return Ok(Some(Record { segment, line: lines.line(), ..record })),
                    Err(damage) => return Err(lines.damaged(damage).into()),
                },
                Next::Partial(_) => true,
                Next::End => false,
            };
            match (self.complete, partial) {
                (true, true) => return Err(lines.damaged(Damage::Incomplete).into()),
                (true, false) => self.lines = None,
                // Once the next segment is there, nothing is added to this one; but lines may have been since it was read.
                (false, _) if self.next_exists() => self.complete = true,
                (false, _) => return Ok(None),
            }
        }
    }

    fn next_exists(&self) -> bool {
        self.directory.join(segment::name(self.next_segment)).exists()
    }
}

impl Record {
    fn read(bytes: &[u8]) -> Result<Self, Damage> {
        let line: Line<'static> = serde_json::from_slice(bytes)?;
        let raw = String::from_utf8_lossy(bytes).trim_end().to_owned();
        let plugin = line.plugin().map(str::to_owned);
        let Line {
            time,
            status_detail,
            count,
            start_time,
            end_time,
            metadata,
            actor,
            api,
            src_endpoint,
            resources,
            unmapped,
            ..
        } = line;
        let at = |time: i64| Timestamp::from_millisecond(time).unwrap_or(Timestamp::UNIX_EPOCH);
        let about = |resource: Resource<'static>| About {
            place: Some(&*resource.r#type)
                .filter(|kind| *kind != CLAIMED)
                .map(|kind| kind.strip_prefix(NAMED).unwrap_or(kind).to_owned()),
            id: resource.uid.into_owned(),
        };
        let is_call = unmapped.phase != Phase::Event;
        Ok(Self {
            segment: String::new(),
            line: 0,
            sequence: metadata.sequence,
            time: at(time),
            phase: unmapped.phase,
            code: metadata.event_code.into_owned(),
            correlation: metadata.correlation_uid,
            user: actor.user.map(|user| user.name.into_owned()),
            actors: unmapped.actors.into_owned(),
            tool: is_call.then(|| api.operation.into_owned()),
            plugin,
            rule: unmapped.rule.map(|rule| rule.into_owned()),
            confirmed: unmapped.confirmed.map(|confirmed| confirmed.into_owned()),
            outcome: unmapped.outcome,
            error_class: status_detail.map(|detail| detail.into_owned()),
            count,
            counted: start_time.zip(end_time).map(|(from, to)| (at(from), at(to))),
            peer: src_endpoint.ip.map(|ip| ip.into_owned()),
            fuel: unmapped.cost.as_ref().map(|cost| cost.fuel),
            elapsed_us: unmapped.cost.as_ref().map(|cost| cost.elapsed_us),
            resources: resources.into_iter().map(about).collect(),
            egress: unmapped.egress.into_owned(),
            notes: unmapped.notes.into_owned(),
            event: unmapped.event.map(|event| event.into_owned()),
            plugin_tool: unmapped.tool.map(|tool| tool.into_owned()),
            raw,
        })
    }
}

#[cfg(test)]
mod tests;
