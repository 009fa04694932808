//! One call in a fresh sandbox, beside bare wasmtime that instantiates and calls the same component with the same engine.

use std::{
    fs,
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

use jiff::Timestamp;
use serde_json::{Map, Value};
use tokio::sync::oneshot;
use wardkeep_audit::{Intent, Journal, Options, Origin, Recorded};
use wardkeep_model::{Authenticated, CorrelationId, Limits, Principal, Reply};
use wardkeep_policy::{
    Arguments, Candidate, Case, Confirming, Evidence, HostTerms, Permit, Revocations, Snapshot, Trust, approve,
    authorize, kill::Kills,
};
use wardkeep_sandbox::{CallToken, Engine, EngineOptions, Fleet, Inspected, Outside, Roots};
use wasmtime::{Store, component::Linker};

use crate::{
    calls, guests,
    home::Home,
    measure::{Samples, in_turns, ratio},
    page::{Table, time, times},
};

mod bindings {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "wardkeep:plugin/pure",
        exports: { default: async },
    });
}
use bindings::{PurePre, exports::wardkeep::tool::handler::Request};

pub fn table() -> Table {
    let (home, arguments) = (calls::home(), calls::arguments());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let served = Arc::new(runtime.block_on(Served::of(&home, &arguments)));
    let bare = Arc::new(Bare::of(&served.engine, &served.inspected, &arguments));
    // both on the threads on which the host takes the path of a call, from the first step to the last that is given back
    let [floor, ours] = in_turns(
        25,
        200,
        [&mut || there(&served, Arc::clone(&bare).call()), &mut || there(&served, Arc::clone(&served).call())],
    );
    let row = |what: &str, of: fn(&Samples) -> Duration, asked: &str| {
        let (floor, ours) = (of(&floor), of(&ours));
        vec![what.to_owned(), time(floor), time(ours), times(ratio(ours, floor)), asked.to_owned()]
    };
    Table {
        title: "A call in a fresh sandbox",
        columns: &["", "bare wasmtime", "sandbox", "times", "at most"],
        rows: vec![row("p50", Samples::median, "1.3"), row("p99", Samples::p99, "2")],
    }
}

/// How long a call takes on the guests' threads.
fn there(served: &Served, call: impl Future<Output = Duration> + Send + 'static) -> Duration {
    let (told, took) = mpsc::channel();
    served.fleet.spawn(async move { told.send(call.await).unwrap() });
    took.recv().unwrap()
}

struct Bare {
    engine: wasmtime::Engine,
    guest: PurePre<()>,
    request: Request,
}

impl Bare {
    fn of(engine: &Engine, inspected: &Inspected, arguments: &Value) -> Self {
        let (engine, component) = (engine.bare().clone(), inspected.bare());
        let mut linker = Linker::new(&engine);
        linker.define_unknown_imports_as_traps(component).unwrap();
        let guest = PurePre::new(linker.instantiate_pre(component).unwrap()).unwrap();
        let request = Request { tool: "echo".to_owned(), arguments: arguments.to_string(), resume: None };
        Self { engine, guest, request }
    }

    async fn call(self: Arc<Self>) -> Duration {
        let begun = Instant::now();
        let mut store = Store::new(&self.engine, ());
        store.set_fuel(Limits::DEFAULT.fuel).unwrap();
        store.fuel_async_yield_interval(Some(1_000_000)).unwrap();
        store.epoch_deadline_async_yield_and_update(1);
        let instance = self.guest.instantiate_async(&mut store).await.unwrap();
        let answer = instance.wardkeep_tool_handler().call_call(&mut store, &self.request).await.unwrap();
        answer.unwrap_or_else(|failure| panic!("{failure:?}"));
        drop(store);
        begun.elapsed()
    }
}

/// A plugin as the host serves it, and one permit and one record for all calls of one tool.
pub struct Served {
    pub engine: Engine,
    inspected: Inspected,
    pub fleet: Arc<Fleet>,
    pub permit: Permit,
    arguments: Arguments,
    pub recorded: Recorded,
    pub journal: Journal,
    _audit: tempfile::TempDir,
}

/// Who calls.
pub fn me() -> Principal {
    Principal {
        name: "user:me".to_owned(),
        groups: Vec::new(),
        authenticated: Authenticated::ApiKey,
        writes: false,
        human: false,
        unconfirmed_writes: false,
        scopes: None,
        actors: Vec::new(),
    }
}

