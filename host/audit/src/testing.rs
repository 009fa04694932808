//! What tests of this crate share: records, logs that were not written by a journal, and devices that misbehave.

use std::{
    fs::{self, Permissions},
    io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use wardkeep_model::{Authenticated, CorrelationId, Cost, Digest, Effect, Limits, Outcome, Principal};

use crate::{
    Changed, ClaimedClient, Closing, Event, Files, Intent, Journal, Opened, Options, Origin, Refusal, Sink,
    chain::Chain, line::Line, segment,
};

pub(crate) fn id(number: u128) -> CorrelationId {
    CorrelationId::from_bytes(number.to_be_bytes())
}

pub(crate) fn principal(name: &str) -> Principal {
    Principal {
        name: name.to_owned(),
        groups: vec!["engineering".to_owned()],
        authenticated: Authenticated::Stdio,
        writes: false,
        human: false,
        unconfirmed_writes: false,
        scopes: None,
        actors: Vec::new(),
    }
}

pub(crate) fn origin() -> Origin {
    Origin {
        transport: "stdio",
        peer: None,
        client: Some(ClaimedClient { name: "Inspector".to_owned(), version: "2.12.0".to_owned() }),
        protocol: Some("2026-07-28".to_owned()),
        request_id: Some("7".to_owned()),
        trace_id: Some("0af7651916cd43dd8448eb211c80319c".to_owned()),
    }
}

pub(crate) fn intent(number: u128, effect: Effect) -> Intent {
    Intent {
        correlation: id(number),
        published: "files_read".parse().unwrap(),
        tool: "read".parse().unwrap(),
        plugin: "files".parse().unwrap(),
        version: "1.0.0".to_owned(),
        manifest_digest: Digest::of(b"manifest"),
        serial: 3,
        contract_digest: Digest::of(b"contract"),
        effect,
        principal: principal("user:me"),
        origin: origin(),
        rule: "allow".to_owned(),
        resources: vec![("/owner".to_owned(), "acme".to_owned())],
        limits: Limits::DEFAULT,
        resumes: None,
        confirmed: None,
    }
}

pub(crate) fn closing(outcome: Outcome) -> Closing {
    let cost = Cost { fuel: 1234, memory_peak: 65536, elapsed: Duration::from_micros(2500), ..Cost::default() };
    Closing { outcome, error_class: None, cost, notes: Vec::new(), touched: Vec::new(), egress: Vec::new() }
}

pub(crate) fn refusal(principal: Option<Principal>, tool: &str, rule: &str) -> Refusal {
    let outcome = if principal.is_some() { Outcome::Denied } else { Outcome::Unauthenticated };
    Refusal {
        correlation: id(99),
        principal,
        tool: Some(tool.to_owned()),
        rule: rule.to_owned(),
        outcome,
        origin: Origin { transport: "http", ..origin() },
    }
}

pub(crate) fn open(directory: &Path) -> (Journal, Opened) {
    Journal::open(Options::new(directory)).unwrap()
}

/// A log of `calls` calls after a start, as lines that follow each other.
pub(crate) fn lines(calls: u128) -> Vec<Vec<u8>> {
    let mut chain = Chain::new();
    let mut lines = Vec::new();
    let mut push = |line: Line<'_>| {
        let mut bytes = Vec::new();
        chain.seal(line, &mut bytes).unwrap();
        lines.push(bytes);
    };
    let time = Timestamp::from_second(1_790_000_000).unwrap();
    push(Line::event(&Event::Started { version: "0.1.0".to_owned() }, time));
    for number in 0..calls {
        let intent = intent(number, Effect::Read);
        push(Line::intent(&intent, time));
        push(Line::outcome(&intent, &closing(Outcome::Ok).tidy(), time));
    }
    lines
}

pub(crate) fn path(directory: &Path, number: u64) -> PathBuf {
    directory.join(segment::name(number))
}

pub(crate) fn write(directory: &Path, number: u64, lines: &[Vec<u8>]) {
    let path = path(directory, number);
    fs::write(&path, lines.concat()).unwrap();
    // Whatever the umask is: a journal continues nothing that others may write to.
    fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
}

/// What a device does when it is told to, and what it was asked.
#[derive(Default)]
pub(crate) struct Device {
    pub(crate) writes: AtomicUsize,
    pub(crate) syncs: AtomicUsize,
    pub(crate) refuses_writes: AtomicBool,
    pub(crate) refuses_syncs: AtomicBool,
    pub(crate) refuses_segments: AtomicBool,
    /// Takes half of the next write, then is full.
    pub(crate) is_full: AtomicBool,
    pub(crate) hangs: AtomicBool,
    /// Milliseconds that each step takes.
    pub(crate) slow: AtomicUsize,
    /// Takes this many bytes at a time; 0 is all.
    pub(crate) takes: AtomicUsize,
}

struct Broken {
    files: Files,
    device: Arc<Device>,
    filled: bool,
}

impl Sink for Broken {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.device.writes.fetch_add(1, Ordering::SeqCst);
        self.device.wait();
        if self.device.refuses_writes.load(Ordering::SeqCst) {
            return Err(io::Error::from_raw_os_error(5));
        }
        if self.device.is_full.load(Ordering::SeqCst) {
            if self.filled {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.filled = true;
            return self.files.write(&bytes[..bytes.len() / 2]);
        }
        match self.device.takes.load(Ordering::SeqCst) {
            0 => self.files.write(bytes),
            most => self.files.write(&bytes[..most.min(bytes.len())]),
        }
    }

    fn sync(&mut self) -> io::Result<()> {
        self.device.syncs.fetch_add(1, Ordering::SeqCst);
        self.device.wait();
        if self.device.refuses_syncs.load(Ordering::SeqCst) {
            return Err(io::Error::from_raw_os_error(5));
        }
        self.files.sync()
    }

    fn next_segment(&mut self) -> io::Result<()> {
        if self.device.refuses_segments.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.files.next_segment()
    }

    fn changed(&mut self) -> io::Result<Option<Changed>> {
        self.files.changed()
    }
}

impl Device {
    fn wait(&self) {
        std::thread::sleep(Duration::from_millis(self.slow.load(Ordering::SeqCst) as u64));
        while self.hangs.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    pub(crate) fn set(flag: &AtomicBool) {
        flag.store(true, Ordering::SeqCst);
    }

    pub(crate) fn open(options: Options) -> (Journal, Arc<Self>) {
        let device = Arc::new(Self::default());
        let held = Arc::clone(&device);
        let (journal, _) =
            Journal::open_with(options, |files| Box::new(Broken { files, device: held, filled: false })).unwrap();
        // What opening itself did is not counted.
        device.writes.store(0, Ordering::SeqCst);
        device.syncs.store(0, Ordering::SeqCst);
        (journal, device)
    }
}
