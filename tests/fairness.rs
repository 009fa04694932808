//! Guests that take all the time they can get, as many as there are cores and two hundred of them, and what others notice of it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::support::{
    guests,
    home::{Home, Plugin, sha256},
    http::Mcp,
    serving::Serving,
};

/// Plugins that loop, each with as many calls at once as a host allows.
const LOOPING: usize = 8;

/// A home with a well-behaved plugin and `LOOPING` that are not.
///
/// One caller does it all, and may: these are promises between plugins, and it is tests/limits.rs that tells callers apart.
fn home(deadline: &str) -> Home {
    let home = Home::new();
    let limits = "[limits]\nconcurrency = 1000\nfuel_per_minute = 100_000_000_000_000\n";
    home.write("wardkeep.toml", &home.operator_file(&sha256(&home.read("trust.toml")), limits));
    home.install(&Plugin::plain("fixture", &guests::path("fixture"), &["echo", "slow"]));
    let component = guests::path("hostile");
    let limits = format!("fuel = 20_000_000_000\ndeadline = \"{deadline}\"\nconcurrency = 32\nmemory = \"16MiB\"\n");
    for n in 0..LOOPING {
        let name = format!("loops{n}");
        let mut plugin = Plugin::plain(&name, &component, &["loop"]);
        plugin.limits = &limits;
        home.install(&plugin);
    }
    home
}

/// Clients that call looping tools and call again, until they are told to end.
struct Loops {
    end: Arc<AtomicBool>,
    admitted: Arc<AtomicUsize>,
    clients: Vec<thread::JoinHandle<()>>,
}

impl Loops {
    fn start(mcp: &Mcp, clients: usize, plugins: usize) -> Self {
        let (end, admitted) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let client = |n: usize| {
            let (mcp, end, admitted) = (mcp.clone(), Arc::clone(&end), Arc::clone(&admitted));
            thread::spawn(move || {
                let tool = format!("loops{}_loop", n % plugins);
                let mut connection = mcp.keep_alive().expect("a connection");
                while !end.load(Ordering::Relaxed) {
                    let Ok(answer) = connection.call(&tool, json!({})) else { return };
                    if answer["result"]["_meta"]["dev.wardkeep/retry-after-seconds"].is_null() {
                        admitted.fetch_add(1, Ordering::Relaxed);
                    }
                    thread::sleep(Duration::from_millis(100));
                }
            })
        };
        Self { clients: (0..clients).map(client).collect(), end, admitted }
    }

    /// How many calls ran to their end.
    fn end(self) -> usize {
        self.end.store(true, Ordering::Relaxed);
        self.clients.into_iter().for_each(|client| client.join().unwrap());
        self.admitted.load(Ordering::Relaxed)
    }
}

/// What a well-behaved client saw.
#[derive(Default)]
struct Seen {
    times: Vec<Duration>,
    failures: Vec<Value>,
}

impl Seen {
    fn shown(&mut self) -> String {
        self.times.sort();
        let at = |share: f64| self.times[((self.times.len() as f64 * share) as usize).min(self.times.len() - 1)];
        let (median, high, most) = (at(0.5), at(0.99), at(1.0));
        format!(
            "n {}, failed {}, p50 {median:.2?}, p99 {high:.2?}, most {most:.2?}",
            self.times.len(),
            self.failures.len()
        )
    }
}

