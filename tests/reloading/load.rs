//! Reloads under load: no call fails that should not, and nothing is left behind.

use std::{
    env, fs,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::json;

use super::wait;
use crate::support::{
    guests,
    home::{Home, Plugin, day},
    serving::Serving,
};

/// The same component with other bytes: a custom section at its end.
pub fn stamped(component: &[u8], number: u8) -> Vec<u8> {
    [component, &[0, 4, 2, b'n', b'o', number]].concat()
}

/// What a process holds.
#[derive(Debug, Clone, Copy)]
struct Held {
    resident_kib: u64,
    descriptors: usize,
    threads: u64,
}

fn held(serving: &Serving) -> Held {
    let process = serving.process().as_raw_nonzero();
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let number = |key: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(key)).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    };
    Held {
        resident_kib: number("VmRSS:"),
        descriptors: fs::read_dir(format!("/proc/{process}/fd")).unwrap().count(),
        threads: number("Threads:"),
    }
}

/// How many reloads; the whole promise is `WARDKEEP_RELOADS=1000 cargo test -p wardkeep --test e2e -- reloads_under_load --nocapture`.
fn reloads() -> usize {
    env::var("WARDKEEP_RELOADS").map_or(40, |count| count.parse().expect("a number"))
}

#[test]
fn no_call_fails_in_reloads_under_load_and_memory_returns_to_where_it_was() {
    let home = Home::new();
    let wasm = guests::path("fixture");
    let inspected = home.json(&["inspect", wasm.to_str().unwrap()]);
    let contract = inspected["contract_sha256"].as_str().unwrap();
    let component = fs::read(&wasm).unwrap();
    let versions = [stamped(&component, 1), stamped(&component, 2)];
    let put = |serial: u64| {
        let mut plugin = Plugin::plain("fixture", &wasm, &["echo", "slow"]);
        (plugin.serial, plugin.limits) = (serial, "concurrency = 16\n");
        home.put(&plugin, &versions[serial as usize % 2], "1.0.0", contract, &day(200));
    };
    put(1);
    let serving = home.serve();
    let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let callers: Vec<_> = (0..4)
        .map(|n| {
            let (mcp, stop, done) = (serving.mcp(), Arc::clone(&stop), Arc::clone(&done));
            thread::spawn(move || {
                let mut failed = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let (tool, arguments) = match n % 2 {
                        0 => ("fixture_echo", json!({ "n": n })),
                        _ => ("fixture_slow", json!({ "steps": 2_000_000 })),
                    };
                    match mcp.try_call(tool, arguments.clone()) {
                        Ok(answer) if answer["result"]["structuredContent"] == arguments => {}
                        other => failed.push(format!("{other:?}")),
                    }
                    done.fetch_add(1, Ordering::Relaxed);
                }
                failed
            })
        })
        .collect();

    let loaded = |serving: &Serving| serving.stderr().matches("1 replaced (fixture").count();
    let (count, begun) = (reloads(), Instant::now());
    let (fresh, warm) = (held(&serving), count / 4);
    let mut before = None;
    for n in 1..=count {
        put(n as u64 + 1);
        serving.hang_up();
        wait("the new one serves", || loaded(&serving) == n);
        if n == warm {
            before = Some(held(&serving));
        }
    }
    let took = begun.elapsed();
    stop.store(true, Ordering::Relaxed);
    let failed: Vec<_> = callers.into_iter().flat_map(|caller| caller.join().unwrap()).collect();
    // what the last calls held is given back
    thread::sleep(Duration::from_millis(500));
    let (before, after) = (before.expect("reloads"), held(&serving));
    println!(
        "{count} reloads in {took:?}, {} calls; before {fresh:?}, after {warm} reloads {before:?}, at the end {after:?}",
        done.load(Ordering::Relaxed)
    );
    assert_eq!(failed, Vec::<String>::new());
    assert!(done.load(Ordering::Relaxed) > count, "there was load");
    assert!(after.resident_kib < before.resident_kib + 12 * 1024, "{before:?} {after:?}");
    assert!(after.descriptors <= before.descriptors + 8, "{before:?} {after:?}");
    assert!(after.threads <= before.threads + 4, "{before:?} {after:?}");
    assert_eq!(serving.terminate().0, Some(0));
    let verified = home.json(&["audit", "verify"]);
    assert_eq!(verified["unfinished"].as_array().map_or(0, Vec::len), 0, "{verified}");
}
