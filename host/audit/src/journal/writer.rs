//! The writer: takes what has gathered, writes it at once, syncs once if any of it asks for that, and answers all. Whoever holds it writes:
//! its own thread as a rule, and a caller who may wait for a device if nothing else is to be written.
//!
//! After the first error it writes nothing more, ever: what is on the device after a failed write or sync is not known, and a
//! record after a gap would hide the gap.

use std::{
    collections::HashSet,
    io,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use jiff::Timestamp;
use tokio::sync::oneshot;
use wardkeep_model::CorrelationId;

use super::{
    Failure, NotRecorded, Operation, Options, Sync,
    coalesce::{Coalescer, Counted},
    queue::{Entry, Request, Shared},
};
use crate::{chain::Chain, line::Line, sink::Sink};

/// A batch is handed to the kernel in pieces of about this many bytes.
const PIECE: usize = 1 << 20;

/// The segment that is being written.
pub(super) struct Current {
    pub(super) sink: Box<dyn Sink>,
    pub(super) chain: Chain,
    /// Bytes in it.
    pub(super) length: u64,
}

pub(super) struct Writer {
    current: Current,
    shared: Arc<Shared>,
    sync: Sync,
    segment_bytes: u64,
    sync_within: Duration,
    open: HashSet<CorrelationId>,
    buffer: Vec<u8>,
    /// Since when something is with the kernel only.
    unsynced: Option<Instant>,
}

impl Writer {
    pub(super) fn new(current: Current, shared: Arc<Shared>, options: &Options) -> Self {
        Self {
            current,
            shared,
            sync: options.sync,
            segment_bytes: options.segment_bytes,
            sync_within: options.sync_within,
            open: HashSet::new(),
            buffer: Vec::new(),
            unsynced: None,
        }
    }

    /// One record that needs no sync, now.
    pub(super) fn at_once(&mut self, entry: &Entry, time: Timestamp) -> Result<(), NotRecorded> {
        self.healthy()?;
        self.record(entry, time)?;
        self.flush()
    }

    pub(super) fn due(&self) -> Option<Instant> {
        if self.shared.failure().is_some() {
            return None;
        }
        let refusals = self.shared.refusals().next_due();
        let sync = self.unsynced.map(|since| since + self.sync_within);
        refusals.into_iter().chain(sync).min()
    }

    /// What falls due by itself: counts of refusals, the sync of reads.
    pub(super) fn tick(&mut self) {
        let now = Instant::now();
        if self.shared.refusals().next_due().is_some_and(|due| due <= now) {
            self.counts(|refusals| refusals.over(now));
        }
        if self.unsynced.is_some_and(|since| since + self.sync_within <= Instant::now()) {
            let _failure_is_kept = self.sync();
        }
    }

    pub(super) fn finish(&mut self) {
        let _failure_is_kept = self.counted();
        let _failure_is_kept = self.sync();
    }

    /// Writes what is counted so far, in windows that are not over too.
    pub(super) fn counted(&mut self) -> Result<(), NotRecorded> {
        self.counts(|refusals| refusals.so_far(Instant::now()));
        self.healthy()
    }

    fn counts(&mut self, take: impl FnOnce(&mut Coalescer) -> Vec<Counted>) {
        let counted = take(&mut self.shared.refusals());
        if counted.is_empty() || self.shared.failure().is_some() {
            return;
        }
        let (mut written, now) = (Ok(()), Timestamp::now());
        for counted in &counted {
            let line = Line::refusals(&counted.like, counted.count, (counted.from, counted.to), now);
            written = written.and_then(|()| self.append(line));
        }
        let written = written.and_then(|()| self.flush());
        if written.is_ok() && self.sync == Sync::Always {
            let _failure_is_kept = self.sync();
        }
    }

    pub(super) fn commit(&mut self, requests: Vec<Request>) {
        let mut durable = Vec::new();
        let mut kernel = Vec::new();
        let mut result = self.healthy();
        let mut sync = false;
        for Request { entry, time, durable: wants_sync, answer } in requests {
            let wants_sync = wants_sync || self.sync == Sync::Always;
            match result.and_then(|()| self.record(&entry, time)) {
                Ok(()) => {
                    sync |= wants_sync;
                    if let Some(answer) = answer {
                        if wants_sync { durable.push(answer) } else { kernel.push(answer) }
                    }
                }
                Err(error) => {
                    if let NotRecorded::Failed(_) = error {
                        result = Err(error);
                    }
                    if let Some(answer) = answer {
                        // Whoever asked may have given up.
                        let _ = answer.send(Err(error));
                    }
                }
            }
        }
        let result = result.and_then(|()| self.flush());
        tell(kernel, result);
        let result = result.and_then(|()| if sync { self.sync() } else { Ok(()) });
        tell(durable, result);
    }

    fn record(&mut self, entry: &Entry, time: Timestamp) -> Result<(), NotRecorded> {
        match entry {
            Entry::Intent(intent) => {
                if !self.open.insert(intent.correlation.clone()) {
                    return Err(NotRecorded::Duplicate);
                }
                self.append(Line::intent(intent, time))
            }
            Entry::Outcome(intent, closing) | Entry::Abandoned(intent, closing) => {
                // An outcome without intent would make the log fail its own verification.
                if !self.open.remove(&intent.correlation) {
                    return Err(NotRecorded::NoIntent);
                }
                self.append(Line::outcome(intent, closing, time))
            }
            Entry::Refusal(refusal) => self.append(Line::refusal(refusal, time)),
            Entry::Event(event) => self.append(Line::event(event, time)),
        }
    }

    fn append(&mut self, line: Line<'_>) -> Result<(), NotRecorded> {
        let start = self.buffer.len();
        if let Err(error) = self.current.chain.seal(line, &mut self.buffer) {
            return Err(self.failed(Operation::Write, &error.into()));
        }
        let grown = self.current.length + self.buffer.len() as u64;
        if grown > self.segment_bytes && (self.current.length > 0 || start > 0) {
            self.rotate(start)?;
        } else if self.buffer.len() > PIECE {
            self.flush()?;
        }
        Ok(())
    }

    /// Closes the segment before the line that begins at `start` of the buffer; that line is the first of the next one.
    fn rotate(&mut self, start: usize) -> Result<(), NotRecorded> {
        let first = self.buffer.split_off(start);
        self.flush()?;
        self.unsynced.get_or_insert_with(Instant::now);
        self.sync()?;
        self.step(Operation::Rotate, |sink| sink.next_segment())?;
        self.current.length = 0;
        self.buffer = first;
        Ok(())
    }

    fn flush(&mut self) -> Result<(), NotRecorded> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        if self.unsynced.is_none() {
            self.shared.writing.notify_one();
        }
        let buffer = std::mem::take(&mut self.buffer);
        let mut written = self.step(Operation::Write, |sink| write_all(sink, &buffer));
        self.current.length += buffer.len() as u64;
        if self.unsynced.is_none() {
            // The log may have been removed while nothing was written to it; the syncs look again from here.
            self.unsynced = Some(Instant::now());
            written = written.and_then(|()| self.examine());
        }
        self.buffer = buffer;
        self.buffer.clear();
        written
    }

    fn sync(&mut self) -> Result<(), NotRecorded> {
        if self.unsynced.is_none() {
            return Ok(());
        }
        self.step(Operation::Sync, |sink| sink.sync())?;
        // After the sync: what is on the device must still be where it is looked for.
        self.examine()?;
        self.unsynced = None;
        Ok(())
    }

    fn examine(&mut self) -> Result<(), NotRecorded> {
        match self.current.sink.changed() {
            Ok(None) => self.healthy(),
            Ok(Some(changed)) => Err(self.shared.fail(Failure::Changed(changed)).into()),
            Err(error) => Err(self.failed(Operation::Examine, &error)),
        }
    }

    fn step(
        &mut self,
        operation: Operation,
        act: impl FnOnce(&mut dyn Sink) -> io::Result<()>,
    ) -> Result<(), NotRecorded> {
        self.healthy()?;
        if let Err(error) = act(&mut *self.current.sink) {
            return Err(self.failed(operation, &error));
        }
        self.shared.steps.fetch_add(1, Ordering::Relaxed);
        // A caller may have given up on the device meanwhile; then nobody is told yes any more.
        self.healthy()
    }

    fn healthy(&self) -> Result<(), NotRecorded> {
        self.shared.failure().map_or(Ok(()), |failure| Err(failure.into()))
    }

    fn failed(&self, operation: Operation, error: &io::Error) -> NotRecorded {
        self.shared.fail(Failure::Io { operation, kind: error.kind() }).into()
    }
}

fn tell(answers: Vec<oneshot::Sender<Result<(), NotRecorded>>>, result: Result<(), NotRecorded>) {
    for answer in answers {
        // Whoever asked may have given up.
        let _ = answer.send(result);
    }
}

/// Writes all of `bytes`, however little the sink takes at a time.
pub(super) fn write_all(sink: &mut dyn Sink, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match sink.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