impl Served {
    /// The home's one plugin behind its signed manifest, as the host loads it, and one permit for all calls: what decides and what
    /// records is measured elsewhere.
    pub async fn of(home: &Home, arguments: &Value) -> Self {
        let engine = Engine::new(EngineOptions::default()).unwrap();
        let component = fs::read(guests::path("fixture")).unwrap();
        let inspected = engine.inspect(component.into()).await.unwrap();
        let found = inspected.inspection();
        let now = Timestamp::now();
        let trust = Trust::parse("trust.toml", &home.read("trust.toml")).unwrap();
        let candidate = Candidate {
            file: "manifest.toml",
            directory: "fixture",
            manifest: &home.read("plugins/fixture/manifest.toml"),
            signatures: &[("tess.sig".to_owned(), home.read("plugins/fixture/manifest.toml.sigs/tess.sig"))],
            known: None,
        };
        let host = HostTerms::default();
        let revocations = Revocations::default();
        let approved = approve(&candidate, &trust, &revocations, &host, now).unwrap();
        let evidence = Evidence { component: found.digest, imports: &found.imports, description: &found.description };
        let terms = Arc::new(approved.with_component(evidence, &host, &revocations).unwrap());
        let plugin = engine.load(&inspected, &terms).unwrap();
        let snapshot = Arc::new(Snapshot::new(vec![terms], &trust, &revocations).unwrap());
        let me = me();
        let kills = Kills::none();
        let case = Case { principal: &me, kills: &kills, confirming: Confirming::default(), now };
        let tool = Arc::clone(snapshot.find(&case, "fixture_echo").unwrap());
        let Value::Object(arguments) = arguments.clone() else { panic!("no object: {arguments}") };
        let arguments = tool.check(arguments).unwrap();
        let permit = authorize(&snapshot, &case, &tool, &arguments).unwrap();
        let fleet = Arc::new(Fleet::new(&engine, snapshot, vec![plugin], Roots::default(), &Outside::closed()));
        let audit = tempfile::tempdir().unwrap();
        let (journal, _) = Journal::open(Options::new(audit.path().join("audit"))).unwrap();
        let intent = Intent {
            correlation: CorrelationId::from_bytes([1; 16]),
            published: tool.published().clone(),
            tool: tool.name().clone(),
            plugin: permit.plugin().clone(),
            version: tool.version().to_owned(),
            manifest_digest: permit.manifest_digest(),
            serial: tool.manifest_serial(),
            contract_digest: tool.contract_digest(),
            effect: tool.effect(),
            principal: me,
            origin: Origin { transport: "stdio", ..Origin::default() },
            rule: permit.rule().to_owned(),
            limits: *permit.limits(),
            resources: Vec::new(),
            resumes: None,
            confirmed: None,
        };
        let recorded = journal.intent(intent).await.unwrap();
        Self { engine, inspected, fleet, permit, arguments, recorded, journal, _audit: audit }
    }

    /// What the tool answers to these arguments: checked, run on the guests' threads and answered, as the host does it, and nothing else.
    pub async fn answer(self: Arc<Self>, arguments: Map<String, Value>) -> Value {
        let (tell, told) = oneshot::channel();
        let path = Arc::clone(&self);
        self.fleet.spawn(async move {
            let arguments = path.permit.tool().check(arguments).unwrap();
            let ticket = path.fleet.admit(&path.permit, "user:me").await.unwrap();
            let token = CallToken::new(path.permit.limits().deadline);
            let (ran, remains) = path.fleet.run(&path.permit, ticket, &path.recorded, &arguments, &token).await;
            let Ok(Ok(Reply::Complete(output))) = ran.result else { panic!("{ran:?}") };
            let structured = output.structured.expect("the tool answers in structure");
            tell.send(serde_json::from_str(&structured).unwrap()).unwrap();
            drop(remains);
        });
        told.await.unwrap()
    }

    async fn call(self: Arc<Self>) -> Duration {
        let begun = Instant::now();
        let ticket = self.fleet.admit(&self.permit, "user:me").await.unwrap();
        let token = CallToken::new(Duration::from_secs(20));
        let (ran, remains) = self.fleet.run(&self.permit, ticket, &self.recorded, &self.arguments, &token).await;
        assert!(matches!(ran.result, Ok(Ok(_))), "{ran:?}");
        drop(remains);
        begun.elapsed()
    }
}
