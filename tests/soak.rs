//! A day's calls and more in ten minutes, of every kind at once, with everything that clients and admins do besides; and nothing of it is
//! left in the host: no memory, no file, no socket, no session, no thread, no task, no place.

mod field;
mod held;
mod older;
mod relays;
mod reloads;
mod rude;
mod stateless;
mod tally;
mod wire;

use std::{
    collections::BTreeMap,
    env, fs,
    io::{BufRead as _, BufReader},
    sync::atomic::Ordering,
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::support::{
    home::{Home, KEY},
    http::send,
    serving::Serving,
};
use field::{Field, LEAVER};
use held::{Held, Samples};

/// Memory that comes and goes with what is in flight, at the median of two minutes.
const NOISE_KIB: u64 = 4 << 10;
/// What is over is given back within this: the slowest are threads for files and compiling, which wait ten seconds for more work.
const SETTLED: Duration = Duration::from_secs(60);

/// Calls, guests and tasks that are alive are told at each SIGHUP.
const ENVIRONMENT: [(&str, &str); 1] = [("WARDKEEP_LOG", "wardkeep::reload=debug")];

/// What it does, how many do so at once, and how.
type Driver = (&'static str, usize, fn(&Field<'_>));

fn seconds() -> u64 {
    env::var("WARDKEEP_TEST_SOAK_SECONDS").map_or(600, |seconds| seconds.parse().expect("a number"))
}

/// `cargo test --release --workspace --test e2e -- --ignored --nocapture soak`
#[test]
#[ignore = "takes ten minutes and the whole machine; WARDKEEP_TEST_SOAK_SECONDS is for less"]
fn soak() {
    let home = field::home();
    let serving = home.serve_with(&ENVIRONMENT);
    let field = Field::new(&home, serving.address);
    let process = serving.process();
    // once everything that is made at a first use is made
    let first = field.wire().call("files_search", json!({ "pattern": "needle" })).unwrap();
    assert_eq!(tally::ending(&first), "ok", "{first}");
    assert_eq!(rejected(&serving), 0, "{}", serving.stderr());
    // and what a first reload makes: until then, what the host began with and what holds now are the same
    alive(&serving);
    let before = idle(&serving, None);
    let alive_before = alive(&serving);
    println!("before: {before:?}, {alive_before}");
    let length = Duration::from_secs(seconds());
    let mut samples = Samples::begin();
    let begun = Instant::now();
    thread::scope(|scope| {
        let field = &field;
        let drivers: [Driver; 12] = [
            ("steady", 3, stateless::steady),
            ("fresh", 1, stateless::fresh),
            ("limits", 1, stateless::limits),
            ("hang-up", 1, stateless::hang_up),
            ("progress", 1, stateless::progress),
            ("questions", 1, stateless::questions),
            ("subscriptions", 2, stateless::subscriptions),
            ("sessions", 2, older::sessions),
            ("leaver", 1, older::leaver),
            ("rude", 1, rude::rude),
            ("refused", 1, rude::refused),
            ("relays", 2, relays::relays),
        ];
        let start = |name: &str| thread::Builder::new().name(name.to_owned());
        let mut running = Vec::new();
        for (name, count, driver) in drivers {
            running.extend((0..count).map(|_| start(name).spawn_scoped(scope, move || driver(field)).unwrap()));
        }
        running.push(start("reloads").spawn_scoped(scope, || reloads::reloads(field, &serving)).unwrap());
        let mut told = 0;
        while begun.elapsed() < length && running.iter().all(|driver| !driver.is_finished()) {
            thread::sleep(Duration::from_secs(1));
            samples.take(process, field.tally.calls());
            let now = samples.all.last().unwrap();
            if now.at.as_secs() / 30 > told {
                told = now.at.as_secs() / 30;
                println!("{:?}: {} calls; {:?}", now.at, now.calls, now.held);
            }
        }
        field.over.store(true, Ordering::Relaxed);
        for driver in running {
            if driver.join().is_err() {
                field.tally.wrong("a driver panicked: what it said stands above".to_owned());
            }
        }
    });
    let took = begun.elapsed();
    println!("{} calls in {took:?}:\n{}", field.tally.calls(), field.tally);

    let mut wrong = field.tally.take_wrong();
    wrong.extend(samples.grown(NOISE_KIB));
    let left = field.left.lock().unwrap().len();
    println!("  sessions left open: {left}, of which {} were open still", older::end_left(&field));
    wrong.extend(places(&field));
    let after = idle(&serving, Some(&before));
    let alive_after = alive(&serving);
    println!("after: {after:?}, {alive_after}");
    if alive_after != alive_before {
        wrong.push(format!("what lives: {alive_before} became {alive_after}"));
    }
    if !after.is_idle_as(&before) {
        wrong.push(format!("what it holds idle: {before:?} became {after:?}"));
    }
    assert_eq!(serving.terminate().0, Some(0));
    wrong.extend(journal(&home));
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
}

