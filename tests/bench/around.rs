//! What the host puts around a READ call: who calls, the decision, the limits, both records, and what is said of the answer. With it and
//! without it in turns: the same guest and the same arguments, checked and run on the guests' threads, answered to the same waiting client.
//!
//! In one process, call by call, and over HTTP by the processor time of whole processes, where the one without is a bare rmcp server.

use std::{fs::File, io::Write as _, sync::Arc, thread, time::Duration};

use serde_json::{Map, Value};
use wardkeep_audit::{ClaimedClient, Origin};
use wardkeep_gateway::{
    Allowances, ApiKey, Approval, ApprovalLimits, Approvals, BrakeTerms, Callers, CancellationToken, Host, Keep, Line,
    Moment, Response, ToolCall,
};
use wardkeep_model::Digest;
use wardkeep_policy::Confirming;

use crate::{
    calls, cost, floor,
    home::{Home, KEY},
    measure::{Samples, in_turns},
    page::{Table, time},
    sandbox::{Served, me},
    wire,
};

/// Calls that are counted together: one after the other, as a busy host has them, and a process's clock is read for all of them.
const CHUNK: u32 = 50;

pub fn table() -> Table {
    Table {
        title: "Processor time of a READ call, without and with everything that the host puts around it",
        columns: &[
            "",
            "without, p50",
            "with, p50",
            "added, p50",
            "added, mean",
            "of it two appends of 1,500 bytes, p50",
            "at most",
        ],
        rows: here().into_iter().chain([over_http()]).collect(),
    }
}

fn row(what: &str, [without, with, appends]: &[Samples; 3], most: &str) -> Vec<String> {
    let added = |of: fn(&Samples) -> Duration| time(of(with).saturating_sub(of(without)));
    let (without, with) = (time(without.median()), time(with.median()));
    let (median, mean, appends) = (added(Samples::median), added(Samples::mean), time(appends.median()));
    vec![what.to_owned(), without, with, median, mean, appends, most.to_owned()]
}

/// What the system takes for a call's two records, of which the log's device knows nothing yet.
fn appends(home: &Home) -> impl FnMut() -> Duration + use<> {
    let mut file = File::create(home.path().join("beside")).unwrap();
    move || {
        let before = cost::spent_here();
        for _ in 0..2 {
            file.write_all(&[b'x'; 1_500]).unwrap();
        }
        cost::spent_here() - before
    }
}

fn here() -> [Vec<String>; 2] {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let Value::Object(arguments) = calls::arguments() else { panic!("no object") };
    let home = calls::home();
    let served = Arc::new(runtime.block_on(Served::of(&home, &calls::arguments())));
    let header = format!("Bearer {KEY}");
    let key = ApiKey {
        name: "me".to_owned(),
        sha256: Digest::of(KEY.as_bytes()),
        principal: me(),
        expires: None,
        owner: None,
    };
    let moment = Moment {
        fleet: Arc::clone(&served.fleet),
        callers: Callers { keys: vec![key], ..Callers::default() },
        allowances: Allowances::default(),
        confirming: Confirming::default(),
        approvals: ApprovalLimits::default(),
        brakes: BrakeTerms::default(),
        rejected: 0,
    };
    let approvals = Approvals::new(Vec::new(), Box::new(Nowhere), served.journal.clone());
    let host = Host::new(moment, served.journal.clone(), Arc::new(approvals));
    let without = || {
        let answer = runtime.block_on(Arc::clone(&served).answer(arguments.clone()));
        assert_eq!(answer, calls::arguments());
    };
    let with = || {
        let answer = runtime.block_on(call(&host, header.as_bytes(), arguments.clone()));
        assert_eq!(answer, calls::arguments());
    };
    [("one after the other", CHUNK, 10), ("each after a pause", 1, 200)].map(|(how, calls, samples)| {
        let sides: [&mut dyn FnMut() -> Duration; 3] =
            [&mut spent(calls, without), &mut spent(calls, with), &mut appends(&home)];
        let samples = in_turns(25, samples, sides);
        row(&format!("in one process, from the key to the answer, {how}"), &samples, "50 µs")
    })
}

/// A READ call asks for no approval.
struct Nowhere;

impl Keep for Nowhere {
    fn keep(&self, _: &[Approval]) -> std::io::Result<()> {
        Ok(())
    }
}

/// As a transport does it that has read a request.
async fn call(host: &Arc<Host>, authorization: &[u8], arguments: Map<String, Value>) -> Value {
    let client = ClaimedClient { name: "wardkeep-bench".to_owned(), version: "1".to_owned() };
    let origin = Origin {
        transport: "http",
        peer: Some("127.0.0.1".to_owned()),
        client: Some(client),
        protocol: Some("2026-07-28".to_owned()),
        request_id: Some("1".to_owned()),
        trace_id: None,
    };
    let request = ToolCall { tool: calls::TOOL.to_owned(), arguments, retry: None, approval: None };
    let caller = host.bearer(authorization, origin).await.expect("a known key");
    match host.call(caller, request, Line::default(), CancellationToken::new()).await {
        Ok(Response::Complete(answer)) => answer.structured_content.unwrap(),
        other => panic!("{other:?}"),
    }
}

/// How much of a processor this process uses for one of so many, one after the other, and until nothing of the last is left to clear away. The
/// pause after them is as long as it takes a processor to go to sleep, which makes what comes next dearer.
fn spent(calls: u32, act: impl Fn()) -> impl FnMut() -> Duration {
    move || {
        let before = cost::spent_here();
        (0..calls).for_each(|_| act());
        // the store is cleared away after the answer, on another thread
        thread::sleep(Duration::from_micros(300));
        (cost::spent_here() - before) / calls
    }
}

fn over_http() -> Vec<String> {
    let home = calls::home();
    let (bare, serving) = (floor::Http::with_sandbox(), home.serve());
    let side = |address, process: i32| {
        let mut connection = wire::Http::open(address);
        let post = wire::post(address, KEY, calls::TOOL, &calls::arguments());
        wire::expect(connection.exchange(&post), &calls::arguments());
        move || {
            let before = cost::spent_exactly(process);
            for _ in 0..CHUNK {
                let _ = connection.exchange(&post);
            }
            (cost::spent_exactly(process) - before) / CHUNK
        }
    };
    let mut without = side(bare.address, i32::try_from(bare.child.id()).unwrap());
    let mut with = side(serving.address, serving.process().as_raw_nonzero().get());
    let samples = in_turns(25, 10, [&mut without, &mut with, &mut appends(&home)]);
    row("over HTTP, all that the host does besides", &samples, "")
}
