//! What one call holds while it runs: the grants of its tool, its bounds, what it used so far.

use std::{
    borrow::Cow,
    sync::{Arc, atomic::AtomicUsize},
    time::Instant,
};

use wardkeep_model::{Effect, Egress, Limits, Note, NoteKind, RootName};
use wardkeep_policy::{Access, FilesGrant, Grants, HttpRule, SecretTerms};
use wasmtime::component::ResourceTable;

use crate::{
    CallToken, EndCall, FilePool, Guard, LogContext, Reach, Reporter, Roots,
    files::{Holding, PATTERNS_OF_A_CALL},
    http::HttpCall,
    log::GuestLog,
    notes::Notes,
    progress::CallProgress,
    secrets::SecretsCall,
    wasi::Seed,
};

/// Handles of host resources that one call may hold at a time.
const HANDLES: usize = 1_000;

/// What the record says where the guard replaced something.
const SECRET_REPLACED: &str = "a secret's value was replaced";

/// What all calls of a plugin share.
#[derive(Debug, Clone)]
pub struct Environment {
    /// The operator's directories.
    pub roots: Roots,
    /// Where file work runs.
    pub pool: FilePool,
    /// What the plugin has of the world outside.
    pub reach: Arc<Reach>,
}

/// The capabilities of one call. It lives in the call's store and ends with it.
#[derive(Debug)]
pub struct CallState {
    pub(crate) files: Vec<Holding>,
    /// The tool that runs is signed as one that changes things. Asked besides its grants, so that no slip in one of the two lets a
    /// reading tool write.
    pub(crate) changes: bool,
    pub(crate) clock: bool,
    pub(crate) random: bool,
    /// Clock and random answer inertly where they are not granted; otherwise they end the call.
    pub(crate) inert: bool,
    pub(crate) token: CallToken,
    pub(crate) pool: FilePool,
    pub(crate) http: HttpCall,
    pub(crate) reach: Arc<Reach>,
    pub(crate) secrets: SecretsCall,
    pub(crate) patterns: Arc<AtomicUsize>,
    pub(crate) log: GuestLog,
    pub(crate) progress: CallProgress,
    pub(crate) table: ResourceTable,
    pub(crate) started: Instant,
    pub(crate) seed: Seed,
    host_calls_left: u32,
    host_calls: u32,
    notes: Notes,
}

/// What a call used of its capabilities, when it is over.
#[derive(Debug, Clone, Default)]
pub struct Used {
    /// Calls of capability functions.
    pub host_calls: u32,
    /// Log lines that were dropped.
    pub log_lines_dropped: u32,
    /// Reports of progress that were dropped, or took another's place.
    pub progress_dropped: u32,
    /// What the record keeps.
    pub notes: Vec<Note>,
    /// What was sent where.
    pub egress: Vec<Egress>,
    /// What finds the values of this plugin's secrets, if any were read.
    pub guard: Option<Arc<Guard>>,
}

/// No host call is left: the guest is told `exhausted` where the function can say so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Exhausted;

impl CallState {
    /// The state of a call of one tool, with that tool's grants only, and the requests that they allow with this call's arguments. A granted root that the operator does not name is
    /// left out: policy refused it at load, so it can only have gone since.
    #[must_use]
    pub fn new(
        (grants, requests): (&Grants, &[HttpRule]),
        limits: &Limits,
        token: CallToken,
        environment: &Environment,
        context: LogContext,
    ) -> Self {
        let held = |grant: &FilesGrant| {
            let directory = environment.roots.get(&grant.root)?;
            Some(Holding { name: RootName::clone(&grant.root), directory, writable: grant.access == Access::Write })
        };
        Self {
            files: grants.files.iter().filter_map(held).collect(),
            clock: grants.clock,
            random: grants.random,
            inert: grants.wasi_inert,
            http: HttpCall::new(requests, &grants.secrets, limits),
            secrets: SecretsCall::new(grants),
            ..Self::bare(limits, token, environment, Some(context))
        }
    }

    /// The state in which `describe` runs: nothing granted, nothing written, inert answers.
    #[must_use]
    pub fn for_description(token: CallToken) -> Self {
        let reach = Arc::new(Reach::nothing());
        let environment = Environment { roots: Roots::default(), pool: FilePool::new(1), reach };
        Self { inert: true, ..Self::bare(&Limits::DEFAULT, token, &environment, None) }
    }

    /// The same for a tool of this effect. Unsaid, nothing is changed.
    #[must_use]
    pub fn of_effect(self, effect: Effect) -> Self {
        Self { changes: effect != Effect::Read, ..self }
    }

    /// The same for a tool whose own words are to stay inside, or not: the host cannot filter them as it filters an answer.
    #[must_use]
    pub fn hiding_words(mut self, hides: bool) -> Self {
        self.log.hides_words = hides;
        self.progress.hides_words = hides;
        self
    }

    /// Whether the tool's own words stay inside.
    pub(crate) const fn hides_words(&self) -> bool {
        self.log.hides_words
    }

    /// The same with somebody who wants to know how far the call is.
    #[must_use]
    pub fn reporting(mut self, reporter: Option<Reporter>) -> Self {
        self.progress.reporter = reporter;
        self
    }

