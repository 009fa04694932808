//! The loaded plugins of one moment, and the entrance for calls. Immutable: a reload makes another and swaps it whole.

use std::{collections::BTreeMap, sync::Arc};

use wardkeep_audit::Recorded;
use wardkeep_capabilities::{
    CallState, CallToken, Environment, Guard, LogContext, Outside, Reach, Reporter, Roots, Served, Used,
};
use wardkeep_model::{Cost, Egress, Failure, Note, Outcome, PluginName, Reply, Resumption};
use wardkeep_policy::{Access, Arguments, Permit, PluginTerms, Snapshot};
use wasmtime::Store;

use crate::{
    Engine, Inspected, LoadError, NotAdmitted, Plugin, Stopped, Ticket,
    admission::admit,
    bindings::handler::Request,
    convert,
    instance::{Done, Guest, Job},
    lanes::Line,
};

/// What runs calls.
#[derive(Debug)]
pub struct Fleet {
    engine: Engine,
    snapshot: Arc<Snapshot>,
    plugins: BTreeMap<PluginName, Plugin>,
    roots: Roots,
    /// What each plugin has of the world outside, held as long as it is served.
    reaches: BTreeMap<PluginName, Arc<Reach>>,
    /// Where calls stand that have not come to their guests yet.
    line: Line,
}

/// What came of a call.
#[derive(Debug)]
pub struct Ran {
    /// The guest's answer or its own failure; or how it was ended.
    pub result: Result<Result<Reply, Failure>, Stopped>,
    /// What it used.
    pub cost: Cost,
    /// What the record keeps besides.
    pub notes: Vec<Note>,
    /// What was sent where.
    pub egress: Vec<Egress>,
    /// What finds the values of the plugin's secrets in what leaves, if any were read.
    pub guard: Option<Arc<Guard>>,
}

/// What a call leaves behind: its store, and the place that it held. Dropping it gives both back. That takes the kernel longer than a
/// small call runs, so it is best done once the answer is on its way.
#[derive(Default)]
#[must_use = "the place is held until it is dropped"]
pub struct Remains {
    // in this order: the place is free when the memory is
    _store: Option<Store<Guest>>,
    _ticket: Option<Ticket>,
}

impl std::fmt::Debug for Remains {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Remains").finish_non_exhaustive()
    }
}

/// One entry into a guest: with these arguments, after these answers, for a client that may want to know how far it is.
#[derive(Debug)]
pub struct Leg<'a> {
    /// Checked arguments; the same in every leg of a call that asks.
    pub arguments: &'a Arguments,
    /// What the guest asked in the leg before, answered.
    pub resume: Option<Resumption>,
    /// Where reports of progress go, if the client wants any.
    pub reporter: Option<Reporter>,
}

impl<'a> From<&'a Arguments> for Leg<'a> {
    fn from(arguments: &'a Arguments) -> Self {
        Self { arguments, resume: None, reporter: None }
    }
}

impl Engine {
    /// Links an inspected component with what its approved manifest grants.
    ///
    /// # Errors
    ///
    /// Imports without a grant, all of them at once; other bytes than those that were approved.
    pub fn load(&self, inspected: &Inspected, terms: &Arc<PluginTerms>) -> Result<Plugin, LoadError> {
        if terms.component() != inspected.inspection().digest {
            return Err(LoadError::OtherComponent);
        }
        let grants = terms.grants();
        let served = Served {
            files: !grants.files.is_empty(),
            writer: grants.any_files(Access::Write),
            http: !grants.http.is_empty(),
            secrets: !grants.secrets.is_empty(),
            clock: grants.clock,
            random: grants.random,
            inert: grants.wasi_inert,
        };
        let tools = terms.tools().map(|tool| (tool.name().clone(), tool.limits().concurrency));
        Plugin::link(self, inspected, terms.plugin().clone(), &served, tools)
    }
}

impl Fleet {
    /// A fleet of these plugins under these terms. A plugin of the snapshot that is not among them is out of service.
    #[must_use]
    pub fn new(
        engine: &Engine,
        snapshot: Arc<Snapshot>,
        plugins: Vec<Plugin>,
        roots: Roots,
        outside: &Outside,
    ) -> Self {
        let reach = |plugin: &Plugin| (plugin.name().clone(), outside.plugin(plugin.name()));
        Self {
            engine: engine.clone(),
            snapshot,
            reaches: plugins.iter().map(reach).collect(),
            plugins: plugins.into_iter().map(|plugin| (plugin.name().clone(), plugin)).collect(),
            roots,
            line: Line::new(),
        }
    }