/// Calls that have a place, guests' tasks and all other tasks, as the host counts them when it is asked to reload.
fn alive(serving: &Serving) -> String {
    let told = |serving: &Serving| {
        let text = serving.stderr();
        let lines: Vec<_> = text.lines().filter_map(|line| Some(line.split_once("alive ")?.1.to_owned())).collect();
        lines
    };
    let before = told(serving).len();
    serving.hang_up();
    let begun = Instant::now();
    loop {
        thread::sleep(Duration::from_millis(100));
        if let Some(line) = told(serving).get(before) {
            return line.clone();
        }
        assert!(begun.elapsed() < SETTLED, "no word of a reload: {}", serving.stderr());
    }
}

fn rejected(serving: &Serving) -> u64 {
    send(serving.address, "GET", "/ready", &[], b"").unwrap().message()["rejected"].as_u64().unwrap()
}

/// What the host holds when nothing is asked of it; if it is told what that was before, as soon as that is reached again.
fn idle(serving: &Serving, before: Option<&Held>) -> Held {
    let begun = Instant::now();
    loop {
        let held = Held::by(serving.process());
        let settled = match before {
            Some(before) => held.is_idle_as(before),
            // threads for files go after ten seconds without any
            None => begun.elapsed() > Duration::from_secs(12),
        };
        if settled || begun.elapsed() > SETTLED {
            return held;
        }
        thread::sleep(Duration::from_millis(100));
    }
}

/// Everything of which there is only so much is there again, whole: what one call in thousands had kept would be missing.
fn places(field: &Field<'_>) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut expect = |what: &str, found: usize, expected: usize| {
        println!("  {what}: {found} of {expected}");
        if found != expected {
            wrong.push(format!("{what}: {found} of {expected}"));
        }
    };
    expect("sessions of one principal", older::room_for(field, KEY, 101), 100);
    expect("sessions of who left theirs", older::room_for(field, LEAVER, 101), 100);
    // while its other connections are going
    thread::sleep(Duration::from_secs(1));
    let mut connections: Vec<_> = (0..257).map(|_| field.wire()).collect();
    expect("connections", connections.iter_mut().filter_map(|wire| wire.get("/health").ok()).count(), 256);
    drop(connections);
    thread::sleep(Duration::from_secs(1));
    let at_once: Vec<_> = thread::scope(|scope| {
        let call = || field.wire().call("waits_briefly", json!({ "milliseconds": 800 })).unwrap();
        let calls: Vec<_> = (0..16).map(|_| scope.spawn(call)).collect();
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    });
    expect(
        "one caller's places of one tool",
        at_once.iter().filter(|answer| tally::ending(answer) == "ok").count(),
        16,
    );
    let large = json!({ "large": "x".repeat((4 << 20) - 1_000) });
    let echoed = field.wire().call("fixture_echo", large).unwrap();
    expect("room for a large body", usize::from(tally::ending(&echoed) == "failed"), 1);
    wrong
}

/// Each intent has its outcome, and the whole log verifies.
fn journal(home: &Home) -> Vec<String> {
    let mut phases = BTreeMap::<String, u64>::new();
    let mut outcomes = BTreeMap::<String, u64>::new();
    for entry in fs::read_dir(home.path().join("audit")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "jsonl") {
            continue;
        }
        for line in BufReader::new(fs::File::open(path).unwrap()).lines() {
            let record: Value = serde_json::from_str(&line.unwrap()).unwrap();
            let phase = record["unmapped"]["phase"].as_str().unwrap_or_default().to_owned();
            if phase == "outcome" {
                *outcomes.entry(record["unmapped"]["outcome"].to_string()).or_default() += 1;
            }
            *phases.entry(phase).or_default() += 1;
        }
    }
    println!("  the journal: {phases:?}, of which outcomes {outcomes:?}");
    let mut wrong = Vec::new();
    if phases.get("intent") != phases.get("outcome") {
        wrong.push(format!("intents and outcomes: {phases:?}"));
    }
    let verified = home.json(&["audit", "verify"]);
    if verified["unfinished"].as_array().is_none_or(|unfinished| !unfinished.is_empty()) {
        wrong.push(format!("audit verify: {verified}"));
    }
    wrong
}