/// What others do meanwhile, for so long: some clients call a tool that needs little, one a tool that needs 100 million units of
/// fuel, one asks for `/health`.
fn others(serving: &Serving, clients: usize, pause: Duration, time: Duration) -> [(&'static str, Seen); 3] {
    let until = Instant::now() + time;
    let mcp = serving.mcp();
    let call = &|tool: &str, arguments: Value| {
        let mut connection = mcp.keep_alive().unwrap();
        let mut seen = Seen::default();
        while Instant::now() < until {
            let begun = Instant::now();
            let answer = connection.call(tool, arguments.clone()).unwrap();
            seen.times.push(begun.elapsed());
            if answer["result"]["structuredContent"] != arguments {
                seen.failures.push(answer);
            }
            thread::sleep(pause);
        }
        seen
    };
    let health = || {
        let mut connection = mcp.keep_alive().unwrap();
        let mut seen = Seen::default();
        while Instant::now() < until {
            let begun = Instant::now();
            let status = connection.get("/health").unwrap();
            seen.times.push(begun.elapsed());
            if status != 200 {
                seen.failures.push(json!(status));
            }
            thread::sleep(pause);
        }
        seen
    };
    thread::scope(|scope| {
        let health = scope.spawn(health);
        let slow = scope.spawn(|| call("fixture_slow", json!({ "steps": 10_000_000 })));
        let echo: Vec<_> = (0..clients).map(|n| scope.spawn(move || call("fixture_echo", json!({ "n": n })))).collect();
        let mut all = Seen::default();
        for one in echo.into_iter().map(|client| client.join().unwrap()) {
            all.times.extend(one.times);
            all.failures.extend(one.failures);
        }
        [("calls", all), ("slow calls", slow.join().unwrap()), ("/health", health.join().unwrap())]
    })
}

/// `cargo test --release -p wardkeep --test e2e -- --ignored --nocapture measure_what_loops_cost_others`
#[test]
#[ignore = "measures; takes a minute and wants the machine for itself"]
fn measure_what_loops_cost_others() {
    let home = home("5s");
    let serving = home.serve();
    let cores = thread::available_parallelism().unwrap().get();
    let measure = |what: &str, clients: usize, plugins: usize| {
        let loops = Loops::start(&serving.mcp(), clients, plugins);
        thread::sleep(Duration::from_millis(if clients == 0 { 0 } else { 500 }));
        println!("{what}");
        for (who, mut seen) in others(&serving, 4, Duration::from_millis(2), Duration::from_secs(10)) {
            println!("  {who}: {}", seen.shown());
            if let Some(failed) = seen.failures.first() {
                println!("  such as: {failed}");
            }
        }
        println!("  loops that ran: {}", loops.end());
    };
    measure("idle", 0, 1);
    measure("as many loops as cores", cores, 1);
    measure("200 loops of one tool", 200, 1);
    measure("200 loops of eight plugins", 200, LOOPING);
}

#[test]
fn two_hundred_loops_of_eight_plugins_leave_room_for_another() {
    let home = home("4s");
    let serving = home.serve();
    let loops = Loops::start(&serving.mcp(), 200, LOOPING);
    thread::sleep(Duration::from_millis(500));
    let mut connection = serving.mcp().keep_alive().unwrap();
    for n in 0..30 {
        let answer = connection.call("fixture_echo", json!({ "n": n })).unwrap();
        assert_eq!(answer["result"]["structuredContent"], json!({ "n": n }), "{answer}");
        assert_eq!(connection.get("/health").unwrap(), 200);
    }
    // eight at once, as many as the tool may have
    let at_once: Vec<_> = (0..8)
        .map(|_| {
            let mut connection = serving.mcp().keep_alive().unwrap();
            thread::spawn(move || connection.call("fixture_slow", json!({ "steps": 1_000_000 })).unwrap())
        })
        .collect();
    for answer in at_once.into_iter().map(|call| call.join().unwrap()) {
        assert_eq!(answer["result"]["structuredContent"], json!({ "steps": 1_000_000 }), "{answer}");
    }
    assert!(loops.end() >= LOOPING, "every plugin had its loops");
}

#[test]
fn a_burst_beyond_the_tools_concurrency_waits_its_turn() {
    let home = Home::new();
    let component = guests::path("fixture");
    let mut fixture = Plugin::plain("fixture", &component, &["slow"]);
    fixture.limits = "concurrency = 2\n";
    home.install(&fixture);
    let serving = home.serve();
    let burst: Vec<_> = (0..20)
        .map(|_| {
            let mut connection = serving.mcp().keep_alive().unwrap();
            thread::spawn(move || connection.call("fixture_slow", json!({ "steps": 100_000 })).unwrap())
        })
        .collect();
    for answer in burst.into_iter().map(|call| call.join().unwrap()) {
        assert_eq!(answer["result"]["structuredContent"], json!({ "steps": 100_000 }), "{answer}");
    }
}
