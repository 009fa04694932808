//! One call after the other, over HTTP and over standard input, beside a bare rmcp server that answers by itself.
//!
//! Twice: by a client that costs next to nothing, which shows the host's own part, and by rmcp's own client, which is what a program
//! that calls tools sees.

use std::{
    fs::File,
    io::Write as _,
    process::{Child, Command, Stdio},
};

use rmcp::{
    RoleClient,
    model::{CallToolRequestParams, ClientCapabilities, ClientConfig, Implementation, ProtocolVersion},
    service::{ClientLifecycleMode, ClientServiceExt as _, RunningService},
};
use rustix::fs::fdatasync;
use serde_json::{Map, Value, json};
use tokio::{net::unix::pipe, runtime::Runtime};
use wardkeep_gateway::Client;

use crate::{
    floor, guests,
    home::{Home, KEY, Plugin},
    measure::{Samples, in_turns, ratio, timed},
    page::{Table, time, times},
    wire,
};

pub const TOOL: &str = "fixture_echo";
const ROUNDS: usize = 25;
const EACH: usize = 200;
const COLUMNS: &[&str] = &["client", "floor p50", "p50", "times", "floor p99", "p99", "times"];

pub fn arguments() -> Value {
    json!({ "text": "hello" })
}

fn object() -> Map<String, Value> {
    let Value::Object(object) = arguments() else { panic!("no object") };
    object
}

/// A home with one plugin that echoes.
pub fn home() -> Home {
    let home = Home::new();
    home.install(&Plugin::plain("fixture", &guests::path("fixture"), &["echo"]));
    home
}

fn row(what: &str, [floor, ours]: &[Samples; 2]) -> Vec<String> {
    let (f50, o50, f99, o99) = (floor.median(), ours.median(), floor.p99(), ours.p99());
    let cells = [time(f50), time(o50), times(ratio(o50, f50)), time(f99), time(o99), times(ratio(o99, f99))];
    [vec![what.to_owned()], cells.into()].concat()
}

pub fn http() -> Table {
    let (home, floor) = (home(), floor::Http::start());
    let serving = home.serve();
    let (arguments, mut rows) = (arguments(), Vec::new());
    let mut bare = wire::Http::open(floor.address);
    let mut ours = wire::Http::open(serving.address);
    let to_bare = wire::post(floor.address, KEY, TOOL, &arguments);
    let to_ours = wire::post(serving.address, KEY, TOOL, &arguments);
    wire::expect(bare.exchange(&to_bare), &arguments);
    wire::expect(ours.exchange(&to_ours), &arguments);
    let mut to_bare = timed(|| _ = bare.exchange(&to_bare));
    let mut to_ours = timed(|| _ = ours.exchange(&to_ours));
    rows.push(row("bytes made before", &in_turns(ROUNDS, EACH, [&mut to_bare, &mut to_ours])));

    let runtime = runtime();
    let connect = |url: String| runtime.block_on(Client::connect(&url, KEY)).unwrap();
    let [bare, ours] = [format!("http://{}/mcp", floor.address), serving.url()].map(connect);
    let call = |client: &Client| {
        let called = runtime.block_on(client.call(TOOL, object())).unwrap();
        assert_eq!(called.structured.as_ref(), Some(&arguments));
    };
    rows.push(row("rmcp's", &in_turns(ROUNDS, EACH, [&mut timed(|| call(&bare)), &mut timed(|| call(&ours))])));
    Table { title: "A READ call over HTTP, one connection kept, one call after the other", columns: COLUMNS, rows }
}

pub fn stdio() -> Table {
    let home = home();
    let (arguments, mut rows) = (arguments(), Vec::new());
    let line = wire::line(TOOL, &arguments);
    {
        let [mut bare, mut ours] = [floor::stdio(), serve(&home)].map(wire::Stdio::of);
        wire::expect(bare.exchange(&line), &arguments);
        wire::expect(ours.exchange(&line), &arguments);
        let mut to_bare = timed(|| _ = bare.exchange(&line));
        let mut to_ours = timed(|| _ = ours.exchange(&line));
        rows.push(row("bytes made before", &in_turns(ROUNDS, EACH, [&mut to_bare, &mut to_ours])));
    }
    let runtime = runtime();
    let [bare, ours] = [floor::stdio(), serve(&home)].map(|child| Spoken::with(&runtime, child));
    let call = |spoken: &Spoken| {
        let request = CallToolRequestParams::new(TOOL).with_arguments(object());
        let result = runtime.block_on(spoken.client.call_tool(request)).unwrap();
        assert_eq!(result.structured_content.as_ref(), Some(&arguments));
    };
    rows.push(row("rmcp's", &in_turns(ROUNDS, EACH, [&mut timed(|| call(&bare)), &mut timed(|| call(&ours))])));
    Table { title: "The same over standard input and output", columns: COLUMNS, rows }
}

/// With every record on the device before the call goes on, beside what the device takes for two records: appended and synced.
pub fn always() -> Table {
    let home = home();
    let trust = crate::home::sha256(&home.read("trust.toml"));
    home.write("wardkeep.toml", &home.operator_file(&trust, "[audit]\nsync = \"always\"\n"));
    let serving = home.serve();
    let arguments = arguments();
    let mut ours = wire::Http::open(serving.address);
    let post = wire::post(serving.address, KEY, TOOL, &arguments);
    wire::expect(ours.exchange(&post), &arguments);
    let mut file = File::create(home.path().join("beside")).unwrap();
    let record = [b'x'; 1_500];
    let device = || {
        for _ in 0..2 {
            file.write_all(&record).unwrap();
            fdatasync(&file).unwrap();
        }
    };
    let samples = in_turns(10, 50, [&mut timed(device), &mut timed(|| _ = ours.exchange(&post))]);
    Table {
        title: "The same over HTTP with `audit.sync = \"always\"`, beside two appends of 1,500 bytes with fdatasync",
        columns: COLUMNS,
        rows: vec![row("bytes made before", &samples)],
    }
}

fn serve(home: &Home) -> Child {
    let mut serve: Command = home.wardkeep(&["serve", "--stdio"]);
    serve.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// rmcp's client of a process.
struct Spoken {
    client: RunningService<RoleClient, ClientConfig>,
    child: Child,
}

impl Spoken {
    fn with(runtime: &Runtime, mut child: Child) -> Self {
        let client = runtime.block_on(async {
            let input = pipe::Sender::from_owned_fd(child.stdin.take().unwrap().into()).unwrap();
            let output = pipe::Receiver::from_owned_fd(child.stdout.take().unwrap().into()).unwrap();
            let config = ClientConfig::new(ClientCapabilities::default(), Implementation::new("wardkeep-bench", "1"));
            let lifecycle = ClientLifecycleMode::Discover { preferred_versions: vec![ProtocolVersion::V_2026_07_28] };
            config.serve_with_lifecycle((output, input), lifecycle).await.unwrap()
        });
        Self { client, child }
    }
}

impl Drop for Spoken {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