    /// The terms of this moment.
    #[must_use]
    pub fn snapshot(&self) -> &Arc<Snapshot> {
        &self.snapshot
    }

    /// Plugins that are not called any more until the next load, for `/ready` and the operator.
    pub fn out_of_service(&self) -> impl Iterator<Item = &PluginName> {
        self.plugins.values().filter(|plugin| plugin.is_out_of_service()).map(Plugin::name)
    }

    /// Takes the path of a call to its end on the threads that guests run on, whoever waits for it: entering the guest there wakes no other
    /// thread. Dropped, if the engine is going down.
    pub fn spawn(&self, path: impl Future<Output = ()> + Send + 'static) {
        self.engine.0.lanes.spawn(self.line, path);
    }

    /// A place for one call of the permit's tool by this caller. Waits a second for it at most.
    ///
    /// # Errors
    ///
    /// There is none, or the plugin is out of service.
    pub async fn admit(&self, permit: &Permit, caller: &str) -> Result<Ticket, NotAdmitted> {
        let plugin = self.plugins.get(permit.plugin()).ok_or(NotAdmitted::OutOfService)?;
        admit(&self.engine.0.room, plugin, permit.tool().name(), permit.limits(), caller).await
    }

    /// Runs one call in a fresh store, on the guests' threads. `recorded` is the proof that its intent is in the log.
    ///
    /// Whoever closes the record awaits this in a task of its own. Dropping it before it is ready cancels the call: the guest
    /// goes on to its end, soon, with its ticket.
    pub async fn run(
        &self,
        permit: &Permit,
        ticket: Ticket,
        recorded: &Recorded,
        leg: impl Into<Leg<'_>>,
        token: &CallToken,
    ) -> (Ran, Remains) {
        let Leg { arguments, resume, reporter } = leg.into();
        let tool = permit.tool().name();
        if ticket.tool != *tool || ticket.plugin.name() != permit.plugin() {
            return (Ran::host_error("the ticket is for another tool"), Remains::default());
        }
        let context = LogContext {
            plugin: permit.plugin().clone(),
            tool: tool.clone(),
            correlation: recorded.correlation().clone(),
        };
        let limits = *permit.limits();
        let Some(pace) = ticket.plugin.0.tools.get(tool).map(|tool| Arc::clone(&tool.pace)) else {
            return (Ran::host_error("the ticket is for a tool that the plugin does not have"), Remains::default());
        };
        let Some(reach) = self.reaches.get(permit.plugin()).map(Arc::clone) else {
            return (Ran::host_error("the permit is for a plugin that is not served"), Remains::default());
        };
        let environment = Environment { roots: self.roots.clone(), pool: ticket.plugin.0.files.clone(), reach };
        let allowed = (permit.grants(), permit.requests());
        let call = CallState::new(allowed, &limits, token.clone(), &environment, context);
        let call = call
            .of_effect(permit.tool().effect())
            .hiding_words(permit.tool().returns().hides_words())
            .reporting(reporter);
        let resume = resume.map(convert::resumption);
        let request = Request { tool: tool.as_str().to_owned(), arguments: arguments.text().to_owned(), resume };
        let job = Job { request, call, limits, secrets: permit.terms().grants().secrets.clone() };

        let engine = Arc::clone(&self.engine.0);
        let cancelled = CancelOnDrop(Some(token.clone()));
        let guest = async move {
            let done = job.run(&engine, &ticket.plugin.0.guest).await;
            if done.panicked {
                ticket.plugin.note_panic();
            }
            (done, ticket)
        };
        let done = self.engine.0.lanes.run(pace, guest).await;
        cancelled.finished();
        match done {
            Ok((Done { result, cost, used, store, .. }, ticket)) => {
                let Used { notes, egress, guard, .. } = used;
                (Ran { result, cost, notes, egress, guard }, Remains { _store: store, _ticket: Some(ticket) })
            }
            Err(lost) => (Ran::host_error(&lost.to_string()), Remains::default()),
        }
    }
}

impl Ran {
    fn host_error(detail: &str) -> Self {
        let stopped = Stopped::new(Outcome::HostError, detail);
        Self { result: Err(stopped), cost: Cost::default(), notes: Vec::new(), egress: Vec::new(), guard: None }
    }
}

/// Cancels the call of whoever goes away while it runs.
struct CancelOnDrop(Option<CallToken>);

impl CancelOnDrop {
    fn finished(mut self) {
        self.0 = None;
    }
}

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        if let Some(token) = &self.0 {
            token.cancel();
        }
    }
}