    fn bare(limits: &Limits, token: CallToken, environment: &Environment, context: Option<LogContext>) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(HANDLES);
        Self {
            files: Vec::new(),
            changes: false,
            clock: false,
            random: false,
            inert: false,
            token,
            pool: environment.pool.clone(),
            http: HttpCall::default(),
            reach: Arc::clone(&environment.reach),
            secrets: SecretsCall::default(),
            patterns: Arc::new(AtomicUsize::new(PATTERNS_OF_A_CALL)),
            log: GuestLog::new(context, limits, Arc::clone(&environment.reach)),
            progress: CallProgress::default(),
            table,
            started: Instant::now(),
            seed: Seed::FIXED,
            host_calls_left: limits.host_calls,
            host_calls: 0,
            notes: Notes::default(),
        }
    }

    /// The call's token.
    #[must_use]
    pub fn token(&self) -> &CallToken {
        &self.token
    }

    /// Has the values of all secrets of the plugin looked for, before anything of it runs: an upstream may know one that no call has opened yet.
    /// Nothing is left to be done once that was done. The future fails if the call had to end meanwhile.
    pub fn expect_secrets(
        &self,
        all: &[Arc<SecretTerms>],
    ) -> Option<impl Future<Output = Result<(), EndCall>> + Send + use<>> {
        if self.reach.secrets.has_looked_at(all) {
            return None;
        }
        let (reach, pool, token, all) = (Arc::clone(&self.reach), self.pool.clone(), self.token.clone(), all.to_vec());
        Some(async move { pool.run(&token, move || reach.secrets.look_at(&all)).await })
    }

    /// What finds the values of this plugin's secrets in what comes from outside, if any were read.
    pub(crate) fn guard(&self) -> Option<Arc<Guard>> {
        self.reach.secrets.guard()
    }

    /// Counts one call of a capability function.
    pub(crate) fn host_call(&mut self, function: &'static str) -> Result<(), Exhausted> {
        match self.host_calls_left.checked_sub(1) {
            Some(left) => {
                self.host_calls_left = left;
                self.host_calls = self.host_calls.saturating_add(1);
                Ok(())
            }
            None => {
                self.notes.add(NoteKind::Exhausted, "host-calls", function);
                Err(Exhausted)
            }
        }
    }

    /// Counts one call of a function that has no error to answer with.
    pub(crate) fn host_call_or_end(&mut self, function: &'static str) -> Result<(), EndCall> {
        self.host_call(function).map_err(|Exhausted| EndCall::Limit("host-calls"))
    }

    /// Keeps in the record that the guest asked for what its tool was not granted.
    pub(crate) fn note_denied(&mut self, capability: &'static str, plain: &str, detail: &str) {
        self.note(NoteKind::Denied, capability, plain, detail);
    }

    /// Keeps something in the record. The words of `detail` may be the guest's own: no value of a secret goes on record with them, and
    /// where the manifest keeps a tool's words inside, `plain` stands in their place. It holds a function, a grant and the host's words.
    pub(crate) fn note(&mut self, kind: NoteKind, capability: &'static str, plain: &str, detail: &str) {
        match self.guard() {
            _ if self.hides_words() => self.notes.add(kind, capability, plain),
            Some(guard) => self.notes.add(kind, capability, &guard.without(detail)),
            None => self.notes.add(kind, capability, detail),
        }
    }

    /// A text of the guest's that leaves before its answer, without values of secrets. That one was there is noted.
    pub(crate) fn without_secrets(&mut self, capability: &'static str, text: String) -> String {
        let Some(guard) = self.guard() else { return text };
        match guard.without(&text) {
            Cow::Borrowed(_) => text,
            Cow::Owned(clean) => {
                self.notes.add(NoteKind::Altered, capability, SECRET_REPLACED);
                clean
            }
        }
    }

    /// Keeps in the record that a value of a secret came back from outside and was replaced.
    pub(crate) fn note_replaced(&mut self, capability: &'static str) {
        self.notes.add(NoteKind::Altered, capability, SECRET_REPLACED);
    }

    /// What was sent where. A guest may choose a name below a host, and so what stands on record.
    fn egress(&mut self) -> Vec<Egress> {
        let mut egress = self.http.egress();
        if let Some(guard) = self.guard() {
            egress.iter_mut().for_each(|egress| egress.host = guard.without(&egress.host).into_owned());
        }
        egress
    }

    /// Keeps in the record that a bound of the call answered in place of a capability.
    pub(crate) fn note_exhausted(&mut self, what: &'static str, detail: &str) {
        self.notes.add(NoteKind::Exhausted, what, detail);
    }

    /// What the call used, when it is over. Writes out what the guest's standard streams still hold.
    #[must_use]
    pub fn finish(&mut self) -> Used {
        self.log.finish();
        if self.log.secrets_replaced > 0 {
            self.notes.add(NoteKind::Altered, "log", SECRET_REPLACED);
        }
        // Bodies that the guest has not read to their ends close their connections now, not when the store is cleared away.
        self.table = ResourceTable::new();
        Used {
            host_calls: self.host_calls,
            log_lines_dropped: self.log.dropped,
            progress_dropped: self.progress.dropped,
            notes: std::mem::take(&mut self.notes).into_vec(),
            egress: self.egress(),
            guard: self.guard(),
        }
    }
}
